"""What a search tells: while it goes on, and at its end."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from zabspec.check.frontier import Counts
from zabspec.check.properties import Property
from zabspec.check.rows import Branch
from zabspec.check.settings import Settings
from zabspec.check.tables import Tables
from zabspec.check.visited import collision_odds
from zabspec.check.world import Step


@frozen
class Reach:
    """How much of a spec an exploration over tables saw, and what it cost.

    rows: distinct pairs of a server and an event, each answered by its rule once; calls: of rules.
    branches: by each place where a rule returns, how many rows. locals: distinct servers.
    weighed: worlds and steps that the explored ones stand for; the same without symmetry.
    bits: of a fingerprint. odds: that two worlds were taken for one, at most.
    jobs: threads that shared the work. symmetry: servers were taken for one another.
    kept_bytes: of memory in the end, for all visited worlds, beside the frontier.
    """

    rows: int
    calls: int
    branches: Mapping[Branch, int]
    locals: int
    weighed: tuple[int, int]
    bits: int
    odds: float
    jobs: int
    symmetry: bool
    kept_bytes: int


@frozen
class Progress:
    """How far a search is. worlds: met so far; frontier: met and not yet left.

    memory_mb: that the process holds, in MiB.
    """

    worlds: int
    steps: int
    depth: int
    frontier: int
    seconds: float
    memory_mb: float


@frozen
class Finding:
    """A promise that was broken, and the shortest run to it: from the first world, step by step."""

    promise: Property
    run: tuple[Step, ...]


@frozen
class Exploration:
    """What a search found out.

    finding: None if every promise holds; complete: every world within the bounds was met.
    premises: how many different cases held each property's premise. witnessed: of `sometimes`.
    peak_mb: of the process, in MiB. stopped: why it is not complete, where nothing was found.
    reach: of an exploration over tables.
    """

    worlds: int
    steps: int
    depth: int
    seconds: float
    peak_mb: float
    complete: bool
    finding: Finding | None
    premises: dict[Property, int] = field(factory=dict)
    witnessed: tuple[Property, ...] = ()
    stopped: str | None = None
    reach: Reach | None = None

    @property
    def stands_for(self) -> tuple[int, int]:
        """Worlds and steps, as they would be counted without symmetry."""
        return (self.worlds, self.steps) if self.reach is None else self.reach.weighed


def reach(tables: Tables, settings: Settings, counts: Counts, kept_bytes: int) -> Reach:
    """What an exploration saw of a spec, from its tables."""
    return Reach(
        tables.row_count,
        tables.spec.calls,
        tables.spec.branches,
        len(tables.locals),
        (counts.weighed_worlds, counts.weighed_steps),
        bits=64 * settings.words,
        odds=collision_odds(counts.worlds, settings.words),
        jobs=settings.jobs,
        symmetry=settings.symmetry,
        kept_bytes=kept_bytes,
    )
