"""Mistakes in the paper's discovery phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.properties import NOT_STUCK
from zabspec.protocol import paper
from zabspec.protocol.effects import Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import AckEpoch, FollowerInfo, LeaderInfo
from zabspec.protocol.paper import PAPER
from zabspec.protocol.state import Ensemble, Follower, Leader, Learner, Server, Stage


def answers_before_it_promises(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = paper.follower_promises_epoch(server, event, ensemble)
    return evolve(step, effects=step.effects[::-1])


def forgets_its_own_promise(
    server: Server[Leader], event: Received[FollowerInfo], ensemble: Ensemble
) -> Step:
    step = paper.leader_offers_epoch(server, event, ensemble)
    kept = tuple(effect for effect in step.effects if not isinstance(effect, Write))
    return evolve(step, effects=kept)


def promises_twice(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = paper.follower_promises_epoch(server, event, ensemble)
    counted = tuple(
        Send(effect.connection, evolve(effect.packet, current_epoch=server.disk.current_epoch))
        if isinstance(effect, Send) and isinstance(effect.packet, AckEpoch)
        else effect
        for effect in step.effects
    )
    return evolve(step, effects=counted)


def promises_any_epoch(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    forgetful = evolve(server, disk=evolve(server.disk, accepted_epoch=0))
    step = paper.follower_promises_epoch(forgetful, event, ensemble)
    return Step(server.playing(step.server.role), step.effects)


def leaves_equal_epoch_unanswered(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = paper.follower_promises_epoch(server, event, ensemble)
    answered_before = event.packet.epoch == server.disk.accepted_epoch
    return evolve(step, effects=()) if answered_before else step


def waits_for_ever(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    step = paper.leader_selects_history(server, event, ensemble)
    if isinstance(step.server.role, Leader):
        return step
    answer = Learner(event.connection, Stage.PROMISED)
    return Step(server.playing(server.role.with_learners(answer)))


def keeps_its_own_history(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    silent = evolve(event, packet=evolve(event.packet, history=()))
    return paper.leader_selects_history(server, silent, ensemble)


FORGETFUL = PAPER.but("paper-epoch-offered-twice", leader_offers_epoch=forgets_its_own_promise)
OWN_HISTORY = PAPER.but("paper-own-history", leader_selects_history=keeps_its_own_history)

MODELS = (
    Model(
        "paper-promise-after-answer",
        "A follower acknowledges an epoch before its promise is written.",
        PAPER.but("paper-promise-after-answer", follower_promises_epoch=answers_before_it_promises),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.acknowledged_is_durable, 3),
    ),
    Model(
        "paper-promise-after-answer-crash",
        "The same: what comes of it when the follower crashes in between.",
        PAPER.but("paper-promise-after-answer", follower_promises_epoch=answers_before_it_promises),
        Bounds(servers=3, txns=0, lost_links=1, crashes=1, elections=3),
        Broken(promises.one_leader_an_epoch, 18),
    ),
    Model(
        "paper-epoch-offered-twice",
        "A leader does not promise its own epoch to itself, and offers it again after a crash.",
        FORGETFUL,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Broken(promises.one_leader_an_epoch, 13),
    ),
    Model(
        "paper-epoch-not-its-own",
        "The same: it then accepts a history of an epoch that it never promised.",
        FORGETFUL,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Broken(promises.current_within_accepted, 4),
    ),
    Model(
        "paper-promise-counted-twice",
        "A follower's answer to an epoch that it promised before counts as a promise.",
        PAPER.but("paper-promise-counted-twice", follower_promises_epoch=promises_twice),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(promises.one_leader_an_epoch, 18),
    ),
    Model(
        "paper-any-epoch",
        "A follower promises whatever epoch it is offered, a lower one too.",
        PAPER.but("paper-any-epoch", follower_promises_epoch=promises_any_epoch),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(promises.epochs_never_go_back, 12),
    ),
    Model(
        "paper-by-the-letter",
        "A follower does not answer an epoch that it promised before, as the paper has it.",
        PAPER.but("paper-by-the-letter", follower_promises_epoch=leaves_equal_epoch_unanswered),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(NOT_STUCK, 17),
    ),
    Model(
        "paper-waits-for-ever",
        "A leader waits for promises that nobody is left to give.",
        PAPER.but("paper-waits-for-ever", leader_selects_history=waits_for_ever),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(NOT_STUCK, 19),
    ),
    Model(
        "paper-own-history",
        "A leader keeps its own history, however recent those of its quorum are.",
        OWN_HISTORY,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.leader_is_complete, 18),
    ),
    Model(
        "paper-own-history-truncates",
        "The same: its followers give up what was committed.",
        OWN_HISTORY,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.nothing_committed_is_truncated, 17),
    ),
)
