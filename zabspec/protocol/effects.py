"""What a server asks of the world, and tells it.

The effects of a step are ordered, and a crash may fall between any two of them that last: a write,
or a packet sent.
"""

from __future__ import annotations

from attrs import frozen

from zabspec.protocol.disk import Change
from zabspec.protocol.messages import Packet
from zabspec.protocol.state import Connection, Role, Server, Txn


@frozen(cache_hash=True)
class Open:
    """Connect to a leader."""

    connection: Connection


@frozen(cache_hash=True)
class Send:
    """Send a packet."""

    connection: Connection
    packet: Packet


@frozen(cache_hash=True)
class Close:
    """Close one connection."""

    connection: Connection


@frozen(cache_hash=True)
class CloseAll:
    """Close every connection, those not yet answered too: the server leaves its role."""


@frozen(cache_hash=True)
class Write:
    """Change the disk, durably as far as the change says."""

    change: Change


@frozen(cache_hash=True)
class Broadcast:
    """A primary broadcasts a transaction (abcast): it may be delivered from now on."""

    txn: Txn


@frozen(cache_hash=True)
class Apply:
    """Deliver a transaction to the database (abdeliver): clients can see it from now on."""

    txn: Txn


@frozen(cache_hash=True)
class Ready:
    """A leader is established (ready(e) in the paper): it may broadcast from now on."""

    epoch: int


@frozen(cache_hash=True)
class Impossible:
    """The server met what its rules say cannot happen. why: what was met, against what."""

    why: str


Effect = Open | Send | Close | CloseAll | Write | Broadcast | Apply | Ready | Impossible


@frozen
class Step:
    """What a rule returns: the server afterwards, its disk untouched, and the effects in order."""

    server: Server[Role]
    effects: tuple[Effect, ...] = ()
