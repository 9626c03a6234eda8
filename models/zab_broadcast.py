"""Mistakes in ZooKeeper's broadcast phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.protocol import broadcast
from zabspec.protocol.effects import Effect, Send, Step
from zabspec.protocol.events import ClientRequest, LogSynced, Received
from zabspec.protocol.messages import Ack, Proposal
from zabspec.protocol.state import Ensemble, Follower, Leader, Server, Stage, Txn
from zabspec.protocol.zab import BASELINE


def commits_alone(server: Server[Leader], event: LogSynced, ensemble: Ensemble) -> Step:
    return broadcast.leader_logs(server, event, evolve(ensemble, voters=(server.sid,)))


def acknowledges_unsynced(
    server: Server[Follower], event: Received[Proposal], ensemble: Ensemble
) -> Step:
    step = broadcast.follower_logs_proposal(server, event, ensemble)
    acknowledge = Send(event.connection, Ack(event.packet.txn.zxid))
    return evolve(step, effects=(*step.effects, acknowledge))


def _proposals(step: Step, kept: set[int], copies: int) -> Step:
    effects: list[Effect] = []
    for one in step.effects:
        if not isinstance(one, Send):
            effects.append(one)
        elif one.connection.peer in kept:
            effects += [one] * copies
    return evolve(step, effects=tuple(effects))


def proposes_twice(server: Server[Leader], event: ClientRequest, ensemble: Ensemble) -> Step:
    step = broadcast.leader_proposes(server, event, ensemble)
    return _proposals(step, set(ensemble.servers), 2)


def proposes_to_acknowledged(
    server: Server[Leader], event: ClientRequest, ensemble: Ensemble
) -> Step:
    step = broadcast.leader_proposes(server, event, ensemble)
    return _proposals(step, {one.connection.peer for one in server.role.at(Stage.ACTIVE)}, 1)


def proposes_stale_request(
    server: Server[Leader], event: ClientRequest, ensemble: Ensemble
) -> Step:
    step = broadcast.leader_proposes(server, event, ensemble)
    stale: tuple[Effect, ...] = tuple(
        Send(one.connection, Proposal(Txn(one.packet.txn.zxid, max(1, event.request - 1))))
        if isinstance(one, Send) and isinstance(one.packet, Proposal)
        else one
        for one in step.effects
    )
    return evolve(step, effects=stale)


ALONE = BASELINE.but("zab-commits-alone", leader_logs=commits_alone)
ALONE_BOUNDS = Bounds(servers=3, txns=2, lost_links=1, elections=2)
NO_FAULT = Bounds(servers=3, txns=2, elections=1)

MODELS = (
    Model(
        "zab-commits-alone",
        "A leader commits what its own log has, without a quorum.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.committed_is_durable, 9),
    ),
    Model(
        "zab-commits-alone-prefixes",
        "The same: two servers show different transactions in one place.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.committed_prefixes_agree, 20),
    ),
    Model(
        "zab-commits-alone-agreement",
        "The same: each of two servers shows what the other never will.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.agreement, 20),
    ),
    Model(
        "zab-ack-before-sync",
        "A follower acknowledges a proposal before its log is synced.",
        BASELINE.but("zab-ack-before-sync", follower_logs_proposal=acknowledges_unsynced),
        NO_FAULT,
        Broken(promises.acknowledged_is_durable, 10),
    ),
    Model(
        "zab-proposes-twice",
        "A proposal is forwarded twice.",
        BASELINE.but("zab-proposes-twice", leader_proposes=proposes_twice),
        NO_FAULT,
        Broken(promises.no_gaps, 11),
    ),
    Model(
        "zab-commit-overtakes",
        "A learner whose sync has begun gets the COMMIT of a proposal, and not the PROPOSAL.",
        BASELINE.but("zab-commit-overtakes", leader_proposes=proposes_to_acknowledged),
        NO_FAULT,
        Broken(promises.no_impossibility, 25),
    ),
    Model(
        "zab-stale-request",
        "A proposal carries the request before its own.",
        BASELINE.but("zab-stale-request", leader_proposes=proposes_stale_request),
        NO_FAULT,
        Broken(promises.integrity, 19),
    ),
)
