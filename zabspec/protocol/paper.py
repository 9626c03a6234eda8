"""Zab as in its paper: Junqueira, Reed, Serafini, "Zab: High-performance broadcast", DSN 2011.

Read this page first. A server looks for a leader (phase 0); a prospective leader learns from a
quorum which epochs were promised and proposes a later one (phase 1, discovery); it takes the most
recent history that the quorum holds, and makes a quorum accept it (phase 2, synchronization); then
it is established, and broadcasts transactions: proposes each, and commits what a quorum has logged
(phase 3, broadcast). Whoever loses its leader, or its quorum, starts again.

Each rule says which step of the paper it is. The paper's names, and ours:

    CEPOCH(f.p)      FollowerInfo   NEWEPOCH(e)   LeaderInfo   ACK-E(f.a, h)   AckEpoch
    NEWLEADER(e, I)  NewLeader      ACK-LD        Ack e.0      COMMIT-LD       UpToDate
    PROPOSE(e, t)    Proposal       ACK(e, t)     Ack          COMMIT(e, t)    Commit

f.p is `accepted_epoch`, f.a is `current_epoch`, the history is the log; each is on disk. What was
delivered lives in memory, and is delivered again after a crash. A leader is a follower of itself
too: it counts itself in every quorum, without sending to itself. Where the paper is silent or, read
by the letter, loses something, a rule says `Differs:`.
"""

from __future__ import annotations

import sys

from attrs import evolve

# Packed, so that the page starts with the protocol.
# fmt: off
# isort: off
from zabspec.protocol.disk import AcceptedEpoch, AcceptHistory, AppendSynced
from zabspec.protocol.effects import Apply, Broadcast, CloseAll, Effect, Impossible, Open, Ready
from zabspec.protocol.effects import Send, Step, Write
from zabspec.protocol.events import ClientRequest, Crash, Elected, LinkLost, Received
from zabspec.protocol.messages import Ack, AckEpoch, Commit, FollowerInfo, LeaderInfo, NewLeader
from zabspec.protocol.messages import Proposal, UpToDate
from zabspec.protocol.rules import Spec, ignore, never, on
from zabspec.protocol.state import ZERO, Connection, Ensemble, Follower, History, Leader, Learner
from zabspec.protocol.state import Looking, Memory, Phase, Role, Server, Stage, Txn, Zxid
from zabspec.protocol.state import last_zxid, supporters
# fmt: on
# isort: on

ELECTION, DISCOVERY, SYNCHRONIZATION, BROADCAST = Phase
INTRODUCED, PROMISED, SYNCING, ACTIVE = Stage
CONNECTED = (DISCOVERY, SYNCHRONIZATION, BROADCAST)
TO_LEADERS = (FollowerInfo, AckEpoch, Ack)
TO_FOLLOWERS = (LeaderInfo, NewLeader, UpToDate, Proposal, Commit)
Leading = Server[Leader]
Following = Server[Follower]

# Phase 0: an oracle outside the protocol names a leader, not always wisely.


@on(Looking, ELECTION, Elected)
def server_takes_its_role(server: Server[Looking], event: Elected, _: Ensemble) -> Step:
    """Lead if elected; else follow, and send CEPOCH with the last promise. Step f.1.1."""
    if event.leader == server.sid:
        return Step(server.playing(Leader()))
    connection = Connection(event.leader)
    introduction = FollowerInfo(server.disk.accepted_epoch)
    follower = server.playing(Follower(connection, DISCOVERY))
    return Step(follower, (Open(connection), Send(connection, introduction)))


# Phase 1, discovery: a new epoch, promised by a quorum.


