"""What clients ask, and what they are answered: the bodies, as zookeeper.jute has them."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from impl.datanode import Stat
from impl.records import Acls, Boolean, Buffer, Int, Long, Text, Texts, record_kind


@frozen
class CreateRequest:
    """create, create2, createContainer. flags: the mode: see `CreateMode`."""

    path: Text
    data: Buffer
    acl: Acls
    flags: Int


@frozen
class CreateTTLRequest:
    """createTTL. ttl: in milliseconds."""

    path: Text
    data: Buffer
    acl: Acls
    flags: Int
    ttl: Long


@frozen
class DeleteRequest:
    """delete. version: that the node must have; -1 = any."""

    path: Text
    version: Int


@frozen
class SetDataRequest:
    """setData. version: as in `DeleteRequest`."""

    path: Text
    data: Buffer
    version: Int


@frozen
class SetACLRequest:
    """setACL. version: of the node's ACL."""

    path: Text
    acl: Acls
    version: Int


@frozen
class CheckVersionRequest:
    """check. version: as in `DeleteRequest`."""

    path: Text
    version: Int


@frozen
class ReadRequest:
    """exists, getData, getChildren, getChildren2. watch: whether to tell of the next change."""

    path: Text
    watch: Boolean


@frozen
class PathRequest:
    """sync, deleteContainer."""

    path: Text


@frozen
class MultiHeader:
    """Before each operation of a multi, and, done, behind the last. err: -1 in a request."""

    type: Int
    done: Boolean
    err: Int


@frozen
class PathResponse:
    """create, sync."""

    path: Text


@frozen
class Create2Response:
    """create2, createTTL, createContainer."""

    path: Text
    stat: Annotated[Stat, record_kind(Stat)]


@frozen
class StatResponse:
    """exists, setData, setACL."""

    stat: Annotated[Stat, record_kind(Stat)]


@frozen
class GetDataResponse:
    """getData."""

    data: Buffer
    stat: Annotated[Stat, record_kind(Stat)]


@frozen
class GetChildrenResponse:
    """getChildren."""

    children: Texts


@frozen
class GetChildren2Response:
    """getChildren2."""

    children: Texts
    stat: Annotated[Stat, record_kind(Stat)]


@frozen
class ErrorResponse:
    """One operation of a multi that was not done."""

    err: Int
