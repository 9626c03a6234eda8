"""What `data` of each type of packet holds: a function that builds the packet, one that reads it.

Types that are not here carry null: ACK, COMMIT, DIFF, TRUNC, SNAP, UPTODATE, SYNC. All readers
raise JuteError.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from impl.jute import JuteError, JuteReader, JuteWriter, decode_text
from impl.packets import PacketType, QuorumPacket
from impl.records import Id
from impl.zxids import NO_ZXID, make_zxid

PROTOCOL_VERSION = 0x10000
"""Of both sides since ZooKeeper 1.0: with LEADERINFO and ACKEPOCH."""

EPOCH_NOT_ACKED = -1
"""ACKEPOCH's current epoch where the learner accepted this epoch before: it does not count."""

_TOUCH_BYTES = 12


@frozen
class LearnerInfo:
    """FOLLOWERINFO and OBSERVERINFO: who comes.

    sid: None = a learner from before 1.0, which sends null. protocol_version: None = one that
    sends its sid only (8 bytes). config_version: None = one before 3.5 (12 bytes).
    """

    sid: int | None
    protocol_version: int | None = PROTOCOL_VERSION
    config_version: int | None = 0

    def encode(self) -> bytes | None:
        """None: null."""
        if self.sid is None:
            return None
        writer = JuteWriter()
        writer.write_long(self.sid)
        if self.protocol_version is not None:
            writer.write_int(self.protocol_version)
            if self.config_version is not None:
                writer.write_long(self.config_version)
        return writer.getvalue()


def learner_info_packet(
    info: LearnerInfo, accepted_epoch: int, *, is_observer: bool = False
) -> QuorumPacket:
    """FOLLOWERINFO, or OBSERVERINFO."""
    number = PacketType.OBSERVERINFO if is_observer else PacketType.FOLLOWERINFO
    return QuorumPacket(number, make_zxid(accepted_epoch, 0), info.encode())


def learner_info(packet: QuorumPacket) -> LearnerInfo:
    """Of FOLLOWERINFO or OBSERVERINFO.

    Models LearnerHandler.run. Differs: it takes other lengths than 8, 12 and 20 bytes, and what
    is missing then as 0.
    """
    if packet.data is None:
        return LearnerInfo(None, None, None)
    if len(packet.data) not in (8, 12, 20):
        raise _data_error(packet, f"{len(packet.data)} bytes", "8, 12 or 20 bytes, or null")
    reader = _reader(packet)
    sid = reader.read_long("sid")
    version = reader.read_int("protocolVersion") if reader.remaining else None
    config_version = reader.read_long("configVersion") if reader.remaining else None
    return LearnerInfo(sid, version, config_version)


def leader_info_packet(epoch: int) -> QuorumPacket:
    """LEADERINFO: the epoch that is proposed."""
    data = PROTOCOL_VERSION.to_bytes(4, "big")
    return QuorumPacket(PacketType.LEADERINFO, make_zxid(epoch, 0), data)


def leader_protocol_version(packet: QuorumPacket) -> int:
    """Of LEADERINFO."""
    return _whole_int(packet, "protocolVersion")


def ack_epoch_packet(current_epoch: int, last_zxid: int) -> QuorumPacket:
    """ACKEPOCH. current_epoch: or `EPOCH_NOT_ACKED`."""
    data = current_epoch.to_bytes(4, "big", signed=True)
    return QuorumPacket(PacketType.ACKEPOCH, last_zxid, data)


def acked_current_epoch(packet: QuorumPacket) -> int:
    """Of ACKEPOCH."""
    return _whole_int(packet, "currentEpoch")


def new_leader_packet(epoch: int, configuration: str | None) -> QuorumPacket:
    """NEWLEADER. configuration: the last one seen by the leader; None = as before 3.5."""
    data = None if configuration is None else configuration.encode()
    return QuorumPacket(PacketType.NEWLEADER, make_zxid(epoch, 0), data)


def new_leader_configuration(packet: QuorumPacket) -> str | None:
    """Of NEWLEADER; null or one byte says nothing."""
    return None if packet.data is None or len(packet.data) <= 1 else decode_text(packet.data)


def ping_answer(ping: QuorumPacket, touched: Iterable[tuple[int, int]]) -> QuorumPacket:
    """A learner's PING: zxid and authinfo of the leader's, and (session, timeout) of each touched.

    Models Learner.ping.
    """
    writer = JuteWriter()
    for session, timeout in touched:
        writer.write_long(session)
        writer.write_int(timeout)
    return QuorumPacket(PacketType.PING, ping.zxid, writer.getvalue(), ping.authinfo)