@on(Leader, CONNECTED, FollowerInfo)
def leader_offers_epoch(server: Leading, event: Received[FollowerInfo], quorums: Ensemble) -> Step:
    """Once a quorum has introduced itself, propose a later epoch than it promised. Step l.1.1.

    The leader promises it to itself first. Who comes later is offered the same. Step l.3.3.
    """
    if server.role.epoch:
        leader = server.role.with_learners(Learner(event.connection))
        return Step(server.playing(leader), (Send(event.connection, LeaderInfo(leader.epoch)),))
    leader = server.role.with_learners(
        Learner(event.connection, accepted_epoch=event.packet.accepted_epoch)
    )
    if not quorums.is_quorum(supporters(server, leader.learners)):
        return Step(server.playing(leader))
    epoch = 1 + max(server.disk.accepted_epoch, *(one.accepted_epoch for one in leader.learners))
    offers = tuple(Send(one.connection, LeaderInfo(epoch)) for one in leader.learners)
    return Step(server.playing(evolve(leader, epoch=epoch)), (Write(AcceptedEpoch(epoch)), *offers))


@on(Follower, DISCOVERY, LeaderInfo)
def follower_promises_epoch(server: Following, event: Received[LeaderInfo], _: Ensemble) -> Step:
    """Promise a later epoch, durably, and answer with epoch and history held. Step f.1.2.

    Differs: a follower that promised this very epoch before answers too, but its answer says that
    it is no promise; the paper leaves it waiting for ever. Two leaders may have proposed one epoch,
    so an answer that counted twice would establish both.
    """
    disk, epoch = server.disk, event.packet.epoch
    if epoch < disk.accepted_epoch:
        return _look_again(server)
    follower = server.playing(evolve(server.role, phase=SYNCHRONIZATION))
    if epoch == disk.accepted_epoch:
        answer = AckEpoch(None, last_zxid(disk.log), disk.log)
        return Step(follower, (Send(event.connection, answer),))
    answer = AckEpoch(disk.current_epoch, last_zxid(disk.log), disk.log)
    return Step(follower, (Write(AcceptedEpoch(epoch)), Send(event.connection, answer)))


@on(Leader, DISCOVERY, AckEpoch)
def leader_selects_history(server: Leading, event: Received[AckEpoch], quorums: Ensemble) -> Step:
    """Once a quorum has promised, accept its most recent history and send it. Steps l.1.2, l.2.1.

    Differs: gives up as soon as those who can still promise are no quorum; the paper waits.
    """
    epoch, history = event.packet.current_epoch, event.packet.history or ()
    leader = server.role.with_learners(Learner(event.connection, PROMISED, 0, epoch, history))
    promised = [one for one in _can_promise(leader) if one.stage is PROMISED]
    if quorums.is_quorum(supporters(server, promised)):
        return _send_history(server, leader, _most_recent(server, promised))
    if not quorums.is_quorum(supporters(server, _can_promise(leader))):
        return _look_again(server)
    return Step(server.playing(leader))


def _can_promise(leader: Leader) -> list[Learner]:
    return [one for one in leader.learners if (one.stage, one.current_epoch) != (PROMISED, None)]


def _most_recent(server: Leading, promised: list[Learner]) -> History:
    held = [(server.disk.current_epoch, server.disk.log)]
    held += [(one.current_epoch or 0, one.history) for one in promised]
    return max(held, key=lambda one: (one[0], last_zxid(one[1])))[1]


def _send_history(server: Leading, leader: Leader, history: History) -> Step:
    late = [Learner(one.connection) for one in leader.at(INTRODUCED)]
    syncing = [
        Learner(one.connection, SYNCING, upto=last_zxid(history)) for one in leader.at(PROMISED)
    ]
    leader = Leader(SYNCHRONIZATION, leader.epoch).with_learners(*late, *syncing)
    sends = (Send(one.connection, NewLeader(leader.epoch, history)) for one in leader.at(SYNCING))
    return Step(server.playing(leader), (Write(AcceptHistory(leader.epoch, history)), *sends))


# Phase 2, synchronization: one history, accepted by a quorum.


