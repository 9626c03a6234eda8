"""The values a server is made of: what is on its disk, in its memory, and the role it plays.

Everything here is frozen and compares by content. Sequences are tuples in their one canonical
order, so that equal states are equal values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from attrs import frozen

from zabspec.protocol.roles import (
    Connection,
    Failed,
    Follower,
    Kind,
    Leader,
    Learner,
    Leaving,
    Looking,
    Observer,
    Outstanding,
    Phase,
    Role,
    Stage,
    Sync,
)
from zabspec.protocol.zxid import ZERO, History, Snapshot, Txn, Zxid, last_zxid

__all__ = [
    "ZERO",
    "Connection",
    "Database",
    "Disk",
    "Ensemble",
    "Failed",
    "Follower",
    "History",
    "Kind",
    "Leader",
    "Learner",
    "Leaving",
    "Looking",
    "Memory",
    "Observer",
    "Outstanding",
    "Phase",
    "Role",
    "Server",
    "Snapshot",
    "Stage",
    "Sync",
    "Txn",
    "Zxid",
    "last_zxid",
    "new_server",
    "supporters",
]


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

    def held(self, log: History | None = None) -> History:
        """What a server would load: the newest snapshot, and behind it the log (or this log)."""
        read = self.log if log is None else log
        if not self.snapshots:
            return read
        newest = self.snapshots[-1]
        return newest.holds + tuple(txn for txn in read if txn.zxid > newest.zxid)

    @property
    def durable(self) -> History:
        """What a server would load after a power loss."""
        return self.held(self.durable_log)


@frozen(cache_hash=True)
class Database:
    """The data tree in memory, whether it is served or not. Only ZooKeeper's grain has it.

    holds: the transactions in it, oldest first.
    zxid: ZooKeeper's lastProcessedZxid; epoch.0 once a leader serves, or if a sync ended there.
    window: the committedLog: the latest transactions, kept to bring learners up to date.
    """

    holds: History = ()
    zxid: Zxid = ZERO
    window: History = ()


@frozen(cache_hash=True)
class Memory:
    """What a crash loses.

    applied: the transactions delivered, that is shown to clients, in the order they were.
    database: see there.
    """

    applied: History = ()
    database: Database = Database()


AnyRole_co = TypeVar("AnyRole_co", bound=Role, covariant=True)
NextRole = TypeVar("NextRole", bound=Role)


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
    """Who is in it, and how it is set up. sids are positive and ascending.

    window: how many transactions a database keeps to bring learners up to date (at least 500 in
        ZooKeeper).
    force_snapshot: a leader always sends its snapshot. log_sync: it may read its transaction log
        where the window does not reach back far enough.
    last_counter: no transaction is given it: a leader that comes to it leaves its role, so that the
        next begins at 1 in an epoch of its own.
    """

    voters: tuple[int, ...]
    observers: tuple[int, ...] = ()
    window: int = 500
    force_snapshot: bool = False
    log_sync: bool = True
    last_counter: int = 0xFFFFFFFF

    @property
    def servers(self) -> tuple[int, ...]:
        """All sids, ascending."""
        return tuple(sorted((*self.voters, *self.observers)))

    def is_quorum(self, sids: Iterable[int]) -> bool:
        """Whether these servers are a majority of the voters; who may not vote does not count."""
        return 2 * len(set(sids).intersection(self.voters)) > len(self.voters)


def supporters(server: Server[Leader], learners: Iterable[Learner]) -> set[int]:
    """The sids of these learners and of the leader itself, who counts in each of its quorums."""
    return {server.sid, *(one.connection.peer for one in learners)}
