"""A learner's way to its leader: connect, register, and the packets in between."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from impl import payloads
from impl.endings import RoleEnded
from impl.learner_server import LearnerZooKeeperServer
from impl.packets import PacketType, QuorumPacket, read_packet
from impl.runtime import Connection
from impl.zxids import epoch_of, make_zxid

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads

LOG = logging.getLogger(__name__)

CONNECT_TRIES = 5


class Learner:
    """What a follower and an observer have in common.

    observes: whether it is an observer. leader_protocol_version: below 0x10000, the leader is from
    before ZooKeeper 1.0.
    """

    def __init__(self, peer: QuorumPeer, threads: Threads, *, observes: bool) -> None:
        self.peer = peer
        self.observes = observes
        self.server = LearnerZooKeeperServer(peer, threads, self)
        self.leader_protocol_version = 1
        self._connection: Connection | None = None
        self._limit = peer.config.init_timeout

    @property
    def connection(self) -> Connection:
        """To the leader, once there is one."""
        assert self._connection is not None  # noqa: S101 - connecting comes first
        return self._connection

    async def connect_to_leader(self, sid: int) -> None:
        """Try up to five times, for initLimit in all. Raises ConnectionError, RoleEnded.

        Models Learner.connectToLeader.
        """
        clock, config = self.peer.clock, self.peer.config
        end = clock.now() + config.init_timeout
        pause = config.connect_pause / 1000
        tries = 0
        while True:
            tries += 1
            left = end - clock.now()
            try:
                async with clock.limit(min(config.sync_timeout, left), "connect"):
                    self._connection = await self.peer.network.connect(sid)
                    return
            except (ConnectionError, TimeoutError) as why:
                left = end - clock.now()
                LOG.info("no connection to leader %d, try %d: %r", sid, tries, why)
                if tries == CONNECT_TRIES or left <= pause:
                    raise RoleEnded(f"no connection to leader {sid}: {why!r}") from why
            await clock.sleep(pause, "connect pause")

    async def register_with_leader(self) -> int:
        """Introduce itself, and answer the epoch that is offered; the epoch.

        A later epoch is accepted, durably, before it is answered; one that was accepted before is
        answered with -1, which counts as no promise; a lower one ends the role. The answer's zxid
        is memory's last one. Models Learner.registerWithLeader.
        """
        peer = self.peer
        last_zxid = peer.database.last_processed_zxid
        info = payloads.LearnerInfo(peer.config.sid, config_version=peer.verifier.version)
        self.write_packet(
            payloads.learner_info_packet(info, peer.accepted_epoch, is_observer=self.observes)
        )
        packet = await self.read_packet()
        epoch = epoch_of(packet.zxid)
        if packet.type != PacketType.LEADERINFO:
            return await self._register_with_old_leader(packet)
        self.leader_protocol_version = payloads.leader_protocol_version(packet)
        if epoch < peer.accepted_epoch:
            why = f"leader's epoch {epoch} is less than accepted epoch {peer.accepted_epoch}"
            raise RoleEnded(why)
        current_epoch = payloads.EPOCH_NOT_ACKED
        if epoch > peer.accepted_epoch:
            current_epoch = peer.current_epoch
            await peer.set_accepted_epoch(epoch)
        if peer.needs_snapshot:
            last_zxid = self._zxid_that_is_sent_a_snapshot(epoch)
        self.write_packet(payloads.ack_epoch_packet(current_epoch, last_zxid))
        return epoch

    def write_packet(self, packet: QuorumPacket) -> None:
        """Send it to the leader."""
        self.connection.write(packet.encode())

    async def read_packet(self) -> QuorumPacket:
        """The leader's next. Raises TimeoutError where nothing comes within the limit."""
        async with self.peer.clock.limit(self._limit, "soTimeout"):
            return await read_packet(self.connection.reader, self.peer.config.max_buffer)

    def expect_sync_limit(self) -> None:
        """The sync is over: from now on the leader must be heard of within syncLimit."""
        self._limit = self.peer.config.sync_timeout

    def ping(self, packet: QuorumPacket) -> None:
        """Answer, and tell which sessions were heard of. Models Learner.ping."""
        self.write_packet(payloads.ping_answer(packet, self.server.session_tracker.snapshot()))

    def revalidate(self, packet: QuorumPacket) -> None:
        """The leader says whether a session is valid. Models Learner.revalidate."""
        session, is_valid = payloads.revalidate_answer(packet)
        self.server.revalidated(session, is_valid=is_valid)

    def close(self) -> None:
        """Close the connection to the leader. Models Learner.shutdown."""
        if self._connection is not None:
            self._connection.close()

    async def _register_with_old_leader(self, packet: QuorumPacket) -> int:
        """A leader from before 1.0 begins with NEWLEADER, and asks for no promise."""
        if packet.type != PacketType.NEWLEADER:
            raise RoleEnded(f"first packet {packet.name}, expected LEADERINFO or NEWLEADER")
        epoch = epoch_of(packet.zxid)
        if epoch < self.peer.accepted_epoch:
            why = f"leader's epoch {epoch} is less than accepted {self.peer.accepted_epoch}"
            raise RoleEnded(why)
        if epoch > self.peer.accepted_epoch:
            await self.peer.set_accepted_epoch(epoch)
        return epoch

    def _zxid_that_is_sent_a_snapshot(self, epoch: int) -> int:
        """No leader has one of a later epoch than its own; with counter 0 it is no TRUNC.

        Once: where the leader refuses it, as being ahead, the true one is told next time.
        """
        self.peer.needs_snapshot = False
        return make_zxid(epoch + 1, 0)
