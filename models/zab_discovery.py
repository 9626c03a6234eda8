"""Mistakes in ZooKeeper's discovery phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.properties import NOT_STUCK
from zabspec.protocol import discovery, synchronization
from zabspec.protocol.effects import Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, AckEpoch, Introduction, LeaderInfo
from zabspec.protocol.rules import anyone
from zabspec.protocol.state import Ensemble, Follower, Leader, Server, Stage
from zabspec.protocol.sync_follower import BEST
from zabspec.protocol.zab import BASELINE


def answers_before_it_promises(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = discovery.learner_promises_epoch(server, event, ensemble)
    return evolve(step, effects=step.effects[::-1])


def promises_in_memory(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = discovery.learner_promises_epoch(server, event, ensemble)
    return evolve(step, effects=tuple(one for one in step.effects if not isinstance(one, Write)))


def promises_twice(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    step = discovery.learner_promises_epoch(server, event, ensemble)
    counted = tuple(
        Send(one.connection, evolve(one.packet, current_epoch=server.disk.current_epoch))
        if isinstance(one, Send) and isinstance(one.packet, AckEpoch)
        else one
        for one in step.effects
    )
    return evolve(step, effects=counted)


def promises_any_epoch(
    server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
) -> Step:
    forgetful = evolve(server, disk=evolve(server.disk, accepted_epoch=0))
    step = discovery.learner_promises_epoch(forgetful, event, ensemble)
    return Step(server.playing(step.server.role), step.effects)


def waits_for_ever(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    step = discovery.leader_counts_promise(server, event, ensemble)
    if isinstance(step.server.role, Leader) or event.packet.current_epoch is not None:
        return step
    answered = evolve(server.role.learner(event.connection), stage=Stage.PROMISED)
    return Step(server.playing(server.role.with_learners(answered)))


def leads_who_is_ahead(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    return discovery.count_promise(server, event, ensemble, BEST)


def _everyone(ensemble: Ensemble) -> Ensemble:
    return evolve(ensemble, voters=ensemble.servers)


def offers_with_observers(
    server: Server[Leader], event: Received[Introduction], ensemble: Ensemble
) -> Step:
    return discovery.leader_offers_epoch(server, event, _everyone(ensemble))


def begins_with_observers(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    return discovery.leader_counts_promise(server, event, _everyone(ensemble))


def serves_with_observers(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    return synchronization.leader_counts_new_leader_ack(server, event, _everyone(ensemble))


MODELS = (
    Model(
        "zab-promise-after-answer",
        "A learner sends ACKEPOCH before acceptedEpoch is written.",
        BASELINE.but("zab-promise-after-answer", learner_promises_epoch=answers_before_it_promises),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.acknowledged_is_durable, 3),
    ),
    Model(
        "zab-promise-in-memory",
        "A learner never writes acceptedEpoch.",
        BASELINE.but("zab-promise-in-memory", learner_promises_epoch=promises_in_memory),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.current_within_accepted, 6),
    ),
    Model(
        "zab-no-promise-counted",
        "An answer of -1 counts as a promise, anyone may be elected, and nobody is refused.",
        evolve(
            BASELINE.but(
                "zab-no-promise-counted",
                learner_promises_epoch=promises_twice,
                leader_counts_promise=leads_who_is_ahead,
            ),
            oracle=anyone,
        ),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(promises.one_leader_an_epoch, 20),
    ),
    Model(
        "zab-any-epoch",
        "A learner accepts whatever epoch it is offered, a lower one too.",
        BASELINE.but("zab-any-epoch", learner_promises_epoch=promises_any_epoch),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(promises.epochs_never_go_back, 12),
    ),
    Model(
        "zab-waits-for-ever",
        "A leader waits for promises that nobody is left to give, and no limit expires.",
        BASELINE.but("zab-waits-for-ever", leader_counts_promise=waits_for_ever),
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Broken(NOT_STUCK, 19),
    ),
    Model(
        "zab-follower-ahead",
        "Anyone may be elected, and a leader does not refuse a follower that is ahead of it.",
        evolve(
            BASELINE.but("zab-follower-ahead", leader_counts_promise=leads_who_is_ahead),
            oracle=anyone,
        ),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.leader_is_complete, 23),
    ),
    Model(
        "zab-observer-counted",
        "A leader counts an observer in its quorums.",
        BASELINE.but(
            "zab-observer-counted",
            leader_offers_epoch=offers_with_observers,
            leader_counts_promise=begins_with_observers,
            leader_counts_new_leader_ack=serves_with_observers,
        ),
        Bounds(servers=2, observers=1, txns=1, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 19),
    ),
)
