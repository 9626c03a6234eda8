"""What a session of tests has covered: counted in each process, sent as plain values, added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field

from zabspec.check.outcomes import AnyServer
from zabspec.conform.local_graph import LocalGraph
from zabspec.protocol.events import Event

Row = tuple[AnyServer, Event]
PHASES = ("ELECTION", "DISCOVERY", "SYNCHRONIZATION", "BROADCAST")


class RowNumbers:
    """The rows of a model, numbered in the order of their discovery. graph: theirs."""

    def __init__(self, graph: LocalGraph) -> None:
        self.graph = graph
        rows = [
            edge.row
            for node in graph
            if not node.otherwise
            for edge in graph.edges[node]
            if edge.cut is None
        ]
        self._numbers = {row: number for number, row in enumerate(rows)}
        self.phases: dict[str, int] = dict.fromkeys(PHASES, 0)
        for server, _ in rows:
            self.phases[server.role.phase.name] += 1

    def marked(self, rows: Iterable[Row]) -> dict[str, int]:
        """By phase, a bit for each of these rows that is one of the model's."""
        marks = dict.fromkeys(PHASES, 0)
        for row in rows:
            number = self._numbers.get(row)
            if number is not None:
                marks[row[0].role.phase.name] |= 1 << number
        return marks


@define
class Covered:
    """What was covered of one model.

    runs, events: in lockstep. phases: how many rows each phase has, none where they were not
    counted. replayed, exercised: by phase, a bit for each row that was replayed, or met in
    lockstep.
    """

    runs: int = 0
    events: int = 0
    phases: dict[str, int] = field(factory=dict)
    replayed: dict[str, int] = field(factory=dict)
    exercised: dict[str, int] = field(factory=dict)

    def by_phase(self, *marks: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """How many of how many rows are marked in any of these."""
        found: dict[str, tuple[int, int]] = {}
        for phase, count in self.phases.items():
            bits = 0
            for one in marks:
                bits |= one.get(phase, 0)
            found[phase] = bits.bit_count(), count
        return found

    def add(self, other: Covered) -> None:
        """What another process covered of the same model."""
        self.runs += other.runs
        self.events += other.events
        self.phases = self.phases or other.phases
        mark(self.replayed, other.replayed)
        mark(self.exercised, other.exercised)


@define
class Figures:
    """Of all models together.

    premises: by the sentence of each promise asked, how often its premise held. witnesses: by the
    sentence of each that was looked for, whether it was seen.
    """

    models: dict[str, Covered] = field(factory=dict)
    premises: dict[str, int] = field(factory=dict)
    witnesses: dict[str, bool] = field(factory=dict)

    def of(self, model: str) -> Covered:
        """What is covered of this model."""
        return self.models.setdefault(model, Covered())

    def ask(self, premises: Mapping[str, int], witnesses: Mapping[str, bool]) -> None:
        """Properties were asked."""
        for sentence, held in premises.items():
            self.premises[sentence] = self.premises.get(sentence, 0) + held
        for sentence, seen in witnesses.items():
            self.witnesses[sentence] = self.witnesses.get(sentence, False) or seen

    def add(self, sent: Mapping[str, Any]) -> None:
        """What another process sent."""
        for name, plain in sent["models"].items():
            self.of(name).add(_covered(plain))
        self.ask(sent["premises"], sent["witnesses"])

    def plain(self) -> dict[str, Any]:
        """What can be sent to another process, or written as JSON."""
        models = {
            name: {
                "runs": one.runs,
                "events": one.events,
                "phases": dict(one.phases),
                "replayed": {phase: hex(bits) for phase, bits in one.replayed.items()},
                "exercised": {phase: hex(bits) for phase, bits in one.exercised.items()},
            }
            for name, one in self.models.items()
        }
        return {
            "models": models,
            "premises": dict(self.premises),
            "witnesses": dict(self.witnesses),
        }

    def lines(self, *, whole: bool = False) -> Iterator[str]:
        """What is said of them at the end; whole: each promise, and each witness not seen."""
        for name, covered in self.models.items():
            yield from _lines_of(name, covered)
        if self.premises:
            yield from _promise_lines(self.premises, whole=whole)
        if self.witnesses:
            seen = sum(self.witnesses.values())
            yield f"witnesses: {seen} of {len(self.witnesses)} seen in lockstep"
            unseen = [sentence for sentence, was_seen in self.witnesses.items() if not was_seen]
            yield from (f"  not seen: {sentence}" for sentence in unseen if whole)


def mark(marks: dict[str, int], more: Mapping[str, int]) -> None:
    """Add these bits."""
    for phase, bits in more.items():
        marks[phase] = marks.get(phase, 0) | bits


def _covered(plain: Mapping[str, Any]) -> Covered:
    marks = [
        {phase: int(bits, 16) for phase, bits in plain[name].items()}
        for name in ("replayed", "exercised")
    ]
    return Covered(plain["runs"], plain["events"], dict(plain["phases"]), *marks)


def _lines_of(name: str, covered: Covered) -> Iterator[str]:
    if covered.runs:
        yield f"{name}: {covered.runs} runs of lockstep, {covered.events} events"
    if covered.phases:
        yield f"{name}: rows {_of_rows(covered.by_phase(covered.replayed, covered.exercised))}"
    if covered.phases and covered.runs:
        yield f"  met in lockstep {_of_rows(covered.by_phase(covered.exercised))}"


def _of_rows(by_phase: Mapping[str, tuple[int, int]]) -> str:
    done, count = (sum(one[place] for one in by_phase.values()) for place in (0, 1))
    phases = ", ".join(f"{phase} {some}/{of}" for phase, (some, of) in by_phase.items())
    return f"{done}/{count}: {phases}"


def _promise_lines(premises: Mapping[str, int], *, whole: bool) -> Iterator[str]:
    held = [sentence for sentence, count in premises.items() if count]
    yield f"promises: {len(premises)} asked, {len(held)} with a premise that held"
    for sentence, count in premises.items():
        if whole or not count:
            yield f"  {count or 'never':>9} {sentence}"
