"""Mutated files of a server: read right or refused, and nothing else.

    python tests/impl/fuzz_files.py --seed 1 --count 100000

A mutated log, snapshot or epoch file gives one clear error or a prefix of what was written, never
anything that was not. Forged ones, whose checksums were made right again, give one clear error or
any database. Every case says how to see it again: --seed N --first N --count 1.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable

from stored import CutDisk, ListDatabase, payload, run, started, zxids

from impl.database import Database
from impl.files import HEADER, StorageError, named
from impl.logfile import LogFile, made_record
from impl.records import Acl, Id
from impl.simulated_files import SimulatedFile, SimulatedFiles
from impl.snapshots import sealed
from impl.storage import Storage
from impl.transactions import (
    CloseSessionTxn,
    CreateSessionTxn,
    CreateTxn,
    DeleteTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SetACLTxn,
    SetDataTxn,
    SubTxn,
    Transaction,
    Txn,
    TxnDigest,
    TxnHeader,
)
from impl.zxids import make_zxid

LONGEST = 5.0
"""Seconds that one case may take."""
MOST_MEMORY = 512
"""MiB that all of it may take."""
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFF, 0x1FFFFE)
HELD = [*zxids(1, *range(1, 9)), *zxids(2, 1, 2, 3), *zxids(5, 1, 2)]
WRITTEN = [payload(zxid, b"%d" % zxid * (zxid % 7)) for zxid in HELD]
EPOCHS = "version-2/currentEpoch", "version-2/acceptedEpoch"
OPEN = (Acl(31, Id("world", "anyone")),)


class Wrong(Exception):
    """A case that shows a fault of the storage."""


def list_files() -> SimulatedFiles:
    """A server's files: two snapshots, three logs, both epochs."""
    files, storage = started()
    for at, written in enumerate(WRITTEN):
        storage.append(written)
        if at in (3, 8):
            run(storage.roll_log())
    run(storage.commit())
    database = ListDatabase()
    for written in WRITTEN[:6]:
        database.replay(written)
    run(storage.save(database))
    run(storage.load_epochs(HELD[-1]))
    return settled(files)


def tree_payloads() -> list[bytes]:
    """Transactions of every kind, for the real database."""
    digest = TxnDigest(2, 4711)
    inner = CreateTxn("/m", None, OPEN, ephemeral=False, parent_cversion=9)
    multi = MultiTxn((SubTxn(OpCode.CREATE, inner), SubTxn(OpCode.ERROR, ErrorTxn(-101))))
    bodies: list[tuple[int, Txn | None]] = [
        (OpCode.CREATE_SESSION, CreateSessionTxn(4000)),
        (OpCode.CREATE, CreateTxn("/a", b"x", OPEN, ephemeral=False, parent_cversion=1)),
        (OpCode.CREATE, CreateTxn("/a/e", b"y", OPEN, ephemeral=True, parent_cversion=1)),
        (OpCode.SET_DATA, SetDataTxn("/a", b"zz", 1)),
        (OpCode.SET_ACL, SetACLTxn("/a", OPEN, 1)),
        (OpCode.MULTI, multi),
        (OpCode.ERROR, ErrorTxn(-110)),
        (OpCode.CLOSE_SESSION, CloseSessionTxn(("/a/e",))),
        (OpCode.DELETE, DeleteTxn("/a")),
        (OpCode.CREATE_SESSION, CreateSessionTxn(4000)),
        (OpCode.CLOSE_SESSION, None),
    ]
    return [
        Transaction(
            TxnHeader(0x77, at, make_zxid(1, at), 1000 + at, kind), body, digest if at % 2 else None
        ).encode()
        for at, (kind, body) in enumerate(bodies, 1)
    ]


def tree_files(kept: int) -> SimulatedFiles:
    """Files of the real database: a snapshot after so many, all in one log."""
    files, database = SimulatedFiles(), Database()
    storage = Storage(CutDisk(files), pre_alloc_size=0)
    run(storage.restore(database))
    for at, written in enumerate(tree_payloads(), 1):
        storage.append(written)
        database.replay(written)
        if at == kept:
            run(storage.save(database))
    run(storage.commit())
    return settled(files)


def settled(files: SimulatedFiles) -> SimulatedFiles:
    for file in files.named.values():
        file.unsynced = []
    files.renamings = []
    return files


