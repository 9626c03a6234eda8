"""What each type of packet holds, read and written again."""

from __future__ import annotations

from collections.abc import Callable

from impl.packets import PacketType, QuorumPacket
from impl.payloads import (
    acked_current_epoch,
    commit_and_activate_packet,
    commit_designated_leader,
    forwarded_request,
    inform_and_activate_packet,
    informed_and_activated,
    leader_protocol_version,
    learner_info,
    new_leader_configuration,
    ping_answer,
    request_packet,
    revalidate_answer,
    revalidate_answer_packet,
    revalidate_packet,
    revalidate_question,
    touched_sessions,
)
from impl.transactions import decode_transaction


def _learner_info(packet: QuorumPacket) -> bytes | None:
    return learner_info(packet).encode()


def _four_bytes(read: Callable[[QuorumPacket], int]) -> Callable[[QuorumPacket], bytes | None]:
    return lambda packet: read(packet).to_bytes(4, "big", signed=True)


def _transaction(packet: QuorumPacket) -> bytes | None:
    return decode_transaction(packet.data).encode()


def _ping(packet: QuorumPacket) -> bytes | None:
    return ping_answer(packet, touched_sessions(packet)).data


def _revalidate(packet: QuorumPacket) -> bytes | None:
    if packet.data is not None and len(packet.data) == 9:
        session, is_valid = revalidate_answer(packet)
        return revalidate_answer_packet(packet, session, is_valid=is_valid).data
    return revalidate_packet(*revalidate_question(packet)).data


def _request(packet: QuorumPacket) -> bytes | None:
    return request_packet(forwarded_request(packet), packet.authinfo).data


def _new_leader(packet: QuorumPacket) -> bytes | None:
    new_leader_configuration(packet)
    return packet.data


def _commit_and_activate(packet: QuorumPacket) -> bytes | None:
    return commit_and_activate_packet(packet.zxid, commit_designated_leader(packet)).data


def _inform_and_activate(packet: QuorumPacket) -> bytes | None:
    sid, payload = informed_and_activated(packet)
    again = decode_transaction(payload).encode()
    return inform_and_activate_packet(packet.zxid, sid, again).data


PAYLOADS: dict[int, Callable[[QuorumPacket], bytes | None]] = {
    PacketType.FOLLOWERINFO: _learner_info,
    PacketType.OBSERVERINFO: _learner_info,
    PacketType.LEADERINFO: _four_bytes(leader_protocol_version),
    PacketType.ACKEPOCH: _four_bytes(acked_current_epoch),
    PacketType.NEWLEADER: _new_leader,
    PacketType.PROPOSAL: _transaction,
    PacketType.INFORM: _transaction,
    PacketType.PING: _ping,
    PacketType.REVALIDATE: _revalidate,
    PacketType.REQUEST: _request,
    PacketType.COMMITANDACTIVATE: _commit_and_activate,
    PacketType.INFORMANDACTIVATE: _inform_and_activate,
}
