"""What a profile holds a system against: bounds whose rows are replayed, and runs of lockstep.

The rows of small models reach what is rare in a long run; long runs reach what no small model has.
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
    """A model whose rows are replayed. with_cuts: and steps in which the server is killed."""

    name: str
    bounds: Bounds
    spec: Spec = BASELINE
    with_cuts: bool = False

    @property
    def model(self) -> Model:
        """As a model of which nothing is expected."""
        question = "Does a system do as the model does?"
        return Model(self.name, question, self.spec, self.bounds, None)


@frozen
class Runs:
    """Runs of lockstep. count: how many."""

    task: Task
    count: int


@frozen
class Held:
    """All that a profile holds a system against.

    free: seeds of free runs that are judged, where a system owns its ensemble.
    """

    rows: tuple[Rows, ...] = ()
    lockstep: tuple[Runs, ...] = ()
    free: int = 0


CUT = Rows("cut", Bounds(servers=2, txns=1, lost_links=1, crashes=1, elections=2), with_cuts=True)
"""A server is killed anywhere in each step."""

SMALL = (
    Rows("two-2-1-1", Bounds(servers=2, txns=2, lost_links=1, crashes=1, elections=2)),
    Rows("limits", Bounds(servers=2, observers=1, txns=1, limits=1, elections=2)),
    Rows("window-1", Bounds(servers=2, observers=1, txns=2, lost_links=1, elections=1, window=1)),
    Rows(
        "forced",
        Bounds(servers=2, observers=1, txns=1, lost_links=1, elections=2, force_snapshot=True),
    ),
    Rows("last-counter-2", Bounds(servers=2, txns=3, elections=3, last_counter=2)),
    Rows("fine", Bounds(servers=2, observers=1, txns=1, lost_links=1, elections=2), FINE),
)
"""Two servers, or two and an observer: seconds for all of them."""

THREE = Rows("three-1-1-0", Bounds(servers=3, txns=1, lost_links=1, elections=2))
"""Who comes later, and who is not needed."""

TASKS = (
    Task(),
    Task(bounds=Bounds(servers=3, txns=6, lost_links=3, crashes=2, elections=8, limits=2)),
    Task(
        bounds=Bounds(
            servers=3, observers=1, txns=6, lost_links=3, crashes=3, elections=8, window=2
        )
    ),
    Task(FINE),
    Task(bounds=Bounds(servers=5, txns=6, lost_links=4, crashes=2, elections=8)),
)
"""What runs are played in.

The usual bounds; limits; an observer and a short window; commits apart from their packets; and
five servers: of three, a leader and any other are a quorum.
"""

HELD: Mapping[str, Held] = {
    "smoke": Held(SMALL[:2], (Runs(Task(bounds=RUN), 30),)),
    "dev": Held((CUT, *SMALL), tuple(Runs(task, 40) for task in TASKS), free=1),
    "ci": Held((CUT, *SMALL, THREE), tuple(Runs(task, 100) for task in TASKS), free=3),
    "nightly": Held((CUT, *SMALL, THREE), tuple(Runs(task, 2_500) for task in TASKS), free=50),
}
"""By profile, from a few seconds to hours."""
