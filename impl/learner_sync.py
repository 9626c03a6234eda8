"""A learner takes over its leader's history, and only then says so.

The order is the only safe one: committed transactions in the log and in the database, the log
synced, then `currentEpoch` durable, then the ACK of NEWLEADER.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from impl.endings import ProcessExit, RoleEnded
from impl.packets import PacketType, QuorumPacket
from impl.payloads import (
    commit_designated_leader,
    informed_and_activated,
    new_leader_configuration,
)
from impl.quorum import QuorumVerifier
from impl.requests import Request, committed_request
from impl.snapshot_stream import Snapshot, read_snapshot
from impl.transactions import decode_transaction
from impl.zxids import counter_of, epoch_of, make_zxid, zxid_text

if TYPE_CHECKING:
    from impl.learner import Learner

LOG = logging.getLogger(__name__)

QUORUM_PACKET_ERROR = 13
"""ZooKeeper's exit code. Models ExitCode.QUORUM_PACKET_ERROR."""


class LearnerSync:
    """What a learner was sent before it serves. Models Learner.syncWithLeader.

    kind: DIFF, TRUNC or SNAP; None before the first packet. not_logged: proposals, oldest first.
    committed: zxids, in the order of their commits. is_accepted: NEWLEADER was acknowledged.
    """

    def __init__(self, learner: Learner) -> None:
        self.kind: PacketType | None = None
        self.not_logged: deque[Request] = deque()
        self.committed: deque[int] = deque()
        self.is_accepted = False
        self._learner = learner
        self._peer = learner.peer
        self._last_queued: int | None = None
        self._new_verifier: QuorumVerifier | None = None

    async def sync_with_leader(self, epoch: int) -> None:
        """Everything from the first packet to the start of service."""
        await self._take(await self._learner.read_packet())
        peer = self._peer
        peer.init_config_in_database()
        while True:
            packet = await self._learner.read_packet()
            if packet.type == PacketType.UPTODATE:
                break
            if packet.type == PacketType.NEWLEADER:
                await self._accept_leader(packet, epoch)
            else:
                self._keep(packet)
        await self._serve(epoch)

    async def _take(self, packet: QuorumPacket) -> None:
        """DIFF changes nothing yet. TRUNC cuts the disk. SNAP replaces the database in memory."""
        peer = self._peer
        LOG.info("leader sends %s %s", packet.name, zxid_text(packet.zxid))
        if packet.type == PacketType.TRUNC:
            if not await peer.storage.truncate_log(packet.zxid):
                peer.needs_snapshot = True
                why = f"not able to truncate the log to {zxid_text(packet.zxid)}"
                raise ProcessExit(QUORUM_PACKET_ERROR, why)
            await peer.storage.restore(peer.database)
            peer.database.last_processed_zxid = packet.zxid
        elif packet.type == PacketType.SNAP:
            snapshot = await self._read_snapshot()
            peer.database.deserialize_snapshot(snapshot)
            peer.database.last_processed_zxid = packet.zxid
        elif packet.type != PacketType.DIFF:
            why = f"unexpected {packet.name} from the leader, expected DIFF, TRUNC or SNAP"
            raise ProcessExit(QUORUM_PACKET_ERROR, why)
        self.kind = PacketType(packet.type)

    async def _read_snapshot(self) -> Snapshot:
        """All of it within initLimit. Differs: ZooKeeper limits each read."""
        peer = self._peer
        async with peer.clock.limit(peer.config.init_timeout, "snapshot"):
            return await read_snapshot(self._learner.connection.reader)

    def _keep(self, packet: QuorumPacket) -> None:
        """Remember what is proposed and what is committed; pass over everything else, PINGs too."""
        match packet.type:
            case PacketType.PROPOSAL:
                self._propose(packet.data)
            case PacketType.COMMIT:
                self.committed.append(packet.zxid)
            case PacketType.COMMITANDACTIVATE:
                self._peer.activate(self.not_logged, commit_designated_leader(packet))
                self.committed.append(packet.zxid)
            case PacketType.INFORM:
                self._propose(packet.data)
                self.committed.append(packet.zxid)
            case PacketType.INFORMANDACTIVATE:
                designated_leader, payload = informed_and_activated(packet)
                self._propose(payload)
                self._peer.activate((self.not_logged[-1],), designated_leader)
                self.committed.append(packet.zxid)
            case _:
                LOG.info("%s passed over before service", packet.name)

    def _propose(self, payload: bytes | None) -> None:
        """Raises RoleEnded where a proposal is missing before this one (ZOOKEEPER-4925)."""
        request = committed_request(decode_transaction(payload, "proposal"), payload or b"")
        last, zxid = self._last_queued, request.zxid
        if last is not None and not leads_to(last, zxid):
            raise RoleEnded(f"proposal {zxid_text(zxid)} after {zxid_text(last)}: a gap")
        self._last_queued = zxid
        self._peer.see_proposal(request)
        self.not_logged.append(request)

    async def _accept_leader(self, packet: QuorumPacket, epoch: int) -> None:
        """Make the leader's history durable, then its epoch, then acknowledge: in this order."""
        text = new_leader_configuration(packet)
        if text is not None:
            self._new_verifier = self._peer.read_verifier(text)
        if self._new_verifier is not None:
            self._peer.set_last_seen_verifier(self._new_verifier)
        await self._settle(epoch)
        self.is_accepted = True
        self._learner.write_packet(QuorumPacket(PacketType.ACK, make_zxid(epoch, 0)))

    async def _settle(self, epoch: int) -> None:
        peer = self._peer
        if self.kind is PacketType.SNAP:
            await peer.storage.install(peer.database)
        settled = self._take_committed()
        if self._logs:
            for request in settled:
                peer.storage.append(request.payload)
            await peer.storage.commit()
        for request in settled:
            assert request.transaction is not None  # noqa: S101 - it was proposed
            peer.database.process_txn(request.transaction)
            peer.database.add_committed_proposal(request.zxid, request.payload)
        await peer.set_current_epoch(epoch)

    async def _serve(self, epoch: int) -> None:
        """Acknowledge once more, start to serve, and go on with what was kept."""
        learner, peer, server = self._learner, self._peer, self._learner.server
        if self._new_verifier is not None:
            peer.process_reconfig(self._new_verifier)
        if not self.is_accepted:  # a leader from before 1.0 sends no NEWLEADER here
            await self._settle(epoch)
        learner.write_packet(QuorumPacket(PacketType.ACK, make_zxid(epoch, 0)))
        learner.expect_sync_limit()
        server.startup()
        peer.update_election_vote(epoch)
        settled = self._take_committed()
        if learner.observes:
            for request in settled:
                server.commit_request(request)
        else:
            for request in (*settled, *self.not_logged):
                server.log_request(request)
            for request in settled:
                server.commit(request.zxid)
        self.not_logged.clear()
        self.committed.clear()
        peer.enter_broadcast(server)

    def _take_committed(self) -> list[Request]:
        """What is committed at the head of the proposals, taken off both lists."""
        settled: list[Request] = []
        while self.not_logged and self.committed and self.not_logged[0].zxid == self.committed[0]:
            settled.append(self.not_logged.popleft())
            self.committed.popleft()
        if self.committed:
            LOG.info("COMMIT %s of what is not next", zxid_text(self.committed[0]))
        return settled

    @property
    def _logs(self) -> bool:
        return not self._learner.observes or self._peer.config.sync_enabled


def leads_to(last: int, zxid: int) -> bool:
    """Whether nothing is missing between two: the next of an epoch, or the first of a later one."""
    if epoch_of(last) == epoch_of(zxid):
        return zxid == last + 1
    return epoch_of(zxid) > epoch_of(last) and counter_of(zxid) == 1
