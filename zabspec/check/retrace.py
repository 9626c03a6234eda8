"""The run to a finding, from what was kept of each level: each step in full, with its action."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen

from zabspec.check.carry import Columns
from zabspec.check.expand import Followers
from zabspec.check.exploration import Finding
from zabspec.check.levels import Level, origins
from zabspec.check.properties import Property
from zabspec.check.tables import Tables
from zabspec.check.world import Step

Expand = Callable[[Columns], Followers]
Choose = Callable[[Columns], Columns]


@frozen
class Hit:
    """A step, or a world that nothing follows, that breaks a promise.

    place: of the world in its level. broken: the promise. target: the world stepped to; None if it
    is the world itself that breaks it.
    """

    place: int
    broken: Property
    target: tuple[int, ...] | None


def retrace(
    tables: Tables, expand: Expand, chosen: Choose, levels: list[Level], hit: Hit
) -> Finding:
    """The run to a hit, whose world is one of the last of these levels.

    expand: what follows worlds. chosen: the worlds that stand for others, by symmetry.
    """
    run: list[Step] = []
    columns = _one(tables.start()[0])
    stands = chosen(columns)
    for ordinal in origins(levels, hit.place):
        stands = chosen([one[ordinal : ordinal + 1] for one in expand(stands).columns])
        step, columns = next(_steps(tables, columns, expand(columns).columns, stands, chosen))
        run.append(step)
    if hit.target is not None:
        to = _one(hit.target)
        for step, _ in _steps(tables, columns, expand(columns).columns, to, chosen):
            before = tables.world([int(one[0]) for one in columns])
            broken = tables.audit.step(before, step)
            if hit.broken in broken + tables.audit.world(step.world, before, step):
                run.append(step)
                break
        else:
            raise AssertionError("the tables know a step that breaks what no plain one does")
    return Finding(hit.broken, tuple(run))


def _steps(
    tables: Tables, columns: Columns, following: Columns, stands: Columns, chosen: Choose
) -> Iterator[tuple[Step, Columns]]:
    """The plain steps, in full, to those worlds that this one stands for."""
    same = np.logical_and.reduce(
        [one == other[0] for one, other in zip(chosen(following), stands, strict=True)]
    )
    before = tables.world([int(one[0]) for one in columns])
    for at in np.nonzero(same)[0].tolist():
        after = [one[at : at + 1] for one in following]
        target = tables.world([int(one[0]) for one in after])
        for step in tables.worlds.steps(before):
            if step.world == target:
                yield step, after


def _one(world: tuple[int, ...]) -> Columns:
    return [np.array([number], np.int32) for number in world]
