"""Leaving a role, whatever the reason: lost links, limits, crashes."""

from __future__ import annotations

from zabspec.protocol import disk
from zabspec.protocol.database import load
from zabspec.protocol.disk import CurrentEpoch, LoseUnsynced, SyncLog
from zabspec.protocol.effects import Close, CloseAll, Effect, Step, Write
from zabspec.protocol.events import Crash, LimitExpired, LinkLost, RoleEnded
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Connection,
    Ensemble,
    Failed,
    Follower,
    Leader,
    Leaving,
    Looking,
    Memory,
    Observer,
    Phase,
    Role,
    Server,
    supporters,
)

CONNECTED = (Phase.DISCOVERY, Phase.SYNCHRONIZATION, Phase.BROADCAST)


def leave_role(server: Server[Leader] | Server[Follower]) -> Step:
    """Close every connection; `server_leaves_role` sees to the rest.

    Models QuorumPeer.run, where the loop of a role ends.
    """
    sync = None if isinstance(server.role, Leader) else server.role.sync
    served = server.role.phase is Phase.BROADCAST
    return Step(server.playing(Leaving(served, sync.kind if sync else None)), (CloseAll(),))


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_leaves_role(server: Server[Leaving], _event: RoleEnded, ensemble: Ensemble) -> Step:
    """Drain and stop the log thread, then load memory from disk, and look for a leader.

    Models ZooKeeperServer.shutdown, QuorumPeer.run (the `finally` of a role).
    """
    drain: tuple[Effect, ...] = ()
    later = server.disk
    if server.disk.unsynced:
        change = SyncLog(server.disk.unsynced)
        drain, later = (Write(change),), disk.apply(change, server.disk)
    memory = Memory((), load(later, ensemble.window))
    return Step(Server(server.sid, server.disk, memory, Looking()), drain)


def forget_learner(
    server: Server[Leader], connection: Connection, ensemble: Ensemble, *effects: Effect
) -> Step:
    """Go on without a learner, or give up if those that are left are no quorum.

    Models LearnerHandler.shutdown, and in Leader.lead the check of who is still synced.
    """
    leader = server.role.without(connection)
    if not ensemble.is_quorum(supporters(server, leader.learners)):
        return leave_role(server)
    return Step(server.playing(leader), effects)


def refuse_learner(server: Server[Leader], connection: Connection, ensemble: Ensemble) -> Step:
    """Close a learner's connection. Models an exception in LearnerHandler.run."""
    return forget_learner(server, connection, ensemble, Close(connection))


@on(Leader, CONNECTED, LinkLost)
def leader_loses_learner(server: Server[Leader], event: LinkLost, ensemble: Ensemble) -> Step:
    """Forget the learner; one that had not introduced itself was never counted.

    Models LearnerHandler.run.
    """
    if not server.role.knows(event.connection):
        return Step(server)
    return forget_learner(server, event.connection, ensemble)


@on(Follower, CONNECTED, LinkLost)
@on(Observer, CONNECTED, LinkLost)
def learner_loses_leader(server: Server[Follower], _event: LinkLost, _: Ensemble) -> Step:
    """Look for a leader again. Models Follower.followLeader, Observer.observeLeader."""
    return leave_role(server)


@on(Leader, CONNECTED, LimitExpired)
@on(Follower, CONNECTED, LimitExpired)
@on(Observer, CONNECTED, LimitExpired)
def server_gives_up(
    server: Server[Leader] | Server[Follower], _event: LimitExpired, _: Ensemble
) -> Step:
    """Look for a leader again: too little was heard for too long.

    Models the timeouts of Leader.getEpochToPropose, waitForEpochAck and waitForNewLeaderAck, the
    tick loop of Leader.lead, and a learner's read timeout.
    """
    return leave_role(server)


@on(Looking, Phase.ELECTION, Crash)
@on(Leader, CONNECTED, Crash)
@on(Follower, CONNECTED, Crash)
@on(Observer, CONNECTED, Crash)
def server_restarts(server: Server[Role], event: Crash, ensemble: Ensemble) -> Step:
    """Lose memory and what was not synced, load the disk, look for a leader: all in one step.

    Models QuorumPeer.loadDataBase. Differs: where a crash fell between the history and the epoch of
    a sync, the log ends in a later epoch than `currentEpoch` says; ZooKeeper refuses to start then,
    here the epoch is written now. What was logged in a sync is a beginning of that epoch's history,
    so to have accepted the epoch is what the log already says.
    """
    lost = LoseUnsynced(event.survives)
    effects: tuple[Effect, ...] = (Write(lost),) if server.disk.unsynced else ()
    left = disk.apply(lost, server.disk)
    database = load(left, ensemble.window)
    if left.accepted_epoch < left.current_epoch:
        why = f"accepted epoch {left.accepted_epoch} below current epoch {left.current_epoch}"
        return Step(server.playing(Failed(why)), (*effects, CloseAll()))
    if database.zxid.epoch > left.current_epoch:
        effects += (Write(CurrentEpoch(database.zxid.epoch)),)
    restarted = Server(server.sid, server.disk, Memory((), database), Looking())
    return Step(restarted, (*effects, CloseAll()))
