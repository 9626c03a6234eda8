"""Mutates the recorded packets and snapshot streams, and holds the decoders to their promises.

    python tests/impl/fuzz_wire.py --seed 1 --count 1000000

Whatever the bytes are: a JuteError (or, from a stream, the end of it), or what was read writes the
very bytes again that were consumed. Never a wait for bytes that cannot come, never memory out of
proportion to the bytes that there are.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import TypeVar

from attrs import define, field

sys.path.insert(0, str(Path(__file__).parents[2]))

from byte_mutations import mutate
from payloads_again import PAYLOADS
from wire_recordings import recorded_packets, recorded_snapshots, recordings

from impl.database import Database
from impl.jute import JuteError
from impl.packets import PacketType, QuorumPacket, decode_packet, read_packet
from impl.payloads import inform_and_activate_packet
from impl.records import Acl, Id
from impl.snapshot_stream import (
    Snapshot,
    decode_snapshot,
    decode_snapshot_on_the_wire,
    read_snapshot,
    snapshot_on_the_wire,
)
from impl.transactions import CreateTxn, OpCode, Transaction, TxnHeader, decode_transaction

T = TypeVar("T")

MEASURED_EVERY = 50
BYTES_FOR_EACH_BYTE = 40
BYTES_FOR_ANYTHING = 100_000
SLOWEST_ALLOWED = 2.0
LATER = Transaction(
    TxnHeader(1, 1, 1, 1, OpCode.CREATE),
    CreateTxn("/later", b"", (Acl(5, Id("a", "b")),), ephemeral=True, parent_cversion=-1),
).encode()
"""Can be applied to any tree."""


class BrokenPromise(Exception):
    """A decoder did what it never should."""


@define
class Tally:
    """What was tried, and what came of it."""

    outcomes: Counter[str] = field(factory=Counter)
    mutations: Counter[str] = field(factory=Counter)
    measured: int = 0
    most_memory: int = 0
    """Bytes at once, beyond those that were read."""
    slowest: float = 0.0


def packet_seeds() -> list[bytes]:
    seeds = {one.packet.encode() for path in recordings() for one in recorded_packets(path)}
    activated = [
        inform_and_activate_packet(one.zxid, 2, one.content).encode()
        for path in recordings()
        for one in recorded_packets(path)
        if one.type == "PROPOSAL" and one.content is not None
    ]
    return sorted(seeds) + activated[:20]


def snapshot_seeds() -> list[bytes]:
    return [
        one.content
        for path in recordings()
        for one in recorded_snapshots(path)
        if one.content is not None
    ]


def try_packet(content: bytes) -> str:
    """Read a packet from bytes and from a stream, and what it says. The outcome's name."""
    try:
        packet, end = decode_packet(content)
    except JuteError as error:
        expect_refused(content, read_packet)
        return f"refused packet: {_kind(error)}"
    expect_same(packet.encode(), content[:end], "packet")
    if at_once(content, read_packet) != packet:
        raise BrokenPromise(f"bytes and stream disagree on {content.hex()}")
    return try_payload(packet)


def try_payload(packet: QuorumPacket) -> str:
    check = PAYLOADS.get(packet.type)
    if check is None:
        return "read packet without payload"
    try:
        again = check(packet)
    except JuteError as error:
        return f"refused payload: {_kind(error)}"
    expect_same(again, packet.data, packet.name)
    if packet.type in (PacketType.PROPOSAL, PacketType.INFORM):
        apply(Database(), packet.data)
    return f"read payload of {packet.name}"


def apply(database: Database, payload: bytes | None) -> None:
    """Whatever it says can be applied, and saved, and loaded again."""
    database.process_txn(decode_transaction(payload))
    body = database.serialize_snapshot()
    expect_same(loaded(decode_snapshot(body)[0]).serialize_snapshot(), body, "tree")


def loaded(snapshot: Snapshot) -> Database:
    database = Database()
    database.deserialize_snapshot(snapshot)
    return database


