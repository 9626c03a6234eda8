"""Mistakes in ZooKeeper's synchronization phase, and the promise that each breaks."""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.protocol import discovery, leaving_variants, synchronization, variants
from zabspec.protocol.disk import CurrentEpoch
from zabspec.protocol.effects import Apply, Effect, Ready, Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, AckEpoch, Diff, NewLeader, Trunc, UpToDate
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Leader,
    Memory,
    Phase,
    Server,
)
from zabspec.protocol.zab import BASELINE, COARSE


def _diff_for_trunc(step: Step) -> Step:
    effects: tuple[Effect, ...] = tuple(
        Send(one.connection, Diff(one.packet.zxid))
        if isinstance(one, Send) and isinstance(one.packet, Trunc)
        else one
        for one in step.effects
    )
    return evolve(step, effects=effects)


def sends_diff_first(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    return _diff_for_trunc(discovery.leader_counts_promise(server, event, ensemble))


def sends_diff_late(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    return _diff_for_trunc(synchronization.leader_syncs_late_learner(server, event, ensemble))


def epoch_then_history(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    first = [
        one
        for one in step.effects
        if isinstance(one, Write) and isinstance(one.change, CurrentEpoch)
    ]
    rest = [one for one in step.effects if one not in first]
    return evolve(step, effects=(*first, *rest))


def acknowledges_unlogged(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    kept = tuple(
        one
        for one in step.effects
        if isinstance(one, Send)
        or (isinstance(one, Write) and isinstance(one.change, CurrentEpoch))
    )
    return evolve(step, effects=kept)


def claims_unapplied(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    claimed = step.server.memory.database.zxid
    database = evolve(server.memory.database, zxid=claimed)
    memory = Memory(server.memory.applied, database)
    return Step(evolve(step.server, memory=memory), step.effects)


def serves_at_once(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    step = discovery.leader_counts_promise(server, event, ensemble)
    role = step.server.role
    if not isinstance(role, Leader) or role.phase is not Phase.SYNCHRONIZATION:
        return step
    shown = server.memory.database.holds
    memory = Memory(shown, server.memory.database)
    serving = Server(server.sid, server.disk, memory, evolve(role, phase=Phase.BROADCAST))
    return Step(serving, (*step.effects, *map(Apply, shown), Ready(role.epoch)))


def serves_unapplied(server: Server[Leader], event: Received[Ack], ensemble: Ensemble) -> Step:
    step = synchronization.leader_counts_new_leader_ack(server, event, ensemble)
    kept = tuple(one for one in step.effects if not isinstance(one, Apply))
    memory = Memory((), step.server.memory.database)
    return Step(evolve(step.server, memory=memory), kept)


def applies_backwards(
    server: Server[Follower], event: Received[UpToDate], ensemble: Ensemble
) -> Step:
    database = server.memory.database
    backwards = evolve(database, holds=database.holds[::-1])
    turned = synchronization.with_database(server, backwards)
    return synchronization.learner_serves(turned, event, ensemble)


def applies_the_last(
    server: Server[Follower], event: Received[UpToDate], ensemble: Ensemble
) -> Step:
    database = server.memory.database
    short = evolve(database, holds=database.holds[-1:])
    turned = synchronization.with_database(server, short)
    return synchronization.learner_serves(turned, event, ensemble)


_ONE_LINK = Bounds(servers=3, txns=1, lost_links=1, elections=2)
_TWO_TXNS = Bounds(servers=3, txns=2, lost_links=1, elections=2)

MODELS = (
    Model(
        "zab-diff-for-trunc",
        "A leader sends DIFF where TRUNC is due.",
        BASELINE.but(
            "zab-diff-for-trunc",
            leader_counts_promise=sends_diff_first,
            leader_syncs_late_learner=sends_diff_late,
        ),
        _ONE_LINK,
        Broken(promises.refines, 23),
    ),
    Model(
        "zab-claims-diff",
        "A learner takes the DIFF's zxid for its own before it has what the DIFF names, and keeps"
        " that when the link is lost (2355).",
        COARSE.but(
            "zab-claims-diff",
            variants.learner_claims_diff,
            leaving_variants.server_reloads_if_it_served,
        ),
        Bounds(servers=3, txns=2, lost_links=2, elections=1),
        Broken(promises.reads_never_go_back, 39),
    ),
    Model(
        "zab-claims-unapplied",
        "A learner logs what a sync committed, claims its zxid, and does not apply it.",
        COARSE.but("zab-claims-unapplied", learner_accepts_leader=claims_unapplied),
        _TWO_TXNS,
        Broken(promises.reads_never_go_back, 24),
    ),
    Model(
        "zab-epoch-then-history",
        "A learner writes currentEpoch before the history is durable, and a crash (4643).",
        COARSE.but("zab-epoch-then-history", learner_accepts_leader=epoch_then_history),
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Broken(promises.nothing_committed_is_truncated, 26),
    ),
    Model(
        "zab-refuses-later-log",
        "A learner crashes between history and epoch, and the server refuses to start (1653).",
        BASELINE.but("zab-refuses-later-log", leaving_variants.server_refuses_later_log),
        Bounds(servers=3, txns=1, lost_links=0, crashes=1, elections=2),
        Broken(promises.starts_again, 13),
    ),
    Model(
        "zab-acknowledges-unlogged",
        "A learner acknowledges NEWLEADER with the history in memory only (3911).",
        BASELINE.but("zab-acknowledges-unlogged", learner_accepts_leader=acknowledges_unlogged),
        _ONE_LINK,
        Broken(promises.acknowledged_is_durable, 16),
    ),
    Model(
        "zab-serves-at-once",
        "A leader serves before a quorum has acknowledged NEWLEADER.",
        BASELINE.but("zab-serves-at-once", leader_counts_promise=serves_at_once),
        _ONE_LINK,
        Broken(promises.committed_is_durable, 11),
    ),
    Model(
        "zab-serves-unapplied",
        "A leader serves before what it loaded is shown.",
        BASELINE.but("zab-serves-unapplied", leader_counts_new_leader_ack=serves_unapplied),
        _TWO_TXNS,
        Broken(promises.primary_integrity, 19),
    ),
    Model(
        "zab-applies-backwards",
        "A learner shows the newest transaction of its history first.",
        BASELINE.but("zab-applies-backwards", learner_serves=applies_backwards),
        _TWO_TXNS,
        Broken(promises.total_order, 19),
    ),
    Model(
        "zab-applies-backwards-epochs",
        "The same: a later epoch before an earlier one.",
        COARSE.but("zab-applies-backwards-coarse", learner_serves=applies_backwards),
        _TWO_TXNS,
        Broken(promises.global_primary_order, 31),
    ),
    Model(
        "zab-applies-the-last",
        "A learner shows only the newest transaction of its history.",
        BASELINE.but("zab-applies-the-last", learner_serves=applies_the_last),
        _TWO_TXNS,
        Broken(promises.local_primary_order, 19),
    ),
    Model(
        "zab-keeps-acks",
        "An ACK outlives the connection it came on, while its sender is told to cut off what it"
        " acknowledged: every ZooKeeper to this day.",
        BASELINE.but("zab-keeps-acks", variants.leader_keeps_acks, variants.leader_keeps_late_acks),
        _ONE_LINK,
        Broken(promises.committed_is_durable, 24),
    ),
)
