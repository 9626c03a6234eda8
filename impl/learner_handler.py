"""A leader's side of one learner: handshake, sync, forwarding, the packet loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from impl import payloads
from impl.barriers import Stage, StateSummary
from impl.endings import LearnerRefused
from impl.jute import JuteError
from impl.packets import PacketType, QuorumPacket, read_packet
from impl.requests import Request
from impl.runtime import Connection
from impl.sync_limit_check import SyncLimitCheck
from impl.zxids import epoch_of, make_zxid

if TYPE_CHECKING:
    from impl.leader import Leader

LOG = logging.getLogger(__name__)


class LearnerHandler:
    """One learner, from its connection to the end of it.

    sid: who it says it is; 0 before. observes: whether it came as an observer. stage: how far it
    is. accepted_epoch: what it introduced itself with. has_promised: whether its answer to the
    epoch counts. queued_packets: what is still to be sent.
    tick_of_next_ack_deadline: up to then it counts as synced, whatever it does.
    """

    def __init__(self, connection: Connection, leader: Leader) -> None:
        config = leader.peer.config
        self.connection = connection
        self.sid = 0
        self.observes = False
        self.stage = Stage.CONNECTED
        self.accepted_epoch = 0
        self.has_promised = False
        self.is_closed = False
        self.queued_packets: asyncio.Queue[QuorumPacket] = asyncio.Queue()
        self.tick_of_next_ack_deadline = leader.tick + config.init_limit + config.sync_limit
        self._leader = leader
        self._limit = config.init_timeout
        self._sync_limit_check = SyncLimitCheck()
        self._first_zxid = 0
        self._read_ahead: asyncio.Task[QuorumPacket] | None = None
        self._task: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to talk to the learner."""
        self._task = self._leader.threads.start(f"handler-{self.connection.peer}", self.run)

    async def run(self) -> None:
        """Everything up to the end of the connection. Models LearnerHandler.run."""
        try:
            await self._serve()
        except LearnerRefused as why:
            LOG.info("learner %d refused: %s", self.sid, why)
        except (ConnectionError, EOFError) as why:
            LOG.info("learner %d lost: %r", self.sid, why)
        except TimeoutError:
            LOG.info("learner %d: nothing heard of it for %s seconds", self.sid, self._limit)
        except JuteError as why:
            LOG.info("learner %d sent what is no packet: %s", self.sid, why)
        finally:
            self.shutdown()

    def shutdown(self) -> None:
        """Close the connection, and let the leader forget this learner."""
        self.close()
        self._leader.remove_learner_handler(self)

    def close(self) -> None:
        """Close the connection, and end what runs for it."""
        self.is_closed = True
        self.connection.close()
        for task in (self._task, self._sender, self._read_ahead):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if self._read_ahead is not None and self._read_ahead.done():
            self._read_ahead.exception()  # nobody will ask for it any more

    async def wait_at(self, barrier: asyncio.Future[None]) -> None:
        """Wait until a barrier opens. Raises what reading raises where the learner is lost first.

        Differs: ZooKeeper notices a lost learner only when it reads from it again.
        """
        while not barrier.done():
            if self._read_ahead is None:
                reading = self._read()
                loop = asyncio.get_running_loop()
                self._read_ahead = loop.create_task(reading, name=f"reader-{self.sid}")
            if self._read_ahead.done():
                self._read_ahead.result()
                await asyncio.wait({barrier})
            else:
                either: set[asyncio.Future[Any]] = {barrier, self._read_ahead}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    def queue_packet(self, packet: QuorumPacket) -> None:
        """Send it once what is queued before it is sent."""
        self.queued_packets.put_nowait(packet)

    def ping(self) -> None:
        """Queue a PING; close the connection of who leaves a proposal unacknowledged too long.

        Models LearnerHandler.ping.
        """
        if self._sender is None:
            return
        clock, config = self._leader.peer.clock, self._leader.peer.config
        if self._sync_limit_check.check(clock.now(), config.sync_timeout):
            last_proposed = self._leader.proposals.last_proposed
            self.queue_packet(QuorumPacket(PacketType.PING, last_proposed))
        else:
            LOG.info("closing connection to learner %d: transaction timeout", self.sid)
            self.shutdown()

    def synced(self) -> bool:
        """Whether it was heard of lately. Models LearnerHandler.synced."""
        return not self.is_closed and self._leader.tick <= self.tick_of_next_ack_deadline

    async def _serve(self) -> None:
        version = await self._read_learner_info()
        epoch = await self._leader.barriers.get_epoch_to_propose(self)
        summary = await self._offer_epoch(epoch, version)
        await self._leader.barriers.wait_for_epoch_ack(self, summary)
        self._begin_sync(summary.last_zxid, epoch, version)
        await self._read_new_leader_ack(make_zxid(epoch, 0))
        await self._leader.barriers.wait_for_new_leader_ack(self)
        self._sync_limit_check.start()
        self._limit = self._leader.peer.config.sync_timeout
        await self._leader.barriers.wait_for_startup(self)
        self.queue_packet(QuorumPacket(PacketType.UPTODATE, -1))
        while True:
            self._process_packet(await self._read_packet())

    async def _read_learner_info(self) -> int:
        """Who comes, and its protocol version: 1 where it does not say."""
        packet = await self._read_packet()
        if packet.type not in (PacketType.FOLLOWERINFO, PacketType.OBSERVERINFO):
            raise LearnerRefused(f"first packet {packet.name} is not FOLLOWERINFO or OBSERVERINFO")
        info = payloads.learner_info(packet)
        self.sid = self._leader.next_anonymous_sid() if info.sid is None else info.sid
        if (info.config_version or 0) > self._leader.peer.verifier.version:
            raise LearnerRefused("it has a configuration that was activated later")
        self.observes = packet.type == PacketType.OBSERVERINFO
        self.accepted_epoch = epoch_of(packet.zxid)
        self._first_zxid = packet.zxid
        return info.protocol_version or 1

    async def _offer_epoch(self, epoch: int, version: int) -> StateSummary:
        """LEADERINFO and its answer; of a learner from before 1.0, what it said first stands in."""
        if version < payloads.PROTOCOL_VERSION:
            return StateSummary(self.accepted_epoch, self._first_zxid)
        self._write(payloads.leader_info_packet(epoch).encode())
        await self.connection.drain()
        packet = await self._read_packet()
        if packet.type != PacketType.ACKEPOCH:
            raise LearnerRefused(f"{packet.name} is not ACKEPOCH")
        return StateSummary(payloads.acked_current_epoch(packet), packet.zxid)

    def _begin_sync(self, last_zxid: int, epoch: int, version: int) -> None:
        """Queue what brings the learner up to date, then NEWLEADER, and start to send.

        No await: what is proposed or committed meanwhile is neither lost nor sent twice.
        """
        proposals = self._leader.proposals
        plan = self._leader.sync_follower(last_zxid)
        self.stage = Stage.SYNCING
        LOG.info("learner %d at 0x%x: %s", self.sid, last_zxid, plan.branch)
        proposals.forget_acks(self.sid, plan.upto)
        if plan.needs_snapshot:
            self._write(plan.packets[0].encode() + self._leader.serialize_snapshot())
        else:
            for packet in plan.packets:
                self.queue_packet(packet)
        proposals.start_forwarding(self, plan.upto)
        configuration = str(self._leader.peer.last_seen_verifier)
        if version < payloads.PROTOCOL_VERSION:
            self._write(payloads.new_leader_packet(epoch, None).encode())
        else:
            self.queue_packet(payloads.new_leader_packet(epoch, configuration))
        self._sender = self._leader.threads.start(f"sender-{self.sid}", self._send_packets)

    async def _send_packets(self) -> None:
        """Models LearnerHandler.sendPackets."""
        clock = self._leader.peer.clock
        try:
            while True:
                packet = await self.queued_packets.get()
                if packet.type == PacketType.PROPOSAL:
                    self._sync_limit_check.update_proposal(packet.zxid, clock.now())
                self._write(packet.encode())
                if self.queued_packets.empty():
                    await self.connection.drain()
        except ConnectionError as why:
            LOG.info("learner %d lost while sending: %r", self.sid, why)
            self.connection.close()

    async def _read_new_leader_ack(self, zxid: int) -> None:
        """Wait for the ACK of NEWLEADER. An ACK of anything else is passed over.

        Differs: ZooKeeper takes it for the ACK, does not count it, and then ignores the true one
        (ZOOKEEPER-4685).
        """
        while True:
            packet = await self._read_packet()
            if packet.type != PacketType.ACK:
                raise LearnerRefused(f"next packet was to be an ACK, but is {packet.name}")
            if packet.zxid == zxid:
                return
            LOG.info("ACK 0x%x from learner %d is not NEWLEADER's", packet.zxid, self.sid)

    def _process_packet(self, packet: QuorumPacket) -> None:
        leader = self._leader
        config = leader.peer.config
        self.tick_of_next_ack_deadline = leader.tick + config.sync_limit
        if packet.type == PacketType.ACK:
            self._sync_limit_check.update_ack(packet.zxid)
            if not self.observes and leader.proposals.forwards_to(self):
                leader.proposals.process_ack(self.sid, packet.zxid)
        elif packet.type == PacketType.PING:
            for session, timeout in payloads.touched_sessions(packet):
                leader.server.touch(session, timeout)
        elif packet.type == PacketType.REVALIDATE:
            session, timeout = payloads.revalidate_question(packet)
            is_valid = leader.server.revalidate_session(session, timeout, self)
            self.queue_packet(payloads.revalidate_answer_packet(packet, session, is_valid=is_valid))
        elif packet.type == PacketType.REQUEST:
            asked = payloads.forwarded_request(packet)
            request = Request(asked.session, asked.cxid, asked.op, asked.body, packet.authinfo)
            request.owner = self
            leader.server.submit_learner_request(request)
        else:
            LOG.info("learner %d sent unexpected %s", self.sid, packet.name)

    async def _read_packet(self) -> QuorumPacket:
        ahead, self._read_ahead = self._read_ahead, None
        name = f"soTimeout-{self.sid or self.connection.peer}"
        async with self._leader.peer.clock.limit(self._limit, name):
            return await (self._read() if ahead is None else ahead)

    async def _read(self) -> QuorumPacket:
        return await read_packet(self.connection.reader, self._leader.peer.config.max_buffer)

    def _write(self, written: bytes) -> None:
        self.connection.write(written)
