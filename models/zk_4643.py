"""ZOOKEEPER-4643: A follower writes `currentEpoch` before the history of the epoch's leader.

At NEWLEADER everything since 2678 (3.4.10, 3.5.3, 3.6.0) wrote the epoch's file first and the
transactions of a DIFF after it. A crash between the two leaves a server that says it accepted an
epoch whose history it does not have. Elections compare epochs first: it wins over those who have
the history, and cuts off what they committed. The smallest run: 1 and 2 commit a transaction, 3 is
away; 3 comes to 1, which leads a new epoch, and crashes right after it wrote that; 2 and 3 elect 3,
which sends 2 a TRUNC. Mended in 3.8.5 and 3.9.2 (4785): log, sync, then the epoch. That order needs
an answer of its own to a crash in between: see 1653.

In the run that is found, 3 has nothing yet and is sent a SNAP. So the epoch stands before that too
here: a snapshot was written first, but not synced before 2872 (3.5.10, 3.6.0). After a DIFF, to a
server that has a transaction and misses the next, it takes one more lost link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import synchronization
from zabspec.protocol.disk import CurrentEpoch
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.zab import COARSE


def epoch_before_history(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    epoch = Write(CurrentEpoch(event.packet.epoch))
    return Step(step.server, (epoch, *(one for one in step.effects if one != epoch)))


MODELS = (
    Model(
        "zk-4643",
        "A follower writes currentEpoch, crashes before it has the history, and wins the next"
        " election with that epoch.",
        COARSE.but("zk-4643", learner_accepts_leader=epoch_before_history),
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Broken(promises.nothing_committed_is_truncated, 26),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    peer = self._peer
    await peer.set_current_epoch(epoch)
    if self.kind is not None and self.kind.name == "SNAP":
        await peer.storage.install(peer.database)
    settled = self._take_committed()
    if self._logs:
        for request in settled:
            peer.storage.append(request.payload)
        await peer.storage.commit()
    for request in settled:
        peer.database.process_txn(request.transaction)
        peer.database.add_committed_proposal(request.zxid, request.payload)


CODE: Mapping[str, Callable[..., Any]] = {"impl.learner_sync:LearnerSync._settle": _settle}

AGAINST = Against(
    rows=Good(Bounds(servers=2, observers=1, txns=1, crashes=1, elections=1)),
    lockstep=Good(Bounds(servers=2, observers=2, txns=6, lost_links=4, crashes=4, elections=8)),
    with_cuts=True,
)
