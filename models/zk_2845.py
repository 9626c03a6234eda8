"""ZOOKEEPER-2845: A server that leaves its role forgets what is in its log and was never applied.

Since 2678 (3.4.10, 3.5.3) memory outlives a role. A transaction that was logged and not committed
is on disk, not in memory; a server that keeps its memory votes with the zxid before it, and answers
its next leader with that. The story of the issue, zk-2845: an old leader logged a transaction
alone, comes back as if it had not, and goes on logging behind it; a restart of the process brings
it back, on this server only. Mended in 3.4.12, 3.5.4 and 3.6.0: who leaves a role reads into memory
what the log holds beyond it (and so made 4712).

With a third server the search finds a worse end without a restart, zk-2845-b: 1 logs and
acknowledges a transaction, with which 2 commits it; the link is lost before the COMMIT arrives; 1
forgets, is elected by 3, and leads an epoch that lacks what clients of 2 have seen.

Of a half-taken SNAP the
memory is dropped here, so that 3642 is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import leaving
from zabspec.protocol.effects import Step
from zabspec.protocol.events import RoleEnded
from zabspec.protocol.state import Ensemble, Kind, Leaving, Memory, Server
from zabspec.protocol.zab import COARSE


def forgets_its_log(server: Server[Leaving], event: RoleEnded, ensemble: Ensemble) -> Step:
    step = leaving.server_leaves_role(server, event, ensemble)
    if server.role.kind is Kind.SNAP:
        return step
    kept = Memory((), server.memory.database)
    looking = Server(step.server.sid, step.server.disk, kept, step.server.role)
    return Step(looking, step.effects)


FORGETS_LOG = COARSE.but("zk-2845", server_leaves_role=forgets_its_log)

MODELS = (
    Model(
        "zk-2845",
        "Who leaves a role goes on as if what it logged and never applied were not there, and a"
        " restart brings that back.",
        FORGETS_LOG,
        Bounds(servers=2, txns=2, lost_links=1, crashes=1, elections=3),
        Broken(promises.committed_prefixes_agree, 34),
    ),
    Model(
        "zk-2845-b",
        "The same: it votes and leads as if what it acknowledged were not there.",
        FORGETS_LOG,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.committed_prefixes_agree, 26),
    ),
)


async def _leave(self: Any, threads: Any) -> None:
    """Memory stays as it is, and nothing of the log is added; a half-taken SNAP is dropped."""
    server, learner = self._role.server, self.follower or self.observer
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    kind = learner.sync.kind if learner is not None else None
    if kind is not None and kind.name == "SNAP" and not learner.sync.is_accepted:
        await self.load_database()


CODE: Mapping[str, Callable[..., Any]] = {"impl.quorum_peer:QuorumPeer._leave": _leave}

AGAINST = Against(rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)))
