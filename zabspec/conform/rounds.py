"""Rounds of lockstep whose numbers are drawn from seeds alone: no shrinking, no library."""

from __future__ import annotations

import random
from collections.abc import Iterable
from time import perf_counter

from attrs import frozen

from zabspec.check.world import Worlds
from zabspec.conform.beside import Rulebook
from zabspec.conform.lockstep import Failure, Lockstep, Task
from zabspec.conform.system import System

_NUMBERS = 1 << 16
CHOICES = 128
"""In one run, at most."""


@frozen
class Round:
    """What was tried. failure: the first, which ended it, as it was met; seed: of its run."""

    runs: int
    events: int
    seconds: float
    failure: Failure | None = None
    seed: int | None = None


def play_round(
    system: System, task: Task, seeds: Iterable[int], seconds: float | None = None
) -> Round:
    """Play runs until one fails, until there are no more seeds, or no more seconds."""
    start, runs, events = perf_counter(), 0, 0
    worlds = Worlds(task.spec, task.bounds)
    rulebook = Rulebook(task.spec, task.bounds.ensemble, system, worlds.uncut)
    for seed in seeds:
        if seconds is not None and perf_counter() - start > seconds:
            break
        lockstep = Lockstep(worlds, rulebook, task.properties)
        try:
            failure = _play(lockstep, random.Random(seed))  # noqa: S311 - a schedule is no secret
        finally:
            lockstep.close()
        runs, events = runs + 1, events + lockstep.events
        if failure is not None:
            return Round(runs, events, perf_counter() - start, failure, seed)
    return Round(runs, events, perf_counter() - start)


def _play(lockstep: Lockstep, draw: random.Random) -> Failure | None:
    for _ in range(CHOICES):
        failure = lockstep.choose(draw.randrange(_NUMBERS))
        if failure is not None:
            return failure
    return None
