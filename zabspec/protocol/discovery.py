"""Phase 1: a new epoch, proposed by the leader and promised by a quorum."""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol.disk import AcceptedEpoch, CurrentEpoch
from zabspec.protocol.effects import Effect, Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.leaving import CONNECTED, leave_role, refuse_learner
from zabspec.protocol.messages import (
    AckEpoch,
    FollowerInfo,
    Introduction,
    LeaderInfo,
    ObserverInfo,
)
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Leader,
    Learner,
    Observer,
    Phase,
    Server,
    Stage,
    supporters,
)
from zabspec.protocol.sync_follower import BEST, Style, begin_sync


@on(Leader, CONNECTED, FollowerInfo)
@on(Leader, CONNECTED, ObserverInfo)
def leader_offers_epoch(
    server: Server[Leader], event: Received[Introduction], ensemble: Ensemble
) -> Step:
    """Once a quorum of voters has introduced itself, offer an epoch above all that were accepted.

    The leader counts itself, accepts its epoch durably before it offers it, and offers the same to
    who comes later. An observer does not count, and its accepted epoch does.
    Models Leader.getEpochToPropose, LearnerHandler.run.
    """
    observes = isinstance(event.packet, ObserverInfo)
    learner = Learner(
        event.connection, accepted_epoch=event.packet.accepted_epoch, observes=observes
    )
    if server.role.epoch:
        leader = server.role.with_learners(evolve(learner, accepted_epoch=0))
        return Step(server.playing(leader), (Send(event.connection, LeaderInfo(leader.epoch)),))
    leader = server.role.with_learners(learner)
    if not ensemble.is_quorum(supporters(server, leader.learners)):
        return Step(server.playing(leader))
    epoch = 1 + max(server.disk.accepted_epoch, *(one.accepted_epoch for one in leader.learners))
    offers = (Send(one.connection, LeaderInfo(epoch)) for one in leader.learners)
    learners = tuple(evolve(one, accepted_epoch=0) for one in leader.learners)
    offering = evolve(leader, epoch=epoch, learners=learners)
    return Step(server.playing(offering), (Write(AcceptedEpoch(epoch)), *offers))


@on(Follower, Phase.DISCOVERY, LeaderInfo)
@on(Observer, Phase.DISCOVERY, LeaderInfo)
def learner_promises_epoch(
    server: Server[Follower], event: Received[LeaderInfo], _: Ensemble
) -> Step:
    """Accept a later epoch, durably, then answer with the current epoch and memory's last zxid.

    An epoch accepted before is answered with None, which counts as no promise; a lower one is
    refused. Models Learner.registerWithLeader.
    """
    disk, epoch = server.disk, event.packet.epoch
    if epoch < disk.accepted_epoch:
        return leave_role(server)
    promises = epoch > disk.accepted_epoch
    write: tuple[Effect, ...] = (Write(AcceptedEpoch(epoch)),) if promises else ()
    answer = AckEpoch(disk.current_epoch if promises else None, server.memory.database.zxid)
    learner = server.playing(evolve(server.role, phase=Phase.SYNCHRONIZATION))
    return Step(learner, (*write, Send(event.connection, answer)))


@on(Leader, Phase.DISCOVERY, AckEpoch)
def leader_counts_promise(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    """Once a quorum of voters has promised, begin the epoch and bring everyone who answered to it.

    A learner whose history is more recent than the leader's is refused. The leader writes its
    current epoch before it sends the first history. Differs: gives up as soon as those who can
    still promise are no quorum, and not only after initLimit.
    Models Leader.waitForEpochAck, Leader.lead.
    """
    return hear_promise(server, event, ensemble, BEST)


def hear_promise(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble, style: Style
) -> Step:
    """Refuse a learner that is ahead, or count its answer and sync in this style."""
    answer = event.packet
    summary = server.disk.current_epoch, server.memory.database.zxid
    if answer.current_epoch is not None and (answer.current_epoch, answer.last_zxid) > summary:
        return refuse_learner(server, event.connection, ensemble)
    return count_promise(server, event, ensemble, style)


def count_promise(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble, style: Style
) -> Step:
    """Count an answer, and bring learners up to date in this style once a quorum has promised."""
    answer, known = event.packet, server.role.learner(event.connection)
    learner = evolve(
        known, stage=Stage.PROMISED, current_epoch=answer.current_epoch, upto=answer.last_zxid
    )
    leader = server.role.with_learners(learner)
    promised = [one for one in leader.at(Stage.PROMISED) if one.current_epoch is not None]
    if not ensemble.is_quorum(supporters(server, promised)):
        if not ensemble.is_quorum(supporters(server, [*promised, *leader.at(Stage.INTRODUCED)])):
            return leave_role(server)
        return Step(server.playing(leader))
    return _begin_epoch(server, leader, ensemble, style)


def _begin_epoch(server: Server[Leader], leader: Leader, ensemble: Ensemble, style: Style) -> Step:
    begun = server.playing(evolve(leader, phase=Phase.SYNCHRONIZATION))
    effects: list[Effect] = [Write(CurrentEpoch(leader.epoch))]
    for learner in leader.at(Stage.PROMISED):
        begun, packets = begin_sync(begun, learner, ensemble, style)
        effects += (Send(learner.connection, packet) for packet in packets)
    return Step(begun, tuple(effects))
