"""Mistakes in the paper's synchronization phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.outcomes import written
from zabspec.protocol import paper
from zabspec.protocol.disk import AcceptHistory, Change, CurrentEpoch, ReplaceLog
from zabspec.protocol.effects import Apply, Effect, Ready, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, AckEpoch, NewLeader, UpToDate
from zabspec.protocol.paper import PAPER
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Leader,
    Memory,
    Phase,
    Server,
    Txn,
    Zxid,
)


def _accepting(step: Step, *changes: Change) -> Step:
    """The step with its acceptance of a history replaced by these writes."""
    effects: list[Effect] = []
    for effect in step.effects:
        if isinstance(effect, Write) and isinstance(effect.change, AcceptHistory):
            effects += (Write(change) for change in changes)
        else:
            effects.append(effect)
    return Step(step.server, tuple(effects))


def epoch_then_history(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = paper.follower_accepts_history(server, event, ensemble)
    packet = event.packet
    return _accepting(step, CurrentEpoch(packet.epoch), ReplaceLog(packet.history or ()))


def history_without_epoch(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = paper.follower_accepts_history(server, event, ensemble)
    return _accepting(step, ReplaceLog(event.packet.history or ()))


def epoch_without_history(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = paper.follower_accepts_history(server, event, ensemble)
    return _accepting(step, CurrentEpoch(event.packet.epoch))


def renumbers_history(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    history = event.packet.history or ()
    renumbered = tuple(
        Txn(Zxid(server.role.epoch, counter), txn.request)
        for counter, txn in enumerate(history, start=1)
    )
    answer = evolve(event, packet=evolve(event.packet, history=renumbered))
    return paper.leader_selects_history(server, answer, ensemble)


def serves_at_once(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    step = paper.leader_selects_history(server, event, ensemble)
    role = step.server.role
    if not isinstance(role, Leader) or role.phase is not Phase.SYNCHRONIZATION:
        return step
    log = written(server.disk, step.effects).log
    news = log[len(server.memory.applied) :]
    serving = Server(
        server.sid,
        server.disk,
        Memory(server.memory.applied + news),
        evolve(role, phase=Phase.BROADCAST),
    )
    return Step(serving, (*step.effects, *map(Apply, news), Ready(role.epoch)))


def serves_undelivered(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    step = paper.leader_is_established(server, event, ensemble)
    kept = tuple(effect for effect in step.effects if not isinstance(effect, Apply))
    return Step(evolve(step.server, memory=server.memory), kept)


def delivers_the_last(
    server: Server[Follower], event: Received[UpToDate], ensemble: Ensemble
) -> Step:
    step = paper.follower_is_up_to_date(server, event, ensemble)
    last = tuple(effect for effect in step.effects if isinstance(effect, Apply))[-1:]
    applied = server.memory.applied + tuple(effect.txn for effect in last)
    return Step(evolve(step.server, memory=evolve(server.memory, applied=applied)), last)


MODELS = (
    Model(
        "paper-epoch-then-history",
        "A follower writes the epoch, and crashes before it writes the history.",
        PAPER.but("paper-epoch-then-history", follower_accepts_history=epoch_then_history),
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Broken(promises.nothing_committed_is_truncated, 22),
    ),
    Model(
        "paper-history-without-epoch",
        "A follower accepts the history and not the epoch.",
        PAPER.but("paper-history-without-epoch", follower_accepts_history=history_without_epoch),
        Bounds(servers=3, txns=1, crashes=2, elections=3),
        Broken(promises.nothing_committed_is_truncated, 20),
    ),
    Model(
        "paper-epoch-without-history",
        "A follower accepts the epoch and not the history.",
        PAPER.but("paper-epoch-without-history", follower_accepts_history=epoch_without_history),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 13),
    ),
    Model(
        "paper-renumbered-history",
        "A leader renumbers what it recovers as transactions of its own epoch.",
        PAPER.but("paper-renumbered-history", leader_selects_history=renumbers_history),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.integrity, 15),
    ),
    Model(
        "paper-serves-at-once",
        "A leader serves before a quorum has accepted its history.",
        PAPER.but("paper-serves-at-once", leader_selects_history=serves_at_once),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 11),
    ),
    Model(
        "paper-serves-undelivered",
        "A leader serves before it has delivered the history it starts from.",
        PAPER.but("paper-serves-undelivered", leader_is_established=serves_undelivered),
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.primary_integrity, 17),
    ),
    Model(
        "paper-delivers-the-last",
        "A follower that comes up to date delivers only the last transaction of its history.",
        PAPER.but("paper-delivers-the-last", follower_is_up_to_date=delivers_the_last),
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.local_primary_order, 15),
    ),
)
