"""What Zab promises, each promise a property, in the order in which a broken one is reported.

Where a promise comes from the paper (DSN 2011), its section II and III names are in the docstring.
"""

from __future__ import annotations

from itertools import pairwise

from zabspec.check import abstract
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.outcomes import AnyServer, Outcome, written
from zabspec.check.properties import NOT_STUCK, Answer, always, every_step, recoverable
from zabspec.check.sights import (
    applied_by,
    broadcast_by,
    broadcasting,
    durable_on,
    held_when_ready,
    led_by,
    made_ready,
    ready_in,
    rewritten,
    serving,
    what_is_shown,
)
from zabspec.protocol.effects import Apply, Broadcast, Impossible, Send, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, AckEpoch, LeaderInfo, NewLeader
from zabspec.protocol.state import ZERO, Disk, Ensemble, Failed, History, Phase

Servers = tuple[AnyServer, ...]


@every_step("no rule meets what it calls impossible")
def no_impossibility(outcome: Outcome) -> Answer:
    """Neither an effect `Impossible`, nor an exception raised by a rule."""
    return not any(isinstance(effect, Impossible) for effect in outcome.effects)


@every_step("accepted and current epochs never go back")
def epochs_never_go_back(outcome: Outcome) -> Answer:
    """Not even over a crash: both are on disk."""
    before, after = outcome.before.disk, outcome.after.disk
    was = before.accepted_epoch, before.current_epoch
    now = after.accepted_epoch, after.current_epoch
    return None if was == now else was[0] <= now[0] and was[1] <= now[1]


@always("the current epoch is not later than the accepted epoch")
def current_within_accepted(server: AnyServer) -> Answer:
    """Nobody accepts the history of a leader that it did not promise to follow."""
    disk = server.disk
    return disk.current_epoch <= disk.accepted_epoch if disk.current_epoch else None


@every_step("what is acknowledged is durable")
def acknowledged_is_durable(outcome: Outcome) -> Answer:
    """When an ACKEPOCH or ACK leaves, what it vouches for survives a crash at that moment."""
    answers = [
        _vouched(outcome, effect.packet, written(outcome.before.disk, outcome.effects[:number]))
        for number, effect in enumerate(outcome.effects)
        if isinstance(effect, Send) and isinstance(effect.packet, AckEpoch | Ack)
    ]
    return all(answers) if answers else None


def _vouched(outcome: Outcome, packet: AckEpoch | Ack, disk: Disk) -> bool:
    asked = outcome.event.packet if isinstance(outcome.event, Received) else None
    if isinstance(packet, AckEpoch):
        return isinstance(asked, LeaderInfo) and disk.accepted_epoch >= asked.epoch
    if packet.zxid.counter:
        return packet.zxid in {txn.zxid for txn in disk.durable}
    return disk.current_epoch == packet.zxid.epoch and _accepted(outcome, disk)


def _accepted(outcome: Outcome, disk: Disk) -> bool:
    asked = outcome.event.packet if isinstance(outcome.event, Received) else None
    if not isinstance(asked, NewLeader):
        return True
    if asked.history is not None:
        return asked.history == disk.durable
    return set(outcome.after.memory.database.holds) <= set(disk.durable)


@always("histories have no gaps")
def no_gaps(server: AnyServer) -> Answer:
    """In each epoch the counters are 1, 2, 3, ... and epochs ascend."""
    snapshots = server.disk.snapshots
    start = snapshots[-1].zxid if snapshots else ZERO
    zxids = [start, *(txn.zxid for txn in server.disk.log if txn.zxid > start)]
    return all(a.leads_to(b) for a, b in pairwise(zxids)) if len(zxids) > 1 else None


