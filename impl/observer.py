"""Observing: a learner without a vote, which is told what is committed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from impl.learner import Learner
from impl.learner_sync import LearnerSync
from impl.packets import PacketType, QuorumPacket
from impl.payloads import informed_and_activated
from impl.requests import Request, committed_request
from impl.transactions import decode_transaction
from impl.zxids import zxid_text

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads

LOG = logging.getLogger(__name__)


class Observer(Learner):
    """Models Observer."""

    def __init__(self, peer: QuorumPeer, threads: Threads) -> None:
        super().__init__(peer, threads, observes=True)
        self.sync = LearnerSync(self)

    async def observe_leader(self, sid: int) -> NoReturn:
        """Connect, register, synchronize, then read until something ends it.

        Models Observer.observeLeader.
        """
        self.peer.enter_discovery()
        await self.connect_to_leader(sid)
        epoch = await self.register_with_leader()
        self.peer.enter_synchronization()
        await self.sync.sync_with_leader(epoch)
        while True:
            self.process_packet(await self.read_packet())

    def process_packet(self, packet: QuorumPacket) -> None:
        """Models Observer.processPacket."""
        match packet.type:
            case PacketType.INFORM:
                self.server.commit_request(_informed(packet.data))
            case PacketType.INFORMANDACTIVATE:
                designated_leader, payload = informed_and_activated(packet)
                request = _informed(payload)
                self.peer.see_proposal(request)
                self.peer.activate((request,), designated_leader)
                self.server.commit_request(request)
            case PacketType.PING:
                self.ping(packet)
            case PacketType.REVALIDATE:
                self.revalidate(packet)
            case PacketType.SYNC:
                self.server.sync()
            case _:
                LOG.info("unexpected %s %s", packet.name, zxid_text(packet.zxid))


def _informed(payload: bytes | None) -> Request:
    return committed_request(decode_transaction(payload, "INFORM data"), payload or b"")
