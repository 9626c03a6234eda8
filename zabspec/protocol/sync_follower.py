"""How a leader decides what to send a learner: the whole of LearnerHandler.syncFollower.

P is the zxid that the learner answered with, L the leader's last processed one, [low, high] its
window; an empty window counts as [L, L].
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from zabspec.protocol.database import applied
from zabspec.protocol.messages import Commit, Diff, NewLeader, Packet, Proposal, Snap, Trunc
from zabspec.protocol.state import (
    ZERO,
    Database,
    Ensemble,
    Leader,
    Learner,
    Server,
    Stage,
    Txn,
    Zxid,
)


@frozen
class Plan:
    """What brings a learner up to date.

    packets: in order. upto: the zxid from which proposals are forwarded. branch: why it is this.
    """

    branch: str
    packets: tuple[Packet, ...]
    upto: Zxid


@frozen
class Style:
    """Where releases differ in how a leader syncs a learner; as it stands, done right.

    forgets_acks: of the proposals that it sends anew. sees_committed: decides by what is committed,
    and not by what it has applied of that. snap_from_peer: after a SNAP it forwards from the
    learner's zxid, and not from its own (until 3140). sends_holes: where the log ends before the
    window begins (until 2418).
    """

    forgets_acks: bool = True
    sees_committed: bool = True
    snap_from_peer: bool = False
    sends_holes: bool = False


BEST = Style()


def begin_sync(
    server: Server[Leader], learner: Learner, ensemble: Ensemble, style: Style = BEST
) -> tuple[Server[Leader], tuple[Packet, ...]]:
    """The leader as it forwards to this learner from now on, and all it sends it first.

    Models LearnerHandler.run from syncFollower to NEWLEADER, and Leader.startForwarding. Differs:
    what the learner acknowledged of the outstanding proposals on an earlier connection is
    forgotten, since it is sent them anew and may just have been told to cut them off. ZooKeeper
    still counts those ACKs, and commits what then is on no quorum's disk.
    """
    plan = sync_follower(server, learner.upto, ensemble, style)
    forwarded: list[Packet] = []
    for txn in server.role.to_apply:
        if txn.zxid > plan.upto:
            forwarded += (Proposal(txn), Commit(txn.zxid))
    if not learner.observes:
        later = (one.txn for one in server.role.outstanding if one.txn.zxid > plan.upto)
        forwarded += map(Proposal, later)
    syncing = Learner(learner.connection, Stage.SYNCING, observes=learner.observes)
    leader = server.role.with_learners(syncing)
    if style.forgets_acks:
        leader = leader.without_acks(learner.connection.peer, plan.upto)
    return server.playing(leader), (*plan.packets, *forwarded, NewLeader(server.role.epoch))


def sync_follower(
    server: Server[Leader], peer: Zxid, ensemble: Ensemble, style: Style = BEST
) -> Plan:
    """DIFF, TRUNC or SNAP, and what follows it. Models LearnerHandler.syncFollower.

    Differs: what is committed and on its way to the database counts as in it. ZooKeeper looks at
    the database only, and tells a learner to cut off what it holds of a committed transaction.
    """
    database = server.memory.database
    for txn in server.role.to_apply if style.sees_committed else ():
        database = applied(database, txn, ensemble.window)
    seen = evolve(server, memory=evolve(server.memory, database=database))
    plan = _decide(seen, peer, ensemble, style)
    snap = isinstance(plan.packets[0], Snap)
    return evolve(plan, upto=peer) if snap and style.snap_from_peer else plan


def _decide(server: Server[Leader], peer: Zxid, ensemble: Ensemble, style: Style) -> Plan:
    database = server.memory.database
    window = database.window
    low, high = (window[0].zxid, window[-1].zxid) if window else (database.zxid, database.zxid)
    if ensemble.force_snapshot:
        return _snapshot(database, "forced snapshot")
    if peer == database.zxid:
        return Plan("equal", (Diff(peer),), peer)
    if peer > high and peer.counter:
        return Plan("ahead", (Trunc(high),), high)
    if low <= peer <= high:
        return _queue(Plan("", (), peer), window, high) or _snapshot(database, "another epoch")
    if peer < low and ensemble.log_sync:
        found = _from_log(server, peer, (low, high), style)
        return found or _snapshot(database, "before the log")
    return _snapshot(database, "epoch only" if peer > high else "before the window")


def _snapshot(database: Database, branch: str) -> Plan:
    return Plan(branch, (Snap(database.zxid, database.holds),), database.zxid)


def _from_log(
    server: Server[Leader], peer: Zxid, window: tuple[Zxid, Zxid], style: Style
) -> Plan | None:
    """From the transaction log up to the window, then the window; None if the log leaves a hole."""
    log, (low, high) = server.disk.log, window
    if not log or log[0].zxid > peer:
        return None
    below = [txn for txn in log if txn.zxid <= low]
    plan = _queue(Plan("", (), peer), below, high)
    if plan is None or (plan.upto < low and not style.sends_holes):
        return None
    whole = _queue(plan, server.memory.database.window, high)
    return None if whole is None else evolve(whole, branch="from the log")


def _queue(plan: Plan, proposals: Iterable[Txn], high: Zxid) -> Plan | None:
    """The plan with the proposals behind `plan.upto` queued; None if they cross an epoch.

    Models LearnerHandler.queueCommittedProposals.
    """
    peer, packets, branch = plan.upto, list(plan.packets), plan.branch
    previous, upto = ZERO, plan.upto
    for txn in proposals:
        if txn.zxid < peer:
            previous = txn.zxid
            continue
        if not packets:
            if txn.zxid == peer or peer.counter == 0:
                packets.append(Diff(high))
                branch = "within the window"
            elif txn.zxid.epoch != peer.epoch:
                return None
            else:
                packets.append(Trunc(previous))
                branch = "a missing one"
                upto = previous
        if txn.zxid > upto:
            packets += (Proposal(txn), Commit(txn.zxid))
            upto = txn.zxid
    if not packets and peer.counter == 0:
        packets.append(Diff(high))
        branch = "epoch within the window"
    return Plan(branch, tuple(packets), upto) if packets else None
