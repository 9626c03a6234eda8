"""What can be chosen in a run of a simulated ensemble: one choice is one line of JSON.

A choice names what it means by what stays the same when others are left out: a connection by its
ends, and how many older ones there are between them, not by its name. What is chosen of one server
alone is one of `impl.simulated_events`, under the same names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import frozen

from impl import simulated_events as events
from impl.plain import PlainFormat
from impl.simulated_events import EVENTS, Event
from impl.simulated_requests import ANY_VERSION, OPERATIONS, Asking


@frozen
class Happens:
    """Something happens to one server that concerns nobody else."""

    sid: int
    event: Event


@frozen
class Arrive:
    """What is next in flight arrives. older: connections before it in which something is, too."""

    sender: int
    receiver: int
    older: int = 0


@frozen
class Answer:
    """A learner that dialled this server is answered, or refused if nobody listens."""

    learner: int
    leader: int


@frozen
class Elect:
    """Servers that look for a leader agree on one of them."""

    leader: int
    electorate: tuple[int, ...]


@frozen
class Join:
    """A server that looks for a leader is told who leads the others."""

    sid: int


@frozen
class Cut:
    """A connection is lost. older: as in `Arrive`, but of all connections of the two.

    to_leader, to_learner: how many writes in flight arrive nevertheless. torn: see `Links.cut`.
    """

    learner: int
    leader: int
    older: int = 0
    to_leader: int = 0
    to_learner: int = 0
    torn: int = 0


@frozen
class Kill:
    """A process is killed."""

    sid: int


@frozen
class LosePower:
    """A server loses power: see `Ensemble.lose_power`."""

    sid: int
    survives: tuple[tuple[str, int], ...] = ()
    names: int = 0
    in_flight: int = 0


@frozen
class Restart:
    """A server that is down starts again."""

    sid: int


@frozen
class Connect:
    """An idle client connects to a server, in its session if it has one."""

    client: int
    server: int


@frozen
class Touch:
    """An idle client sends a ping."""

    client: int


@frozen
class Ask:
    """An idle client asks the server that it is connected to: see `Asking`."""

    client: int
    name: str
    path: str | None = None
    written: str | None = None
    expected: int = ANY_VERSION
    is_ephemeral: bool = False

    def __attrs_post_init__(self) -> None:
        if self.name not in OPERATIONS:
            raise ValueError(f"read name {self.name!a}, expected one of {', '.join(OPERATIONS)}")

    @property
    def asking(self) -> Asking:
        """What it asks."""
        return Asking(self.name, self.path, self.written, self.expected, self.is_ephemeral)


@frozen
class Settle:
    """Everything happens that is routine, in one order, until nothing routine can happen."""


@frozen
class Look:
    """It is looked at what each server holds: see `SimulatedRun.look`."""


ClientChoice = Connect | Touch | Ask
EnsembleChoice = Arrive | Answer | Elect | Join | Cut | Kill | LosePower | Restart | Settle | Look
Choice = Happens | EnsembleChoice | ClientChoice

ROUTINE = (events.TaskRun, events.SyncCompleted, events.TimePassed)
"""What happens to a server by itself."""

_ALONE = (*ROUTINE, events.SyncFailed, events.TimerFired, events.RoleLeft, events.DiskFails)

_CHOICES: PlainFormat[EnsembleChoice | ClientChoice] = PlainFormat(
    "choice", (*EnsembleChoice.__args__, *ClientChoice.__args__)
)


def is_routine(choice: Choice) -> bool:
    """Whether it happens sooner or later without a fault, a timer or a request: see `Settle`."""
    if isinstance(choice, Happens):
        return isinstance(choice.event, ROUTINE)
    return isinstance(choice, Arrive | Answer)


def to_line(choice: Choice) -> str:
    """As a line of JSON, without its end. What is routine says so."""
    if isinstance(choice, Happens):
        written = {"sid": choice.sid, **EVENTS.to_json(choice.event)}
    elif isinstance(choice, Settle):
        written = {"settle": True}
    else:
        written = _CHOICES.to_json(choice)
    return json.dumps({**written, "routine": True} if is_routine(choice) else written)


def from_json(written: Mapping[str, object]) -> Choice:
    """From a JSON object. Raises ValueError: what was read, and what was expected."""
    fields = {key: value for key, value in written.items() if key != "routine"}
    if fields == {"settle": True}:
        return Settle()
    if "event" not in fields:
        return _CHOICES.from_json(fields)
    sid = fields.pop("sid", None)
    if type(sid) is not int:
        raise ValueError(f"read sid {sid!a}, expected the number of a server")
    event = EVENTS.from_json(fields)
    if not isinstance(event, _ALONE):
        expected = ", ".join(one.__name__ for one in _ALONE)
        named = type(event).__name__
        raise ValueError(f"read event {named}, expected one of {expected}")  # noqa: TRY004
    return Happens(sid, event)
