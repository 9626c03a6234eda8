"""Seeded random runs, where the bounds are too large to exhaust."""

from __future__ import annotations

import random
from collections.abc import Iterable

from attrs import frozen

from zabspec.check.audit import Audit
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.world import Step, World, Worlds


@frozen
class Walk:
    """A random run. broken: by its last step; ended: nothing more can happen."""

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
        if not possible:
            return Walk(tuple(run), _stuck(worlds, audit, world), ended=True)
        step = choose.choice(possible)
        run.append(step)
        broken = audit.step(world, step) + audit.world(step.world, world, step)
        if broken:
            return Walk(tuple(run), broken, ended=False)
        world = step.world
    return Walk(tuple(run), (), ended=False)


def _stuck(worlds: Worlds, audit: Audit, world: World) -> tuple[Property, ...]:
    looked_for = NOT_STUCK in audit.properties
    return (NOT_STUCK,) if looked_for and not worlds.is_cut(world) else ()
