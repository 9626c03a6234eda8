"""The last processor: it applies what is committed, reads, and answers clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from impl.client_records import (
    Create2Response,
    GetChildren2Response,
    GetChildrenResponse,
    GetDataResponse,
    PathRequest,
    PathResponse,
    ReadRequest,
    StatResponse,
)
from impl.database import Database
from impl.datanode import DataNode
from impl.errors import ErrorCode, KeeperError
from impl.jute import JuteError
from impl.multi import multi_response
from impl.records import decode_record, encode_record
from impl.requests import Reply, Request
from impl.transactions import OpCode
from impl.tree_transactions import ProcessTxnResult

if TYPE_CHECKING:
    from impl.zookeeper_server import ZooKeeperServer


class FinalRequestProcessor:
    """Models FinalRequestProcessor."""

    def __init__(self, server: ZooKeeperServer) -> None:
        self._server = server

    def process_request(self, request: Request) -> None:
        """Apply its transaction, if it has one, then answer who asked here."""
        result = None
        if request.transaction is not None:
            result = self._server.process_txn(request)
        if request.reply is not None:
            self._server.answer(request, self._reply(request, result))

    def _reply(self, request: Request, result: ProcessTxnResult | None) -> Reply:
        database = self._server.database
        zxid = database.last_processed_zxid
        if request.error and request.kind != OpCode.MULTI:
            return Reply(zxid, request.error)
        if result is None:
            return self._read(request, zxid)
        zxid = result.zxid
        if request.kind == OpCode.MULTI and result.type == OpCode.MULTI:
            return Reply(zxid, 0, multi_response(result.multi_result))
        if result.err:
            return Reply(zxid, result.err)
        session = request.session if request.kind == OpCode.CREATE_SESSION else 0
        return Reply(zxid, 0, _written(request.kind, result), session)

    def _read(self, request: Request, zxid: int) -> Reply:
        try:
            if request.kind == OpCode.SYNC:
                path = decode_record(PathRequest, request.body, "sync").path
                return Reply(zxid, 0, encode_record(PathResponse(path)))
            read = READS.get(request.kind)
            if read is None:
                return Reply(zxid, ErrorCode.UNIMPLEMENTED)
            path = decode_record(ReadRequest, request.body, "read").path
            return Reply(zxid, 0, encode_record(read(self._server.database, path)))
        except KeeperError as error:
            return Reply(zxid, error.code)
        except JuteError:
            return Reply(zxid, ErrorCode.MARSHALLING_ERROR)


def _written(kind: int, result: ProcessTxnResult) -> bytes | None:
    if kind == OpCode.CREATE:
        return encode_record(PathResponse(result.path or ""))
    if result.stat is None:
        return None
    if kind in (OpCode.CREATE2, OpCode.CREATE_CONTAINER):
        return encode_record(Create2Response(result.path or "", result.stat))
    return encode_record(StatResponse(result.stat))


def _exists(database: Database, path: str) -> object:
    return StatResponse(_node(database, path).client_stat())


def _get_data(database: Database, path: str) -> object:
    node = _node(database, path)
    return GetDataResponse(node.data, node.client_stat())


def _get_children(database: Database, path: str) -> object:
    return GetChildrenResponse(database.tree.get_children(path))


def _get_children2(database: Database, path: str) -> object:
    stat = _node(database, path).client_stat()
    return GetChildren2Response(database.tree.get_children(path), stat)


READS: dict[int, Callable[[Database, str], object]] = {
    OpCode.EXISTS: _exists,
    OpCode.GET_DATA: _get_data,
    OpCode.GET_CHILDREN: _get_children,
    OpCode.GET_CHILDREN2: _get_children2,
}
"""What each read answers."""


def _node(database: Database, path: str) -> DataNode:
    node = database.tree.get_node(path)
    if node is None:
        raise KeeperError(ErrorCode.NO_NODE, path)
    return node
