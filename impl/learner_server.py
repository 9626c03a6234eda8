"""The server of clients on a follower or an observer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from impl.commit_processor import CommitProcessor
from impl.endings import ProcessExit
from impl.final import FinalRequestProcessor
from impl.payloads import revalidate_packet
from impl.processors import LearnerRequestProcessor, SendAckRequestProcessor
from impl.requests import Request
from impl.sessions import LearnerSessionTracker
from impl.sync_request_processor import SyncRequestProcessor
from impl.zookeeper_server import ZooKeeperServer
from impl.zxids import zxid_text

if TYPE_CHECKING:
    from impl.learner import Learner
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads

LOG = logging.getLogger(__name__)

UNMATCHED_TXN_COMMIT = 12
"""ZooKeeper's exit code. Models ExitCode.UNMATCHED_TXN_COMMIT."""


class LearnerZooKeeperServer(ZooKeeperServer):
    """Models LearnerZooKeeperServer, FollowerZooKeeperServer, ObserverZooKeeperServer.

    pending_txns: logged, or about to be, and not committed. pending_syncs: sent to the leader.
    """

    session_tracker: LearnerSessionTracker

    def __init__(self, peer: QuorumPeer, threads: Threads, learner: Learner) -> None:
        super().__init__(peer, threads)
        self.pending_txns: deque[Request] = deque()
        self.pending_syncs: deque[Request] = deque()
        self._learner = learner
        self._revalidations: dict[int, list[asyncio.Future[bool]]] = {}

    def startup(self) -> None:
        """Begin the chain. Models setupRequestProcessors."""
        peer, learner = self.peer, self._learner
        self.session_tracker = LearnerSessionTracker(
            self.database.sessions_with_timeouts, peer.clock, peer.config.sid
        )
        final = FinalRequestProcessor(self)
        self.commit_processor = CommitProcessor(final.process_request, match_syncs=True)
        self._first = LearnerRequestProcessor(learner, self.commit_processor)
        if not learner.observes:
            send_ack = SendAckRequestProcessor(learner)
            self.sync_processor = SyncRequestProcessor(peer, self.threads, send_ack.process_request)
        elif peer.config.sync_enabled:
            self.sync_processor = SyncRequestProcessor(peer, self.threads, None)
        self.threads.start("commit", self.commit_processor.run)

    def log_request(self, request: Request) -> None:
        """A proposal: it is pending until it is committed.

        Models FollowerZooKeeperServer.logRequest.
        """
        self.pending_txns.append(request)
        assert self.sync_processor is not None  # noqa: S101 - a follower has one
        self.sync_processor.process_request(request)

    def commit(self, zxid: int) -> None:
        """The oldest pending transaction is committed; where none is pending, it is passed over.

        Raises ProcessExit for another zxid. Models FollowerZooKeeperServer.commit.
        """
        if not self.pending_txns:
            LOG.info("COMMIT %s, and nothing is pending", zxid_text(zxid))
            return
        first = self.pending_txns[0].zxid
        if first != zxid:
            why = f"COMMIT {zxid_text(zxid)}, and {zxid_text(first)} is next"
            raise ProcessExit(UNMATCHED_TXN_COMMIT, why)
        self.commit_processor.commit(self.pending_txns.popleft())

    def commit_request(self, request: Request) -> None:
        """What an observer learns of is logged and committed at once.

        Models ObserverZooKeeperServer.commitRequest.
        """
        if self.sync_processor is not None:
            self.sync_processor.process_request(request)
        self.commit_processor.commit(request)

    def sync(self) -> None:
        """The leader's answer to the oldest sync. Models FollowerZooKeeperServer.sync."""
        if not self.pending_syncs:
            LOG.info("SYNC, and none was asked for")
            return
        self.commit_processor.commit(self.pending_syncs.popleft())

    def new_session(self, timeout: int) -> int:  # noqa: ARG002 - the leader keeps its timeout
        """It exists once its transaction is committed."""
        return self.session_tracker.create_session()

    def process_request(self, request: Request) -> None:
        """To the first processor."""
        self._first.process_request(request)

    async def reopen_session(self, session: int, session_timeout: int) -> bool:
        """Ask the leader. Models Learner.validateSession."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._revalidations.setdefault(session, []).append(answer)
        self._learner.write_packet(revalidate_packet(session, session_timeout))
        return await answer

    def revalidated(self, session: int, *, is_valid: bool) -> None:
        """The leader's answer. Models Learner.revalidate."""
        waiting = self._revalidations.get(session)
        if not waiting:
            LOG.info("REVALIDATE of 0x%x, and nobody asked", session)
            return
        answer = waiting.pop(0)
        if not waiting:
            del self._revalidations[session]
        if not answer.done():
            answer.set_result(is_valid)

    async def shutdown(self) -> None:
        """Also: no session is valid, as far as anybody will hear."""
        for session in tuple(self._revalidations):
            while session in self._revalidations:
                self.revalidated(session, is_valid=False)
        await super().shutdown()
