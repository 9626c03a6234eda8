"""What ZooKeeper's releases do where the baseline does it right: one rule each, with its marks.

A release is a choice of these; `releases.py` makes it. Each name says what is done, and each
docstring what is wrong with it and the issue that tells.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol import discovery, disk, election, leaving, synchronization
from zabspec.protocol.database import applied, load
from zabspec.protocol.disk import SaveSnapshot, SyncLog, Truncate
from zabspec.protocol.effects import Send, Step, Write
from zabspec.protocol.events import Elected, LogSynced, Received
from zabspec.protocol.messages import Ack, AckEpoch, Commit, Diff, Proposal, Trunc
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Kind,
    Leader,
    Looking,
    Observer,
    Phase,
    Server,
    Snapshot,
    Stage,
    Sync,
    Zxid,
)
from zabspec.protocol.sync_follower import Style
from zabspec.protocol.synchronization import SYNCHRONIZATION, Learning, remember, sync_of

AS_IS = Style(forgets_acks=False, sees_committed=False)
BEFORE_3_6 = evolve(AS_IS, snap_from_peer=True, sends_holes=True)


# The leader.


@on(Looking, Phase.ELECTION, Elected)
def leader_saves_snapshot(server: Server[Looking], event: Elected, ensemble: Ensemble) -> Step:
    """Who leads saves all it loaded, what is not committed too, as a snapshot. 1549.

    Models Leader.lead, ZooKeeperServer.loadData.
    """
    step = election.server_takes_its_role(server, event, ensemble)
    if event.leader != server.sid:
        return step
    database = server.memory.database
    return Step(step.server, (Write(SaveSnapshot(Snapshot(database.zxid, database.holds))),))


@on(Leader, Phase.DISCOVERY, AckEpoch)
def leader_keeps_acks(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """As the baseline counts promises; what a learner acknowledged before counts for ever.

    Models Leader.waitForEpochAck, Leader.removeLearnerHandler.
    """
    return discovery.hear_promise(server, event, ensemble, AS_IS)


@on(Leader, (SYNCHRONIZATION, Phase.BROADCAST), AckEpoch)
def leader_keeps_late_acks(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """The same, for who comes late. Models LearnerHandler.syncFollower, Leader.startForwarding."""
    return synchronization.sync_late_learner(server, event, ensemble, AS_IS)


@on(Leader, Phase.DISCOVERY, AckEpoch)
def leader_repeats_after_snapshot(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """After a SNAP, forward from the learner's zxid; ship a hole in the log. 3140, 2418.

    Models Leader.waitForEpochAck, LearnerHandler.syncFollower.
    """
    return discovery.hear_promise(server, event, ensemble, BEFORE_3_6)


@on(Leader, (SYNCHRONIZATION, Phase.BROADCAST), AckEpoch)
def leader_repeats_after_late_snapshot(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """The same, for who comes late. Models LearnerHandler.syncFollower."""
    return synchronization.sync_late_learner(server, event, ensemble, BEFORE_3_6)


@on(Leader, SYNCHRONIZATION, Ack)
def leader_misses_new_leader_ack(
    server: Server[Leader], event: Received[Ack], ensemble: Ensemble
) -> Step:
    """A first ACK of anything but NEWLEADER is not counted, and the true one never will be. 4685.

    Models Leader.waitForNewLeaderAck, LearnerHandler.run.
    """
    learner = server.role.learner(event.connection)
    if event.packet.zxid == Zxid(server.role.epoch, 0) and learner.stage is Stage.SYNCING:
        return synchronization.leader_counts_new_leader_ack(server, event, ensemble)
    if learner.stage is Stage.SYNCING:
        learner = evolve(learner, stage=Stage.ACTIVE, counted=False)
    return Step(server.playing(server.role.with_learners(learner)))


# What a learner is sent first.


@on(Follower, SYNCHRONIZATION, Diff)
@on(Observer, SYNCHRONIZATION, Diff)
def learner_claims_diff(server: Learning, event: Received[Diff], _: Ensemble) -> Step:
    """Take the DIFF's zxid as last processed before what it names has come. 2355.

    Models Learner.syncWithLeader.
    """
    database = evolve(server.memory.database, zxid=event.packet.zxid)
    learner = synchronization.with_database(server, database)
    return Step(learner.playing(evolve(server.role, sync=Sync(Kind.DIFF))))


@on(Follower, SYNCHRONIZATION, Trunc)
@on(Observer, SYNCHRONIZATION, Trunc)
def learner_truncates_log(server: Learning, event: Received[Trunc], ensemble: Ensemble) -> Step:
    """Cut the log and no snapshot, and claim the zxid whatever was loaded. 1549.

    Models ZKDatabase.truncateLog, Learner.syncWithLeader.
    """
    change = Truncate(event.packet.zxid)
    loaded = load(disk.apply(change, server.disk), ensemble.window)
    learner = synchronization.with_database(server, evolve(loaded, zxid=event.packet.zxid))
    return Step(learner.playing(evolve(server.role, sync=Sync(Kind.TRUNC))), (Write(change),))


# What a learner does with proposals and commits before it serves.


@on(Follower, SYNCHRONIZATION, Proposal)
@on(Observer, SYNCHRONIZATION, Proposal)
def learner_keeps_any_proposal(server: Learning, event: Received[Proposal], _: Ensemble) -> Step:
    """Remember a proposal, a gap before it or not. 4925. Models Learner.syncWithLeader."""
    sync = sync_of(server)
    return remember(server, evolve(sync, not_logged=(*sync.not_logged, event.packet.txn)))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_applies_at_once(server: Learning, event: Received[Commit], ensemble: Ensemble) -> Step:
    """Before NEWLEADER, apply what is committed to memory and never log it.

    The snapshot at NEWLEADER will hold it; the log has a hole there. Models Learner.syncWithLeader.
    """
    sync, zxid = sync_of(server), event.packet.zxid
    if sync.accepted:
        return remember(server, evolve(sync, committed=(*sync.committed, zxid)))
    if not sync.not_logged:
        return leaving.leave_role(server)
    head, *rest = sync.not_logged
    if head.zxid != zxid:
        return Step(server)
    database = applied(server.memory.database, head, ensemble.window)
    learner = synchronization.with_database(server, database)
    return Step(learner.playing(evolve(server.role, sync=evolve(sync, not_logged=tuple(rest)))))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_applies_after_trunc_or_snap(
    server: Learning, event: Received[Commit], ensemble: Ensemble
) -> Step:
    """After a DIFF remember commits, after a TRUNC or SNAP apply them to memory and never log them.

    A commit that comes when no proposal is kept ends the role. Models Learner.syncWithLeader.
    """
    sync = sync_of(server)
    if sync.kind is not Kind.DIFF:
        return learner_applies_at_once(server, event, ensemble)
    return remember(server, evolve(sync, committed=(*sync.committed, event.packet.zxid)))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_needs_a_proposal(server: Learning, event: Received[Commit], ensemble: Ensemble) -> Step:
    """The same, and a commit that finds no proposal kept ends the role, after NEWLEADER too. 4394.

    Models Learner.syncWithLeader.
    """
    if not sync_of(server).not_logged:
        return leaving.leave_role(server)
    return learner_applies_after_trunc_or_snap(server, event, ensemble)


# The log thread before service.


@on(Follower, SYNCHRONIZATION, LogSynced)
def follower_acknowledges_early(server: Server[Follower], event: LogSynced, _: Ensemble) -> Step:
    """Acknowledge what is synced before NEWLEADER is, perhaps. 4685.

    Models SyncRequestProcessor.flush, SendAckRequestProcessor.
    """
    unsynced = server.disk.log[len(server.disk.log) - server.disk.unsynced :]
    acks = (Send(server.role.connection, Ack(txn.zxid)) for txn in unsynced[: event.upto])
    return Step(server, (Write(SyncLog(event.upto)), *acks))