def touched_sessions(packet: QuorumPacket) -> tuple[tuple[int, int], ...]:
    """(session, timeout) of each in a learner's PING."""
    if packet.data is None or len(packet.data) % _TOUCH_BYTES:
        read = "null" if packet.data is None else f"{len(packet.data)} bytes"
        raise _data_error(packet, read, f"{_TOUCH_BYTES} bytes for each session")
    reader = _reader(packet)
    count = len(packet.data) // _TOUCH_BYTES
    return tuple([(reader.read_long("id"), reader.read_int("timeout")) for _ in range(count)])


def revalidate_packet(session: int, timeout: int) -> QuorumPacket:
    """REVALIDATE as a learner asks. timeout: in milliseconds."""
    writer = JuteWriter()
    writer.write_long(session)
    writer.write_int(timeout)
    return QuorumPacket(PacketType.REVALIDATE, NO_ZXID, writer.getvalue())


def revalidate_question(packet: QuorumPacket) -> tuple[int, int]:
    """(session, timeout) of a learner's REVALIDATE."""
    reader = _reader(packet)
    question = reader.read_long("id"), reader.read_int("timeout")
    reader.finish()
    return question


def revalidate_answer_packet(
    question: QuorumPacket, session: int, *, is_valid: bool
) -> QuorumPacket:
    """REVALIDATE as the leader answers: the question's packet with new data."""
    writer = JuteWriter()
    writer.write_long(session)
    writer.write_bool(is_valid)
    return QuorumPacket(question.type, question.zxid, writer.getvalue(), question.authinfo)


def revalidate_answer(packet: QuorumPacket) -> tuple[int, bool]:
    """(session, is valid) of the leader's REVALIDATE."""
    reader = _reader(packet)
    answer = reader.read_long("id"), reader.read_bool("valid")
    reader.finish()
    return answer


@frozen
class ForwardedRequest:
    """REQUEST: what a learner's client asks. body: the rest, as the client sent it."""

    session: int
    cxid: int
    op: int
    body: bytes = b""


def request_packet(request: ForwardedRequest, authinfo: tuple[Id, ...] | None) -> QuorumPacket:
    """REQUEST. authinfo: who the client is. Models Learner.request."""
    writer = JuteWriter()
    writer.write_long(request.session)
    writer.write_int(request.cxid)
    writer.write_int(request.op)
    writer.written += request.body
    return QuorumPacket(PacketType.REQUEST, NO_ZXID, writer.getvalue(), authinfo)


def forwarded_request(packet: QuorumPacket) -> ForwardedRequest:
    """Of REQUEST; the client's identity is in the packet's authinfo."""
    reader = _reader(packet)
    session, cxid = reader.read_long("sessionId"), reader.read_int("cxid")
    op = reader.read_int("type")
    return ForwardedRequest(session, cxid, op, reader.take(reader.remaining, "request"))


def commit_and_activate_packet(zxid: int, designated_leader: int) -> QuorumPacket:
    """COMMITANDACTIVATE."""
    data = designated_leader.to_bytes(8, "big", signed=True)
    return QuorumPacket(PacketType.COMMITANDACTIVATE, zxid, data)


def commit_designated_leader(packet: QuorumPacket) -> int:
    """Of COMMITANDACTIVATE."""
    reader = _reader(packet)
    sid = reader.read_long("designatedLeader")
    reader.finish()
    return sid


def inform_and_activate_packet(
    zxid: int, designated_leader: int, transaction: bytes
) -> QuorumPacket:
    """INFORMANDACTIVATE. transaction: as in PROPOSAL."""
    data = designated_leader.to_bytes(8, "big", signed=True) + transaction
    return QuorumPacket(PacketType.INFORMANDACTIVATE, zxid, data)


def informed_and_activated(packet: QuorumPacket) -> tuple[int, bytes]:
    """(designated leader, transaction as in PROPOSAL) of INFORMANDACTIVATE."""
    reader = _reader(packet)
    sid = reader.read_long("designatedLeader")
    return sid, reader.take(reader.remaining, "transaction")


def _whole_int(packet: QuorumPacket, tag: str) -> int:
    reader = _reader(packet)
    number = reader.read_int(tag)
    reader.finish()
    return number


def _reader(packet: QuorumPacket) -> JuteReader:
    if packet.data is None:
        raise _data_error(packet, "null", "bytes")
    return JuteReader(packet.data, f"{packet.name} data")


def _data_error(packet: QuorumPacket, read: str, expected: str) -> JuteError:
    return JuteError(f"{packet.name} data", read, expected)
