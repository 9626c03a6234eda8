"""One node of the tree, and what clients are told of it."""

from __future__ import annotations

import struct
from zlib import crc32

from attrs import define, field, frozen

from impl.errors import ErrorCode, KeeperError
from impl.jute import encode_text
from impl.records import Int, Long
from impl.snapshot_stream import SnapshotNode, StatPersisted

CONTAINER_OWNER = -(1 << 63)
"""ephemeralOwner of a container."""

_EXTENDED = 0xFF << 56
_RESERVED = 0xFFFF << 40
_MOST_TTL = (1 << 40) - 1
_DIGESTED_STAT = struct.Struct(">qqqqqiiiq")


@frozen
class Stat:
    """What a client is told of a node. cversion counts the creates and deletes below it."""

    czxid: Long
    mzxid: Long
    ctime: Long
    mtime: Long
    version: Int
    cversion: Int
    aversion: Int
    ephemeral_owner: Long
    data_length: Int
    num_children: Int
    pzxid: Long


@define(eq=False)
class DataNode:
    """One node: its bytes, the number of its ACL, the fields of StatPersisted, its children.

    digest: of all of it as ZooKeeper computes it; None = not counted in the tree's.
    """

    data: bytes | None = b""
    acl: int = -1
    czxid: int = 0
    mzxid: int = 0
    ctime: int = 0
    mtime: int = 0
    version: int = 0
    cversion: int = 0
    aversion: int = 0
    ephemeral_owner: int = 0
    pzxid: int = 0
    children: set[str] = field(factory=set)
    digest: int | None = None

    @classmethod
    def from_snapshot(cls, node: SnapshotNode) -> DataNode:
        """As a snapshot has it, without its children."""
        stat = node.stat
        return cls(
            node.data,
            node.acl,
            stat.czxid,
            stat.mzxid,
            stat.ctime,
            stat.mtime,
            stat.version,
            stat.cversion,
            stat.aversion,
            stat.ephemeral_owner,
            stat.pzxid,
        )

    @property
    def stat(self) -> StatPersisted:
        """As a snapshot has it."""
        return StatPersisted(
            self.czxid,
            self.mzxid,
            self.ctime,
            self.mtime,
            self.version,
            self.cversion,
            self.aversion,
            self.ephemeral_owner,
            self.pzxid,
        )

    def client_stat(self) -> Stat:
        """As clients are told. Models DataNode.copyStat."""
        owner = self.ephemeral_owner
        return Stat(
            self.czxid,
            self.mzxid,
            self.ctime,
            self.mtime,
            self.version,
            int32(self.cversion * 2 - len(self.children)),
            self.aversion,
            owner if owning_session(owner) else 0,
            len(self.data or b""),
            len(self.children),
            self.pzxid,
        )


def node_digest(path: str, data: bytes | None, stat: StatPersisted) -> int:
    """What a node adds to the tree's digest. Models DigestCalculator.calculateDigest, version 2."""
    if path.startswith("/zookeeper/"):
        return 0
    crc = crc32(encode_text("" if path == "/" else path))
    numbers = _DIGESTED_STAT.pack(
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime,
        stat.mtime,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeral_owner,
    )
    return crc32(numbers, crc32(data or b"", crc))


def ttl_owner(ttl: int) -> int:
    """The ephemeralOwner that says a TTL (milliseconds). Raises KeeperError out of its range."""
    if not 0 < ttl <= _MOST_TTL:
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, f"TTL {ttl}")
    return ttl - (1 << 56)


def is_ttl(owner: int) -> bool:
    """Whether this ephemeralOwner is that of a node with a TTL. Models EphemeralType.get."""
    return owner & _EXTENDED == _EXTENDED and not owner & _RESERVED


def owning_session(owner: int) -> int:
    """The session that an ephemeral node goes with; 0: it is none."""
    return 0 if owner == CONTAINER_OWNER or is_ttl(owner) else owner


def int32(number: int) -> int:
    """As Java's int overflows."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def int64(number: int) -> int:
    """As Java's long overflows."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
