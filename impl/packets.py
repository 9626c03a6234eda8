"""QuorumPacket: what servers send each other on the quorum port.

Packets stand one behind the other in the stream with no length around them, so one is read field
by field. What `data` holds for each type is in `impl.payloads`.
"""

from __future__ import annotations

import struct
from asyncio import StreamReader
from enum import IntEnum, unique

from attrs import frozen

from impl.jute import (
    MAX_LENGTH,
    NULL,
    JuteError,
    JuteWriter,
    Parse,
    checked_length,
    decode_text,
    encode_text,
    parse_bytes,
    parse_stream,
)
from impl.records import Id

__all__ = ["Id", "PacketType", "QuorumPacket", "decode_packet", "packet_name", "read_packet"]


@unique
class PacketType(IntEnum):
    """The types of packets, with the names and numbers of Leader.java."""

    REQUEST = 1
    PROPOSAL = 2
    ACK = 3
    COMMIT = 4
    PING = 5
    REVALIDATE = 6
    SYNC = 7
    INFORM = 8
    COMMITANDACTIVATE = 9
    NEWLEADER = 10
    FOLLOWERINFO = 11
    UPTODATE = 12
    DIFF = 13
    TRUNC = 14
    SNAP = 15
    OBSERVERINFO = 16
    LEADERINFO = 17
    ACKEPOCH = 18
    INFORMANDACTIVATE = 19


_NAMES = {member.value: member.name for member in PacketType}

_TYPE_ZXID_LENGTH = struct.Struct(">iqi")
_LENGTH = struct.Struct(">i")
_LEAST_ID = 8


@frozen
class QuorumPacket:
    """One packet.

    type: a `PacketType`, or a number that no release uses: whoever reads it decides.
    data, authinfo: None is null, which the wire tells from empty.
    """

    type: int
    zxid: int
    data: bytes | None = None
    authinfo: tuple[Id, ...] | None = None

    def encode(self) -> bytes:
        """Its bytes."""
        data = self.data
        length = NULL if data is None else len(data)
        head = _TYPE_ZXID_LENGTH.pack(self.type, self.zxid, length) + (data or b"")
        if self.authinfo is None:
            return head + _LENGTH.pack(NULL)
        writer = JuteWriter()
        writer.write_vector(self.authinfo, _write_id)
        return head + writer.getvalue()

    @property
    def name(self) -> str:
        """Of its type, for messages."""
        return packet_name(self.type)


def packet_name(number: int) -> str:
    """The name of a type; `packet type N` where there is none."""
    return _NAMES.get(number, f"packet type {number}")


async def read_packet(reader: StreamReader, max_length: int = MAX_LENGTH) -> QuorumPacket:
    """The next packet of a stream, and not a byte more.

    Raises JuteError for bytes that are no packet, EOFError at the end of the stream, and what the
    stream raises (`ConnectionError`).
    """
    return await parse_stream(reader, _packet(max_length), "QuorumPacket")


def decode_packet(
    content: bytes, at: int = 0, max_length: int = MAX_LENGTH
) -> tuple[QuorumPacket, int]:
    """The packet that starts there, and where the next one does. Raises JuteError."""
    return parse_bytes(content, _packet(max_length), "QuorumPacket", at)


def _packet(max_length: int) -> Parse[QuorumPacket]:
    number, zxid, length = _TYPE_ZXID_LENGTH.unpack((yield _TYPE_ZXID_LENGTH.size))
    name = packet_name(number)
    if not NULL <= length <= max_length:
        raise JuteError(name, f"data of {length} bytes", f"0 to {max_length} bytes, or -1")
    rest = yield max(length, 0) + 4
    data = None if length == NULL else rest[:length]
    count = _LENGTH.unpack(rest[-4:])[0]
    if count == NULL:
        return QuorumPacket(number, zxid, data)
    authinfo = yield from _authinfo(count, name, max_length)
    return QuorumPacket(number, zxid, data, authinfo)


def _authinfo(count: int, name: str, max_length: int) -> Parse[tuple[Id, ...]]:
    """All of it together is bounded, because nothing else bounds how many ids come."""
    if not 0 <= count <= max_length // _LEAST_ID:
        expected = f"0 to {max_length // _LEAST_ID}, or -1"
        raise JuteError(name, f"authinfo of {count} elements", expected)
    left = max_length - count * _LEAST_ID
    ids: list[Id] = []
    where = f"{name} authinfo"
    while len(ids) < count:
        scheme = yield from _text(where, "scheme", left)
        left -= len(scheme)
        name_there = yield from _text(where, "id", left)
        left -= len(name_there)
        ids.append(Id(decode_text(scheme), decode_text(name_there)))
    return tuple(ids)


def _text(where: str, tag: str, most: int) -> Parse[bytes]:
    length = checked_length((yield 4), where, tag, most)
    if length == NULL:
        raise JuteError(where, f"{tag} that is null", "a string")
    return (yield length) if length else b""


def _write_id(writer: JuteWriter, one: Id) -> None:
    writer.write_buffer(encode_text(one.scheme))
    writer.write_buffer(encode_text(one.id))
