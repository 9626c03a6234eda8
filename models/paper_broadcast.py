"""Mistakes in the paper's broadcast phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.protocol import paper
from zabspec.protocol.disk import AppendSynced
from zabspec.protocol.effects import Apply, Send, Step, Write
from zabspec.protocol.events import ClientRequest, Received
from zabspec.protocol.messages import Ack, Commit, Proposal, UpToDate
from zabspec.protocol.paper import PAPER
from zabspec.protocol.state import Ensemble, Follower, Leader, Memory, Server, Stage, last_zxid


def commits_alone(server: Server[Leader], event: ClientRequest, ensemble: Ensemble) -> Step:
    step = paper.leader_proposes(server, event, ensemble)
    txns = tuple(
        txn
        for effect in step.effects
        if isinstance(effect, Write) and isinstance(effect.change, AppendSynced)
        for txn in effect.change.txns
    )
    memory = Memory(server.memory.applied + txns)
    return Step(evolve(step.server, memory=memory), (*step.effects, *map(Apply, txns)))


def commits_to_everyone(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    step = paper.leader_counts_ack(server, event, ensemble)
    commits = (
        Send(late.connection, Commit(effect.txn.zxid))
        for effect in step.effects
        if isinstance(effect, Apply)
        for late in server.role.at(Stage.SYNCING)
        if late.connection != event.connection
    )
    return evolve(step, effects=(*step.effects, *commits))


def counts_stale_ack(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    newest = Received(event.connection, Ack(last_zxid(server.disk.log)))
    return paper.leader_counts_ack(server, newest, ensemble)


def proposes_to_acknowledged(
    server: Server[Leader], event: ClientRequest, ensemble: Ensemble
) -> Step:
    step = paper.leader_proposes(server, event, ensemble)
    active = {one.connection for one in server.role.at(Stage.ACTIVE)}
    kept = tuple(
        effect
        for effect in step.effects
        if not isinstance(effect, Send) or effect.connection in active
    )
    return evolve(step, effects=kept)


def logs_anything(server: Server[Follower], event: Received[Proposal], _: Ensemble) -> Step:
    txn = event.packet.txn
    return Step(server, (Write(AppendSynced((txn,))), Send(event.connection, Ack(txn.zxid))))


def delivers_as_committed(server: Server[Follower], event: Received[Commit], _: Ensemble) -> Step:
    behind = [txn for txn in server.disk.log if txn not in server.memory.applied]
    named = [txn for txn in behind if txn.zxid == event.packet.zxid]
    memory = Memory((*server.memory.applied, *named))
    return Step(evolve(server, memory=memory), tuple(map(Apply, named)))


def commits_newest_first(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    step = paper.leader_counts_ack(server, event, ensemble)
    return evolve(step, effects=step.effects[::-1])


def delivers_history_later(
    server: Server[Follower], event: Received[UpToDate], ensemble: Ensemble
) -> Step:
    step = paper.follower_is_up_to_date(server, event, ensemble)
    return Step(evolve(step.server, memory=server.memory))


def delivers_then_catches_up(
    server: Server[Follower], event: Received[Commit], ensemble: Ensemble
) -> Step:
    named = delivers_as_committed(server, event, ensemble)
    behind = tuple(
        txn
        for txn in server.disk.log
        if txn not in named.server.memory.applied and txn.zxid < event.packet.zxid
    )
    memory = Memory(named.server.memory.applied + behind)
    return Step(evolve(server, memory=memory), (*named.effects, *map(Apply, behind)))


ALONE = PAPER.but("paper-commits-alone", leader_proposes=commits_alone)
ALONE_BOUNDS = Bounds(servers=3, txns=2, lost_links=1, elections=2)

MODELS = (
    Model(
        "paper-commits-alone",
        "A leader commits what it has logged, without a quorum.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.committed_is_durable, 7),
    ),
    Model(
        "paper-commits-alone-prefixes",
        "The same: two servers deliver different transactions in one place.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.committed_prefixes_agree, 16),
    ),
    Model(
        "paper-commits-alone-agreement",
        "The same: each of two servers delivers what the other never will.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.agreement, 16),
    ),
    Model(
        "paper-commits-alone-refinement",
        "The same: it is no atomic broadcast.",
        ALONE,
        ALONE_BOUNDS,
        Broken(promises.refines, 15),
    ),
    Model(
        "paper-commit-overtakes",
        "A leader sends COMMIT to followers that are not yet up to date.",
        PAPER.but("paper-commit-overtakes", leader_counts_ack=commits_to_everyone),
        Bounds(servers=3, txns=1, lost_links=0, elections=1),
        Broken(promises.no_impossibility, 16),
    ),
    Model(
        "paper-stale-ack",
        "A leader takes the ACK of an earlier proposal for one of all its proposals.",
        PAPER.but("paper-stale-ack", leader_counts_ack=counts_stale_ack),
        Bounds(servers=3, txns=2, lost_links=0, elections=1),
        Broken(promises.committed_is_durable, 11),
    ),
    Model(
        "paper-proposes-to-acknowledged",
        "A leader proposes only to those who acknowledged its history, and they log anything.",
        PAPER.but(
            "paper-proposes-to-acknowledged",
            leader_proposes=proposes_to_acknowledged,
            follower_accepts_proposal=logs_anything,
        ),
        Bounds(servers=3, txns=2, lost_links=0, elections=1),
        Broken(promises.no_gaps, 16),
    ),
    Model(
        "paper-newest-first",
        "A leader that commits two at once names the newer first; followers deliver what is named.",
        PAPER.but(
            "paper-newest-first",
            leader_counts_ack=commits_newest_first,
            follower_commits=delivers_as_committed,
        ),
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.total_order, 18),
    ),
    Model(
        "paper-history-later",
        "A follower delivers the history it starts from behind the first new transaction.",
        PAPER.but(
            "paper-history-later",
            follower_is_up_to_date=delivers_history_later,
            follower_commits=delivers_then_catches_up,
        ),
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.global_primary_order, 20),
    ),
)
