"""The values a server is made of: what is on its disk, in its memory, and the role it plays.

Everything here is frozen and compares by content. Sequences are tuples in their one canonical
order, so that equal states are equal values.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar, Generic, TypeVar

from attrs import evolve, frozen

_COUNTER_BITS = 32


@frozen(order=True, cache_hash=True)
class Zxid:
    """A transaction id: the epoch of the leader that proposed it, and its number in that epoch.

    The counter starts at 1 in each epoch; counter 0 stands for the epoch itself and names no
    transaction. Ordered by epoch, then counter. Written `epoch.counter`.
    """

    epoch: int
    counter: int

    @classmethod
    def unpack(cls, number: int) -> Zxid:
        """The zxid that ZooKeeper writes as this 64-bit number: epoch high, counter low."""
        return cls(number >> _COUNTER_BITS, number & ((1 << _COUNTER_BITS) - 1))

    def pack(self) -> int:
        """This zxid as ZooKeeper's 64-bit number."""
        return (self.epoch << _COUNTER_BITS) | self.counter

    def next(self) -> Zxid:
        """The zxid that follows in the same epoch."""
        return Zxid(self.epoch, self.counter + 1)

    def leads_to(self, later: Zxid) -> bool:
        """Whether `later` may stand right behind this one in a history without gaps."""
        same_epoch = later.epoch == self.epoch and later.counter == self.counter + 1
        return same_epoch or (later.epoch > self.epoch and later.counter == 1)

    def __str__(self) -> str:
        return f"{self.epoch}.{self.counter}"


ZERO = Zxid(0, 0)
"""The last zxid of an empty history."""


@frozen(cache_hash=True)
class Txn:
    """A transaction: its zxid and the request it carries out.

    Without the request, "the same zxid, another transaction" could not be told.
    """

    zxid: Zxid
    request: int

    def __str__(self) -> str:
        return f"{self.zxid}:r{self.request}"


History = tuple[Txn, ...]
"""Transactions in the order of their zxids."""


def last_zxid(history: History) -> Zxid:
    """The zxid a history ends with; `ZERO` if it is empty."""
    return history[-1].zxid if history else ZERO


@frozen(cache_hash=True)
class Snapshot:
    """A database as it was saved: the zxid in its name, and the transactions it holds."""

    zxid: Zxid
    holds: History


@frozen(cache_hash=True)
class Disk:
    """What survives a crash.

    accepted_epoch: the last epoch promised (f.p in the paper; the file `acceptedEpoch`).
    current_epoch: the epoch whose history was accepted (f.a; the file `currentEpoch`).
    log: the transaction log, oldest first.
    unsynced: how many at the end of `log` are written but not synced; a power loss may take them.
    snapshots: oldest first.
    """

    accepted_epoch: int = 0
    current_epoch: int = 0
    log: History = ()
    unsynced: int = 0
    snapshots: tuple[Snapshot, ...] = ()

    @property
    def durable_log(self) -> History:
        """The part of the log that even a power loss leaves."""
        return self.log[: len(self.log) - self.unsynced]


@frozen(cache_hash=True)
class Memory:
    """What a crash loses.

    applied: the transactions delivered to the database, in the order they were.
    """

    applied: History = ()


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


@frozen(cache_hash=True)
class Follower:
    """A server that follows the leader at the other end of `connection`."""

    connection: Connection
    phase: Phase


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
    upto: the last zxid it acknowledged, or, while SYNCING, will have acknowledged with NEWLEADER.
    """

    connection: Connection
    stage: Stage = Stage.INTRODUCED
    accepted_epoch: int = 0
    current_epoch: int | None = None
    history: History = ()
    upto: Zxid = ZERO


@frozen(cache_hash=True)
class Leader:
    """A server that leads, or tries to.

    epoch: the epoch it proposed; 0 while it has not yet heard from a quorum.
    learners: in the order of their connections.
    """

    phase: Phase = Phase.DISCOVERY
    epoch: int = 0
    learners: tuple[Learner, ...] = ()

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

    def without(self, connection: Connection) -> Leader:
        """This leader, with the learner at this connection forgotten."""
        return evolve(
            self, learners=tuple(one for one in self.learners if one.connection != connection)
        )


Role = Looking | Follower | Leader
AnyRole_co = TypeVar("AnyRole_co", Looking, Follower, Leader, Role, covariant=True)
NextRole = TypeVar("NextRole", Looking, Follower, Leader)


@frozen(cache_hash=True)
class Server(Generic[AnyRole_co]):
    """All that one server knows. A rule reads this, its event and the ensemble, nothing else."""

    sid: int
    disk: Disk
    memory: Memory
    role: AnyRole_co

    def playing(self, role: NextRole) -> Server[NextRole]:
        """This server in another role, or further in this one."""
        return Server(self.sid, self.disk, self.memory, role)


def new_server(sid: int) -> Server[Role]:
    """A server that has never run: nothing on its disk, looking for a leader."""
    return Server(sid, Disk(), Memory(), Looking())


@frozen(cache_hash=True)
class Ensemble:
    """Who may vote. sids are positive; `voters` is ascending."""

    voters: tuple[int, ...]

    def is_quorum(self, sids: Iterable[int]) -> bool:
        """Whether these servers are a majority of the voters; who may not vote does not count."""
        return 2 * len(set(sids).intersection(self.voters)) > len(self.voters)


def supporters(server: Server[Leader], learners: Iterable[Learner]) -> set[int]:
    """The sids of these learners and of the leader itself, who counts in each of its quorums."""
    return {server.sid, *(one.connection.peer for one in learners)}
