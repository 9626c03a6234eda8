"""The body of a snapshot: sessions, ACLs, nodes. The same bytes behind SNAP and in a file.

Behind SNAP a signature follows; in a file a header stands before it, and seals and a few numbers
behind. Nothing bounds a snapshot as a whole; every length in it is bounded.
"""

from __future__ import annotations

import struct
from asyncio import StreamReader
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from impl.jute import (
    MAX_LENGTH,
    NULL,
    JuteError,
    JuteReader,
    JuteWriter,
    Parse,
    checked_length,
    decode_text,
    encode_text,
    parse_bytes,
    parse_stream,
    shown,
)
from impl.paths import PROC_NODE
from impl.records import Acl, Id, Int, Long, write_record

SIGNATURE = "BenWasHere"
"""Behind the body of a snapshot on the wire."""

_END = b"/"
"""The path that stands behind the last node."""

_INT = struct.Struct(">i")
_SESSION = struct.Struct(">qi")
_NUMBERS = struct.Struct(">qqqqqiiiqq")
_LEAST_ACL = 12

_T = TypeVar("_T")


@frozen
class StatPersisted:
    """What a server keeps of each node beside its bytes; zxids, and milliseconds since 1970.

    cversion counts the creates below it. ephemeral_owner: 0, a session, or (container) the
    smallest long.
    """

    czxid: Long = 0
    mzxid: Long = 0
    ctime: Long = 0
    mtime: Long = 0
    version: Int = 0
    cversion: Int = 0
    aversion: Int = 0
    ephemeral_owner: Long = 0
    pzxid: Long = 0


@frozen
class SnapshotNode:
    """One node. path: "" is the root. acl: -1 = open, else the id of an ACL of the snapshot."""

    path: str
    data: bytes | None
    acl: int
    stat: StatPersisted


@frozen
class Snapshot:
    """What a snapshot holds, in the order in which it stands there.

    sessions: (id, timeout in milliseconds). acls: (id, list). nodes: parents before children, the
    root first.
    """

    sessions: tuple[tuple[int, int], ...]
    acls: tuple[tuple[int, tuple[Acl, ...]], ...]
    nodes: tuple[SnapshotNode, ...]

    @property
    def last_change(self) -> int:
        """The largest zxid that a node of clients was changed by; 0 where none was."""
        kept = (node.stat for node in self.nodes if not node.path.startswith(PROC_NODE))
        return max((max(one.czxid, one.mzxid, one.pzxid) for one in kept), default=0)

    def encode(self) -> bytes:
        """The body, without a signature or seal."""
        writer = JuteWriter()
        writer.write_int(len(self.sessions))
        for session in self.sessions:
            writer.written += _SESSION.pack(*session)
        writer.write_int(len(self.acls))
        for number, acl in self.acls:
            writer.write_long(number)
            writer.write_vector(acl, write_record)
        for node in self.nodes:
            _write_node(writer, node)
        writer.write_buffer(_END)
        return writer.getvalue()


@frozen
class SnapshotDigest:
    """Behind the first seal of a snapshot file from 3.6 on; zxid 0: nothing was computed."""

    zxid: Long
    version: Int
    tree_digest: Long


def decode_snapshot(content: bytes, at: int = 0) -> tuple[Snapshot, int]:
    """The body that starts there, and where it ends. Raises JuteError."""
    return parse_bytes(content, _snapshot(MAX_LENGTH), "snapshot", at)


async def read_snapshot(reader: StreamReader, max_length: int = MAX_LENGTH) -> Snapshot:
    """What stands behind a SNAP packet: the body and the signature, and not a byte more.

    Raises JuteError, also without the signature; EOFError at the end of the stream.
    """
    return await parse_stream(reader, _signed_snapshot(max_length), "snapshot")


def snapshot_on_the_wire(body: bytes) -> bytes:
    """What stands behind a SNAP packet."""
    writer = JuteWriter()
    writer.write_string(SIGNATURE)
    return body + writer.getvalue()


def decode_snapshot_on_the_wire(content: bytes) -> Snapshot:
    """The body and the signature that are all of these bytes. Raises JuteError."""
    snapshot, end = parse_bytes(content, _signed_snapshot(MAX_LENGTH), "snapshot")
    JuteReader(content, "snapshot", at=end).finish()
    return snapshot