@on(Leader, (SYNCHRONIZATION, BROADCAST), AckEpoch)
def leader_sends_history(server: Leading, event: Received[AckEpoch], _: Ensemble) -> Step:
    """Send a late follower the whole history; later proposals will follow it. Step l.3.3."""
    log = server.disk.log
    leader = server.role.with_learners(Learner(event.connection, SYNCING, upto=last_zxid(log)))
    return Step(server.playing(leader), (Send(event.connection, NewLeader(leader.epoch, log)),))


@on(Follower, SYNCHRONIZATION, NewLeader)
def follower_accepts_history(server: Following, event: Received[NewLeader], _: Ensemble) -> Step:
    """Accept the leader's epoch and history, both at once, and acknowledge. Step f.2.1."""
    epoch, history = event.packet.epoch, event.packet.history or ()
    if epoch != server.disk.accepted_epoch:
        return _look_again(server)
    acknowledgement = Send(event.connection, Ack(Zxid(epoch, 0)))
    return Step(server, (Write(AcceptHistory(epoch, history)), acknowledgement))


@on(Leader, SYNCHRONIZATION, Ack)
def leader_is_established(server: Leading, event: Received[Ack], quorums: Ensemble) -> Step:
    """Once a quorum has accepted the history, deliver it, be ready, and tell them. Step l.2.2."""
    learner = evolve(server.role.learner(event.connection), stage=ACTIVE)
    leader = server.role.with_learners(learner)
    active = leader.at(ACTIVE)
    if not quorums.is_quorum(supporters(server, active)):
        return Step(server.playing(leader))
    end = last_zxid(server.disk.log)
    tell = (Send(one.connection, UpToDate(end)) for one in active)
    established = server.playing(evolve(leader, phase=BROADCAST))
    return _deliver(established, server.disk.log, Ready(leader.epoch), *tell)


@on(Follower, SYNCHRONIZATION, UpToDate)
def follower_is_up_to_date(server: Following, event: Received[UpToDate], _: Ensemble) -> Step:
    """Deliver what is committed of the accepted history. Step f.2.2.

    Differs: COMMIT-LD says up to where; a late follower holds proposals that are not committed.
    """
    follower = server.playing(evolve(server.role, phase=BROADCAST))
    committed = event.packet.committed or ZERO
    return _deliver(follower, tuple(txn for txn in server.disk.log if txn.zxid <= committed))


# Phase 3, broadcast: transactions proposed, logged by a quorum, committed in order.


@on(Leader, BROADCAST, ClientRequest)
def leader_proposes(server: Leading, event: ClientRequest, _: Ensemble) -> Step:
    """Log the next transaction of the epoch and propose it. Step l.3.1.

    Differs: to everyone who was sent a history, acknowledged or not. The paper's Q, read as those
    who acknowledged it, would lose what is proposed in between.
    """
    leader, end = server.role, last_zxid(server.disk.log)
    zxid = end.next() if end.epoch == leader.epoch else Zxid(leader.epoch, 1)
    txn = Txn(zxid, event.request)
    sends = (Send(one.connection, Proposal(txn)) for one in leader.at(SYNCING, ACTIVE))
    return Step(server, (Broadcast(txn), Write(AppendSynced((txn,))), *sends))


@on(Follower, (SYNCHRONIZATION, BROADCAST), Proposal)
def follower_accepts_proposal(server: Following, event: Received[Proposal], _: Ensemble) -> Step:
    """Log a proposal behind all earlier ones, and acknowledge it. Step f.3.2."""
    txn, end = event.packet.txn, last_zxid(server.disk.log)
    if not end.leads_to(txn.zxid):
        return Step(server, (Impossible(f"proposal {txn.zxid} behind {end}"),))
    return Step(server, (Write(AppendSynced((txn,))), Send(event.connection, Ack(txn.zxid))))


