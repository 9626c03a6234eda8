"""What the bytes of a packet say, as far as the checks need it.

Jute: big-endian; lengths are i32, -1 = null. Every decoder raises ValueError, saying what was read
and what was expected, when the bytes end too early.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from attrs import define, frozen

from zabspec.conform.recording_configuration import Configuration, parse_configuration
from zabspec.protocol.state import Zxid

RECORDED_BYTES = 4096
"""A recorder cuts a longer payload here."""

RECONFIG = 16
"""The operation code of a transaction that changes the configuration."""

_TXN_DIGEST_BYTES = 12
_TXN_DIGEST_VERSION = struct.pack(">i", 2)
_NOTIFICATION_FIXED_BYTES = 40
_CUT_BODY_BYTES = RECORDED_BYTES - _TXN_DIGEST_BYTES - 8
"""Of a cut body at least: 8 bytes of the payload may be the designated leader."""


@frozen
class LearnerInfo:
    """FOLLOWERINFO and OBSERVERINFO: who comes. `sid` None: a learner older than any release."""

    sid: int | None


@frozen
class LeaderVersion:
    """LEADERINFO: the leader's protocol version."""

    protocol_version: int


@frozen
class CurrentEpoch:
    """ACKEPOCH: the learner's current epoch; -1 = this ACKEPOCH does not count."""

    epoch: int


@frozen
class DesignatedLeader:
    """COMMITANDACTIVATE: who leads from here on."""

    sid: int


@frozen
class Transaction:
    """PROPOSAL and INFORM: a TxnHeader, its transaction, and from 3.6 on a TxnDigest."""

    zxid: Zxid
    """As the header has it."""
    operation: int
    body: bytes
    """Header and all that follows."""
    is_cut: bool
    """Whether the recording may not have the end of it."""
    configuration: Configuration | None
    """Of a reconfig whose text was not cut."""

    @property
    def content(self) -> bytes:
        """What tells it from other transactions: no digest, and no end that may be cut."""
        return self.body[:_CUT_BODY_BYTES] if self.is_cut else _without_digest(self.body)

    def same_as(self, other: Transaction) -> bool:
        """Whether both are one transaction; a digest may be absent, a cut end is not compared."""
        if self.is_cut or other.is_cut:
            length = min(len(self.body), len(other.body))
            return length >= _CUT_BODY_BYTES and self.body[:length] == other.body[:length]
        return not {self.body, _without_digest(self.body)}.isdisjoint(
            {other.body, _without_digest(other.body)}
        )


Payload = (
    LearnerInfo | LeaderVersion | CurrentEpoch | DesignatedLeader | Transaction | Configuration
)


def decode_payload(packet_type: str, payload: bytes | None) -> Payload | None:
    """What this packet's payload says; None for a type whose payload no check reads."""
    decode = _DECODERS.get(packet_type)
    return None if decode is None else decode(_Jute(packet_type, payload))


@define
class _Jute:
    """A payload, read from front to back."""

    packet_type: str
    payload: bytes | None
    at: int = 0

    def take(self, length: int) -> bytes:
        payload = self.payload or b""
        if length < 0 or self.at + length > len(payload):
            had = "null" if self.payload is None else f"{len(payload)} bytes"
            raise ValueError(
                f"read {self.packet_type} data of {had}, "
                f"expected {length} bytes from byte {self.at} on"
            )
        self.at += length
        return payload[self.at - length : self.at]

    def i32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def rest(self) -> bytes:
        return (self.payload or b"")[self.at :]

    @property
    def is_cut(self) -> bool:
        return self.payload is not None and len(self.payload) >= RECORDED_BYTES


def _learner_info(jute: _Jute) -> LearnerInfo:
    return LearnerInfo(None if jute.payload is None else jute.i64())


def _leader_version(jute: _Jute) -> LeaderVersion:
    return LeaderVersion(jute.i32())


def _current_epoch(jute: _Jute) -> CurrentEpoch:
    return CurrentEpoch(jute.i32())


def _designated_leader(jute: _Jute) -> DesignatedLeader:
    return DesignatedLeader(jute.i64())


def _transaction(jute: _Jute) -> Transaction:
    body = jute.rest()
    jute.i64()  # clientId
    jute.i32()  # cxid
    zxid = Zxid.unpack(jute.i64())
    jute.i64()  # time
    operation = jute.i32()
    configuration = None
    if operation == RECONFIG and not jute.is_cut:
        jute.take(jute.i32())  # SetDataTxn: the path of the configuration node
        configuration = _configuration(jute.take(jute.i32()))
    return Transaction(zxid, operation, body, jute.is_cut, configuration)


def _informed_and_activated(jute: _Jute) -> Transaction:
    jute.i64()  # designated leader
    return _transaction(jute)


def _new_leader(jute: _Jute) -> Configuration | None:
    """The leader's last seen configuration; null or one byte, as before 3.5, says nothing."""
    text = jute.rest()
    return None if len(text) <= 1 or jute.is_cut else _configuration(text)


def _notification(jute: _Jute) -> Configuration | None:
    """The sender's committed configuration; a frame of at most 40 bytes, as in 3.4, has none."""
    if jute.is_cut or len(jute.rest()) <= _NOTIFICATION_FIXED_BYTES:
        return None
    jute.take(_NOTIFICATION_FIXED_BYTES)
    text = jute.take(jute.i32())
    return _configuration(text) if text else None


def _configuration(text: bytes) -> Configuration:
    return parse_configuration(text.decode("utf-8", errors="replace"))


def _without_digest(body: bytes) -> bytes:
    end = body[-_TXN_DIGEST_BYTES:]
    return body[:-_TXN_DIGEST_BYTES] if end.startswith(_TXN_DIGEST_VERSION) else body


_DECODERS: dict[str, Callable[[_Jute], Payload | None]] = {
    "FOLLOWERINFO": _learner_info,
    "OBSERVERINFO": _learner_info,
    "LEADERINFO": _leader_version,
    "ACKEPOCH": _current_epoch,
    "NEWLEADER": _new_leader,
    "PROPOSAL": _transaction,
    "INFORM": _transaction,
    "INFORMANDACTIVATE": _informed_and_activated,
    "COMMITANDACTIVATE": _designated_leader,
    "NOTIFICATION": _notification,
}
