"""What a profile holds a system against: bounds whose rows are replayed, and runs of lockstep.

The rows of small models reach what is rare in a long run; long runs reach what no small model has.
Each model of rows is here for what only it shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from zabspec.check.bounds import Bounds
from zabspec.check.model import Model
from zabspec.conform.lockstep import RUN, Task
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import BASELINE, FINE


@frozen
class Rows:
    """A model all of whose rows are replayed. with_cuts: and steps in which the server is killed."""

    shows: str
    bounds: Bounds
    with_cuts: bool = False
    spec: Spec = BASELINE

    @property
    def model(self) -> Model:
        """As a model of which nothing is expected."""
        return Model(f"rows: {self.bounds}", self.shows, self.spec, self.bounds, None)


@frozen
class Lockstepped:
    """Runs of lockstep. runs: how many."""

    task: Task
    runs: int


@frozen
class Held:
    """All that a profile holds a system against."""

    rows: tuple[Rows, ...] = ()
    lockstep: tuple[Lockstepped, ...] = ()


TWO = Bounds(servers=2, txns=1, lost_links=1, crashes=1, elections=2)

ROWS = (
    Rows("two servers, a crash anywhere in a step", TWO, with_cuts=True),
    Rows("limits", Bounds(servers=2, txns=1, elections=2, limits=1)),
    Rows("a window of 1", Bounds(servers=2, txns=2, lost_links=1, elections=2, window=1)),
    Rows("commits apart", Bounds(servers=2, txns=2, lost_links=1, elections=2), spec=FINE),
    Rows("snapshots", Bounds(servers=2, txns=2, lost_links=1, elections=2, force_snapshot=True)),
    Rows("a last counter", Bounds(servers=2, txns=2, lost_links=1, elections=3, last_counter=1)),
    Rows("an observer", Bounds(servers=2, observers=1, txns=1, lost_links=1, elections=2)),
    Rows("who comes later", Bounds(servers=3, txns=1, lost_links=1, elections=2)),
    Rows("who comes back", Bounds(servers=3, txns=1, crashes=1, elections=2)),
)
"""What can be replayed in a minute."""

_LIMITED = Bounds(servers=3, txns=6, lost_links=3, crashes=2, elections=8, limits=2)
_SMALL = Bounds(servers=3, observers=1, txns=6, lost_links=3, crashes=3, elections=8, window=2)

LOCKSTEP = (
    Task(bounds=RUN),
    Task(bounds=_LIMITED),
    Task(bounds=_SMALL),
    Task(FINE),
)
"""In what bounds runs are played."""

HELD: Mapping[str, Held] = {
    "smoke": Held(ROWS[:2], (Lockstepped(LOCKSTEP[0], 30),)),
    "dev": Held(ROWS[:7], (Lockstepped(LOCKSTEP[0], 150),)),
    "ci": Held(
        ROWS,
        (
            Lockstepped(LOCKSTEP[0], 400),
            Lockstepped(LOCKSTEP[1], 100),
            Lockstepped(LOCKSTEP[2], 100),
            Lockstepped(LOCKSTEP[3], 100),
        ),
    ),
}
"""By profile."""
