"""Phase 3: transactions proposed, logged, acknowledged, committed in order, applied."""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol.database import applied, pending
from zabspec.protocol.disk import Append, SyncLog
from zabspec.protocol.effects import (
    Apply,
    Broadcast,
    Effect,
    Impossible,
    Send,
    Step,
    Write,
)
from zabspec.protocol.events import ClientRequest, LogSynced, Received, TxnApplied
from zabspec.protocol.leaving import leave_role
from zabspec.protocol.messages import Ack, Commit, Inform, Proposal, UpToDate
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    History,
    Leader,
    Memory,
    Observer,
    Outstanding,
    Phase,
    Server,
    Stage,
    Txn,
    Zxid,
)

BROADCAST = Phase.BROADCAST
FORWARDED = (Stage.SYNCING, Stage.ACTIVE)


@on(Leader, BROADCAST, ClientRequest)
def leader_proposes(server: Server[Leader], event: ClientRequest, ensemble: Ensemble) -> Step:
    """Propose the next transaction of the epoch to everyone whose sync has begun, and log it.

    It is sent before the leader's own log has it; observers get none. A leader that comes to the
    last counter leaves its role, and the request is lost; what is outstanding stays in the logs.
    Models PrepRequestProcessor, ProposalRequestProcessor, Leader.propose.
    """
    zxid = last_proposed(server).next()
    if zxid.counter >= ensemble.last_counter:
        return leave_role(server)
    return propose(server, Txn(zxid, event.request))


def propose(server: Server[Leader], txn: Txn) -> Step:
    """Propose this transaction."""
    leader = server.role
    sends = (
        Send(one.connection, Proposal(txn)) for one in leader.at(*FORWARDED) if not one.observes
    )
    proposed = evolve(leader, outstanding=(*leader.outstanding, Outstanding(txn)))
    return Step(server.playing(proposed), (Broadcast(txn), *sends, Write(Append((txn,)))))


def last_proposed(server: Server[Leader]) -> Zxid:
    """The zxid of what a leader proposed last; epoch.0 if nothing yet."""
    leader = server.role
    if leader.outstanding:
        return leader.outstanding[-1].txn.zxid
    if leader.to_apply:
        return leader.to_apply[-1].zxid
    return server.memory.database.zxid


@on(Leader, BROADCAST, LogSynced)
def leader_logs(server: Server[Leader], event: LogSynced, ensemble: Ensemble) -> Step:
    """The leader acknowledges to itself what its own log has made durable.

    Models SyncRequestProcessor.flush, AckRequestProcessor.
    """
    effects: tuple[Effect, ...] = (Write(SyncLog(event.upto)),)
    later = server
    for txn in _unsynced(server)[: event.upto]:
        later, commits = _count(later, server.sid, txn.zxid, ensemble)
        effects += commits
    return Step(later, effects)


@on(Follower, BROADCAST, Proposal)
def follower_logs_proposal(
    server: Server[Follower], event: Received[Proposal], _ensemble: Ensemble
) -> Step:
    """Hand a proposal to the log thread; it is pending until it is committed.

    Models Follower.processPacket, FollowerZooKeeperServer.logRequest.
    """
    return Step(server, (Write(Append((event.packet.txn,))),))


@on(Follower, BROADCAST, LogSynced)
def follower_acknowledges(server: Server[Follower], event: LogSynced, _ensemble: Ensemble) -> Step:
    """Acknowledge each transaction that is durable now.

    Models SyncRequestProcessor.flush, SendAckRequestProcessor.
    """
    synced = _unsynced(server)[: event.upto]
    acks = (Send(server.role.connection, Ack(txn.zxid)) for txn in synced)
    return Step(server, (Write(SyncLog(event.upto)), *acks))


@on(Observer, BROADCAST, LogSynced)
def observer_logs(server: Server[Observer], event: LogSynced, _ensemble: Ensemble) -> Step:
    """Make them durable, and tell nobody. Models SyncRequestProcessor.flush."""
    return Step(server, (Write(SyncLog(event.upto)),))


