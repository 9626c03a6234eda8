"""Recorded runs, accepted or not: the verdict on one file.

First the wire: what every run must show, whatever the release. Then each server is followed: can it
be one that keeps to the release's spec?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import asdict, frozen

from zabspec.conform.follow_recording import Verdict, explain
from zabspec.conform.follow_seen import sightings
from zabspec.conform.recording import Recording, read_recording
from zabspec.conform.wire import WIRE_CHECKS, WirePass, pass_over
from zabspec.conform.wire_check import WireCheck
from zabspec.protocol.releases import RELEASES
from zabspec.protocol.zab import FINE

SPECS = {**RELEASES, "baseline": FINE}
"""What servers can be held to: what a release does, or the protocol done right."""


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
    """The sentence that it contradicts, or the rule that says no, and why."""
    assumed: Mapping[str, object]
    """What was taken for granted because the recording does not show it."""
    releases: tuple[str, ...]
    """Those that explain the file, of all or of the one that was asked for."""
    records: int
    passed_through: int
    """Records that no check looks at, up to the refused one."""

    def to_json(self) -> dict[str, object]:
        """As one JSON object, with exactly these keys."""
        return {**asdict(self), "releases": list(self.releases)}


def check_trace(
    path: Path, release: str | None = None, *, checks: Sequence[WireCheck] = WIRE_CHECKS
) -> TraceResult:
    """Hold a recording against what the wire must show, and then against the releases' specs.

    release: the only one of `SPECS` to hold it against; None = each release, and, where the folder
    does not say that it is of a release, the baseline. Raises RecordingError if the file
    is no recording, KeyError if there is no such release.
    """
    known = dict(SPECS) if release is None else {release: SPECS[release]}
    recording = read_recording(path)
    specs = {name: spec for name, spec in known.items() if release or _may_be(recording, name)}
    wire = pass_over(recording.records, checks)
    if wire.refusal is not None:
        return _refused_by_wire(recording, wire)
    seen = sightings(recording.records)
    verdicts = {name: explain(spec, seen) for name, spec in specs.items()}
    explaining = tuple(name for name, one in verdicts.items() if one.refused is None)
    shown = verdicts[_shown(recording, verdicts, explaining)]
    return _result(recording, wire, shown, explaining)


def _may_be(recording: Recording, name: str) -> bool:
    """Whether servers that keep to this may have made it: no release is the baseline."""
    return name in RELEASES or recording.release is None


def _shown(recording: Recording, verdicts: Mapping[str, Verdict], explaining: Sequence[str]) -> str:
    """Whose verdict is told: the recorded release's, else the best, else who came furthest."""
    if recording.release in (explaining or verdicts):
        return recording.release or ""
    if explaining:
        return min(explaining, key=lambda name: verdicts[name].assumptions)
    return max(verdicts, key=lambda name: verdicts[name].line)


def _refused_by_wire(recording: Recording, wire: WirePass) -> TraceResult:
    refusal = wire.refusal
    return TraceResult(
        file=str(recording.path),
        verdict="refused",
        line=refusal.record.line if refusal else None,
        server=refusal.record.sender if refusal else None,
        seen=str(refusal.record) if refusal else None,
        possible=refusal.possible if refusal else None,
        guard=refusal.guard if refusal else None,
        assumed={},
        releases=(),
        records=len(recording.records),
        passed_through=wire.passed_through,
    )


def _result(
    recording: Recording, wire: WirePass, shown: Verdict, explaining: tuple[str, ...]
) -> TraceResult:
    refused, why = shown.refused, shown.why
    return TraceResult(
        file=str(recording.path),
        verdict="accepted" if refused is None else "refused",
        line=refused.line if refused else None,
        server=refused.sender if refused else None,
        seen=str(refused) if refused else None,
        possible=why.possible if why else None,
        guard=why.guard if why else None,
        assumed=shown.assumed,
        releases=explaining,
        records=len(recording.records),
        passed_through=wire.passed_through,
    )
