"""ZOOKEEPER-4646: A follower's ACK of NEWLEADER overtakes the log thread that has the history.

The first repair of 3911 (3.5.10, 3.6.3, 3.7.0, all of 3.8 up to 3.8.4, 3.9.0, 3.9.1) hands the
transactions of a DIFF to the log thread before the ACK of NEWLEADER, and does not wait for it. A
loss of power behind the ACK takes what that vouches for. The smallest run is that of 3911 with a
crash in it: 1 and 2 have a transaction, 2 alone has the next; 2 leads again, together with 1, which
acknowledges and has not synced; clients of 2 see both; 1 crashes; 1 and 3 elect 1, which has lost
the second. Mended in 3.8.5 and 3.9.2 (4785), which append and sync on the learner's own thread.

Here the epoch is written where it should be, and the log thread tells nobody of what it syncs
before service (see 4643, 4685 for what those releases did).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import synchronization
from zabspec.protocol.disk import Append, AppendSynced, SyncLog
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import LogSynced, Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.rules import on
from zabspec.protocol.state import Ensemble, Follower, Observer, Server
from zabspec.protocol.synchronization import SYNCHRONIZATION
from zabspec.protocol.zab import BASELINE


@on(Follower, SYNCHRONIZATION, NewLeader)
@on(Observer, SYNCHRONIZATION, NewLeader)
def learner_does_not_wait(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    unsynced = tuple(
        Write(Append(one.change.txns))
        if isinstance(one, Write) and isinstance(one.change, AppendSynced)
        else one
        for one in step.effects
    )
    return evolve(step, effects=unsynced)


@on(Follower, SYNCHRONIZATION, LogSynced)
@on(Observer, SYNCHRONIZATION, LogSynced)
def log_thread_syncs(server: Server[Follower], event: LogSynced, _ensemble: Ensemble) -> Step:
    return Step(server, (Write(SyncLog(event.upto)),))


SPEC = BASELINE.but("zk-4646", learner_does_not_wait, log_thread_syncs)

MODELS = (
    Model(
        "zk-4646",
        "A follower acknowledges NEWLEADER before its log thread has synced, and loses power; who"
        " leads next lacks what clients have seen.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=1, crashes=1, elections=3),
        Broken(promises.leader_is_complete, 31),
        slow=True,
    ),
    Model(
        "zk-4646-b",
        "The same: what clients see of a new leader is on its disk alone.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 23),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """The sync of the log is a thread of its own, that nobody waits for."""
    peer = self._peer
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
    await peer.set_current_epoch(epoch)


CODE: Mapping[str, Callable[..., Any]] = {"impl.learner_sync:LearnerSync._settle": _settle}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