@on(Leader, BROADCAST, Ack)
def leader_counts_ack(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    """Count a learner's ACK: of NEWLEADER, of UPTODATE (which is passed over), of a transaction.

    Models Leader.waitForNewLeaderAck for who comes late, Leader.processAck.
    """
    learner, zxid = server.role.learner(event.connection), event.packet.zxid
    if learner.stage is Stage.SYNCING:
        if zxid != Zxid(server.role.epoch, 0):
            return Step(server, (Impossible(f"ack {zxid} in place of NEWLEADER's"),))
        leader = server.role.with_learners(evolve(learner, stage=Stage.ACTIVE))
        return Step(server.playing(leader), (Send(event.connection, UpToDate()),))
    if not zxid.counter or learner.observes:
        return Step(server)
    return Step(*_count(server, event.connection.peer, zxid, ensemble))


@on(Follower, BROADCAST, Commit)
def follower_commits(
    server: Server[Follower], event: Received[Commit], _ensemble: Ensemble
) -> Step:
    """Hand the oldest pending transaction to the commit processor; it must be the one committed.

    A commit while nothing is pending is passed over; any other mismatch ends the process.
    Models FollowerZooKeeperServer.commit.
    """
    waiting = pending(server)
    if not waiting:
        return Step(server)
    if waiting[0].zxid != event.packet.zxid:
        why = f"commit {event.packet.zxid} when {waiting[0].zxid} is next"
        return Step(server, (Impossible(why),))
    to_apply = (*server.role.to_apply, waiting[0])
    return Step(server.playing(evolve(server.role, to_apply=to_apply)))


@on(Observer, BROADCAST, Inform)
def observer_is_informed(
    server: Server[Observer], event: Received[Inform], _ensemble: Ensemble
) -> Step:
    """Log what is committed, and hand it to the commit processor. Models Observer.processPacket."""
    txn = event.packet.txn
    observer = evolve(server.role, to_apply=(*server.role.to_apply, txn))
    return Step(server.playing(observer), (Write(Append((txn,))),))


@on(Leader, BROADCAST, TxnApplied)
@on(Follower, BROADCAST, TxnApplied)
@on(Observer, BROADCAST, TxnApplied)
def commit_processor_applies(
    server: Server[Leader] | Server[Follower], _event: TxnApplied, ensemble: Ensemble
) -> Step:
    """Apply the oldest committed transaction to the database, and keep it in the window.

    Models CommitProcessor, FinalRequestProcessor, Leader.ToBeAppliedRequestProcessor.
    """
    txn, *rest = server.role.to_apply
    database = applied(server.memory.database, txn, ensemble.window)
    memory = Memory((*server.memory.applied, txn), database)
    role = evolve(server.role, to_apply=tuple(rest))
    return Step(Server(server.sid, server.disk, memory, role), (Apply(txn),))


def serve(server: Server[Follower]) -> tuple[Server[Follower], tuple[Apply, ...]]:
    """The server as it shows all of its database to clients, and what that makes visible."""
    shown = server.memory.database.holds
    memory = Memory(shown, server.memory.database)
    return evolve(server, memory=memory), tuple(map(Apply, shown))


def _count(
    server: Server[Leader], sid: int, zxid: Zxid, ensemble: Ensemble
) -> tuple[Server[Leader], tuple[Effect, ...]]:
    """Count one ACK, and commit the oldest outstanding proposal if a quorum has it now.

    Models Leader.processAck, Leader.tryToCommit, Leader.commit, Leader.inform.
    """
    leader = server.role
    outstanding = tuple(
        evolve(one, acks=tuple(sorted({*one.acks, sid}))) if one.txn.zxid == zxid else one
        for one in leader.outstanding
    )
    counted = evolve(leader, outstanding=outstanding)
    oldest = outstanding[0] if outstanding else None
    if oldest is None or oldest.txn.zxid != zxid or not ensemble.is_quorum(oldest.acks):
        return server.playing(counted), ()
    to_apply = (*leader.to_apply, oldest.txn)
    committed = evolve(counted, outstanding=outstanding[1:], to_apply=to_apply)
    learners = leader.at(*FORWARDED)
    commits = (Send(one.connection, Commit(zxid)) for one in learners if not one.observes)
    informs = (Send(one.connection, Inform(oldest.txn)) for one in learners if one.observes)
    return server.playing(committed), (*commits, *informs)


def _unsynced(server: Server[Leader] | Server[Follower]) -> History:
    return server.disk.log[len(server.disk.log) - server.disk.unsynced :]