@on(Leader, BROADCAST, Ack)
def leader_counts_ack(server: Leading, event: Received[Ack], quorums: Ensemble) -> Step:
    """Commit what a quorum has logged, in order. Steps l.3.2 and, for a late follower, l.3.4.

    An acknowledgement covers all that was proposed before it: connections keep their order.
    """
    learner = server.role.learner(event.connection)
    joins = learner.stage is SYNCING
    upto = learner.upto if joins else event.packet.zxid
    leader = server.role.with_learners(evolve(learner, stage=ACTIVE, upto=upto))
    committed = server.memory.applied
    effects: list[Send] = []
    for txn in server.disk.log[len(committed) :]:
        logged = (one for one in leader.at(ACTIVE) if one.upto >= txn.zxid)
        if not quorums.is_quorum(supporters(server, logged)):
            break
        committed = (*committed, txn)
        effects += (Send(one.connection, Commit(txn.zxid)) for one in server.role.at(ACTIVE))
    if joins:
        effects.append(Send(event.connection, UpToDate(last_zxid(committed))))
    return _deliver(server.playing(leader), committed, *effects)


@on(Follower, BROADCAST, Commit)
def follower_commits(server: Following, event: Received[Commit], _: Ensemble) -> Step:
    """Deliver the oldest transaction not delivered; it must be the one committed. Step f.3.3."""
    behind = server.disk.log[len(server.memory.applied) :]
    if not behind or behind[0].zxid != event.packet.zxid:
        return Step(server, (Impossible(f"commit {event.packet.zxid} before its turn"),))
    return _deliver(server, (*server.memory.applied, behind[0]))


# Faults.


@on(Leader, CONNECTED, LinkLost)
def leader_loses_learner(server: Leading, event: LinkLost, quorums: Ensemble) -> Step:
    """Forget the learner, and give up if those that are left, and can promise, are no quorum."""
    if not server.role.knows(event.connection):
        return Step(server)
    leader = server.role.without(event.connection)
    if not quorums.is_quorum(supporters(server, _can_promise(leader))):
        return _look_again(server)
    return Step(server.playing(leader))


@on(Follower, CONNECTED, LinkLost)
def follower_loses_leader(server: Following, _event: LinkLost, _: Ensemble) -> Step:
    """Start a new iteration of the protocol."""
    return _look_again(server)


@on(Looking, ELECTION, Crash)
@on(Follower, CONNECTED, Crash)
@on(Leader, CONNECTED, Crash)
def server_restarts(server: Server[Role], _event: Crash, _: Ensemble) -> Step:
    """Lose memory and connections, and start again from the disk, all in one step."""
    return Step(Server(server.sid, server.disk, Memory(), Looking()), (CloseAll(),))


def _deliver(server: Leading | Following, committed: History, *effects: Effect) -> Step:
    news = committed[len(server.memory.applied) :]
    memory = Memory(server.memory.applied + news)
    return Step(evolve(server, memory=memory), (*(Apply(txn) for txn in news), *effects))


def _look_again(server: Leading | Following) -> Step:
    return Step(server.playing(Looking()), (CloseAll(),))


# Everything else that could be asked of a server.

DECISIONS = (
    ignore(Looking, ELECTION, ClientRequest, because="it has no leader"),
    ignore(Follower, CONNECTED, ClientRequest, because="only a leader takes requests"),
    ignore(Leader, CONNECTED[:2], ClientRequest, because="it is not established"),
    never(Looking, ELECTION, *TO_LEADERS, *TO_FOLLOWERS, LinkLost, because="it has no connection"),
    never(Follower, CONNECTED, *TO_LEADERS, Elected, because="it is a follower"),
    never(Leader, CONNECTED, *TO_FOLLOWERS, Elected, because="it is a leader"),
    never(Leader, DISCOVERY, Ack, because="it has sent nothing to acknowledge"),
    never(Follower, DISCOVERY, *TO_FOLLOWERS[1:], because="a leader offers its epoch first"),
    never(Follower, SYNCHRONIZATION, LeaderInfo, because="an epoch is offered once"),
    never(Follower, SYNCHRONIZATION, Commit, because="what is committed comes after UpToDate"),
    never(Follower, BROADCAST, *TO_FOLLOWERS[:3], because="a follower is brought up to date once"),
)

PAPER = Spec.collect("paper", sys.modules[__name__])
