"""Worlds, met plainly: what the tables are held against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from zabspec.check.actions import FAULTS
from zabspec.check.carry import Columns
from zabspec.check.exploration import Exploration
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.search import Search
from zabspec.check.tables import Tables
from zabspec.check.world import Step, World, Worlds


def levels(worlds: Worlds, most: int) -> Iterator[list[World]]:
    """The worlds at each depth, in the order in which they are met; up to so many, or some more."""
    level = [worlds.start()]
    met = dict.fromkeys(level)
    while level and len(met) < most:
        yield level
        following = dict.fromkeys(step.world for world in level for step in worlds.steps(world))
        level = [world for world in following if world not in met]
        met |= following


def reached(worlds: Worlds, most: int) -> list[World]:
    """The first worlds that are met."""
    return [world for level in levels(worlds, most) for world in level]


def goes_on(worlds: Worlds, world: World) -> bool:
    """Whether something can happen that is no fault."""
    return any(not isinstance(step.action, FAULTS) for step in worlds.steps(world))


def columns(tables: Tables, worlds: Iterable[World]) -> Columns:
    """Worlds as the tables write them."""
    rows = [_row(tables, world) for world in worlds]
    return [np.array(column, np.int32) for column in zip(*rows, strict=True)]


def _row(tables: Tables, world: World) -> list[int]:
    pairs = [(a, b) for a in tables.servers for b in tables.servers if a != b]
    channel = dict(zip(pairs, world.channels, strict=True))
    return [
        *(tables.local(server) for server in world.servers),
        *(tables.link_tables.number((channel[a, b], channel[b, a])) for a, b in tables.pairs),
        tables.environment(world.environment),
        tables.monitors.number(world.monitor),
    ]


def is_real(worlds: Worlds, run: Iterable[Step]) -> bool:
    """Whether each step of a run can happen where the one before led."""
    world = worlds.start()
    for step in run:
        possible = [(one.action, one.world) for one in worlds.steps(world)]
        if (step.action, step.world) not in possible:
            return False
        world = step.world
    return True


def disagreements(found: Exploration, plain: Exploration) -> list[str]:
    """In what an exploration differs from a plain search that ended by itself.

    How much of the last level was met before something broken was found is left out. The plain
    search may find what a step breaks where the other tells of a stuck world that it came from.
    """
    one, other = found.finding, plain.finding
    if (one is None) != (other is None):
        return ["verdict"]
    if one is not None and other is not None:
        if one.promise is NOT_STUCK is not other.promise:
            return [] if found.depth == plain.depth - 1 == len(one.run) else ["depth"]
        names = [] if one.promise is other.promise else ["promise"]
        same = [step.action for step in one.run] == [step.action for step in other.run]
        return names if same and found.depth == plain.depth else [*names, "run"]
    names = ["worlds", "steps", "depth", "complete", "premises"]
    different = [name for name in names if getattr(found, name) != getattr(plain, name)]
    return different if set(found.witnessed) == set(plain.witnessed) else [*different, "witnessed"]


def searched(
    worlds: Worlds, properties: Iterable[Property], most: int | None = None
) -> Exploration:
    """What the plain search finds."""
    return Search(worlds, properties).run(most=most)
