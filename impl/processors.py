"""The short processors of the chains: proposing, acknowledging, forwarding.

leader    prep, proposal, [sync, ack] and commit, to be applied, final
follower  follower, commit, final; sync, send ack
observer  observer, commit, final; sync
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from impl.commit_processor import CommitProcessor
from impl.final import FinalRequestProcessor
from impl.packets import PacketType, QuorumPacket
from impl.payloads import ForwardedRequest, request_packet
from impl.proposals import Proposals
from impl.requests import Request
from impl.sync_request_processor import SyncRequestProcessor
from impl.transactions import OpCode

if TYPE_CHECKING:
    from impl.learner import Learner


class ProposalRequestProcessor:
    """The leader's second: it proposes, and logs what it proposed after it was sent.

    Models ProposalRequestProcessor.
    """

    def __init__(
        self,
        proposals: Proposals,
        commit_processor: CommitProcessor,
        sync_processor: SyncRequestProcessor,
    ) -> None:
        self._proposals = proposals
        self._commit_processor = commit_processor
        self._sync_processor = sync_processor

    def process_request(self, request: Request) -> None:
        """A learner's sync waits for what was proposed; everything else goes to be committed."""
        if request.kind == OpCode.SYNC and request.owner is not None:
            self._proposals.process_sync(request.owner)
            return
        self._commit_processor.process_request(request)
        if request.transaction is not None and self._proposals.propose(request):
            self._sync_processor.process_request(request)


class AckRequestProcessor:
    """The leader's own ACK of what is in its log. Models AckRequestProcessor."""

    def __init__(self, sid: int, proposals: Proposals) -> None:
        self._sid = sid
        self._proposals = proposals

    def process_request(self, request: Request) -> None:
        """Count it."""
        self._proposals.process_ack(self._sid, request.zxid)


class ToBeAppliedRequestProcessor:
    """Takes off the leader's list what the final processor has applied.

    Models Leader.ToBeAppliedRequestProcessor.
    """

    def __init__(self, proposals: Proposals, final: FinalRequestProcessor) -> None:
        self._proposals = proposals
        self._final = final

    def process_request(self, request: Request) -> None:
        """Apply first: a sync that is decided in between must find it in one of the two."""
        self._final.process_request(request)
        to_be_applied = self._proposals.to_be_applied
        if request.transaction is not None and to_be_applied:
            assert to_be_applied[0].zxid == request.zxid  # noqa: S101 - both are in zxid order
            to_be_applied.popleft()


class SendAckRequestProcessor:
    """A follower's ACK of what is in its log. Models SendAckRequestProcessor."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def process_request(self, request: Request) -> None:
        """Send it."""
        self._learner.write_packet(QuorumPacket(PacketType.ACK, request.zxid))


class LearnerRequestProcessor:
    """A learner's first: writes and syncs go to the leader, too.

    Models FollowerRequestProcessor, ObserverRequestProcessor, Learner.request.
    """

    def __init__(self, learner: Learner, commit_processor: CommitProcessor) -> None:
        self._learner = learner
        self._commit_processor = commit_processor

    def process_request(self, request: Request) -> None:
        """Queue it before it is sent: its commit must find it."""
        self._commit_processor.process_request(request)
        if request.kind == OpCode.SYNC:
            self._learner.server.pending_syncs.append(request)
        elif not request.needs_commit:
            return
        asked = ForwardedRequest(request.session, request.cxid, request.kind, request.body)
        self._learner.write_packet(request_packet(asked, request.authinfo))