def _signed_snapshot(max_length: int) -> Parse[Snapshot]:
    snapshot = yield from _snapshot(max_length)
    where = "signature behind a snapshot"
    length = checked_length((yield 4), where, "signature", len(SIGNATURE))
    signature = (yield length) if length > 0 else b""
    if signature != SIGNATURE.encode():
        raise JuteError(where, shown(decode_text(signature)), SIGNATURE)
    return snapshot


def _snapshot(max_length: int) -> Parse[Snapshot]:
    count = _count((yield 4), "sessions")
    sessions = yield from _repeated(count, _session)
    count = _count((yield 4), "ACLs")
    acls = yield from _repeated(count, lambda: _numbered_acl(max_length))
    nodes = yield from _nodes(max_length)
    return Snapshot(sessions, acls, tuple(nodes))


def _repeated(count: int, parse: Callable[[], Parse[_T]]) -> Parse[tuple[_T, ...]]:
    parsed: list[_T] = []
    while len(parsed) < count:
        parsed.append((yield from parse()))
    return tuple(parsed)


def _session() -> Parse[tuple[int, int]]:
    session, timeout = _SESSION.unpack((yield _SESSION.size))
    return session, timeout


def _numbered_acl(max_length: int) -> Parse[tuple[int, tuple[Acl, ...]]]:
    number, count = struct.unpack(">qi", (yield 12))
    where = f"snapshot, ACL {number}"
    if not 0 <= count <= max_length // _LEAST_ACL:
        raise JuteError(where, f"{count} elements", f"0 to {max_length // _LEAST_ACL}")
    left = max_length - count * _LEAST_ACL
    acl: list[Acl] = []
    while len(acl) < count:
        perms, length = struct.unpack(">ii", (yield 8))
        scheme = yield from _text(length, where, left)
        left -= len(scheme)
        who = yield from _text(_INT.unpack((yield 4))[0], where, left)
        left -= len(who)
        acl.append(Acl(perms, Id(decode_text(scheme), decode_text(who))))
    return number, tuple(acl)


def _nodes(max_length: int) -> Parse[list[SnapshotNode]]:
    """Each read takes the fixed part of one field and the length of the next."""
    nodes: list[SnapshotNode] = []
    paths: set[str] = set()
    length = _INT.unpack((yield 4))[0]
    while True:
        where = f"snapshot, node {len(nodes) + 1}"
        encoded = yield from _text(length, where, max_length)
        if encoded == _END:
            break
        path = decode_text(encoded)
        _check_path(path, paths, where)
        where = f"snapshot, node {shown(path)}"
        data_length = checked_length((yield 4), where, "data", max_length)
        data = None if data_length == NULL else (yield data_length) if data_length else b""
        rest = yield _NUMBERS.size + 4
        acl, *stat = _NUMBERS.unpack_from(rest)
        length = _INT.unpack_from(rest, _NUMBERS.size)[0]
        nodes.append(SnapshotNode(path, data, acl, StatPersisted(*stat)))
        paths.add(path)
    if not nodes:
        raise JuteError(where, "the end", "the root")
    return nodes


def _check_path(path: str, paths: set[str], where: str) -> None:
    """Models the check in DataTree.deserialize. Differs: the root comes first, no path twice."""
    if not paths and path:
        raise JuteError(where, shown(path), "the root")
    if paths and ("/" not in path or path[: path.rindex("/")] not in paths):
        raise JuteError(where, shown(path), "a path whose parent came before")
    if path in paths:
        raise JuteError(where, f"{shown(path)} again", "a path that did not come before")


def _count(prefix: bytes, tag: str) -> int:
    count: int = _INT.unpack(prefix)[0]
    if count < 0:
        raise JuteError("snapshot", f"{count} {tag}", "how many there are")
    return count


def _text(length: int, where: str, most: int) -> Parse[bytes]:
    if not 0 <= length <= most:
        raise JuteError(where, f"a string of {length} bytes", f"0 to {most} bytes")
    return (yield length) if length else b""


def _write_node(writer: JuteWriter, node: SnapshotNode) -> None:
    stat = node.stat
    writer.write_buffer(encode_text(node.path))
    writer.write_buffer(node.data)
    writer.written += _NUMBERS.pack(
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
