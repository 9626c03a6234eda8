"""What can happen next in a world: the lines of a script."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from zabspec.protocol.messages import Packet


class Mark(Enum):
    """Stands in a connection behind the last packet that was sent before it ended."""

    END = "end"


Item = Packet | Mark


@frozen
class Elect:
    """A quorum, all of it looking, is told of one leader in it. members: ascending."""

    leader: int
    members: tuple[int, ...]


@frozen
class Join:
    """A server that looks for a leader is told of one that leads already."""

    server: int
    leader: int


@frozen
class Deliver:
    """The next item of a connection is read: a packet, or its end.

    item: None stands for whatever is next. crash_after: the receiver crashes when it has carried
    out this many effects. survives: of the unsynced transactions, as many are left.
    """

    sender: int
    receiver: int
    item: Item | None = None
    crash_after: int | None = None
    survives: int = 0


@frozen
class Ask:
    """A client asks a leader for the next change."""

    server: int
    crash_after: int | None = None
    survives: int = 0


@frozen
class SyncLog:
    """A server's log thread syncs the oldest `upto` of the unsynced transactions."""

    server: int
    upto: int = 1
    crash_after: int | None = None
    survives: int = 0


@frozen
class ApplyNext:
    """A server's commit processor applies the next transaction."""

    server: int
    crash_after: int | None = None
    survives: int = 0


@frozen
class Expire:
    """A time limit of a server runs out, and it gives up its role."""

    server: int


@frozen
class LoseLink:
    """A connection breaks. kept: of what was in flight from each end, the first so many arrive."""

    one: int
    other: int
    kept: tuple[int, int] = (0, 0)


@frozen
class Restart:
    """A server crashes and restarts."""

    server: int
    survives: int = 0


Action = Elect | Join | Deliver | Ask | SyncLog | ApplyNext | Expire | LoseLink | Restart
FAULTS = (Expire, LoseLink, Restart)
"""The actions that no protocol needs to make progress."""
