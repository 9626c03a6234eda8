"""What a profile does to single servers, played once on the good code and kept.

A server is a function of its own events: a mutant that behaves otherwise in a run of the profile
does so in what one server of that run was given. So that is kept, with the lines of code that it
passed over, and a mutant is only given what passes over its own line.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from mutants_imported import Line, passed

from zabspec.check.outcomes import AnyServer
from zabspec.check.world import Worlds
from zabspec.conform.beside import Beside, Cut, Divergence, Rulebook
from zabspec.conform.exhaust import exhaust
from zabspec.conform.expected import Seen
from zabspec.conform.local_graph import local_graph
from zabspec.conform.lockstep import Lockstep
from zabspec.conform.profiles import Held, Runs
from zabspec.conform.rounds import CHOICES
from zabspec.conform.system import System
from zabspec.protocol.events import Event

_NUMBERS = 1 << 16
Lines = dict[str, dict[int, int]]
"""By file and line: the histories that passed over it, as bits."""


@frozen
class Given:
    """What a server was given, and all that it could have been afterwards."""

    event: Event
    cut: Cut | None
    order: int
    after: tuple[AnyServer, ...]


@define(eq=False)
class History:
    """All that one server was given, in a row; or, with no sid, votes that were decided."""

    rulebook: _Noting
    sid: int
    steps: list[Given] = field(factory=list)
    looking: tuple[AnyServer, ...] = ()


@define
class Kept:
    """All histories of a profile.

    lines: who passed over which, of the code in a folder. most: that a mutant is given; None = all.
    """

    folder: Path
    histories: list[History] = field(factory=list)
    lines: Lines = field(factory=dict)
    most: int | None = None

    def over(self, file: str, lines: Container[int]) -> list[History]:
        """The histories that passed over one of these lines, in an order of their own."""
        bits = 0
        for line, numbers in self.lines.get(file, {}).items():
            if line in lines:
                bits |= numbers
        found = [one for at, one in enumerate(self.histories) if bits >> at & 1]
        return _mixed(found)[: self.most]

    def all(self) -> list[History]:
        """Every history, in the same order."""
        return _mixed(self.histories)[: self.most]


def _mixed(histories: Sequence[History]) -> list[History]:
    """Any order will do, if it is always the same, and has everything early."""
    return random.Random(0).sample(histories, len(histories))  # noqa: S311 - no secret


def play(held: Held, make_system: Callable[[], System], folder: Path) -> Kept:
    """Play a profile on good code. folder: of the code whose lines are noted."""
    notes = _Notes(folder)
    for rows in held.rows:
        rulebook = _Noting(notes, rows.spec, rows.bounds.ensemble, make_system())
        replayed = exhaust(local_graph(rows.model, with_cuts=rows.with_cuts), rulebook)
        if replayed.divergences:
            raise AssertionError(f"the good code diverges: {replayed.divergences[0]}")
    for one in held.lockstep:
        _play_lockstep(notes, one, make_system())
    return notes.kept()


def first_divergence(histories: Sequence[History]) -> Iterator[Divergence | None]:
    """What comes of each history: None = no divergence. Raises SystemFailed."""
    for one in histories:
        if one.looking:
            yield one.rulebook.election(one.looking)
        else:
            yield _again(one)


def _again(history: History) -> Divergence | None:
    beside = history.rulebook.start(history.sid)
    try:
        for given in history.steps:
            divergence = beside.step(given.event, given.cut, given.order)
            if divergence is not None:
                return divergence
            if beside.explained != given.after:  # killed otherwise, as it may: a run of its own
                return None
        return None
    finally:
        beside.close()


def _play_lockstep(notes: _Notes, runs: Runs, system: System) -> None:
    """No promise is asked: that the good code keeps them is asked elsewhere."""
    spec, bounds = runs.task.spec, runs.task.bounds
    worlds = Worlds(spec, bounds)
    rulebook = _Noting(notes, spec, bounds.ensemble, system, worlds.uncut)
    for seed in range(runs.count):
        draw = random.Random(seed)  # noqa: S311 - a schedule is no secret
        lockstep = Lockstep(worlds, rulebook)
        for _ in range(CHOICES):
            failure = lockstep.choose(draw.randrange(_NUMBERS))
            if failure is not None:
                raise AssertionError(f"the good code diverges: {failure}")
        lockstep.close()


@define
class _Notes:
    """What is noted while a profile is played. folder: of the code whose lines are."""

    folder: Path
    histories: list[History] = field(factory=list)
    lines: list[set[Line]] = field(factory=list)

    def begin(self, history: History) -> int:
        """Its number."""
        self.histories.append(history)
        self.lines.append(set())
        return len(self.histories) - 1

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        """What runs meanwhile belongs to this history."""
        passed.clear()
        try:
            yield
        finally:
            self.lines[number] |= passed

    def kept(self) -> Kept:
        """All of it; from now on nothing is noted."""
        by_line: Lines = {}
        for number, noted in enumerate(self.lines):
            for file, line in noted:
                lines = by_line.setdefault(file, {})
                lines[line] = lines.get(line, 0) | 1 << number
        for one in self.histories:
            one.rulebook.notes = None
        return Kept(self.folder, self.histories, by_line)


class _Noting(Rulebook):
    """A rulebook that notes what its servers are given. notes: None = not any more."""

    def __init__(self, notes: _Notes, *arguments: Any) -> None:  # noqa: ANN401 - as of the other
        super().__init__(*arguments)
        self.notes: _Notes | None = notes

    def start(self, sid: int) -> Beside:
        """A new server of each."""
        return Beside(self, sid) if self.notes is None else _Noted(self, self.notes, sid)

    def election(self, looking: Sequence[AnyServer]) -> Divergence | None:
        """As the other does."""
        if self.notes is None:
            return super().election(looking)
        with self.notes.of(self.notes.begin(History(self, 0, looking=tuple(looking)))):
            return super().election(looking)


class _Noted(Beside):
    def __init__(self, rulebook: _Noting, notes: _Notes, sid: int) -> None:
        self._notes, self._history = notes, History(rulebook, sid)
        self._number = notes.begin(self._history)
        with notes.of(self._number):
            super().__init__(rulebook, sid)

    def step(self, event: Event, cut: Cut | None = None, order: int = 0) -> Divergence | None:
        """As the other does."""
        divergence = super().step(event, cut, order)
        self._history.steps.append(Given(event, cut, order, self.explained))
        return divergence

    def _tell(self, event: Event, cut: Cut | None, order: int) -> Seen:
        with self._notes.of(self._number):
            return super()._tell(event, cut, order)
