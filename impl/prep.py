"""The leader's first processor: it makes a transaction of each client's request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from impl.datatree import DIGEST_VERSION
from impl.errors import ErrorCode, KeeperError
from impl.jute import JuteError
from impl.multi import Operation, read_multi
from impl.outstanding_changes import ChangeRecord, OutstandingChanges, changed
from impl.paths import split_path
from impl.prep_operations import OPERATIONS, Preparing
from impl.records import decode_record
from impl.requests import WRITES, Request
from impl.transactions import (
    CloseSessionTxn,
    CreateSessionTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SubTxn,
    Transaction,
    Txn,
    TxnDigest,
    TxnHeader,
)

if TYPE_CHECKING:
    from impl.leader_server import LeaderZooKeeperServer

LOG = logging.getLogger(__name__)


class PrepRequestProcessor:
    """Checks a request against the tree as it will be, and makes its transaction.

    A write that cannot be done becomes an error transaction. Nothing waits: what it makes is
    proposed before the next request is looked at. Models PrepRequestProcessor.
    """

    def __init__(self, server: LeaderZooKeeperServer, changes: OutstandingChanges) -> None:
        self._server = server
        self._changes = changes

    def process_request(self, request: Request) -> None:
        """Models PrepRequestProcessor.pRequest."""
        if request.kind in WRITES:
            request.transaction = self._prepare(request)
            request.payload = request.transaction.encode()
        else:
            self._check_read(request)
        self._server.proposal_processor.process_request(request)

    def _check_read(self, request: Request) -> None:
        try:
            self._server.check_session(request)
        except KeeperError as error:
            request.error = error.code

    def _prepare(self, request: Request) -> Transaction:
        zxid, time = self._server.next_zxid(), self._server.wall_time()
        header = TxnHeader(request.session, request.cxid, zxid, time, request.kind)
        try:
            body = self._body(request, header)
        except KeeperError as error:
            LOG.info("request %d of session 0x%x: %s", request.cxid, request.session, error)
            return self._error(request, header, error.code)
        except JuteError as error:
            LOG.info("request %d of session 0x%x: %s", request.cxid, request.session, error)
            return self._error(request, header, ErrorCode.MARSHALLING_ERROR)
        return Transaction(header, body, self._digest())

    def _error(self, request: Request, header: TxnHeader, code: ErrorCode) -> Transaction:
        request.error = code
        zxid, time = header.zxid, header.time
        header = TxnHeader(header.client_id, header.cxid, zxid, time, OpCode.ERROR)
        return Transaction(header, ErrorTxn(code))

    def _body(self, request: Request, header: TxnHeader) -> Txn:
        if request.kind == OpCode.CREATE_SESSION:
            return self._create_session(request)
        if request.kind == OpCode.CLOSE_SESSION:
            return self._close_session(header)
        if request.kind == OpCode.MULTI:
            return self._multi(request, header)
        if request.kind not in OPERATIONS:
            raise KeeperError(ErrorCode.UNIMPLEMENTED, f"operation {request.kind}")
        self._server.check_session(request)
        record_class, prepare = OPERATIONS[request.kind]
        record = decode_record(record_class, request.body, f"request of type {request.kind}")
        return prepare(self._preparing(request, header, request.kind), record)

    def _create_session(self, request: Request) -> Txn:
        txn = decode_record(CreateSessionTxn, request.body, "createSession")
        self._server.track_session(request, txn.timeout)
        return txn

    def _close_session(self, header: TxnHeader) -> Txn:
        """No check of the session: it may have expired, and then nobody asks for it."""
        zxid, changes = header.zxid, self._changes
        paths = changes.owned_by(header.client_id)
        for path in paths:
            parent = changes.get_record_for_path(split_path(path)[0])
            changes.add(changed(parent, zxid, parent.child_count - 1, pzxid=zxid))
            changes.add(ChangeRecord(zxid, path, None))
        self._server.session_tracker.set_session_closing(header.client_id)
        return CloseSessionTxn(paths)

    def _multi(self, request: Request, header: TxnHeader) -> Txn:
        operations = read_multi(request.body)
        touched = [path for one in operations for path in _touched(one)]
        pending = self._changes.pending(touched)
        txns: list[SubTxn] = []
        error: ErrorCode | None = None
        for one in operations:
            if error is not None:
                txns.append(SubTxn(OpCode.ERROR, ErrorTxn(ErrorCode.RUNTIME_INCONSISTENCY)))
                continue
            try:
                self._server.check_session(request)
                _, prepare = OPERATIONS[one.kind]
                preparing = self._preparing(request, header, one.kind)
                txns.append(SubTxn(one.kind, prepare(preparing, one.request)))
            except KeeperError as failed:
                request.error = error = failed.code
                txns.append(SubTxn(OpCode.ERROR, ErrorTxn(error)))
                self._changes.roll_back(header.zxid, pending)
        return MultiTxn(tuple(txns))

    def _preparing(self, request: Request, header: TxnHeader, kind: int) -> Preparing:
        authinfo = request.authinfo or ()
        return Preparing(kind, header.zxid, header.time, header.client_id, authinfo, self._changes)

    def _digest(self) -> TxnDigest | None:
        if not self._changes.digest_enabled:
            return None
        return TxnDigest(DIGEST_VERSION, self._changes.tree_digest)


def _touched(operation: Operation) -> tuple[str, str]:
    """The node of an operation and its parent, whose records it changes (ZOOKEEPER-1624)."""
    path: str = operation.request.path
    return path, path.rpartition("/")[0]
