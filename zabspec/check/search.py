"""Breadth first over plain worlds: each within the bounds, or the shortest run to a finding."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterable

from zabspec.check.actions import FAULTS
from zabspec.check.audit import Audit
from zabspec.check.exploration import Exploration, Finding, Progress
from zabspec.check.memory import peak_mb, resident_mb
from zabspec.check.properties import BEYOND_WORLDS, NOT_STUCK, Property
from zabspec.check.world import Step, World, Worlds
from zabspec.protocol.rules import SpecError

REPORT_EVERY = 20_000
"""Worlds between two reports of progress."""


class Search:
    """One breadth-first search. It stops at the first finding, which is at the least depth.

    Raises SpecError for a `recoverable` property, which only an exploration over tables answers.
    """

    def __init__(self, worlds: Worlds, properties: Iterable[Property]) -> None:
        properties = tuple(properties)
        for one in properties:
            if one.reads in BEYOND_WORLDS:
                raise SpecError(f'a plain search cannot tell whether "{one.sentence}"; explore it')
        self._worlds = worlds
        self._audit = Audit(properties, worlds.ensemble)
        self._looks_for_dead_ends = NOT_STUCK in self._audit.properties
        self._met: dict[World, int] = {}
        self._order: list[World] = []
        self._parents = array("q")
        self._steps = 0
        self._depth = 0

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        most: int | None = None,
    ) -> Exploration:
        """Search until a finding, the end, or `most` worlds were left; `report` hears of it."""
        start = time.perf_counter()
        gc.disable()  # worlds hold no cycles, and it would look through millions of them for some
        try:
            finding, left = self._search(report, most, start)
        finally:
            gc.enable()
        complete = finding is None and left == len(self._order)
        return self._result(self._progress(left, start), finding, complete=complete)

    def _search(
        self, report: Callable[[Progress], None], most: int | None, start: float
    ) -> tuple[Finding | None, int]:
        first = self._worlds.start()
        self._meet(first, -1)
        broken = self._audit.world(first)
        finding = Finding(self._first(broken), ()) if broken else None
        left = 0
        level_end = len(self._order)
        while finding is None and left < len(self._order) and (most is None or left < most):
            if left == level_end:
                self._depth += 1
                level_end = len(self._order)
            finding = self._leave(left)
            left += 1
            if left % REPORT_EVERY == 0:
                report(self._progress(left, start))
        return finding, left

    def _progress(self, left: int, start: float) -> Progress:
        worlds = len(self._order)
        seconds = time.perf_counter() - start
        frontier = worlds - left
        return Progress(worlds, self._steps, self._depth, frontier, seconds, resident_mb())

    def _leave(self, number: int) -> Finding | None:
        world = self._order[number]
        audit = self._audit
        goes_on = False
        for step in self._worlds.steps(world):
            self._steps += 1
            goes_on = goes_on or not isinstance(step.action, FAULTS)
            broken = audit.step(world, step)
            if self._meet(step.world, number):
                broken += audit.world(step.world, world, step)
            if broken:
                self._depth += 1
                return Finding(self._first(broken), (*self._run_to(number), step))
        if goes_on or not self._looks_for_dead_ends:
            return None
        self._audit.premises[NOT_STUCK] += 1
        return None if self._worlds.is_cut(world) else Finding(NOT_STUCK, self._run_to(number))

    def _meet(self, world: World, parent: int) -> bool:
        """Note a world, and say whether it is new."""
        new = len(self._order)
        if self._met.setdefault(world, new) != new:
            return False
        self._order.append(world)
        self._parents.append(parent)
        return True

    def _first(self, broken: tuple[Property, ...]) -> Property:
        return min(broken, key=self._audit.properties.index)

    def _run_to(self, number: int) -> tuple[Step, ...]:
        run: list[Step] = []
        while (parent := self._parents[number]) >= 0:
            target = self._order[number]
            steps = self._worlds.steps(self._order[parent])
            run.append(next(step for step in steps if step.world == target))
            number = parent
        return tuple(reversed(run))

    def _result(
        self, progress: Progress, finding: Finding | None, *, complete: bool
    ) -> Exploration:
        return Exploration(
            progress.worlds,
            progress.steps,
            progress.depth,
            progress.seconds,
            peak_mb(),
            complete,
            finding,
            {one: self._audit.premises[one] for one in self._audit.properties if not one.sometimes},
            tuple(self._audit.witnessed),
        )
