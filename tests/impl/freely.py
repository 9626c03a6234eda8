"""Free runs in this process, recorded, judged by their record, and shrunk: as by `zabspec free`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from impl.choices import Choice, from_json, to_line
from impl.chosen_run import ChosenRun
from impl.free_run import FreeRun
from impl.random_run import Rates
from impl.simulated_loop import SimulationError
from impl.simulated_run import SimulatedRun, Size
from impl.told import tell_end, tell_held
from impl.transcript import Transcript
from zabspec.conform.free import Finding, FreeRecord, judge, record_of
from zabspec.conform.free_shrink import shrink_run

FAST = ("system", "content", "clients", "wire")
FIRST = json.dumps({"run": "this size"})


class Recorder:
    """Writes what happens in a run down. choices: its first line is not looked at."""

    def __init__(self, make: Callable[[Recorder], SimulatedRun]) -> None:
        self.lines: list[str] = []
        self.choices = [FIRST]
        self.transcript = Transcript(self.lines.append)
        self.transcript.mark("a run")
        self.run = make(self)
        self.run.looked = lambda held: tell_held(self.transcript, held)
        self.run.tell_choices(self._chosen)

    def record(self, go: Callable[[], object]) -> FreeRecord:
        try:
            go()
        except SimulationError as error:
            self.run.findings.append(f"the run cannot go on: {error}")
        finally:
            self.run.end()
        tell_end(self.transcript, self.run)
        return record_of(self.lines)

    def _chosen(self, choice: Choice) -> None:
        self.choices.append(to_line(choice))


def freely(seed: int, rates: Rates, events: int, quiet: int = 500) -> tuple[FreeRecord, list[str]]:
    """A free run: its record, and its choices."""

    def make(recorder: Recorder) -> SimulatedRun:
        return FreeRun(Size(), seed, rates, recorder.transcript.watch)

    recorder = Recorder(make)
    run = recorder.run
    assert isinstance(run, FreeRun)

    def go() -> None:
        for until in range(500, events + 1, 500):
            run.go(until)
            run.look()
        run.calm_down()
        run.go(events + quiet)
        run.look()

    return recorder.record(go), recorder.choices


def again(choices: Sequence[str]) -> FreeRecord:
    """A run of these choices: its record."""
    recorder = Recorder(lambda one: SimulatedRun(Size(), 0, one.transcript.watch))
    chosen = ChosenRun(recorder.run)
    return recorder.record(lambda: chosen.go(from_json(json.loads(one)) for one in choices[1:]))


def first_finding(
    seeds: Sequence[int], rates: Rates, events: int
) -> tuple[int, Finding, list[str]] | None:
    """The first of these seeds that shows something wrong, what it is, and its choices."""
    for seed in seeds:
        record, choices = freely(seed, rates, events)
        found = next(judge(record, FAST), None)
        if found is not None:
            return seed, found, choices
    return None


def shrunk(finding: Finding, choices: Sequence[str]) -> tuple[str, ...]:
    """Few choices that are wrong in the same way."""
    return shrink_run(choices, lambda some: shows(finding, some))


def shows(finding: Finding, choices: Sequence[str]) -> bool:
    """Whether a run of these choices is wrong in the same way."""
    return any(one.is_like(finding) for one in judge(again(choices), [finding.part]))
