"""The run to a finding, from what was kept of each level: each step in full, with its action."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from zabspec.check.carry import Columns
from zabspec.check.expand import Expander
from zabspec.check.exploration import Finding
from zabspec.check.levels import Level, origins
from zabspec.check.properties import Property
from zabspec.check.tables import Tables
from zabspec.check.world import Step


@frozen
class Hit:
    """A step, or a world that nothing follows, that breaks a promise.

    place: of the world in its level. broken: the promise. target: the world stepped to; None if it
    is the world itself that breaks it.
    """

    place: int
    broken: Property
    target: tuple[int, ...] | None


def retrace(tables: Tables, expander: Expander, levels: list[Level], hit: Hit) -> Finding:
    """The run to a hit, whose world is one of the last of these levels."""
    run: list[Step] = []
    columns = _one(tables.start()[0])
    for ordinal in origins(levels, hit.place):
        followers = expander.expand(columns)
        before, columns = columns, [one[ordinal : ordinal + 1] for one in followers.columns]
        run.append(_step(tables, before, columns))
    if hit.target is not None:
        run.append(_step(tables, columns, _one(hit.target), hit.broken))
    return Finding(hit.broken, tuple(run))


def _one(world: tuple[int, ...]) -> Columns:
    return [np.array([number], np.int32) for number in world]


def _step(
    tables: Tables, before: Columns, after: Columns, breaking: Property | None = None
) -> Step:
    """A step between two worlds, in full: the first, or the first that breaks this."""
    audit = tables.audit
    first, target = (tables.world([int(one[0]) for one in world]) for world in (before, after))
    for step in tables.worlds.steps(first):
        if step.world == target:
            if breaking is None:
                return step
            if breaking in audit.step(first, step) + audit.world(target, first, step):
                return step
    raise AssertionError("the tables know a step that the plain worlds do not")
