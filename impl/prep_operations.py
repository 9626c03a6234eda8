"""Each write, from what a client asks to what a transaction does.

Left out: who may do it. ACLs are kept and never asked; TTLs, as in ZooKeeper, are not enabled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import IntEnum, unique
from typing import Any

from attrs import frozen

from impl.client_records import (
    CheckVersionRequest,
    CreateRequest,
    DeleteRequest,
    PathRequest,
    SetACLRequest,
    SetDataRequest,
)
from impl.datanode import CONTAINER_OWNER, int32, owning_session
from impl.errors import ErrorCode, KeeperError
from impl.outstanding_changes import ChangeRecord, OutstandingChanges, changed
from impl.paths import CONFIG_NODE, PROC_NODE, QUOTA_NODE, sequential_path, split_path
from impl.records import Acl, Id
from impl.snapshot_stream import StatPersisted
from impl.transactions import (
    CheckVersionTxn,
    CreateContainerTxn,
    CreateTxn,
    DeleteTxn,
    OpCode,
    SetACLTxn,
    SetDataTxn,
    Txn,
)

ANY_VERSION = -1
AUTHENTICATED_SCHEMES = frozenset({"digest", "sasl", "x509"})
"""What a client can be authenticated by; an ACL can also name addresses (`ip`)."""

_SPECIAL_PATHS = frozenset({"/", PROC_NODE, QUOTA_NODE, CONFIG_NODE})
_BAD_PART = re.compile(r"//|/\.{1,2}(?:/|$)|[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]")


@unique
class CreateMode(IntEnum):
    """The flags of a create. Models CreateMode."""

    PERSISTENT = 0
    EPHEMERAL = 1
    PERSISTENT_SEQUENTIAL = 2
    EPHEMERAL_SEQUENTIAL = 3
    CONTAINER = 4

    @property
    def is_ephemeral(self) -> bool:
        """Whether the node goes with its session."""
        return self in (CreateMode.EPHEMERAL, CreateMode.EPHEMERAL_SEQUENTIAL)

    @property
    def is_sequential(self) -> bool:
        """Whether the node's name ends in a number."""
        return self in (CreateMode.PERSISTENT_SEQUENTIAL, CreateMode.EPHEMERAL_SEQUENTIAL)


@frozen
class Preparing:
    """The transaction that is being made. kind: an `OpCode`. time: in milliseconds since 1970."""

    kind: int
    zxid: int
    time: int
    session: int
    authinfo: tuple[Id, ...]
    changes: OutstandingChanges


