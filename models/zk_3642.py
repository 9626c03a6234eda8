"""ZOOKEEPER-3642: A learner lost in the middle of a SNAP sync keeps the snapshot, in memory only.

Since 2678 (3.4.10, 3.5.3, 3.6.0) memory outlives a role. A SNAP replaces memory when it is read and
the disk only at NEWLEADER. A learner that loses its leader in between answers the next one with the
snapshot's zxid, and is sent a DIFF from there: no snapshot is saved any more, and what it logs from
then on stands behind a hole. A restart loses what was in the hole. The smallest run: 3, an
observer, comes late and is sent the first transaction as a SNAP; its link is lost before NEWLEADER;
it comes back, is sent the second as a DIFF, logs that, and restarts: it serves the second without
the first. Mended in 3.5.10, 3.6.3 and 3.7.0: a half-taken SNAP is dropped, and the disk loaded.

Everything else about leaving is as in 3.9.4: the log thread is drained, and what the log holds
beyond memory is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import leaving_variants
from zabspec.protocol.effects import Step
from zabspec.protocol.events import RoleEnded
from zabspec.protocol.state import Ensemble, Leaving, Server
from zabspec.protocol.zab import COARSE


def keeps_half_a_snapshot(server: Server[Leaving], event: RoleEnded, ensemble: Ensemble) -> Step:
    whatever = server.playing(evolve(server.role, kind=None))
    return leaving_variants.server_drains_then_keeps_memory(whatever, event, ensemble)


MODELS = (
    Model(
        "zk-3642",
        "A learner that was lost after a SNAP keeps it in memory alone; a DIFF follows, and a"
        " restart loses what the SNAP brought.",
        COARSE.but("zk-3642", server_leaves_role=keeps_half_a_snapshot),
        Bounds(servers=2, observers=1, txns=2, lost_links=1, crashes=1, elections=1),
        Broken(promises.committed_prefixes_agree, 40),
    ),
)


async def _leave(self: Any, threads: Any) -> None:
    """Memory stays, whatever kind of sync was under way; if it served, the log is added to it."""
    server = self._role.server
    served = server.log_thread is not None
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    if served:
        self.storage.fast_forward(self.database)


CODE: Mapping[str, Callable[..., Any]] = {"impl.quorum_peer:QuorumPeer._leave": _leave}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=1, lost_links=2, elections=2)), lockstep=Good(PAIR)
)
