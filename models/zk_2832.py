"""ZOOKEEPER-2832: a snapshot that is older than the log beside it brings back what no quorum has.

A leader that has loaded a snapshot, and nothing behind it, has an empty window. In the 3.4 line it
then sends SNAP to everybody who has not come exactly as far, so also to a learner that is ahead,
where a TRUNC is due. The learner takes the snapshot, saves it, and keeps its log: when it loads its
disk again, the transactions that were to be cut off are replayed behind the snapshot, and are at
one server only. The story has three servers and three epochs: B logs 2.1 alone; A and C are led in
epoch 3, in which C saves a snapshot that ends in epoch 1; then C leads B, which sends 2.1, and gets
that snapshot. The issue is open; the 3.4 line was never mended. From 3.5.0 on (1413) an empty
window counts as one that begins and ends at the last processed zxid, and a TRUNC is sent. That a
snapshot is saved beside the log it contradicts is so to this day (2846).

The shortest run needs no third epoch, and an empty snapshot does: who joins a new leader before it
serves is not compared with it any more. It ends when the server serves again, at 2.1 as the others
are, with 1.1 before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import LINKS, Against, Good
from zabspec.protocol import discovery, synchronization
from zabspec.protocol.disk import InstallSnapshot, SaveSnapshot
from zabspec.protocol.effects import Effect, Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import AckEpoch, NewLeader, Snap, Trunc
from zabspec.protocol.state import Ensemble, Follower, Leader, Server
from zabspec.protocol.zab import COARSE


def snaps_first(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    return _without_trunc(server, discovery.leader_counts_promise(server, event, ensemble))


def snaps_late(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    return _without_trunc(
        server, synchronization.leader_syncs_late_learner(server, event, ensemble)
    )


def _without_trunc(server: Server[Leader], step: Step) -> Step:
    database = server.memory.database
    if database.window:
        return step
    effects: tuple[Effect, ...] = tuple(
        Send(one.connection, Snap(database.zxid, database.holds))
        if isinstance(one, Send) and isinstance(one.packet, Trunc)
        else one
        for one in step.effects
    )
    return evolve(step, effects=effects)


def keeps_its_log(server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    effects: tuple[Effect, ...] = tuple(
        Write(SaveSnapshot(one.change.snapshot))
        if isinstance(one, Write) and isinstance(one.change, InstallSnapshot)
        else one
        for one in step.effects
    )
    return evolve(step, effects=effects)


MODELS = (
    Model(
        "zk-2832",
        "A leader with an empty window sends SNAP where TRUNC is due, and the log is kept (2832).",
        COARSE.but(
            "zk-2832",
            leader_counts_promise=snaps_first,
            leader_syncs_late_learner=snaps_late,
            learner_accepts_leader=keeps_its_log,
        ),
        Bounds(servers=3, txns=2, elections=2, limits=2),
        Broken(promises.committed_prefixes_agree, 36),
        slow=True,
    ),
)


def sync_follower(peer: int, history: Any, *, force_snapshot: bool = False) -> Any:
    decide = sys.modules["impl.sync_follower"].sync_follower
    plan = decide(peer, history, force_snapshot=force_snapshot)
    is_cut = not history.window and plan.branch == "ahead"
    return decide(peer, history, force_snapshot=True) if is_cut else plan


async def install(self: Any, database: Any) -> str:
    return str(await self.save(database))


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.leader:sync_follower": sync_follower,
    "impl.storage:Storage.install": install,
}
"""The first by the name by which the leader calls it."""

AGAINST = Against(
    rows=Good(Bounds(servers=3, txns=1, lost_links=1, elections=1)), lockstep=Good(LINKS)
)