def prepare_create(preparing: Preparing, request: CreateRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2TxnCreate."""
    mode = _mode(preparing, request)
    parent_path, _, _ = request.path.rpartition("/")
    acl = fixup_acl(request.path, request.acl, preparing.authinfo)
    parent = preparing.changes.get_record_for_path(parent_path)
    cversion = _stat(parent).cversion
    path = sequential_path(request.path, cversion) if mode.is_sequential else request.path
    validate_path(path)
    if preparing.changes.exists(path):
        raise KeeperError(ErrorCode.NODE_EXISTS, path)
    if owning_session(_stat(parent).ephemeral_owner):
        raise KeeperError(ErrorCode.NO_CHILDREN_FOR_EPHEMERALS, path)
    zxid, time, later = preparing.zxid, preparing.time, int32(cversion + 1)
    owner = CONTAINER_OWNER if mode is CreateMode.CONTAINER else 0
    owner = preparing.session if mode.is_ephemeral else owner
    preparing.changes.add(changed(parent, zxid, parent.child_count + 1, cversion=later, pzxid=zxid))
    stat = StatPersisted(zxid, zxid, time, time, ephemeral_owner=owner, pzxid=zxid)
    preparing.changes.add(ChangeRecord(zxid, path, stat, data=request.data))
    if mode is CreateMode.CONTAINER:
        return CreateContainerTxn(path, request.data, acl, later)
    return CreateTxn(path, request.data, acl, mode.is_ephemeral, later)


def prepare_delete(preparing: Preparing, request: DeleteRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2Txn."""
    parent, node = _parent_and_node(preparing, request.path)
    next_version(_stat(node).version, request.version, request.path)
    return _delete(preparing, parent, node)


def prepare_delete_container(preparing: Preparing, request: PathRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2Txn."""
    parent, node = _parent_and_node(preparing, request.path)
    if not node.child_count and owning_session(_stat(node).ephemeral_owner):
        raise KeeperError(ErrorCode.BAD_VERSION, request.path)
    return _delete(preparing, parent, node)


def prepare_set_data(preparing: Preparing, request: SetDataRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2Txn."""
    validate_path(request.path)
    node = preparing.changes.get_record_for_path(request.path)
    version = next_version(_stat(node).version, request.version, request.path)
    zxid, time = preparing.zxid, preparing.time
    later = changed(node, zxid, node.child_count, version=version, mtime=time, mzxid=zxid)
    later.data = request.data
    preparing.changes.add(later)
    return SetDataTxn(request.path, request.data, version)


def prepare_set_acl(preparing: Preparing, request: SetACLRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2Txn."""
    validate_path(request.path)
    acl = fixup_acl(request.path, request.acl, preparing.authinfo)
    node = preparing.changes.get_record_for_path(request.path)
    version = next_version(_stat(node).aversion, request.version, request.path)
    preparing.changes.add(changed(node, preparing.zxid, node.child_count, aversion=version))
    return SetACLTxn(request.path, acl, version)


def prepare_check(preparing: Preparing, request: CheckVersionRequest) -> Txn:
    """Models PrepRequestProcessor.pRequest2Txn."""
    validate_path(request.path)
    node = preparing.changes.get_record_for_path(request.path)
    version = next_version(_stat(node).version, request.version, request.path)
    return CheckVersionTxn(request.path, version)


OPERATIONS: Mapping[int, tuple[type[Any], Callable[[Preparing, Any], Txn]]] = {
    OpCode.CREATE: (CreateRequest, prepare_create),
    OpCode.CREATE2: (CreateRequest, prepare_create),
    OpCode.CREATE_CONTAINER: (CreateRequest, prepare_create),
    OpCode.DELETE: (DeleteRequest, prepare_delete),
    OpCode.DELETE_CONTAINER: (PathRequest, prepare_delete_container),
    OpCode.SET_DATA: (SetDataRequest, prepare_set_data),
    OpCode.SET_ACL: (SetACLRequest, prepare_set_acl),
    OpCode.CHECK: (CheckVersionRequest, prepare_check),
}
"""What the body of each operation is, and what prepares it."""


def validate_path(path: str) -> None:
    """Raises KeeperError BAD_ARGUMENTS. Models PathUtils.validatePath."""
    ends = path != "/" and path.endswith("/")
    if not path.startswith("/") or ends or _BAD_PART.search(path):
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, path)


def next_version(current: int, expected: int, path: str) -> int:
    """Raises KeeperError BAD_VERSION. Models PrepRequestProcessor.checkAndIncVersion."""
    if expected not in (ANY_VERSION, current):
        raise KeeperError(ErrorCode.BAD_VERSION, path)
    return int32(current + 1)


def fixup_acl(path: str, acls: tuple[Acl, ...] | None, authinfo: tuple[Id, ...]) -> tuple[Acl, ...]:
    """Without duplicates, `auth` replaced by who the client is. Raises KeeperError INVALID_ACL.

    Models PrepRequestProcessor.fixupACL.
    """
    fixed: list[Acl] = []
    for acl in dict.fromkeys(acls or ()):
        if acl.id.scheme == "auth":
            known = [one for one in authinfo if one.scheme in AUTHENTICATED_SCHEMES]
            fixed += (Acl(acl.perms, one) for one in known)
            is_valid = bool(known)
        else:
            fixed.append(acl)
            is_valid = acl.id == Id("world", "anyone") or acl.id.scheme == "ip"
            is_valid = is_valid or acl.id.scheme in AUTHENTICATED_SCHEMES
        if not is_valid:
            raise KeeperError(ErrorCode.INVALID_ACL, path)
    if not fixed:
        raise KeeperError(ErrorCode.INVALID_ACL, path)
    return tuple(fixed)


def _mode(preparing: Preparing, request: CreateRequest) -> CreateMode:
    try:
        mode = CreateMode(request.flags)
    except ValueError:
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, f"flags {request.flags}") from None
    is_container = preparing.kind == OpCode.CREATE_CONTAINER
    if "/" not in request.path or is_container != (mode is CreateMode.CONTAINER):
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, request.path)
    return mode


def _parent_and_node(preparing: Preparing, path: str) -> tuple[ChangeRecord, ChangeRecord]:
    if path in _SPECIAL_PATHS:
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, path)
    parent_path, _ = split_path(path)
    changes = preparing.changes
    return changes.get_record_for_path(parent_path), changes.get_record_for_path(path)


def _delete(preparing: Preparing, parent: ChangeRecord, node: ChangeRecord) -> Txn:
    if node.child_count:
        raise KeeperError(ErrorCode.NOT_EMPTY, node.path)
    zxid = preparing.zxid
    preparing.changes.add(changed(parent, zxid, parent.child_count - 1, pzxid=zxid))
    preparing.changes.add(ChangeRecord(zxid, node.path, None))
    return DeleteTxn(node.path)


def _stat(record: ChangeRecord) -> StatPersisted:
    assert record.stat is not None  # noqa: S101 - `get_record_for_path` finds no deleted node
    return record.stat
