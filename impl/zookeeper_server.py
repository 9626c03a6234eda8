"""What serves clients while a role lasts: the processors, behind one door."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from impl.commit_processor import CommitProcessor
from impl.database import Database
from impl.errors import ErrorCode
from impl.jute import JuteError
from impl.records import decode_record, encode_record
from impl.requests import Reply, Request
from impl.sessions import LearnerSessionTracker, SessionTracker
from impl.sync_request_processor import SyncRequestProcessor
from impl.transactions import CreateSessionTxn, OpCode
from impl.tree_transactions import ProcessTxnResult

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads


class ZooKeeperServer(ABC):
    """The server of clients in one role. Reached as `QuorumPeer.zookeeper_server`.

    Models ZooKeeperServer, with `startup` where the processors begin.
    """

    session_tracker: SessionTracker | LearnerSessionTracker
    commit_processor: CommitProcessor
    sync_processor: SyncRequestProcessor | None = None

    def __init__(self, peer: QuorumPeer, threads: Threads) -> None:
        self.peer = peer
        self.threads = threads
        self._in_process: dict[Request, None] = {}

    @property
    def database(self) -> Database:
        """The peer's."""
        return self.peer.database

    @property
    def log_thread(self) -> asyncio.Task[None] | None:
        """None where nothing is logged, or not yet."""
        return None if self.sync_processor is None else self.sync_processor.task

    def submit_request(self, request: Request) -> None:
        """Take a request of a client of this server; `request.reply` is called when it is done.

        Where the role ends first, it is called with CONNECTION_LOSS. A createSession with session 0
        is given a new id, and a timeout within the server's limits.
        """
        if request.reply is not None:
            self._in_process[request] = None
        if request.kind == OpCode.CREATE_SESSION and not request.session:
            try:
                timeout = decode_record(CreateSessionTxn, request.body, "createSession").timeout
            except JuteError:
                self.answer(request, Reply(0, ErrorCode.MARSHALLING_ERROR))
                return
            config = self.peer.config
            least, most = config.min_session_timeout, config.max_session_timeout
            timeout = min(max(timeout, least), most)
            request.body = encode_record(CreateSessionTxn(timeout))
            request.session = self.new_session(timeout)
        self.process_request(request)

    @abstractmethod
    def new_session(self, timeout: int) -> int:
        """The id of a session that is to be created."""

    @abstractmethod
    def process_request(self, request: Request) -> None:
        """Give a request to the first processor."""

    @abstractmethod
    async def reopen_session(self, session: int, session_timeout: int) -> bool:
        """Whether a session is still valid, so that its client can go on here.

        A learner asks its leader (REVALIDATE). Models ZooKeeperServer.reopenSession.
        """

    def is_behind(self, last_zxid_seen: int) -> bool:
        """Whether a client has seen more than this server has, and has to go elsewhere.

        Models ZooKeeperServer.processConnectRequest.
        """
        return last_zxid_seen > self.database.last_processed_zxid

    def touch(self, session: int, timeout: int) -> None:
        """A client was heard of."""
        self.session_tracker.touch_session(session, timeout)

    def process_txn(self, request: Request) -> ProcessTxnResult:
        """Apply a committed transaction. Models ZooKeeperServer.processTxn."""
        transaction = request.transaction
        assert transaction is not None  # noqa: S101 - only what has one is applied
        if isinstance(transaction.body, CreateSessionTxn):
            session, timeout = transaction.header.client_id, transaction.body.timeout
            self.session_tracker.commit_session(session, timeout)
        elif transaction.header.type == OpCode.CLOSE_SESSION:
            self.session_tracker.remove_session(transaction.header.client_id)
        result = self.database.process_txn(transaction)
        self.database.add_committed_proposal(transaction.zxid, request.payload)
        return result

    def answer(self, request: Request, reply: Reply) -> None:
        """Tell the client."""
        self._in_process.pop(request, None)
        if request.reply is not None:
            request.reply(reply)

    async def shutdown(self) -> None:
        """Log what was to be logged, and tell the clients that nobody will answer them."""
        if self.sync_processor is not None:
            await self.sync_processor.shutdown()
        for request in tuple(self._in_process):
            self.answer(request, Reply(0, ErrorCode.CONNECTION_LOSS))
