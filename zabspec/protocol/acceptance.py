"""What a learner does at NEWLEADER and UPTODATE in ZooKeeper's releases: six histories, five here.

Each pair is a row of the table in the protocol's history: the same packets, and another moment at
which the transactions of a sync reach the log, the epoch its file, and the leader the ACK.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol.broadcast import serve
from zabspec.protocol.database import applied
from zabspec.protocol.disk import (
    Append,
    AppendSynced,
    CurrentEpoch,
    SaveSnapshot,
)
from zabspec.protocol.effects import Effect, Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, NewLeader, UpToDate
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    History,
    Kind,
    Observer,
    Server,
    Snapshot,
    Sync,
    Zxid,
)
from zabspec.protocol.synchronization import (
    BROADCAST,
    SYNCHRONIZATION,
    Learning,
    settle,
    sync_of,
    with_database,
)


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_saves_then_epoch(server: Learning, event: Received[NewLeader], _: Ensemble) -> Step:
    """Always a snapshot, then the epoch, then the ACK; nothing goes to the log. To 3.5.2. 1653.

    Models Learner.syncWithLeader.
    """
    return _accepting(server, event, sync_of(server), _snapshot(server))


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_acks_before_it_logs(server: Learning, event: Received[NewLeader], _: Ensemble) -> Step:
    """A snapshot unless it was a DIFF; the epoch, the ACK; the DIFF is logged after UPTODATE.

    3.5.3 to 3.5.9. 3911, 4643. Models Learner.syncWithLeader.
    """
    return _accepting(server, event, sync_of(server), _snapshot_unless_diff(server))


@on(Follower, SYNCHRONIZATION, NewLeader)
def follower_acks_before_it_syncs(
    server: Server[Follower], event: Received[NewLeader], _: Ensemble
) -> Step:
    """The epoch, then what was proposed to the log thread, then the ACK, which may overtake it.

    3.5.10 to 3.8.4. 4643, 4646, 4685. Models Learner.syncWithLeader.
    """
    sync, epoch = sync_of(server), event.packet.epoch
    logged = (Write(Append(sync.not_logged)),) if sync.not_logged else ()
    acknowledge = Send(event.connection, Ack(Zxid(epoch, 0)))
    writes = (*_snapshot_unless_diff(server), Write(CurrentEpoch(epoch)), *logged)
    accepted = evolve(server.role, sync=evolve(sync, not_logged=(), accepted=True))
    return Step(server.playing(accepted), (*writes, acknowledge))


@on(Follower, SYNCHRONIZATION, NewLeader)
def follower_logs_everything(
    server: Server[Follower], event: Received[NewLeader], _: Ensemble
) -> Step:
    """All that was proposed, committed or not, to the log; synced, then the epoch, then the ACK.

    3.8.5, 3.8.6, 3.9.2. Models Learner.syncWithLeader.
    """
    sync = sync_of(server)
    logged = (Write(AppendSynced(sync.not_logged)),) if sync.not_logged else ()
    kept = evolve(sync, not_logged=(), not_acked=sync.not_logged)
    return _accepting(server, event, kept, (*_snapshot_unless_diff(server), *logged))


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_logs_committed(
    server: Learning, event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    """What is committed to the log and the database, synced, then the epoch, then the ACK.

    As the baseline, but snapshots are added to those there are, also after a TRUNC. From 3.9.4 on.
    Models Learner.syncWithLeader.
    """
    settled, rest = settle(sync_of(server))
    database = server.memory.database
    for txn in settled:
        database = applied(database, txn, ensemble.window)
    logged = (Write(AppendSynced(settled)),) if settled else ()
    writes = (*_snapshot_unless_diff(server), *logged)
    return _accepting(with_database(server, database), event, rest, writes)


@on(Follower, SYNCHRONIZATION, UpToDate)
def follower_commits_logged(
    server: Server[Follower], event: Received[UpToDate], _: Ensemble
) -> Step:
    """Acknowledge, and what was logged too; log what came later; commit what is committed.

    With what goes to the log at NEWLEADER (3.5.10 to 3.9.2). Models Learner.syncWithLeader.
    """
    sync = sync_of(server)
    acknowledge = (Zxid(server.disk.current_epoch, 0), *(txn.zxid for txn in sync.not_acked))
    acks = (Send(event.connection, Ack(zxid)) for zxid in acknowledge)
    later = (Write(Append(sync.not_logged)),) if sync.not_logged else ()
    role = evolve(server.role, phase=BROADCAST, sync=None, to_apply=_committed(server, sync))
    learner, shown = serve(server)
    return Step(learner.playing(role), (*shown, *acks, *later))


def _committed(server: Server[Follower], sync: Sync) -> History:
    newest = server.memory.database.zxid
    waiting = [txn for txn in (*server.disk.log, *sync.not_logged) if txn.zxid > newest]
    commits = list(sync.committed)
    count = 0
    while count < min(len(waiting), len(commits)) and waiting[count].zxid == commits[count]:
        count += 1
    return tuple(waiting[:count])


def _accepting(
    server: Learning, event: Received[NewLeader], sync: Sync, writes: tuple[Effect, ...]
) -> Step:
    epoch = event.packet.epoch
    acknowledge = Send(event.connection, Ack(Zxid(epoch, 0)))
    role = evolve(server.role, sync=evolve(sync, accepted=True))
    return Step(server.playing(role), (*writes, Write(CurrentEpoch(epoch)), acknowledge))


def _snapshot(server: Learning) -> tuple[Effect, ...]:
    database = server.memory.database
    return (Write(SaveSnapshot(Snapshot(database.zxid, database.holds))),)


def _snapshot_unless_diff(server: Learning) -> tuple[Effect, ...]:
    return () if sync_of(server).kind is Kind.DIFF else _snapshot(server)
