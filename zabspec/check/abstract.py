"""Atomic broadcast, with no protocol in it: what every run must refine.

There is one sequence of delivered transactions. A primary makes itself ready, one for each epoch,
and not before it has delivered all that the sequence holds of earlier epochs; it broadcasts; anyone
delivers the sequence from its start, or extends it by what was broadcast, if no later epoch has a
primary. That is all. (A primary may be ready late, when a later one already is: its answers were on
their way. It can broadcast, and nobody will ever deliver that.)
"""

from __future__ import annotations

from attrs import evolve, frozen

from zabspec.check.outcomes import Outcome
from zabspec.protocol.effects import Apply, Broadcast, Ready
from zabspec.protocol.state import History, Txn


@frozen(cache_hash=True)
class AtomicBroadcast:
    """broadcast: in order of zxids. delivered: in order. primaries: (epoch, sid), ascending."""

    broadcast: History = ()
    delivered: History = ()
    primaries: tuple[tuple[int, int], ...] = ()

    @property
    def epoch(self) -> int:
        """The latest epoch that has a primary; 0 if none has."""
        return max((epoch for epoch, _ in self.primaries), default=0)


def follow(monitor: AtomicBroadcast, outcome: Outcome) -> tuple[AtomicBroadcast, str | None]:
    """The monitor after what this outcome shows, and what was not allowed; None if all was."""
    refused: str | None = None
    at, sid = len(outcome.before.memory.applied), outcome.before.sid
    for effect in outcome.shown:
        if isinstance(effect, Broadcast):
            refused = refused or _refuse_broadcast(monitor, effect.txn, sid)
            broadcast = sorted({*monitor.broadcast, effect.txn}, key=lambda txn: txn.zxid)
            monitor = evolve(monitor, broadcast=tuple(broadcast))
        elif isinstance(effect, Apply):
            refused = refused or _refuse_delivery(monitor, effect.txn, at)
            if at == len(monitor.delivered):
                monitor = evolve(monitor, delivered=(*monitor.delivered, effect.txn))
            at += 1
        else:
            refused = refused or _refuse_primary(monitor, effect, sid, at)
            primaries = sorted({*monitor.primaries, (effect.epoch, sid)})
            monitor = evolve(monitor, primaries=tuple(primaries))
    return monitor, refused


def _refuse_broadcast(monitor: AtomicBroadcast, txn: Txn, sid: int) -> str | None:
    if (txn.zxid.epoch, sid) not in monitor.primaries:
        return f"{sid} broadcasts {txn.zxid} and is no primary of that epoch"
    if any(
        known.zxid >= txn.zxid for known in monitor.broadcast if known.zxid.epoch == txn.zxid.epoch
    ):
        return f"{txn.zxid} is not behind what its primary broadcast before"
    return None


def _refuse_delivery(monitor: AtomicBroadcast, txn: Txn, at: int) -> str | None:
    if at < len(monitor.delivered):
        expected = monitor.delivered[at]
        return None if expected == txn else f"{txn} is delivered where {expected} was"
    if txn not in monitor.broadcast:
        return f"{txn} is delivered and was never broadcast"
    if txn.zxid.epoch < monitor.epoch:
        return f"{txn} is delivered when epoch {monitor.epoch} already has a primary without it"
    if monitor.delivered and not monitor.delivered[-1].zxid < txn.zxid:
        return f"{txn} is delivered behind {monitor.delivered[-1]}"
    return None


def _refuse_primary(monitor: AtomicBroadcast, ready: Ready, sid: int, at: int) -> str | None:
    if any(epoch == ready.epoch and other != sid for epoch, other in monitor.primaries):
        return f"epoch {ready.epoch} has another primary than {sid}"
    for missing in monitor.delivered[at:]:
        if missing.zxid.epoch < ready.epoch:
            return f"{sid} is ready in epoch {ready.epoch} and lacks {missing}"
    return None
