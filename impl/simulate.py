"""A run as it is asked for, free or of choices that were written down, and its files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from attrs import frozen
from rich.console import Console
from rich.progress import Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from impl.choice_files import Choices, first_line
from impl.choices import Choice, to_line
from impl.chosen_run import ChosenRun
from impl.ensemble import Watch
from impl.free_run import FreeRun
from impl.random_run import Rates
from impl.simulated_loop import SimulationError
from impl.simulated_run import Held, SimulatedRun, Size
from impl.told import tell_end, tell_held
from impl.transcript import Transcript

_CHUNK = 500
"""Events between two looks at the clock, and at what servers hold."""


@frozen
class Outputs:
    """Where a run is written to; None = nowhere."""

    transcript: Path | None = None
    choices: Path | None = None


@frozen
class Free:
    """A free run. events: how many with faults. quiet: and then so many without."""

    size: Size
    seed: int
    rates: Rates
    events: int
    quiet: int = 0


def simulate(asked: Free | Choices, outputs: Outputs) -> tuple[SimulatedRun, int]:
    """The run, which has ended, and how many choices were passed over."""
    with ExitStack() as files:
        transcript = files.enter_context(_transcript(outputs.transcript))
        watch = None if transcript is None else transcript.watch
        run, go = _prepared(asked, watch)
        passed_over = 0
        try:
            if transcript is not None:
                transcript.mark(f"simulate servers {list(run.ensemble.servers)}", seed=asked.seed)
                run.looked = _teller(transcript)
            if outputs.choices is not None:
                run.tell_choices(files.enter_context(_choices(outputs.choices, asked)))
            passed_over = go()
        except SimulationError as error:
            run.findings.append(f"the run cannot go on: {error}")
        finally:
            run.end()
        if transcript is not None:
            tell_end(transcript, run)
    return run, passed_over


def _prepared(asked: Free | Choices, watch: Watch | None) -> tuple[SimulatedRun, Callable[[], int]]:
    if isinstance(asked, Choices):
        again = SimulatedRun(asked.size, asked.seed, watch)
        return again, lambda: _play(again, asked)
    free = FreeRun(asked.size, asked.seed, asked.rates, watch)
    return free, lambda: _go(free, asked)


def _play(run: SimulatedRun, asked: Choices) -> int:
    chosen = ChosenRun(run)
    with _Bar(len(asked.choices)) as bar:
        for number, choice in enumerate(asked.choices):
            chosen.passed_over += not chosen.play(choice)
            if number % _CHUNK == 0:
                bar.show(number, run.events)
    return chosen.passed_over


def _go(run: FreeRun, asked: Free) -> int:
    end = asked.events + asked.quiet
    with _Bar(end) as bar:
        while run.events < asked.events:
            run.go(min(run.events + _CHUNK, asked.events))
            run.look()
            bar.show(run.events, run.events)
        if asked.quiet:
            run.calm_down()
        while run.events < end:
            run.go(min(run.events + _CHUNK, end))
            run.look()
            bar.show(run.events, run.events)
    return 0


class _Bar:
    """How far a run is, on a terminal."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("simulating"), *Progress.get_default_columns()[1:2])
        columns += (TaskProgressColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        console = Console(stderr=True)
        is_shown = console.is_terminal
        self._bar = Progress(*columns, console=console, transient=True, disable=not is_shown)
        self._task: TaskID = self._bar.add_task("", total=total, rate="")
        self._started = time.monotonic()

    def show(self, completed: int, events: int) -> None:
        rate = events / max(time.monotonic() - self._started, 0.001)
        self._bar.update(self._task, completed=completed, rate=f"{rate:,.0f} events/s")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


@contextmanager
def _transcript(out: Path | None) -> Iterator[Transcript | None]:
    if out is None:
        yield None
        return
    with out.open("w", encoding="utf-8") as file:
        yield Transcript(_writer(file.write))


@contextmanager
def _choices(out: Path, asked: Free | Choices) -> Iterator[Callable[[Choice], None]]:
    with out.open("w", encoding="utf-8") as file:
        line = _writer(file.write)
        line(first_line(asked.size, asked.seed))

        def chosen(choice: Choice) -> None:
            line(to_line(choice))

        yield chosen


def _writer(write: Callable[[str], object]) -> Callable[[str], None]:
    def line(text: str) -> None:
        write(f"{text}\n")

    return line


def _teller(transcript: Transcript) -> Callable[[Held], None]:
    def looked(held: Held) -> None:
        tell_held(transcript, held)

    return looked
