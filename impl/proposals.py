"""What a leader has proposed, and what becomes of it: acknowledged, committed in order, applied."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from impl.packets import PacketType, QuorumPacket
from impl.quorum import QuorumVerifier
from impl.requests import Request
from impl.transactions import Transaction
from impl.zxids import counter_of

if TYPE_CHECKING:
    from impl.leader import Leader
    from impl.learner_handler import LearnerHandler

LOG = logging.getLogger(__name__)


@define(eq=False)
class Proposal:
    """A proposal that is not yet applied.

    verifiers: the configurations whose quorums it needs. acks: the sids that have it durably, in
    the order in which they said so; only voters count.
    """

    packet: QuorumPacket
    request: Request
    verifiers: tuple[QuorumVerifier, ...]
    acks: list[int] = field(factory=list)

    @property
    def zxid(self) -> int:
        """Its transaction's."""
        return self.packet.zxid

    @property
    def transaction(self) -> Transaction:
        """Its request's."""
        assert self.request.transaction is not None  # noqa: S101 - it is proposed
        return self.request.transaction

    def has_all_quorums(self) -> bool:
        """Whether a quorum of each configuration has it."""
        return all(verifier.contains_quorum(self.acks) for verifier in self.verifiers)


class Proposals:
    """The leader's broadcast.

    outstanding: proposed and not committed, oldest first. to_be_applied: committed and on its way
    to the database. forwarding_followers: who is sent PROPOSAL and COMMIT. observing_learners: who
    is sent INFORM. No method awaits: each is what ZooKeeper does in one synchronized block.
    """

    def __init__(self, leader: Leader) -> None:
        self.last_proposed = 0
        self.last_committed = 0
        self.outstanding: dict[int, Proposal] = {}
        self.to_be_applied: deque[Proposal] = deque()
        self.forwarding_followers: list[LearnerHandler] = []
        self.observing_learners: list[LearnerHandler] = []
        self._leader = leader
        self._pending_syncs: dict[int, list[LearnerHandler]] = {}

    def begin(self, zxid: int) -> None:
        """Count from here. zxid: of the epoch, its counter 0."""
        self.last_proposed = self.last_committed = zxid

    def next_zxid(self) -> int:
        """The zxid of the next transaction. Models ZooKeeperServer.getNextZxid."""
        return self.last_proposed + 1

    def propose(self, request: Request) -> bool:
        """Send a transaction to everyone whose sync has begun; observers get none.

        False where the epoch has no zxid left for it: the leader gives up.
        Models Leader.propose.
        """
        zxid = request.zxid
        if counter_of(zxid) >= self._leader.peer.config.last_counter:
            self._leader.give_up("the zxid's lower 32 bits have rolled over: a new epoch is needed")
            return False
        packet = QuorumPacket(PacketType.PROPOSAL, zxid, request.payload)
        self.last_proposed = zxid
        self.outstanding[zxid] = Proposal(packet, request, self._leader.peer.involved_verifiers())
        self._send(packet)
        return True

    def process_ack(self, sid: int, zxid: int) -> None:
        """Count that a server has a proposal durably, and commit it if that makes a quorum.

        Passed over: the ACK of UPTODATE, of what is committed, of what was never proposed. Only
        voters count. Models Leader.processAck.
        """
        if not counter_of(zxid) or not self.outstanding or zxid <= self.last_committed:
            return
        proposal = self.outstanding.get(zxid)
        if proposal is None:
            LOG.info("ACK of 0x%x from %d: it was never proposed", zxid, sid)
            return
        if sid not in proposal.acks:
            proposal.acks.append(sid)
        self.try_to_commit(proposal)

    def try_to_commit(self, proposal: Proposal) -> bool:
        """Commit a proposal that all its quorums have, if none before it waits.

        Models Leader.tryToCommit, Leader.commit, Leader.inform.
        """
        zxid = proposal.zxid
        if zxid - 1 in self.outstanding or not proposal.has_all_quorums():
            return False
        del self.outstanding[zxid]
        self.to_be_applied.append(proposal)
        self.last_committed = zxid
        self._send(QuorumPacket(PacketType.COMMIT, zxid))
        self._inform(proposal)
        self._leader.server.commit_processor.commit(proposal.request)
        for learner in self._pending_syncs.pop(zxid, ()):
            _send_sync(learner)
        return True

    def process_sync(self, learner: LearnerHandler) -> None:
        """Answer a learner's sync once what was proposed before it is committed.

        Models Leader.processSync.
        """
        if self.outstanding:
            self._pending_syncs.setdefault(self.last_proposed, []).append(learner)
        else:
            _send_sync(learner)

    def start_forwarding(self, learner: LearnerHandler, last_seen: int) -> None:
        """Queue what is outstanding behind this zxid, observers excepted; then all that comes.

        Models Leader.startForwarding. Differs: what is committed and not yet applied is part of
        the sync (`Leader.sync_follower`), and so is not sent here.
        """
        if learner.observes:
            self.observing_learners.append(learner)
            return
        for zxid, proposal in self.outstanding.items():
            if zxid > last_seen:
                learner.queue_packet(proposal.packet)
        self.forwarding_followers.append(learner)

    def stop_forwarding(self, learner: LearnerHandler) -> None:
        """Send it nothing any more. Models Leader.removeLearnerHandler."""
        for forwarded in (self.forwarding_followers, self.observing_learners):
            if learner in forwarded:
                forwarded.remove(learner)

    def forwards_to(self, learner: LearnerHandler) -> bool:
        """Whether this is the latest sync of its server, whose ACKs count.

        Differs: ZooKeeper also counts an ACK that it reads from a connection that was replaced.
        """
        same = (one for one in reversed(self.forwarding_followers) if one.sid == learner.sid)
        return next(same, None) is learner

    def forget_acks(self, sid: int, after: int) -> None:
        """Count no ACK that a server gave of proposals behind this zxid, which it is sent anew.

        Differs: ZooKeeper keeps them, though a TRUNC may just have cut off what they are about,
        and so commits what then is on no quorum's disk.
        """
        for zxid, proposal in self.outstanding.items():
            if zxid > after and sid in proposal.acks:
                proposal.acks.remove(sid)

    def _inform(self, proposal: Proposal) -> None:
        packet = QuorumPacket(PacketType.INFORM, proposal.zxid, proposal.packet.data)
        for learner in self.observing_learners:
            learner.queue_packet(packet)

    def _send(self, packet: QuorumPacket) -> None:
        for learner in self.forwarding_followers:
            learner.queue_packet(packet)


def _send_sync(learner: LearnerHandler) -> None:
    learner.queue_packet(QuorumPacket(PacketType.SYNC, 0))
