"""What each transaction does to the tree."""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, evolve

from impl.datanode import CONTAINER_OWNER, Stat, ttl_owner
from impl.datatree import Change, DataTree
from impl.errors import ErrorCode, KeeperError
from impl.paths import split_path
from impl.transactions import (
    CheckVersionTxn,
    CloseSessionTxn,
    CreateContainerTxn,
    CreateTTLTxn,
    CreateTxn,
    CreateTxnV0,
    DeleteTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SetACLTxn,
    SetDataTxn,
    SubTxn,
    Txn,
    TxnHeader,
)

_Create: TypeAlias = CreateTxnV0 | CreateTxn | CreateTTLTxn | CreateContainerTxn


@define
class ProcessTxnResult:
    """What became of a transaction, or of one operation of a multi.

    err: 0, or an `ErrorCode`. path: where it names one. stat: of the node, where clients are told.
    multi_result: of each operation.
    """

    client_id: int
    cxid: int
    zxid: int
    type: int
    err: int = 0
    path: str | None = None
    stat: Stat | None = None
    multi_result: tuple[ProcessTxnResult, ...] = ()


def process_txn(tree: DataTree, header: TxnHeader, body: Txn | None) -> ProcessTxnResult:
    """Apply a transaction. `last_processed_zxid` only grows. Models DataTree.processTxn.

    One that was applied before changes nothing more; so a log may begin before its snapshot ends.
    """
    result = _process(tree, header, body)
    # Only once a whole multi is applied: a snapshot of half of it would name its zxid.
    tree.last_processed_zxid = max(tree.last_processed_zxid, header.zxid)
    return result


def _process(tree: DataTree, header: TxnHeader, body: Txn | None) -> ProcessTxnResult:
    result = ProcessTxnResult(header.client_id, header.cxid, header.zxid, header.type)
    try:
        if isinstance(body, _Create):
            _create(tree, header, body, result)
        else:
            _apply(tree, header, body, result)
    except KeeperError as error:
        result.err = error.code
        if isinstance(body, _Create):
            _adjust_parent(tree, header, body, result)
    return result


def _create(tree: DataTree, header: TxnHeader, body: _Create, result: ProcessTxnResult) -> None:
    result.path = body.path
    change = Change(header.zxid, header.time, _owner(header, body), _parent_cversion(body))
    stat = tree.create_node(body.path, body.data, body.acl, change)
    if header.type != OpCode.CREATE:
        result.stat = stat


def _owner(header: TxnHeader, body: _Create) -> int:
    if isinstance(body, CreateContainerTxn):
        return CONTAINER_OWNER
    if isinstance(body, CreateTTLTxn):
        return ttl_owner(body.ttl)
    return header.client_id if body.ephemeral else 0


def _parent_cversion(body: _Create) -> int:
    return -1 if isinstance(body, CreateTxnV0) else body.parent_cversion


def _adjust_parent(
    tree: DataTree, header: TxnHeader, body: _Create, result: ProcessTxnResult
) -> None:
    """A node that is there already, from a later time, must not keep its parent from growing.

    ZooKeeper does it for create, not for create2 and the others.
    """
    if header.type != OpCode.CREATE or result.err != ErrorCode.NODE_EXISTS:
        return
    change = Change(header.zxid, parent_cversion=_parent_cversion(body))
    tree.set_cversion_pzxid(split_path(body.path)[0], change)


def _apply(tree: DataTree, header: TxnHeader, body: Txn | None, result: ProcessTxnResult) -> None:
    match body:
        case DeleteTxn(path):
            result.path = path
            tree.delete_node(path, header.zxid)
        case SetDataTxn(path, data, version):
            result.path = path
            change = Change(header.zxid, header.time)
            result.stat = tree.set_data(path, data, version, change)
        case SetACLTxn(path, acl, version):
            result.path = path
            result.stat = tree.set_acl(path, acl, version)
        case CheckVersionTxn(path):
            result.path = path
        case ErrorTxn(err):
            result.err = err
        case MultiTxn(txns):
            _multi(tree, header, txns, result)
        case CloseSessionTxn(paths):
            tree.kill_session(header.client_id, header.zxid, paths or ())
        case None:
            tree.kill_session(header.client_id, header.zxid)


def _multi(
    tree: DataTree, header: TxnHeader, txns: tuple[SubTxn, ...], result: ProcessTxnResult
) -> None:
    """All of them; where one is an error, none."""
    errors = [number for number, txn in enumerate(txns) if txn.type == OpCode.ERROR]
    results: list[ProcessTxnResult] = []
    for number, txn in enumerate(txns):
        body, kind = txn.body, txn.type
        if errors and kind != OpCode.ERROR:
            undone = ErrorCode.RUNTIME_INCONSISTENCY if number > errors[0] else ErrorCode.OK
            body, kind = ErrorTxn(undone), int(OpCode.ERROR)
        results.append(_process(tree, evolve(header, type=kind), body))
    result.multi_result = tuple(results)
    result.err = next((one.err for one in results if one.err), 0)
