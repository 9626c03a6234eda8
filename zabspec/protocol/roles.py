"""The roles that a server plays, and what it remembers while it plays one."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from attrs import evolve, frozen

from zabspec.protocol.zxid import ZERO, History, Txn, Zxid


class Phase(Enum):
    """Where a server is in the protocol."""

    ELECTION = 0
    DISCOVERY = 1
    SYNCHRONIZATION = 2
    BROADCAST = 3


@frozen(order=True, cache_hash=True)
class Connection:
    """One incarnation of a connection, as one of its ends names it.

    peer: the sid at the other end.
    number: tells incarnations apart where several of one pair may live at once (recordings, code);
        always 0 in worlds, which keep the connections of a pair in order.
    """

    peer: int
    number: int = 0

    def __str__(self) -> str:
        return f"{self.peer}#{self.number}" if self.number else f"{self.peer}"


@frozen(cache_hash=True)
class Looking:
    """A server that has no leader."""

    phase: ClassVar[Phase] = Phase.ELECTION


class Kind(Enum):
    """How a leader brings a learner's database to its own."""

    DIFF = 0
    TRUNC = 1
    SNAP = 2


@frozen(cache_hash=True)
class Sync:
    """What a learner in ZooKeeper's grain was sent, and has not yet served.

    not_logged: proposals. committed: zxids, in the order their commits came.
    accepted: NEWLEADER was acknowledged.
    not_acked: logged in the sync, and to be acknowledged once the server serves.
    """

    kind: Kind
    not_logged: History = ()
    committed: tuple[Zxid, ...] = ()
    accepted: bool = False
    not_acked: History = ()


@frozen(cache_hash=True)
class Follower:
    """A server that follows the leader at the other end of `connection`.

    sync: what it was sent before it serves; None before the sync begins, and in the paper's grain.
    to_apply: committed, and on its way to the database; the commit processor applies it.
    """

    connection: Connection
    phase: Phase
    sync: Sync | None = None
    to_apply: History = ()


@frozen(cache_hash=True)
class Observer(Follower):
    """A server that follows without a vote: it learns what is committed, and is never asked."""


@frozen(cache_hash=True)
class Leaving:
    """A server whose role has ended, and whose memory has not yet been dealt with.

    served: it served clients in that role. kind: of the sync under way; None if there was none.
    """

    served: bool
    kind: Kind | None = None
    phase: ClassVar[Phase] = Phase.ELECTION


@frozen(cache_hash=True)
class Failed:
    """A server that does not start again. why: what it found on its disk."""

    why: str
    phase: ClassVar[Phase] = Phase.ELECTION


class Stage(Enum):
    """How far a leader has brought one of its learners."""

    INTRODUCED = 0
    PROMISED = 1
    SYNCING = 2
    ACTIVE = 3


@frozen(cache_hash=True)
class Learner:
    """What a leader knows of one learner.

    stage: INTRODUCED it sent its accepted epoch, PROMISED it answered the new epoch, SYNCING it was
        sent the history, ACTIVE it acknowledged that.
    accepted_epoch: what it introduced itself with; 0 once the leader's epoch is settled.
    current_epoch: what it answered the new epoch with; None before, and if its answer does not
        count as a promise.
    history: what it holds, as it answered; () before, and once the leader's history is settled.
    upto: the last zxid it acknowledged, or, while SYNCING, will have acknowledged with NEWLEADER;
        in ZooKeeper's grain the last zxid it holds, as it answered, until it is synced.
    observes: it has no vote. counted: its ACK of NEWLEADER was counted, or will be.
    """

    connection: Connection
    stage: Stage = Stage.INTRODUCED
    accepted_epoch: int = 0
    current_epoch: int | None = None
    history: History = ()
    upto: Zxid = ZERO
    observes: bool = False
    counted: bool = True


@frozen(cache_hash=True)
class Outstanding:
    """A proposal that is not yet committed. acks: the sids that have logged it, ascending."""

    txn: Txn
    acks: tuple[int, ...] = ()


@frozen(cache_hash=True)
class Leader:
    """A server that leads, or tries to.

    epoch: the epoch it proposed; 0 while it has not yet heard from a quorum.
    learners: in the order of their connections.
    outstanding: oldest first; () in the paper's grain, where the log says it.
    to_apply: committed, and on its way to the database.
    """

    phase: Phase = Phase.DISCOVERY
    epoch: int = 0
    learners: tuple[Learner, ...] = ()
    outstanding: tuple[Outstanding, ...] = ()
    to_apply: History = ()

    def knows(self, connection: Connection) -> bool:
        """Whether a learner has introduced itself on this connection."""
        return any(one.connection == connection for one in self.learners)

    def learner(self, connection: Connection) -> Learner:
        """The learner at this connection. Raises KeyError if none has introduced itself there."""
        return {one.connection: one for one in self.learners}[connection]

    def at(self, *stages: Stage) -> tuple[Learner, ...]:
        """The learners that are at one of these stages."""
        return tuple(one for one in self.learners if one.stage in stages)

    def with_learners(self, *learners: Learner) -> Leader:
        """This leader, with what it knows of these learners put in place of what it knew."""
        known = {one.connection: one for one in (*self.learners, *learners)}
        return evolve(self, learners=tuple(known[connection] for connection in sorted(known)))

    def without_acks(self, sid: int, after: Zxid) -> Leader:
        """This leader, with this server's ACKs of proposals behind `after` not counted any more."""
        outstanding = tuple(
            evolve(one, acks=tuple(acked for acked in one.acks if acked != sid))
            if one.txn.zxid > after
            else one
            for one in self.outstanding
        )
        return evolve(self, outstanding=outstanding)

    def without(self, connection: Connection) -> Leader:
        """This leader, with the learner at this connection forgotten."""
        return evolve(
            self, learners=tuple(one for one in self.learners if one.connection != connection)
        )


Role = Looking | Follower | Observer | Leader | Leaving | Failed