@every_step("an epoch has at most one established leader", looks_at=made_ready)
def one_leader_an_epoch(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """Of all that ever were, not only of those that are."""
    epochs = ready_in(outcome)
    others = [sid for epoch, sid in monitor.primaries if epoch in epochs]
    return all(sid == outcome.before.sid for sid in others) if epochs else None


@every_step(
    "a leader holds every committed transaction of earlier epochs before it serves",
    looks_at=held_when_ready,
)
def leader_is_complete(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """Of what anyone delivered."""
    for epoch in ready_in(outcome):
        earlier = [txn for txn in monitor.delivered if txn.zxid.epoch < epoch]
        return set(earlier) <= set(outcome.after.disk.held()) if earlier else None
    return None


@every_step("no committed transaction is truncated", looks_at=rewritten)
def nothing_committed_is_truncated(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """A server that has made durable what anyone delivered keeps it.

    One leader may cut it off: that of the transaction's own epoch, who sends it anew. ZooKeeper's
    does, to a follower that comes back with proposals that are still outstanding.
    """
    if not any(isinstance(effect, Write) for effect in outcome.effects):
        return None
    before = outcome.before.disk
    held = {
        txn
        for txn in set(before.durable).intersection(monitor.delivered)
        if txn.zxid.epoch < before.accepted_epoch
    }
    return held <= set(outcome.after.disk.durable) if held else None


@every_step("what is delivered was broadcast, with its content", looks_at=what_is_shown)
def integrity(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """Integrity (II)."""
    known = {*monitor.broadcast, *(e.txn for e in outcome.effects if isinstance(e, Broadcast))}
    delivered = _applied(outcome)
    return known.issuperset(delivered) if delivered else None


@always("committed prefixes agree", looks_at=applied_by)
def committed_prefixes_agree(server: AnyServer, other: AnyServer) -> Answer:
    """Of two servers, one has delivered a prefix of what the other has."""
    mine, others = server.memory.applied, other.memory.applied
    shared = min(len(mine), len(others))
    return mine[:shared] == others[:shared] if shared else None


@always("of two servers, one has delivered all that the other has", looks_at=applied_by)
def agreement(server: AnyServer, other: AnyServer) -> Answer:
    """Agreement (II)."""
    mine, others = set(server.memory.applied), set(other.memory.applied)
    return mine <= others or others <= mine if mine and others else None


@always("all servers deliver in one order", looks_at=applied_by)
def total_order(server: AnyServer, other: AnyServer) -> Answer:
    """Total order (II): who delivers b, and sees a before b anywhere, delivers a before b."""
    mine, others = server.memory.applied, other.memory.applied
    if not (set(mine) & set(others)):
        return None
    return _keeps_order(mine, others) and _keeps_order(others, mine)


def _keeps_order(order: History, delivered: History) -> bool:
    return all(
        set(order[: order.index(txn)]) <= set(delivered[:number])
        for number, txn in enumerate(delivered)
        if txn in order
    )


@always("what a primary broadcast is delivered in the order it did", looks_at=applied_by)
def local_primary_order(server: AnyServer, monitor: AtomicBroadcast) -> Answer:
    """Local primary order (III): who delivers b delivered all that b's primary broadcast before."""
    applied = server.memory.applied
    pairs = [
        (number, earlier)
        for number, txn in enumerate(applied)
        for earlier in monitor.broadcast
        if earlier.zxid.epoch == txn.zxid.epoch and earlier.zxid < txn.zxid
    ]
    return all(earlier in applied[:number] for number, earlier in pairs) if pairs else None


@always("earlier epochs are delivered first")
def global_primary_order(server: AnyServer) -> Answer:
    """Global primary order (III)."""
    epochs = [txn.zxid.epoch for txn in server.memory.applied]
    return epochs == sorted(epochs) if len(set(epochs)) > 1 else None


@every_step(
    "a primary has delivered what earlier epochs committed before it broadcasts",
    looks_at=broadcasting,
)
def primary_integrity(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """Primary integrity (III)."""
    broadcast = broadcast_by(outcome)
    earlier = {t for b in broadcast for t in monitor.delivered if t.zxid.epoch < b.zxid.epoch}
    return earlier <= set(outcome.before.memory.applied) if earlier else None


@always("a served read never goes back", looks_at=serving)
def reads_never_go_back(server: AnyServer, monitor: AtomicBroadcast) -> Answer:
    """Monotonic read: whoever serves at a zxid shows all that was ever delivered up to it.

    A client goes to another server only if that is not behind what it has seen, by zxid.
    """
    database = server.memory.database
    if server.role.phase is not Phase.BROADCAST or not database.holds:
        return None
    seen = {txn for txn in monitor.delivered if txn.zxid <= database.zxid}
    return seen <= set(server.memory.applied)


@always("a server that stops can start again")
def starts_again(server: AnyServer) -> Answer:
    """Whatever a crash leaves on its disk, it can be read."""
    return not isinstance(server.role, Failed) if server.disk.accepted_epoch else None


@always("what is committed is durable on a quorum", looks_at=durable_on)
def committed_is_durable(servers: Servers, monitor: AtomicBroadcast, ensemble: Ensemble) -> Answer:
    """Whatever anyone delivered, a quorum has it on disk, now and ever after."""
    if not monitor.delivered:
        return None
    return all(
        ensemble.is_quorum(one.sid for one in servers if txn in one.disk.durable)
        for txn in monitor.delivered
    )


@every_step("the run refines abstract atomic broadcast", looks_at=what_is_shown)
def refines(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """See `zabspec.check.abstract`."""
    return abstract.follow(monitor, outcome)[1] is None if outcome.shown else None


@recoverable("a quorum comes to be led once there are no more faults", looks_at=led_by)
def quorum_is_led(servers: Servers, ensemble: Ensemble) -> Answer:
    """An established leader, and with it a quorum that is up to date. Asked for by name."""
    led = [(one.sid, led_by(one)) for one in servers]
    return any(
        ensemble.is_quorum(sid for sid, by in led if by == leader)
        for leader in {by for _, by in led if by}
        if (leader, leader) in led
    )


PROMISES = (
    no_impossibility,
    epochs_never_go_back,
    current_within_accepted,
    acknowledged_is_durable,
    no_gaps,
    one_leader_an_epoch,
    leader_is_complete,
    nothing_committed_is_truncated,
    integrity,
    committed_prefixes_agree,
    agreement,
    total_order,
    local_primary_order,
    global_primary_order,
    primary_integrity,
    reads_never_go_back,
    starts_again,
    committed_is_durable,
    refines,
    NOT_STUCK,
)
"""Every promise. The paper's grain has no database, so that its reads are not asked about."""


def _applied(outcome: Outcome) -> History:
    return tuple(effect.txn for effect in outcome.shown if isinstance(effect, Apply))
