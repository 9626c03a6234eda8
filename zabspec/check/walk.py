"""Seeded random runs, where the bounds are too large to exhaust."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from attrs import frozen

from zabspec.check.actions import FAULTS
from zabspec.check.audit import Audit
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.world import Step, World, Worlds


@frozen
class Walk:
    """A random run. broken: at its end; ended: nothing more can happen."""

    run: tuple[Step, ...]
    broken: tuple[Property, ...]
    ended: bool


def walk(worlds: Worlds, properties: Iterable[Property], seed: int, steps: int) -> Walk:
    """Take up to `steps` steps, each chosen from all possible; the same seed takes the same."""
    choose = random.Random(seed)  # noqa: S311  a schedule is no secret
    audit = Audit(properties, worlds.ensemble)
    world, run = worlds.start(), list[Step]()
    while len(run) < steps:
        possible = list(worlds.steps(world))
        stuck = _stuck(worlds, audit, world, possible)
        if stuck or not possible:
            return Walk(tuple(run), stuck, ended=not possible)
        step = choose.choice(possible)
        run.append(step)
        broken = audit.step(world, step) + audit.world(step.world, world, step)
        if broken:
            return Walk(tuple(run), broken, ended=False)
        world = step.world
    return Walk(tuple(run), (), ended=False)


def _stuck(
    worlds: Worlds, audit: Audit, world: World, possible: Sequence[Step]
) -> tuple[Property, ...]:
    goes_on = any(not isinstance(step.action, FAULTS) for step in possible)
    if goes_on or NOT_STUCK not in audit.properties or worlds.is_cut(world):
        return ()
    return (NOT_STUCK,)
