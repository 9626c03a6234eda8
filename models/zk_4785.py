"""ZOOKEEPER-4785: A follower says that it has an epoch, and that its ACK is good, before it logs.

The report from production of 4643 and 4646 together (3.8.0 to 3.8.4, 3.9.0, 3.9.1): `currentEpoch`
first, then the transactions to the log thread, then the ACK, and nobody waits for the log thread.
ZooKeeper's test DIFFSyncTest has the run, and the search finds the same: a transaction is on the
disks of 1 and 2 while 3 is away; 3 comes to 1, which leads a new epoch, and acknowledges; clients
of 1 see the transaction; 3 fails before it has logged that. Now 1 goes, and 2 comes back: 3 is
elected over it, by its epoch, with the shorter log, and 2 is told to cut off what clients have
seen. Mended in 3.8.5 and 3.9.2: the follower's own thread appends and syncs, then writes the epoch,
then acknowledges.

Here whatever was sent is made durable behind the ACK, a snapshot too, so that one transaction is
enough; in `CODE` it is the log's sync, as it was. What is proposed and not committed is left out
(4685).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import synchronization
from zabspec.protocol.disk import CurrentEpoch
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.zab import COARSE


def learner_acknowledges_before_it_persists(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    *writes, acknowledge = step.effects
    epoch = Write(CurrentEpoch(event.packet.epoch))
    return Step(step.server, (epoch, acknowledge, *(one for one in writes if one != epoch)))


MODELS = (
    Model(
        "zk-4785",
        "A follower writes its epoch, acknowledges, and crashes before it has the history; it wins"
        " by that epoch, and cuts off what the others committed.",
        COARSE.but("zk-4785", learner_accepts_leader=learner_acknowledges_before_it_persists),
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Broken(promises.nothing_committed_is_truncated, 25),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """The epoch first; the sync of the log is a thread of its own, that nobody waits for."""
    peer = self._peer
    await peer.set_current_epoch(epoch)
    if self.kind is not None and self.kind.name == "SNAP":
        await peer.storage.install(peer.database)
    settled = self._take_committed()
    for request in settled:
        if self._logs:
            peer.storage.append(request.payload)
        peer.database.process_txn(request.transaction)
        peer.database.add_committed_proposal(request.zxid, request.payload)
    if settled and self._logs:
        peer._threads.start("sync-history", peer.storage.commit)


CODE: Mapping[str, Callable[..., Any]] = {"impl.learner_sync:LearnerSync._settle": _settle}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
