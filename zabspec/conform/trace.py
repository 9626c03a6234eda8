"""Recorded runs, accepted or not: the verdict on one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import asdict, frozen

from zabspec.conform.recording import read_recording
from zabspec.conform.wire import WIRE_CHECKS, pass_over
from zabspec.conform.wire_check import WireCheck


@frozen
class TraceResult:
    """Whether a recorded run can be what correct servers did; None = accepted, nothing to say."""

    file: str
    verdict: Literal["accepted", "refused"]
    line: int | None
    """Of the first record that cannot be."""
    server: int | None
    """Who sent it."""
    seen: str | None
    """What it is."""
    possible: str | None
    """What would have been legal there."""
    guard: str | None
    """The sentence that it contradicts."""
    assumed: Mapping[str, object]
    """What was taken for granted because the recording does not show it."""
    records: int
    passed_through: int
    """Records that no check looks at, up to the refused one."""

    def to_json(self) -> dict[str, object]:
        """As one JSON object, with exactly these keys."""
        return asdict(self)


def check_trace(path: Path, checks: Sequence[WireCheck] = WIRE_CHECKS) -> TraceResult:
    """Holds a recording against what the wire must show. Raises RecordingError if it is none."""
    recording = read_recording(path)
    wire = pass_over(recording.records, checks)
    refusal = wire.refusal
    return TraceResult(
        file=str(path),
        verdict="accepted" if refusal is None else "refused",
        line=None if refusal is None else refusal.record.line,
        server=None if refusal is None else refusal.record.sender,
        seen=None if refusal is None else str(refusal.record),
        possible=None if refusal is None else refusal.possible,
        guard=None if refusal is None else refusal.guard,
        assumed={},
        records=len(recording.records),
        passed_through=wire.passed_through,
    )
