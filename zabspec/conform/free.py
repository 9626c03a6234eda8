"""A free run judged by its record alone: a recording that also tells what its clients saw.

A system that owns its ensemble is whatever writes such a record (`told`). Five things are asked,
the cheap ones first: does the system itself call something wrong; do servers that have come equally
far hold the same; did clients see what ZooKeeper promises them, writes that are linearizable and no
session going back; does the wire show what every run must; does each server keep to the spec.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from zabspec.conform.client_history import Operation
from zabspec.conform.follow_recording import explain
from zabspec.conform.follow_seen import sightings
from zabspec.conform.linearizability import check_linearizability, zxids_gone_back
from zabspec.conform.recording import Record, Recording, parse_recording, read_text
from zabspec.conform.told import Held, Told, read_told
from zabspec.conform.wire import pass_over
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import FINE

_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]*[0-9][0-9a-f]*\b|[0-9]+")


@frozen
class Finding:
    """Something wrong with a run. kind: the same for what is wrong in the same way in another."""

    part: str
    """Which of `PARTS` found it."""
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.part}: {self.text}"

    def is_like(self, other: Finding) -> bool:
        """Whether both are wrong in the same way."""
        return (self.part, self.kind) == (other.part, other.kind)


@frozen
class FreeRecord:
    """A record of a free run, read."""

    recording: Recording
    told: Told
    spec: Spec = FINE


def read_record(path: Path, spec: Spec = FINE) -> FreeRecord:
    """The record in a file. Raises RecordingError."""
    return record_of(read_text(path), path, spec)


def record_of(
    lines: str | Sequence[str], path: Path = Path("record"), spec: Spec = FINE
) -> FreeRecord:
    """The record in these lines, or this text. path: what an error names. Raises RecordingError."""
    text = lines if isinstance(lines, str) else "".join(f"{line}\n" for line in lines)
    return FreeRecord(parse_recording(text, path), read_told(text, path), spec)


def judge(record: FreeRecord, parts: Iterable[str] | None = None) -> Iterator[Finding]:
    """What is wrong, one after the other, each when it is found. parts: of `PARTS`; None = all."""
    for name in PARTS if parts is None else parts:
        yield from PARTS[name](record)


def judge_history(history: Sequence[Operation]) -> Iterator[Finding]:
    """What no client may see: writes that fit no order, sessions that go back."""
    for one in check_linearizability(history):
        stuck = "; ".join(map(str, one.stuck))
        text = f"{one.path}: {one.kind}, after {len(one.explained)} operations; {stuck}"
        yield Finding("clients", one.kind, text)
    for before, after in zxids_gone_back(history):
        text = f"session 0x{after.client:x} goes back: {before}, then {after}"
        yield Finding("clients", "a session goes back", text)


def judge_held(held: Iterable[Held]) -> Iterator[Finding]:
    """Servers that have come equally far hold the same, whenever that was looked at."""
    first: dict[int, Held] = {}
    for one in held:
        other = first.setdefault(one.zxid, one)
        if other.digest != one.digest:
            text = f"servers {other.sid} and {one.sid} differ at zxid 0x{one.zxid:x}"
            yield Finding("content", "servers differ", text)


def _by_itself(record: FreeRecord) -> Iterator[Finding]:
    for text in record.told.findings:
        yield Finding("system", _NUMBERS.sub("#", text), text)


def _by_content(record: FreeRecord) -> Iterator[Finding]:
    yield from judge_held(record.told.held)


def _by_clients(record: FreeRecord) -> Iterator[Finding]:
    yield from judge_history(record.told.operations)


def _by_wire(record: FreeRecord) -> Iterator[Finding]:
    refusal = pass_over(record.recording.records).refusal
    if refusal is not None:
        text = _refused(refusal.record, refusal.possible, refusal.guard)
        yield Finding("wire", refusal.guard, text)


def _by_following(record: FreeRecord) -> Iterator[Finding]:
    verdict = explain(record.spec, sightings(record.recording.records))
    if verdict.refused is not None:
        possible, guard = (verdict.why.possible, verdict.why.guard) if verdict.why else ("", "")
        kind = f"{verdict.refused.type}, {guard.split(':')[0]}"
        yield Finding("follow", kind, _refused(verdict.refused, possible, guard))


def _refused(record: Record, possible: str, guard: str) -> str:
    seen = f"line {record.line}: server {record.sender} sent {record}"
    return f"{seen}; possible there: {possible}; because: {guard}"


PARTS: Mapping[str, Callable[[FreeRecord], Iterator[Finding]]] = {
    "system": _by_itself,
    "content": _by_content,
    "clients": _by_clients,
    "wire": _by_wire,
    "follow": _by_following,
}
"""What is asked of a record, in this order, by name."""
