"""ZOOKEEPER-2678: To start sooner, learners save no snapshot after a DIFF and keep their memory.

With a large database, loading the disk at each election and saving a snapshot at each NEWLEADER
took minutes. Since 3.4.10, 3.5.3 and 3.6.0 memory outlives a role, and what a DIFF brings is only
logged once UPTODATE has come. It is no bug that a user reported; it took away two things that the
rest relied on, and each has cost bugs of its own to this day.

zk-2678-a: "the ACK of NEWLEADER implies a durable history". A leader serves once a quorum has
acknowledged; what it shows then may be on its own disk alone. The smallest run: 2 alone logs a
second transaction, leads again with 1, which is sent it as a DIFF and acknowledges, and serves it.
3911 is the loss that follows; 4643, 4646 and 4785 are what its mending left.

zk-2678-b: "memory equals disk at the start of a sync". The smallest run: an observer is sent a
SNAP, which is in memory only until NEWLEADER, and loses its link; it comes back with the leader's
zxid, is sent an empty DIFF, and acknowledges what is on no disk of its own. The same assumption
fails the other way round, with memory behind the log, in 2845; 3642 and 5094 are what follows from
this way.

Each model has one of the two and is otherwise done right; a TRUNC or SNAP is saved as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import acceptance, leaving, synchronization
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Received, RoleEnded
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.state import Ensemble, Follower, Kind, Leaving, Memory, Server
from zabspec.protocol.zab import COARSE


def logs_diff_after_uptodate(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    if synchronization.sync_of(server).kind is Kind.DIFF:
        return acceptance.learner_acks_before_it_logs(server, event, ensemble)
    return synchronization.learner_accepts_leader(server, event, ensemble)


def keeps_memory(server: Server[Leaving], event: RoleEnded, ensemble: Ensemble) -> Step:
    step = leaving.server_leaves_role(server, event, ensemble)
    kept = Memory((), server.memory.database)
    looking = Server(step.server.sid, step.server.disk, kept, step.server.role)
    return Step(looking, step.effects)


MODELS = (
    Model(
        "zk-2678-a",
        "A follower acknowledges NEWLEADER with what the DIFF brought in no log yet, and its leader"
        " shows that to clients.",
        COARSE.but("zk-2678-a", learner_accepts_leader=logs_diff_after_uptodate),
        Bounds(servers=2, txns=2, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 23),
    ),
    Model(
        "zk-2678-b",
        "Who leaves a role keeps its memory as it is, and the next sync takes it for what is on"
        " disk.",
        COARSE.but("zk-2678-b", server_leaves_role=keeps_memory),
        Bounds(servers=2, observers=1, txns=1, lost_links=1, elections=1),
        Broken(promises.acknowledged_is_durable, 26),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """After a DIFF nothing is logged: `_serve` hands the log thread what the lists still hold."""
    peer, kind = self._peer, self.kind and self.kind.name
    if kind == "SNAP":
        await peer.storage.install(peer.database)
    settled = [] if kind == "DIFF" else self._take_committed()
    if self._logs:
        for request in settled:
            peer.storage.append(request.payload)
        await peer.storage.commit()
    for request in settled:
        peer.database.process_txn(request.transaction)
        peer.database.add_committed_proposal(request.zxid, request.payload)
    await peer.set_current_epoch(epoch)


async def _leave(self: Any, threads: Any) -> None:
    """Memory stays as it is."""
    server = self._role.server
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync._settle": _settle,
    "impl.quorum_peer:QuorumPeer._leave": _leave,
}

AGAINST = Against(rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)))
