"""ZOOKEEPER-4712: A learner leaves its role while its log thread still has transactions to log.

A server that leaves a role adds to its memory what the log holds beyond it (since 2845), and votes
with the result. A follower's log thread was stopped only after that (3.4.12 to 3.4.14, 3.5.4 to
3.5.9, 3.6.0 to 3.6.2), later not at all (3.5.10, 3.6.3, 3.7.0 to 3.9.2). What it still logs is on
disk and not in memory: the server votes, and is synced, without transactions that it holds, and
nobody tells it to cut them off. 4541 is what a user saw: an ephemeral node on one of three servers.
The smallest run: 2 proposes a transaction, and crashes before it has it in its own log; 1 leaves
its role while that is still to be logged, and joins 2 as if it had nothing; the next epoch's
transaction is logged behind it; when 1 leaves again, what the log holds beyond its memory is both,
and it serves both. Mended in 3.9.3: the log thread is drained, synced and stopped first.

A leader's log thread was always stopped in time, and is here. A learner's finishes late, which is
the worst that can happen; where it never finishes, a restart of the process shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import leaving, leaving_variants
from zabspec.protocol.disk import SyncLog
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import LinkLost
from zabspec.protocol.state import Ensemble, Leader, Leaving, Server
from zabspec.protocol.zab import BASELINE


def leader_stops_its_log_first(server: Server[Leader], event: LinkLost, ensemble: Ensemble) -> Step:
    step = leaving.leader_loses_learner(server, event, ensemble)
    if not isinstance(step.server.role, Leaving) or not server.disk.unsynced:
        return step
    return Step(step.server, (Write(SyncLog(server.disk.unsynced)), *step.effects))


MODELS = (
    Model(
        "zk-4712",
        "A follower leaves its role and votes before its log thread has logged what it was given;"
        " what is logged late comes to be served.",
        BASELINE.but(
            "zk-4712",
            leaving_variants.server_keeps_memory_but_snap,
            leader_loses_learner=leader_stops_its_log_first,
        ),
        Bounds(servers=2, txns=2, lost_links=1, crashes=1, elections=3),
        Broken(promises.committed_prefixes_agree, 33),
    ),
)


async def _leave(self: Any, threads: Any) -> None:
    """The log is added to memory before a learner's log thread is drained, not after."""
    server, learner = self._role.server, self.follower or self.observer
    served = server.log_thread is not None
    if served and learner is not None:
        self.storage.fast_forward(self.database)
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    if served and learner is None:
        self.storage.fast_forward(self.database)
    if learner is not None and not learner.sync.is_accepted:
        await self.load_database()


CODE: Mapping[str, Callable[..., Any]] = {"impl.quorum_peer:QuorumPeer._leave": _leave}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=1, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
