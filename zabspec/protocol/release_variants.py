"""Variants that a few releases only need, made of those of `variants.py` and its like.

Until 3.9.4 what a learner applies while it syncs is not in its window, the committedLog: a hole
that it ships to others once it leads (4925).

Until 3.9.3 a log may hold a transaction twice (4712). It is replayed twice, and the second time
changes nothing: what is loaded from such a log is told here as holding it once.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol import acceptance, broadcast, leaving_variants, variants
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Crash, Received, RoleEnded
from zabspec.protocol.leaving import CONNECTED
from zabspec.protocol.messages import Commit, NewLeader, Trunc
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Database,
    Ensemble,
    Follower,
    Leader,
    Leaving,
    Looking,
    Observer,
    Phase,
    Role,
    Server,
)
from zabspec.protocol.synchronization import SYNCHRONIZATION, Learning


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_applies_at_once_unseen(
    server: Learning, event: Received[Commit], ensemble: Ensemble
) -> Step:
    """Before NEWLEADER, apply what is committed to memory; neither log nor window have it.

    To 3.5.2. 4925. Models Learner.syncWithLeader, ZooKeeperServer.processTxn.
    """
    return _unseen(server, variants.learner_applies_at_once(server, event, ensemble))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_applies_after_trunc_or_snap_unseen(
    server: Learning, event: Received[Commit], ensemble: Ensemble
) -> Step:
    """The same after a TRUNC or SNAP; after a DIFF remember commits. 4925.

    Models Learner.syncWithLeader, ZooKeeperServer.processTxn.
    """
    return _unseen(server, variants.learner_applies_after_trunc_or_snap(server, event, ensemble))


@on(Follower, SYNCHRONIZATION, Commit)
@on(Observer, SYNCHRONIZATION, Commit)
def learner_needs_a_proposal_unseen(
    server: Learning, event: Received[Commit], ensemble: Ensemble
) -> Step:
    """The same, and a commit that finds no proposal kept ends the role. 4394, 4925.

    Models Learner.syncWithLeader, ZooKeeperServer.processTxn.
    """
    return _unseen(server, variants.learner_needs_a_proposal(server, event, ensemble))


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_logs_committed_unseen(
    server: Learning, event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    """What is committed to the log and the database, but not to the window. 3.9.3. 4925.

    Models Learner.syncWithLeader, ZooKeeperServer.processTxn.
    """
    return _unseen(server, acceptance.learner_logs_committed(server, event, ensemble))


@on(Follower, Phase.BROADCAST, Commit)
def follower_commits_of_its_epoch(
    server: Server[Follower], event: Received[Commit], ensemble: Ensemble
) -> Step:
    """As the baseline, but only what this leader proposed is pending, whatever the log holds else.

    A SNAP leaves the log as it was, with what it passed over. Models
    FollowerZooKeeperServer.logRequest, FollowerZooKeeperServer.commit.
    """
    disk = server.disk
    log = tuple(txn for txn in disk.log if txn.zxid.epoch == disk.current_epoch)
    seen = evolve(server, disk=evolve(disk, log=log, unsynced=0))
    step = broadcast.follower_commits(seen, event, ensemble)
    return Step(evolve(step.server, disk=disk), step.effects)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_keeps_memory_as_it_is(
    server: Server[Leaving], event: RoleEnded, ensemble: Ensemble
) -> Step:
    """Keep memory and add nothing to it, whatever the log holds beyond it. 3.5.3. 2845.

    Models ZooKeeperServer.shutdown.
    """
    never_served = server.playing(evolve(server.role, served=False))
    return leaving_variants.server_keeps_memory(never_served, event, ensemble)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_keeps_memory_but_snap_once(
    server: Server[Leaving], event: RoleEnded, ensemble: Ensemble
) -> Step:
    """A half-taken snapshot is dropped and the disk loaded, each transaction once. 3642.

    Models ZooKeeperServer.shutdown, FileTxnSnapLog.restore.
    """
    return _once(leaving_variants.server_keeps_memory_but_snap(server, event, ensemble))


@on(Looking, Phase.ELECTION, Crash)
@on(Leader, CONNECTED, Crash)
@on(Follower, CONNECTED, Crash)
@on(Observer, CONNECTED, Crash)
def server_refuses_later_log_once(server: Server[Role], event: Crash, ensemble: Ensemble) -> Step:
    """Refuse to start if the log ends in a later epoch, or load each transaction once. 1653.

    Models QuorumPeer.loadDataBase.
    """
    return _once(leaving_variants.server_refuses_later_log(server, event, ensemble))


@on(Follower, SYNCHRONIZATION, Trunc)
@on(Observer, SYNCHRONIZATION, Trunc)
def learner_truncates_log_once(
    server: Learning, event: Received[Trunc], ensemble: Ensemble
) -> Step:
    """Cut the log and no snapshot, and load what is left, each transaction once. 1549.

    Models ZKDatabase.truncateLog, Learner.syncWithLeader.
    """
    return _once(variants.learner_truncates_log(server, event, ensemble))


def _unseen(before: Server[Role], step: Step) -> Step:
    """The step, with the window as it was."""
    return _with(step, evolve(step.server.memory.database, window=before.memory.database.window))


def _once(step: Step) -> Step:
    """The step, with each transaction once in the database and its window."""
    database = step.server.memory.database
    holds, window = (tuple(dict.fromkeys(txns)) for txns in (database.holds, database.window))
    return _with(step, evolve(database, holds=holds, window=window))


def _with(step: Step, database: Database) -> Step:
    memory = evolve(step.server.memory, database=database)
    return Step(evolve(step.server, memory=memory), step.effects)
