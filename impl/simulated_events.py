"""What can happen to one simulated server: every choice that somebody outside makes."""

from __future__ import annotations

from attrs import frozen

from impl.plain import PlainFormat


@frozen
class Delivered:
    """What the other end wrote arrives. written: any bytes; a link delivers whole writes."""

    connection: str
    written: bytes


@frozen
class ConnectionAccepted:
    """A learner connected to this server's open port. connection: a name no other one had.

    peer: who it is, None if the network does not know.
    """

    connection: str
    peer: int | None = None


@frozen
class ConnectAnswered:
    """The attempt to connect that was seen as `ConnectAsked` succeeds."""

    attempt: int
    connection: str


@frozen
class ConnectRefused:
    """The attempt to connect that was seen as `ConnectAsked` fails: nobody listens there."""

    attempt: int


@frozen
class ConnectionEnded:
    """The other end closed the connection; what it wrote before was delivered."""

    connection: str


@frozen
class ConnectionBroken:
    """The connection is lost: reading it, and draining it, raises `ConnectionError`."""

    connection: str


@frozen
class TimerFired:
    """A pending timer fires, whatever others are due before it; time moves on to it."""

    timer: str


@frozen
class TimePassed:
    """Time moves on, in seconds on this server's clock, and no timer fires yet."""

    now: float


@frozen
class SyncCompleted:
    """An fsync completes: what was asked for with it survives a loss of power."""

    sync: str


@frozen
class SyncFailed:
    """An fsync raises `OSError`, and nothing is durable. error: EIO, ENOSPC, ..."""

    sync: str
    error: str = "EIO"


@frozen
class TaskRun:
    """This task runs until it next waits, before all others that could run."""

    task: str


@frozen
class Elected:
    """The election that this server waits for ends. It may be itself that leads.

    Takes a millisecond, so that nothing is done twice at one time in two roles.
    zxid, epoch: of the vote that is decided; None = this server's own.
    """

    leader: int
    zxid: int | None = None
    epoch: int | None = None


@frozen
class RoleLeft:
    """The server leaves its role, for no reason of its own."""


@frozen
class ClientAsked:
    """A client of this server asks for something. number: given back with `ClientAnswered`.

    session, cxid, kind, body: as in `impl.requests.Request`. A createSession has session 0. Where
    the server serves no clients, the answer is the error CONNECTION_LOSS.
    """

    number: int
    session: int
    cxid: int
    kind: int
    body: bytes = b""


@frozen
class SessionReopened:
    """A client whose session began elsewhere goes on here. timeout: in milliseconds.

    last_zxid_seen: the largest that it was told there. Answered with error 0, SESSION_EXPIRED, or
    CONNECTION_LOSS by a server that serves nobody, or has not come as far as the client.
    """

    number: int
    session: int
    timeout: int
    last_zxid_seen: int = 0


@frozen
class SessionTouched:
    """A client of this server was heard of."""

    session: int
    timeout: int


@frozen
class DiskFails:
    """The change of the disk after `skipped` others raises `OSError`, once. error: EIO, ENOSPC, ...

    torn: how many bytes of that write reach the file nevertheless.
    """

    skipped: int = 0
    error: str = "EIO"
    torn: int = 0


@frozen
class Killed:
    """The process is killed: its memory is lost; what it wrote stays, synced or not."""


@frozen
class PowerLost:
    """The process is killed, and what was not synced is lost.

    survives: by file, how many of the bytes that were written and not synced are left of it, from
    the oldest; a cut counts as one byte; none, if the file is not named here.
    names: how many of the changes of names that were not synced are left, from the oldest.
    """

    survives: tuple[tuple[str, int], ...] = ()
    names: int = 0


@frozen
class Restarted:
    """A server that is down starts again, from its disk. Takes a millisecond."""


Event = (
    Delivered
    | ConnectionAccepted
    | ConnectAnswered
    | ConnectRefused
    | ConnectionEnded
    | ConnectionBroken
    | TimerFired
    | TimePassed
    | SyncCompleted
    | SyncFailed
    | TaskRun
    | Elected
    | RoleLeft
    | ClientAsked
    | SessionReopened
    | SessionTouched
    | DiskFails
    | Killed
    | PowerLost
    | Restarted
)

EVENTS: PlainFormat[Event] = PlainFormat("event", Event.__args__)
"""Events as JSON objects."""
