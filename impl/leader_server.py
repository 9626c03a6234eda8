"""The server of clients on the leader: where every write of the ensemble becomes a transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from impl.commit_processor import CommitProcessor
from impl.final import FinalRequestProcessor
from impl.outstanding_changes import OutstandingChanges
from impl.prep import PrepRequestProcessor
from impl.processors import (
    AckRequestProcessor,
    ProposalRequestProcessor,
    ToBeAppliedRequestProcessor,
)
from impl.proposals import Proposals
from impl.requests import Request
from impl.sessions import SessionTracker
from impl.sync_request_processor import SyncRequestProcessor
from impl.transactions import OpCode
from impl.tree_transactions import ProcessTxnResult
from impl.zookeeper_server import ZooKeeperServer

if TYPE_CHECKING:
    from impl.learner_handler import LearnerHandler
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads


class LeaderZooKeeperServer(ZooKeeperServer):
    """Models LeaderZooKeeperServer."""

    session_tracker: SessionTracker

    def __init__(self, peer: QuorumPeer, threads: Threads, proposals: Proposals) -> None:
        super().__init__(peer, threads)
        self._proposals = proposals

    def startup(self) -> None:
        """Begin the chain, and to expire sessions. Models setupRequestProcessors."""
        peer, proposals = self.peer, self._proposals
        config = peer.config
        self.session_tracker = SessionTracker(
            self.database.sessions_with_timeouts, peer.clock, config.sid, config.tick_time
        )
        final = FinalRequestProcessor(self)
        to_be_applied = ToBeAppliedRequestProcessor(proposals, final)
        self.commit_processor = CommitProcessor(to_be_applied.process_request, match_syncs=False)
        ack = AckRequestProcessor(config.sid, proposals)
        self.sync_processor = SyncRequestProcessor(peer, self.threads, ack.process_request)
        self.proposal_processor = ProposalRequestProcessor(
            proposals, self.commit_processor, self.sync_processor
        )
        self._changes = OutstandingChanges(self.database, digest_enabled=config.digest_enabled)
        self._prep = PrepRequestProcessor(self, self._changes)
        self.threads.start("commit", self.commit_processor.run)
        self.threads.start("sessions", partial(self.session_tracker.run, self._expire))

    def new_session(self, timeout: int) -> int:
        """Tracked from now on."""
        return self.session_tracker.create_session(timeout)

    def process_request(self, request: Request) -> None:
        """A client's of this server."""
        self._prep.process_request(request)

    def submit_learner_request(self, request: Request) -> None:
        """A client's of a learner. Models LeaderZooKeeperServer.submitLearnerRequest."""
        self._prep.process_request(request)

    async def reopen_session(self, session: int, session_timeout: int) -> bool:
        """Nobody has to be asked."""
        return self.revalidate_session(session, session_timeout, None)

    def revalidate_session(self, session: int, timeout: int, owner: LearnerHandler | None) -> bool:
        """Whether a session is valid; it is owned from here then. Models Leader.revalidateSession.

        owner: None = this server itself.
        """
        if not self.session_tracker.touch_session(session, timeout):
            return False
        self.session_tracker.set_owner(session, owner or self)
        return True

    def next_zxid(self) -> int:
        """Of the transaction that is prepared."""
        return self._proposals.next_zxid()

    def wall_time(self) -> int:
        """Milliseconds, as in the header of a transaction."""
        return round(self.peer.clock.now() * 1000)

    def check_session(self, request: Request) -> None:
        """Raises KeeperError where the session is not valid, or is used from elsewhere."""
        self.session_tracker.check_session(request.session, request.owner or self)

    def track_session(self, request: Request, timeout: int) -> None:
        """A session is about to be created. Raises KeeperError where it is being closed."""
        self.session_tracker.track_session(request.session, timeout)
        self.session_tracker.set_owner(request.session, request.owner or self)

    def process_txn(self, request: Request) -> ProcessTxnResult:
        """Also: its changes are outstanding no more."""
        result = super().process_txn(request)
        self._changes.applied(request.zxid)
        return result

    def _expire(self, session: int) -> None:
        """Models ZooKeeperServer.expire."""
        self._prep.process_request(Request(session, 0, OpCode.CLOSE_SESSION))
