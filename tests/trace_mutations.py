"""Single changes of real recordings, each judged by the table in trace_mutations_table.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from attrs import frozen
from trace_mutations_table import (
    EPOCHS,
    NAMES,
    ONE_EPOCH,
    VERDICTS,
    ZAB,
    Entry,
    Run,
    run_of,
    zxid_of,
)


@frozen
class Mutated:
    """A changed recording. at: where the change is, from 0. forbidden: as the table says.

    stream: the connection and the sender of the changed packet.
    """

    run: Run
    kind: str
    type: str
    at: int
    stream: tuple[object, object]
    entries: tuple[Entry, ...]
    forbidden: bool

    def write(self, folder: Path) -> Path:
        target = folder / self.run.release
        target.mkdir(exist_ok=True)
        path = target / "mutated.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in self.entries), "utf-8")
        return path

    def distance(self, line: int) -> int:
        """How many packets of Zab in the changed stream stand between the change and a line."""
        first, last = sorted((self.at, line - 1))
        return sum(
            one["type"] in ZAB and (one["conn"], one["from"]) == self.stream
            for one in self.entries[first:last]
        )


def dropped(run: Run, at: int, _random: Random) -> Iterator[tuple[int, list[Entry]]]:
    entries = list(run.entries)
    del entries[at]
    yield at, entries


def doubled(run: Run, at: int, _random: Random) -> Iterator[tuple[int, list[Entry]]]:
    entries = list(run.entries)
    entries.insert(at + 1, dict(entries[at]))
    yield at + 1, entries


def swap(run: Run, at: int, _random: Random) -> Iterator[tuple[int, list[Entry]]]:
    behind = run.behind(at)
    left_out = any(one.get("skipped") for one in run.entries[at : behind[0] if behind else at])
    if behind and not left_out and not run.is_gated(behind[0]):
        entries = list(run.entries)
        entries[at], entries[behind[0]] = entries[behind[0]], entries[at]
        yield at, entries


def changed(run: Run, at: int, random: Random) -> Iterator[tuple[int, list[Entry]]]:
    """Its zxid, or its epoch; of ACKEPOCH perhaps the current epoch. UPTODATE names none."""
    entries = list(run.entries)
    one = entries[at]
    if one["type"] == "UPTODATE":
        return
    if one["type"] == "ACKEPOCH" and random.random() < 0.5:
        epoch = int(str(one["data"]), 16)
        entries[at] = one | {"data": f"{(epoch + 1) % ONE_EPOCH:08x}"}
    else:
        by = ONE_EPOCH if one["type"] in EPOCHS or random.random() < 0.5 else 1
        entries[at] = one | {"zxid": f"{zxid_of(one) + by:#x}"}
    yield at, entries


def hurried(run: Run, at: int, _random: Random) -> Iterator[tuple[int, list[Entry]]]:
    """A COMMIT, moved before the first ACK of its transaction."""
    one = run.entries[at]
    if one["type"] != "COMMIT":
        return
    acks = run.everywhere("ACK", zxid_of(one))
    proposed = [each for each in run.stream(at) if run.entries[each]["type"] == "PROPOSAL"]
    own = [each for each in proposed if zxid_of(run.entries[each]) == zxid_of(one)]
    if acks and own and own[0] < acks[0] < at:
        entries = list(run.entries)
        del entries[at]
        entries.insert(acks[0], one)
        yield acks[0], entries


KINDS = {
    "dropped": dropped,
    "doubled": doubled,
    "swapped": swap,
    "changed": changed,
    "hurried": hurried,
}


def mutations(count: int, seed: int) -> Iterator[Mutated]:
    """So many different changes, drawn with this seed."""
    random = Random(seed)  # noqa: S311  a pinned seed is the point
    runs = {name: run_of(name) for name in NAMES}
    drawn: set[tuple[str, str, int]] = set()
    while len(drawn) < count:
        kind, run = random.choice(list(KINDS)), runs[random.choice(NAMES)]
        at = random.choice(run.zab())
        if (kind, run.name, at) in drawn:
            continue
        for changed_at, entries in KINDS[kind](run, at, random):
            drawn.add((kind, run.name, at))
            record_type = str(run.entries[at]["type"])
            forbidden = VERDICTS[kind, record_type](run, at)
            stream = (run.entries[at]["conn"], run.entries[at]["from"])
            yield Mutated(run, kind, record_type, changed_at, stream, tuple(entries), forbidden)