def try_snapshot(content: bytes) -> str:
    try:
        snapshot = decode_snapshot_on_the_wire(content)
    except JuteError as error:
        if "bytes more, expected the end" not in str(error):
            expect_refused(content, read_snapshot)
        return f"refused snapshot: {_kind(error)}"
    expect_same(snapshot_on_the_wire(snapshot.encode()), content, "snapshot")
    if at_once(content, read_snapshot) != snapshot:
        raise BrokenPromise(f"bytes and stream disagree on {content.hex()}")
    apply(loaded(snapshot), LATER)
    return "read snapshot"


def fuzz(seed: int, count: int) -> Tally:
    """So many mutations, always the same for one seed. Raises BrokenPromise."""
    chance = Random(seed)  # noqa: S311  to be repeated, not to be secret
    tally = Tally()
    packets, snapshots = packet_seeds(), snapshot_seeds()
    for number in range(count):
        is_snapshot = chance.random() < 1 / 8
        seeds = snapshots if is_snapshot else packets
        content = chance.choice(seeds)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            content, name = mutate(content, chance, chance.choice(seeds))
            tally.mutations[name] += 1
        attempt = try_snapshot if is_snapshot else try_packet
        outcome = measured(attempt, content, tally, with_memory=number % MEASURED_EVERY == 0)
        tally.outcomes[outcome] += 1
    return tally


def measured(
    attempt: Callable[[bytes], str], content: bytes, tally: Tally, *, with_memory: bool
) -> str:
    if with_memory:
        tracemalloc.start()
    started = time.perf_counter()
    try:
        outcome = attempt(content)
    except BrokenPromise:
        raise
    except Exception as error:
        raise BrokenPromise(f"{type(error).__name__} {error} for {content.hex()}") from error
    finally:
        took = time.perf_counter() - started
        peak = tracemalloc.get_traced_memory()[1] if with_memory else 0
        tracemalloc.stop()
    tally.slowest = max(tally.slowest, took)
    tally.measured += with_memory
    tally.most_memory = max(tally.most_memory, peak - len(content))
    if peak > BYTES_FOR_EACH_BYTE * len(content) + BYTES_FOR_ANYTHING or took > SLOWEST_ALLOWED:
        raise BrokenPromise(f"{peak} bytes and {took:.3f} s for {content.hex()}")
    return outcome


def at_once(
    content: bytes, read: Callable[[asyncio.StreamReader], Coroutine[object, None, T]]
) -> T:
    """What a stream of these bytes that has ended gives; it must not be waited for."""
    reader = asyncio.StreamReader(loop=_LOOP)
    reader.feed_data(content)
    reader.feed_eof()
    reading = read(reader)
    try:
        reading.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    reading.close()
    raise BrokenPromise(f"waits for more than {content.hex()}")


def expect_refused(
    content: bytes, read: Callable[[asyncio.StreamReader], Coroutine[object, None, object]]
) -> None:
    try:
        at_once(content, read)
    except (JuteError, EOFError):
        return
    raise BrokenPromise(f"read from a stream, but not from bytes: {content.hex()}")


def expect_same(again: bytes | None, consumed: bytes | None, what: str) -> None:
    if again != consumed:
        raise BrokenPromise(f"{what}: consumed {consumed!r}, wrote {again!r}")


def _kind(error: JuteError) -> str:
    """The expectation, with numbers left out."""
    return " ".join("N" if word.lstrip("-").isdigit() else word for word in error.expected.split())


_LOOP = asyncio.new_event_loop()
_LOOP.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    started = time.perf_counter()
    tally = fuzz(options.seed, options.count)
    took = time.perf_counter() - started
    lines = [
        f"seed {options.seed}: {options.count} mutated inputs, {took:.1f} s, no promise broken"
    ]
    lines += [f"  {number:9} {name}" for name, number in tally.outcomes.most_common()]
    lines += ["mutations: " + ", ".join(f"{n} {k}" for k, n in sorted(tally.mutations.items()))]
    lines += [
        (
            f"memory measured {tally.measured} times: at most {tally.most_memory} bytes at once"
            f"; slowest {tally.slowest * 1000:.1f} ms"
        )
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
