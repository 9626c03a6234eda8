"""Operations: their numbers, and the bodies of the transactions that carry them out."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import TypeAlias

from attrs import frozen

from impl.records import Acls, Boolean, Buffer, Int, Long, Text, Texts


@unique
class OpCode(IntEnum):
    """Operations, with the names and numbers of ZooDefs.OpCode; those that servers forward."""

    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    RECONFIG = 16
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    CREATE_SESSION = -10
    CLOSE_SESSION = -11
    ERROR = -1


@frozen
class TxnHeader:
    """Whose transaction it is, its place, and its type.

    time: the leader's, in milliseconds since 1970. type: an `OpCode`.
    """

    client_id: Long
    cxid: Int
    zxid: Long
    time: Long
    type: Int


@frozen
class CreateTxnV0:
    """As written before 3.4, with no version of the parent's children."""

    path: Text
    data: Buffer
    acl: Acls
    ephemeral: Boolean


@frozen
class CreateTxn:
    """create and create2. parent_cversion: of the parent afterwards; -1 = one more than before."""

    path: Text
    data: Buffer
    acl: Acls
    ephemeral: Boolean
    parent_cversion: Int


@frozen
class CreateTTLTxn:
    """ttl: in milliseconds."""

    path: Text
    data: Buffer
    acl: Acls
    parent_cversion: Int
    ttl: Long


@frozen
class CreateContainerTxn:
    """A node that goes when its last child is gone."""

    path: Text
    data: Buffer
    acl: Acls
    parent_cversion: Int


@frozen
class DeleteTxn:
    """delete and deleteContainer."""

    path: Text


@frozen
class SetDataTxn:
    """setData and reconfig. version: of the node afterwards."""

    path: Text
    data: Buffer
    version: Int


@frozen
class CheckVersionTxn:
    """A part of a multi that held. version: one more than the node's."""

    path: Text
    version: Int


@frozen
class SetACLTxn:
    """version: of the node's ACL afterwards."""

    path: Text
    acl: Acls
    version: Int


@frozen
class CreateSessionTxn:
    """timeout: in milliseconds."""

    timeout: Int


@frozen
class CloseSessionTxn:
    """From 3.6 on. paths_to_delete: the session's ephemerals."""

    paths_to_delete: Texts


@frozen
class ErrorTxn:
    """A write that failed is a transaction too. err: an `ErrorCode`."""

    err: Int


@frozen
class SubTxn:
    """One operation of a multi. type: its `OpCode`."""

    type: int
    body: Txn


@frozen
class MultiTxn:
    """All of them, or, where one is an error, none."""

    txns: tuple[SubTxn, ...]


@frozen
class TxnDigest:
    """Of the whole tree once this transaction is applied. version: of how it is computed."""

    version: Int
    tree_digest: Long


Txn: TypeAlias = (
    CreateTxnV0
    | CreateTxn
    | CreateTTLTxn
    | CreateContainerTxn
    | DeleteTxn
    | SetDataTxn
    | CheckVersionTxn
    | SetACLTxn
    | CreateSessionTxn
    | CloseSessionTxn
    | ErrorTxn
    | MultiTxn
)
"""The body of a transaction."""
