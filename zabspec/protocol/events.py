"""Everything that can happen to a server. Every choice is in the event, none in a rule."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

from zabspec.protocol.messages import Packet
from zabspec.protocol.state import Connection

AnyPacket_co = TypeVar("AnyPacket_co", bound=Packet, covariant=True)


@frozen(cache_hash=True)
class Elected:
    """The election named a leader, perhaps this server."""

    leader: int


@frozen(cache_hash=True)
class Received(Generic[AnyPacket_co]):
    """A packet was read from a connection."""

    connection: Connection
    packet: AnyPacket_co


@frozen(cache_hash=True)
class LinkLost:
    """A connection ended, and all that came through it has been read."""

    connection: Connection


@frozen(cache_hash=True)
class ClientRequest:
    """A client asks for a change. request: its number, which no other request has."""

    request: int


@frozen(cache_hash=True)
class LogSynced:
    """The log thread has synced. upto: how many of the unsynced transactions, from the oldest."""

    upto: int


@frozen(cache_hash=True)
class TxnApplied:
    """The commit processor has applied the oldest transaction it was given."""


@frozen(cache_hash=True)
class RoleEnded:
    """Everything that ran in a role has stopped, or was told to. Follows at once."""


@frozen(cache_hash=True)
class LimitExpired:
    """A time limit of the role ran out (initLimit before it serves, syncLimit afterwards)."""


@frozen(cache_hash=True)
class Crash:
    """The power fails and comes back, or the process is killed.

    survives: how many of the written but unsynced transactions are left.
    """

    survives: int = 0


Event = (
    Elected
    | Received[Packet]
    | LinkLost
    | ClientRequest
    | LogSynced
    | TxnApplied
    | RoleEnded
    | LimitExpired
    | Crash
)
