"""ZOOKEEPER-4925: What a learner applies in a sync is not in its window, and it ships the hole.

The mending of 4394 in 3.9.3 applies, at NEWLEADER, what a DIFF brought, by a way that leaves the
window (the committedLog) as it was. Memory outlives the role, and so does the hole. When the server
leads, it sends a learner that is within the window a DIFF without what is in the hole, and the
learner believes to have everything. Only 3.9.3 does so after a DIFF; after a TRUNC with committed
transactions others did, too. The smallest run has 1, 2 and an observer, 3: the second transaction
reaches the log of 1 alone, because 2 crashes; 1 leads, and 2 gets it as a DIFF, 3 with a SNAP; 2
leads, its window ends before the second, and 3 is told to cut that off, though it is committed (a
learner without it would be told that nothing is missing); then the third follows. In the issue's
test the learner is a follower, and with it a quorum may lose what was committed. Mended in 3.9.4:
the window is filled, and a proposal that leaves a gap ends the sync.

Leaving is as in 3.9.3: where memory were loaded from disk, so would the window be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import leaving_variants, synchronization
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.zab import COARSE


def applies_past_the_window(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    memory = evolve(
        step.server.memory,
        database=evolve(step.server.memory.database, window=server.memory.database.window),
    )
    return Step(evolve(step.server, memory=memory), step.effects)


MODELS = (
    Model(
        "zk-4925",
        "A learner applies what a DIFF brought, does not put it into its window, and as a leader"
        " sends others a DIFF with that hole.",
        COARSE.but(
            "zk-4925",
            leaving_variants.server_drains_then_keeps_memory,
            learner_accepts_leader=applies_past_the_window,
        ),
        Bounds(servers=2, observers=1, txns=3, lost_links=1, crashes=1, elections=3),
        Broken(promises.committed_prefixes_agree, 52),
        slow=True,
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """What is committed goes to the log and into memory, and not into the window."""
    peer = self._peer
    if self.kind is not None and self.kind.name == "SNAP":
        await peer.storage.install(peer.database)
    settled = self._take_committed()
    if self._logs:
        for request in settled:
            peer.storage.append(request.payload)
        await peer.storage.commit()
    for request in settled:
        peer.database.process_txn(request.transaction)
    await peer.set_current_epoch(epoch)


def add_committed_proposal(self: Any, zxid: int, payload: bytes) -> None:
    """Whatever comes is put at the end of the window, a gap before it or not."""
    proposal_type = sys.modules[type(self).__module__].CommittedProposal
    if self.committed_log and zxid <= self.max_committed_log:
        return
    self.committed_log.append(proposal_type(zxid, payload))
    if len(self.committed_log) > self.commit_log_count:
        self.committed_log.popleft()
    self.min_committed_log, self.max_committed_log = self.committed_log[0].zxid, zxid


async def _leave(self: Any, threads: Any) -> None:
    """Memory stays, window and all; if the server had served, the log is added to it."""
    server, learner = self._role.server, self.follower or self.observer
    served = server.log_thread is not None
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    kind = learner.sync.kind if learner is not None else None
    if kind is not None and kind.name == "SNAP" and not learner.sync.is_accepted:
        await self.load_database()
    elif served:
        self.storage.fast_forward(self.database)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync._settle": _settle,
    "impl.database:Database.add_committed_proposal": add_committed_proposal,
    "impl.quorum_peer:QuorumPeer._leave": _leave,
}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
