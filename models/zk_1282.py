"""ZOOKEEPER-1282: A follower acknowledges NEWLEADER before it has written `currentEpoch`.

In the first implementation of Zab 1.0, before 3.4.0, a learner wrote it at UPTODATE. A leader may
serve, and clients see its history, while those who acknowledged that still say in elections that
they are of an earlier epoch. The smallest run: 2 leads, 1 serves with it, and 2 alone logs a
transaction; 2 leads again, together with 3, which acknowledges that history, so that clients see
it; 2 and 3 lose each other before UPTODATE; 1 and 3 elect 1, whose epoch is the later one of the
two, and 3 is told to cut off what clients have seen. One commit mended this, and 1291.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import synchronization
from zabspec.protocol.disk import CurrentEpoch
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader, UpToDate
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.zab import COARSE


def accepts_without_epoch(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    epoch = Write(CurrentEpoch(event.packet.epoch))
    return evolve(step, effects=tuple(one for one in step.effects if one != epoch))


def writes_epoch_as_it_serves(
    server: Server[Follower], event: Received[UpToDate], ensemble: Ensemble
) -> Step:
    epoch = server.disk.accepted_epoch
    later = evolve(server, disk=evolve(server.disk, current_epoch=epoch))
    step = synchronization.learner_serves(later, event, ensemble)
    serving = evolve(step.server, disk=server.disk)
    return Step(serving, (Write(CurrentEpoch(epoch)), *step.effects))


MODELS = (
    Model(
        "zk-1282",
        "A follower acknowledges NEWLEADER and writes currentEpoch only at UPTODATE; an earlier"
        " leader's epoch wins over it, and cuts off what clients have seen.",
        COARSE.but(
            "zk-1282",
            learner_accepts_leader=accepts_without_epoch,
            learner_serves=writes_epoch_as_it_serves,
        ),
        Bounds(servers=3, txns=1, lost_links=2, elections=3),
        Broken(promises.nothing_committed_is_truncated, 26),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """Everything but the epoch."""
    del epoch
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
        peer.database.add_committed_proposal(request.zxid, request.payload)


async def _sync_with_leader(self: Any, epoch: int) -> None:
    """The epoch is written at UPTODATE."""
    await self._take(await self._learner.read_packet())
    self._peer.init_config_in_database()
    while True:
        packet = await self._learner.read_packet()
        if packet.name == "UPTODATE":
            break
        if packet.name == "NEWLEADER":
            await self._accept_leader(packet, epoch)
        else:
            self._keep(packet)
    await self._peer.set_current_epoch(epoch)
    await self._serve(epoch)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync._settle": _settle,
    "impl.learner_sync:LearnerSync.sync_with_leader": _sync_with_leader,
}

AGAINST = Against(rows=Good(Bounds(servers=2, txns=0, elections=1)))
