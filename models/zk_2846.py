"""ZOOKEEPER-2846: After a SNAP the old log stays, and the leader takes it for its history.

A learner that is sent a SNAP saves it beside the log that it has, and goes on logging behind that.
The log has a gap then, where the SNAP came, and may end, before the gap, in transactions that were
never committed. Loading passes over both, since the snapshot is newer. But a leader whose window
does not reach back to what a learner has reads its log from there, and sends what it finds as
committed: the gap, and what nobody ever committed. Open (its pull request was closed) since 3.5.0,
where leaders began to read their log for that (1413). The smallest run has 1, 2 and an observer, 3:
2 alone logs the first transaction, leads again, and sends it to both as a SNAP; the second reaches
1's log only, and 2 crashes; 1 leads, and because its log begins with the second, sends 2, which has
the first in its log, a SNAP; the third is logged by both; 2 leads, and sends 3, which still has the
first only, the third behind it, and clients of 3 never see the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import LINKS, Against, Good
from zabspec.protocol import synchronization
from zabspec.protocol.disk import InstallSnapshot, SaveSnapshot
from zabspec.protocol.effects import Effect, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.zab import COARSE


def saves_beside_the_log(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
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
        "zk-2846",
        "A learner saves a SNAP beside its log, and as a leader sends from that log as if it had"
        " no gap.",
        COARSE.but("zk-2846", learner_accepts_leader=saves_beside_the_log),
        Bounds(servers=2, observers=1, txns=3, lost_links=2, crashes=1, elections=4),
        Broken(promises.committed_prefixes_agree, 59),
        slow=True,
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """A snapshot is added to what is on disk; the log stays, and is gone on with."""
    peer = self._peer
    if self.kind is not None and self.kind.name == "SNAP":
        await peer.storage.save(peer.database)
    settled = self._take_committed()
    if self._logs:
        for request in settled:
            peer.storage.append(request.payload)
        await peer.storage.commit()
    for request in settled:
        peer.database.process_txn(request.transaction)
        peer.database.add_committed_proposal(request.zxid, request.payload)
    await peer.set_current_epoch(epoch)


CODE: Mapping[str, Callable[..., Any]] = {"impl.learner_sync:LearnerSync._settle": _settle}

AGAINST = Against(
    rows=Good(Bounds(servers=3, txns=1, lost_links=1, elections=1, force_snapshot=True)),
    lockstep=Good(evolve(LINKS, force_snapshot=True)),
)
