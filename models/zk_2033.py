"""ZOOKEEPER-2033: a leader takes a zxid that only names an epoch for a transaction it lacks.

Once a leader serves, its last processed zxid is epoch.0, and so is that of a follower that it sends
a snapshot. Up to 3.4.6 a leader that had transactions in its window looked at nothing else: e.0 is
behind all of them, or between those of two epochs, and it sent TRUNC, to the last one before e.0.
A follower that had only the snapshot had no log to cut. It failed with an error, came again with
the same zxid, and so for ever: "fails to start after a restart immediately following a new epoch".
The shortest run is that of the issue's test: a transaction of an earlier epoch in the window, a new
epoch, a fresh follower that is sent SNAP e.0, and then restarts. 3.4.7 first asks whether both have
come equally far, and sends an empty DIFF; 3.5.0 (1413) knows such a zxid in every place.

In the model a server that cannot do what a TRUNC asks is one that does not start again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import discovery, synchronization
from zabspec.protocol.effects import CloseAll, Effect, Send, Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import AckEpoch, Diff, Snap, Trunc
from zabspec.protocol.state import Connection, Ensemble, Failed, Follower, Leader, Server, Zxid
from zabspec.protocol.zab import COARSE


def cuts_first(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    return _cutting(server, event, discovery.leader_counts_promise(server, event, ensemble))


def cuts_late(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    step = synchronization.leader_syncs_late_learner(server, event, ensemble)
    return _cutting(server, event, step)


def _cutting(server: Server[Leader], event: Received[AckEpoch], step: Step) -> Step:
    ends = {one.connection: one.upto for one in server.role.learners}
    ends[event.connection] = event.packet.last_zxid
    return evolve(step, effects=tuple(_cut(server, ends, one) for one in step.effects))


def _cut(server: Server[Leader], ends: Mapping[Connection, Zxid], effect: Effect) -> Effect:
    if not isinstance(effect, Send) or not isinstance(effect.packet, Diff | Snap):
        return effect
    peer = ends[effect.connection]
    before = [txn.zxid for txn in server.memory.database.window if txn.zxid < peer]
    if peer.counter or not before:
        return effect
    return Send(effect.connection, Trunc(before[-1]))


def learner_needs_a_log(
    server: Server[Follower], event: Received[Trunc], ensemble: Ensemble
) -> Step:
    if server.disk.log:
        return synchronization.learner_truncates(server, event, ensemble)
    why = f"there is no log to cut behind {event.packet.zxid}"
    return Step(server.playing(Failed(why)), (CloseAll(),))


MODELS = (
    Model(
        "zk-2033",
        "A leader sends TRUNC to a follower whose zxid only names an epoch (2033).",
        COARSE.but(
            "zk-2033",
            leader_counts_promise=cuts_first,
            leader_syncs_late_learner=cuts_late,
            learner_truncates=learner_needs_a_log,
        ),
        Bounds(servers=3, txns=1, crashes=1, elections=2, limits=1),
        Broken(promises.starts_again, 29),
        slow=True,
    ),
)


def sync_follower(peer: int, history: Any, *, force_snapshot: bool = False) -> Any:
    impl = sys.modules["impl.sync_follower"]
    plan = impl.sync_follower(peer, history, force_snapshot=force_snapshot)
    before = [zxid for zxid, _ in history.window if zxid < peer]
    if force_snapshot or impl.counter_of(peer) or not before:
        return plan
    cut = impl.QuorumPacket(impl.PacketType.TRUNC, before[-1])
    return impl.Plan("ahead", (cut, *plan.packets[1:]), plan.upto)


async def truncate_log(self: Any, zxid: int) -> bool:
    names = self.snap_log.names()
    if not any(last <= zxid and self.snap_log.is_valid(name) for last, name in names):
        return False
    for name in (name for last, name in names if last > zxid):
        self._disk.remove(name)
    await self._disk.sync_folder(sys.modules["impl.storage"].VERSION_FOLDER)
    await self.txn_log.truncate(zxid)
    return True


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.leader:sync_follower": sync_follower,
    "impl.storage:Storage.truncate_log": truncate_log,
}
"""The first by the name by which the leader calls it. The second has no remedy for a snapshot
whose name says more than it holds."""

AGAINST = Against(
    rows=Good(Bounds(servers=2, observers=1, txns=1, crashes=1, elections=2, limits=1), COARSE),
    lockstep=Good(Bounds(servers=2, observers=1, txns=4, crashes=4, elections=8, limits=2)),
)
