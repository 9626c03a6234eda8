"""The main job: the default model exhausted, a system held against it, the recordings followed."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from attrs import frozen

from zabspec.check.explore import Report
from zabspec.check.model import Answer, Model, ask_for_rows
from zabspec.check.settings import Settings
from zabspec.conform.beside import Rulebook
from zabspec.conform.exhaust import Budget, Replayed, exhaust
from zabspec.conform.local_graph import LocalGraph
from zabspec.conform.lockstep import Task
from zabspec.conform.rounds import Round, play_round
from zabspec.conform.system import System
from zabspec.conform.trace import TraceResult

Say = Callable[[str], None]


@frozen
class Budgets:
    """Seconds for rows, and for lockstep. None: no end."""

    rows: float | None = 40.0
    lockstep: float | None = 20.0


@frozen
class Held:
    """What a system was held against, and what came of it: the rows, and a round of lockstep."""

    rows: Replayed
    lockstep: Round

    @property
    def differs(self) -> bool:
        """Whether it did anything that the model does not."""
        return bool(self.rows.divergences) or self.lockstep.failure is not None


@frozen
class MainJob:
    """What came of it. held: None where there was no system; seconds: of the recordings."""

    answer: Answer
    held: Held | None
    recordings: tuple[TraceResult, ...]
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether the model answered as pinned, nothing differed, and nothing was refused."""
        refused = any(one.verdict == "refused" for one in self.recordings)
        differs = self.held is not None and self.held.differs
        return self.answer.as_expected and not differs and not refused


def hold_system(
    graph: LocalGraph, model: Model, system: System, budgets: Budgets, say: Say
) -> Held:
    """Hold a system against a model's rows, then beside it in lockstep. Raises SystemFailed."""

    def report(done: int, count: int) -> None:
        say(f"rows: {done:,} of {count:,} replayed")

    rulebook = Rulebook(model.spec, model.bounds.ensemble, system)
    rows = exhaust(graph, rulebook, Budget(seconds=budgets.rows), report)
    say("lockstep")
    return Held(rows, play_round(system, Task(model.spec), itertools.count(), budgets.lockstep))


def ask_with_rows(model: Model, settings: Settings, report: Report) -> tuple[Answer, LocalGraph]:
    """A model's answer, and its rows as a graph."""
    answer, tables = ask_for_rows(model, report, settings)
    return answer, LocalGraph.of(tables.answered())
