"""Following: a learner with a vote."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from impl.learner import Learner
from impl.learner_sync import LearnerSync
from impl.packets import PacketType, QuorumPacket
from impl.payloads import commit_designated_leader
from impl.requests import committed_request
from impl.transactions import decode_transaction
from impl.zxids import zxid_text

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads

LOG = logging.getLogger(__name__)


class Follower(Learner):
    """Models Follower."""

    def __init__(self, peer: QuorumPeer, threads: Threads) -> None:
        super().__init__(peer, threads, observes=False)
        self.sync = LearnerSync(self)

    async def follow_leader(self, sid: int) -> NoReturn:
        """Connect, register, synchronize, then read until something ends it.

        Models Follower.followLeader.
        """
        self.peer.enter_discovery()
        await self.connect_to_leader(sid)
        epoch = await self.register_with_leader()
        self.peer.enter_synchronization()
        await self.sync.sync_with_leader(epoch)
        while True:
            self.process_packet(await self.read_packet())

    def process_packet(self, packet: QuorumPacket) -> None:
        """Models Follower.processPacket."""
        server = self.server
        match packet.type:
            case PacketType.PROPOSAL:
                transaction = decode_transaction(packet.data, "PROPOSAL data")
                request = committed_request(transaction, packet.data or b"")
                self.peer.see_proposal(request)
                server.log_request(request)
            case PacketType.COMMIT:
                server.commit(packet.zxid)
            case PacketType.COMMITANDACTIVATE:
                self.peer.activate(server.pending_txns, commit_designated_leader(packet))
                server.commit(packet.zxid)
            case PacketType.PING:
                self.ping(packet)
            case PacketType.REVALIDATE:
                self.revalidate(packet)
            case PacketType.SYNC:
                server.sync()
            case _:
                LOG.info("unexpected %s %s", packet.name, zxid_text(packet.zxid))