def mutate(content: bytearray, chance: random.Random) -> None:
    """One to three changes anywhere."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(MUTATIONS)(content, chance)


def _flip(content: bytearray, chance: random.Random) -> None:
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _byte(content: bytearray, chance: random.Random) -> None:
    if content:
        content[chance.randrange(len(content))] = chance.choice((0, 0x42, 0x2F, 0xFF, 0x80, 1))


def _number(content: bytearray, chance: random.Random) -> None:
    if len(content) >= 4:
        at = chance.randrange(len(content) - 3)
        content[at : at + 4] = struct.pack(">I", chance.choice(NUMBERS))


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _remove(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    del content[at : at + chance.choice((1, 4, 8, 45, 46, 100))]


def _insert(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.randbytes(chance.choice((1, 4, 8, 46, 300)))


def _repeat(content: bytearray, chance: random.Random) -> None:
    begin, at = chance.randrange(len(content) + 1), chance.randrange(len(content) + 1)
    content[at:at] = content[begin : begin + chance.choice((4, 46, 47, 200))]


def _zero(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    length = min(chance.choice((1, 4, 46, 500)), len(content) - at)
    content[at : at + length] = bytes(length)


def _swap(content: bytearray, chance: random.Random) -> None:
    length = chance.choice((1, 4, 46))
    if len(content) > 2 * length:
        one, other = sorted(chance.sample(range(len(content) - length), 2))
        if other - one >= length:
            first, second = content[one : one + length], content[other : other + length]
            content[one : one + length], content[other : other + length] = second, first


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    _flip,
    _byte,
    _number,
    _cut,
    _remove,
    _insert,
    _repeat,
    _zero,
    _swap,
]


def mutated_files(base: SimulatedFiles, chance: random.Random) -> str:
    """Any one file, or two, of a server; a prefix of its history or a refusal comes of it."""
    files = base.copy()
    for name in chance.sample(sorted(files.named), chance.choice((1, 1, 1, 2))):
        mutate(files.named[name].content, chance)
        if chance.random() < 0.02:
            files.remove(name)
    storage, database = Storage(CutDisk(files), pre_alloc_size=64), ListDatabase()
    last = run(storage.restore(database))
    if database.held != WRITTEN[: len(database.held)]:
        if _collide(files) or _collide_as_snapshots(base, files):
            return "read with a collision of checksums"
        raise Wrong(f"loaded {len(database.held)} transactions, some of which were not written")
    run(storage.load_epochs(last))
    found = storage.epochs
    if not last >> 32 <= found.current_epoch <= found.accepted_epoch:
        raise Wrong(f"current epoch {found.current_epoch}, accepted {found.accepted_epoch}")
    again = ListDatabase()
    run(Storage(CutDisk(files)).restore(again))
    if again.held != database.held:
        raise Wrong(f"loaded {len(database.held)} transactions, then {len(again.held)}")
    if len(database.held) < len(WRITTEN):
        return "read a part"
    return "read all"


def _collide(files: SimulatedFiles) -> bool:
    """Whether Adler32 takes some record for one that was written: it is a weak checksum."""
    checksums = {(zlib.adler32(one), len(one)) for one in WRITTEN}
    logs = [LogFile(CutDisk(files), name) for _, name in named(CutDisk(files), "log")]
    read = [record.payload for log in logs for record in log]
    return any(one not in WRITTEN and (zlib.adler32(one), len(one)) in checksums for one in read)


def _collide_as_snapshots(base: SimulatedFiles, files: SimulatedFiles) -> bool:
    names = [name for name in base.named if "snapshot." in name and name in files.named]
    changed = [(base.named[name].content, files.named[name].content) for name in names]
    return any(
        one != other and len(one) == len(other) and zlib.adler32(one) == zlib.adler32(other)
        for one, other in changed
    )


def forged_log(base: SimulatedFiles, chance: random.Random) -> str:
    """Records whose bodies are wrong and whose checksums are right."""
    files = base.copy()
    payloads = tree_payloads()
    for at in chance.sample(range(len(payloads)), chance.choice((1, 1, 2, 3))):
        content = bytearray(payloads[at])
        mutate(content, chance)
        payloads[at] = bytes(content)
    log = next(file for name, file in sorted(files.named.items()) if "/log." in name)
    log.content[HEADER.size :] = b"".join(map(made_record, payloads))
    run(Storage(CutDisk(files)).restore(Database()))
    return "forged log read"


def forged_snapshot(base: SimulatedFiles, chance: random.Random) -> str:
    """A body that is wrong and a seal that is right."""
    files = SimulatedFiles()
    name, file = next((name, file) for name, file in base.named.items() if "snapshot.1" in name)
    body = bytearray(file.content[HEADER.size : -13])
    mutate(body, chance)
    content = sealed(bytes(body))
    if chance.random() < 0.3:
        more = content + chance.randbytes(chance.choice((8, 20)))
        content = more + struct.pack(">qi", zlib.adler32(more), 1) + b"/"
    files.named[name] = SimulatedFile(bytearray(content))
    run(Storage(CutDisk(files)).restore(Database()))
    return "forged snapshot read"


def fuzz(seed: int, first: int, count: int) -> Counter[str]:
    """Run the cases; how many ended how. Raises what is no clean error."""
    lists, trees = list_files(), [tree_files(kept) for kept in (1, 3, 6, 10)]
    ended: Counter[str] = Counter()
    for number in range(first, first + count):
        chance = random.Random(f"{seed} {number}")  # noqa: S311  seeded, to be seen again
        kind = chance.choice((mutated_files, mutated_files, forged_log, forged_snapshot))
        base = lists if kind is mutated_files else chance.choice(trees)
        began = time.perf_counter()
        try:
            ended[kind(base, chance)] += 1
        except StorageError as error:
            if "\n" in str(error) or not str(error).isascii():
                raise Wrong(f"case {number}: an error that is no line: {error}") from error
            ended[f"refused {kind.__name__.replace('_', ' ')}"] += 1
        except Exception as error:
            raise Wrong(f"case --seed {seed} --first {number} --count 1: {error!r}") from error
        if time.perf_counter() - began > LONGEST:
            raise Wrong(f"case --seed {seed} --first {number} --count 1: too long")
    return ended


def main() -> None:
    """Run, and say how fast."""
    parser = argparse.ArgumentParser(description="Mutated files: read right, or refused.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    asked = parser.parse_args()
    began = time.perf_counter()
    ended = fuzz(asked.seed, asked.first, asked.count)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for what, times in sorted(ended.items()):
        sys.stdout.write(f"{times:9,} {what}\n")
    sys.stdout.write(f"{asked.count:9,} cases, {asked.count / seconds:,.0f} a second, ")
    sys.stdout.write(f"{memory:,.0f} MiB\n")
    if memory > MOST_MEMORY:
        raise Wrong(f"{memory:,.0f} MiB, expected no more than {MOST_MEMORY}")


if __name__ == "__main__":
    main()
