"""ZOOKEEPER-4685: A leader takes the log thread's ACK of a transaction for the ACK of NEWLEADER.

The first repair of 3911 (3.5.10, 3.6.3, 3.7.0, 3.8.0 to 3.8.4, 3.9.0, 3.9.1) gives the transactions
of a sync to the follower's log thread before NEWLEADER is acknowledged, and that thread
acknowledges each of them as soon as it is synced: perhaps first. The leader reads exactly one ACK.
If that is not NEWLEADER's, it logs an error, does not count it, and waits with that follower for
the start of service; the true ACK, read later, is passed over. So a leader that waits for a quorum
waits in vain. The smallest run has two servers: a transaction is on the disk of 2 alone; 2 leads
again; 1 logs it, acknowledges it, and only then NEWLEADER. In ZooKeeper both look for a leader
again after initLimit, and may meet the same. (With three servers it takes both others, and 45
steps.) Mended in 3.8.5 and 3.9.2 (4785):
transactions of the sync are acknowledged behind UPTODATE's ACK. The leader's half is still there.

A race is not left open here, it is always lost: the log thread comes first, for every transaction
that is committed. (What is proposed and not committed is left out.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.properties import NOT_STUCK
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import synchronization, variants
from zabspec.protocol.disk import AppendSynced
from zabspec.protocol.effects import Send, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, NewLeader
from zabspec.protocol.rules import on
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.synchronization import SYNCHRONIZATION
from zabspec.protocol.zab import COARSE


@on(Follower, SYNCHRONIZATION, NewLeader)
def log_thread_acknowledges_first(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    *writes, acknowledge = step.effects
    acks = [
        Send(event.connection, Ack(txn.zxid))
        for one in writes
        if isinstance(one, Write) and isinstance(one.change, AppendSynced)
        for txn in one.change.txns
    ]
    return evolve(step, effects=(*writes, *acks, acknowledge))


MODELS = (
    Model(
        "zk-4685",
        "Followers acknowledge what they were sent before they acknowledge NEWLEADER, and their"
        " leader waits for that for ever.",
        COARSE.but("zk-4685", log_thread_acknowledges_first, variants.leader_misses_new_leader_ack),
        Bounds(servers=2, txns=2, lost_links=1, elections=2),
        Broken(NOT_STUCK, 24),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """Also: what is logged is acknowledged, before NEWLEADER is."""
    peer, packets = self._peer, sys.modules["impl.packets"]
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
        if not self._learner.observes:
            ack = packets.QuorumPacket(packets.PacketType.ACK, request.zxid)
            self._learner.write_packet(ack)
    await peer.set_current_epoch(epoch)


async def _read_new_leader_ack(self: Any, zxid: int) -> None:
    """Read one ACK. Whose it is not NEWLEADER's waits for the start of service, not counted."""
    handlers = sys.modules["impl.learner_handler"]
    packet = await self._read_packet()
    if packet.type != handlers.PacketType.ACK:
        why = f"next packet was to be an ACK, but is {packet.name}"
        raise handlers.LearnerRefused(why)
    if packet.zxid != zxid:
        await self._leader.barriers.wait_for_startup(self)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync._settle": _settle,
    "impl.learner_handler:LearnerHandler._read_new_leader_ack": _read_new_leader_ack,
}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
