"""Phase 2: one history, taken over by the learners and acknowledged by a quorum."""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol import disk
from zabspec.protocol.broadcast import serve
from zabspec.protocol.database import applied, load
from zabspec.protocol.disk import (
    Append,
    AppendSynced,
    CurrentEpoch,
    InstallSnapshot,
    TruncateExactly,
)
from zabspec.protocol.effects import Apply, Effect, Impossible, Ready, Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.leaving import leave_role
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    Inform,
    NewLeader,
    Proposal,
    Snap,
    Trunc,
    UpToDate,
)
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Database,
    Ensemble,
    Follower,
    History,
    Kind,
    Leader,
    Memory,
    Observer,
    Phase,
    Server,
    Snapshot,
    Stage,
    Sync,
    Zxid,
    supporters,
)
from zabspec.protocol.sync_follower import BEST, Style, begin_sync

SYNCHRONIZATION, BROADCAST = Phase.SYNCHRONIZATION, Phase.BROADCAST
Learning = Server[Follower]


@on(Leader, (SYNCHRONIZATION, BROADCAST), AckEpoch)
def leader_syncs_late_learner(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """Bring a learner that comes late up to date at once; nobody compares its history any more.

    Models LearnerHandler.run, LearnerHandler.syncFollower.
    """
    return sync_late_learner(server, event, ensemble, BEST)


def sync_late_learner(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble, style: Style
) -> Step:
    """Bring a learner that comes late up to date in this style."""
    known = server.role.learner(event.connection)
    learner = evolve(known, stage=Stage.PROMISED, upto=event.packet.last_zxid)
    leader, packets = begin_sync(server, learner, ensemble, style)
    return Step(leader, tuple(Send(event.connection, packet) for packet in packets))


@on(Follower, SYNCHRONIZATION, Diff)
@on(Observer, SYNCHRONIZATION, Diff)
def learner_takes_diff(server: Learning, _event: Received[Diff], _ensemble: Ensemble) -> Step:
    """Expect what it lacks, and change nothing yet. Models Learner.syncWithLeader."""
    return Step(server.playing(evolve(server.role, sync=Sync(Kind.DIFF))))


@on(Follower, SYNCHRONIZATION, Trunc)
@on(Observer, SYNCHRONIZATION, Trunc)
def learner_truncates(server: Learning, event: Received[Trunc], ensemble: Ensemble) -> Step:
    """Cut the log behind the zxid and load the disk again.

    Models Learner.syncWithLeader, ZKDatabase.truncateLog. Differs: snapshots are cut too; ZooKeeper
    keeps them, and with them what was to be forgotten (1549).
    """
    change = TruncateExactly(event.packet.zxid)
    loaded = load(disk.apply(change, server.disk), ensemble.window)
    database = evolve(loaded, zxid=event.packet.zxid)
    learner = with_database(server, database)
    return Step(learner.playing(evolve(server.role, sync=Sync(Kind.TRUNC))), (Write(change),))


@on(Follower, SYNCHRONIZATION, Snap)
@on(Observer, SYNCHRONIZATION, Snap)
def learner_takes_snapshot(server: Learning, event: Received[Snap], _ensemble: Ensemble) -> Step:
    """Take the leader's database in place of its own, in memory. Models Learner.syncWithLeader."""
    database = Database(event.packet.holds, event.packet.zxid)
    learner = with_database(server, database)
    return Step(learner.playing(evolve(server.role, sync=Sync(Kind.SNAP))))


@on(Follower, SYNCHRONIZATION, Proposal)
@on(Observer, SYNCHRONIZATION, Proposal)
def learner_keeps_proposal(server: Learning, event: Received[Proposal], _: Ensemble) -> Step:
    """Remember a proposal (packetsNotLogged); one that leaves a gap ends the sync.

    Models Learner.syncWithLeader.
    """
    sync, txn = sync_of(server), event.packet.txn
    if sync.not_logged and not sync.not_logged[-1].zxid.leads_to(txn.zxid):
        return leave_role(server)
    return remember(server, evolve(sync, not_logged=(*sync.not_logged, txn)))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_keeps_commit(server: Learning, event: Received[Commit], _ensemble: Ensemble) -> Step:
    """Remember a commit (packetsCommitted). Models Learner.syncWithLeader.

    Differs: ZooKeeper applies it at once after a TRUNC or SNAP, to memory and never to the log.
    """
    sync = sync_of(server)
    return remember(server, evolve(sync, committed=(*sync.committed, event.packet.zxid)))


@on(Observer, SYNCHRONIZATION, Inform)
def observer_keeps_inform(server: Learning, event: Received[Inform], _ensemble: Ensemble) -> Step:
    """Remember both, the transaction and its commit. Models Learner.syncWithLeader."""
    sync, txn = sync_of(server), event.packet.txn
    not_logged, committed = (*sync.not_logged, txn), (*sync.committed, txn.zxid)
    return remember(server, evolve(sync, not_logged=not_logged, committed=committed))


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_accepts_leader(
    server: Learning, event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    """Make the leader's history durable, then its epoch, then acknowledge: in this order.

    A snapshot is installed; what is committed is appended, synced, and put into the database.
    `currentEpoch` is written here and nowhere else by a learner. Models Learner.syncWithLeader.
    """
    sync, database = sync_of(server), server.memory.database
    settled, rest = settle(sync)
    writes: list[Effect] = []
    if sync.kind is Kind.SNAP:
        writes.append(Write(InstallSnapshot(Snapshot(database.zxid, database.holds))))
    if settled:
        writes.append(Write(AppendSynced(settled)))
    for txn in settled:
        database = applied(database, txn, ensemble.window)
    epoch = event.packet.epoch
    acknowledge = Send(event.connection, Ack(Zxid(epoch, 0)))
    learner = with_database(server, database)
    role = evolve(server.role, sync=evolve(rest, accepted=True))
    return Step(learner.playing(role), (*writes, Write(CurrentEpoch(epoch)), acknowledge))


@on(Leader, SYNCHRONIZATION, Ack)
def leader_counts_new_leader_ack(
    server: Server[Leader], event: Received[Ack], ensemble: Ensemble
) -> Step:
    """Once a quorum of voters, the leader among them, acknowledged NEWLEADER, start to serve.

    Who acknowledges it, observers too, waits for that and is told UPTODATE.
    Models Leader.waitForNewLeaderAck, Leader.startZkServer.
    """
    if event.packet.zxid != Zxid(server.role.epoch, 0):
        return Step(server, (Impossible(f"ack {event.packet.zxid} in place of NEWLEADER's"),))
    learner = evolve(server.role.learner(event.connection), stage=Stage.ACTIVE)
    leader = server.role.with_learners(learner)
    active = leader.at(Stage.ACTIVE)
    counted = [one for one in active if one.counted]
    if not ensemble.is_quorum(supporters(server, counted)):
        return Step(server.playing(leader))
    tell = (Send(one.connection, UpToDate()) for one in active)
    shown = server.memory.database.holds
    database = evolve(server.memory.database, zxid=Zxid(leader.epoch, 0))
    serving = Server(server.sid, server.disk, Memory(shown, database), server.role)
    serves: tuple[Effect, ...] = (*map(Apply, shown), Ready(leader.epoch))
    return Step(serving.playing(evolve(leader, phase=BROADCAST)), (*serves, *tell))


@on(Follower, SYNCHRONIZATION, UpToDate)
@on(Observer, SYNCHRONIZATION, UpToDate)
def learner_serves(server: Learning, event: Received[UpToDate], _ensemble: Ensemble) -> Step:
    """Acknowledge once more, hand the log thread what is not logged, and start to serve.

    Models Learner.syncWithLeader, after its loop.
    """
    sync = sync_of(server)
    settled, _ = settle(sync)
    acknowledge = Send(event.connection, Ack(Zxid(server.disk.current_epoch, 0)))
    log = (Write(Append(sync.not_logged)),) if sync.not_logged else ()
    role = evolve(server.role, phase=BROADCAST, sync=None, to_apply=settled)
    learner, shown = serve(server)
    return Step(learner.playing(role), (*shown, acknowledge, *log))


def sync_of(server: Learning) -> Sync:
    """What a learner was sent so far; nothing, where its leader did not begin."""
    return server.role.sync or Sync(Kind.DIFF)


def remember(server: Learning, sync: Sync) -> Step:
    """The step in which a learner only notes what it was sent."""
    return Step(server.playing(evolve(server.role, sync=sync)))


def settle(sync: Sync) -> tuple[History, Sync]:
    """What is committed at the head of the proposals, and what is left."""
    proposals, commits = sync.not_logged, sync.committed
    while proposals and commits and proposals[0].zxid == commits[0]:
        proposals, commits = proposals[1:], commits[1:]
    settled = sync.not_logged[: len(sync.not_logged) - len(proposals)]
    return settled, evolve(sync, not_logged=proposals, committed=commits)


def with_database(server: Learning, database: Database) -> Learning:
    """A learner with another database, not yet shown."""
    return evolve(server, memory=Memory(server.memory.applied, database))
