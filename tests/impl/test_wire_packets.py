from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.jute import JuteError
from impl.packets import Id, PacketType, QuorumPacket, decode_packet, packet_name
from impl.payloads import (
    EPOCH_NOT_ACKED,
    ForwardedRequest,
    LearnerInfo,
    ack_epoch_packet,
    acked_current_epoch,
    commit_and_activate_packet,
    commit_designated_leader,
    forwarded_request,
    inform_and_activate_packet,
    informed_and_activated,
    leader_info_packet,
    leader_protocol_version,
    learner_info,
    learner_info_packet,
    new_leader_configuration,
    new_leader_packet,
    ping_answer,
    request_packet,
    revalidate_answer,
    revalidate_answer_packet,
    revalidate_packet,
    revalidate_question,
    touched_sessions,
)
from impl.zxids import NO_ZXID, counter_of, epoch_of, make_zxid, zxid_text
from zabspec.conform.recording_packets import PACKET_NUMBERS

longs = st.integers(-(1 << 63), (1 << 63) - 1)
ints = st.integers(-(1 << 31), (1 << 31) - 1)


def test_the_types_have_the_numbers_of_the_wire() -> None:
    assert {one.name: one.value for one in PacketType} == dict(PACKET_NUMBERS)


@pytest.mark.parametrize(
    ("info", "length"),
    [
        (LearnerInfo(None, None, None), None),
        (LearnerInfo(7, None, None), 8),
        (LearnerInfo(7, 0x10000, None), 12),
        (LearnerInfo(-1, 0x10000, 0x500000003), 20),
    ],
)
def test_learner_info_has_three_lengths_or_is_null(info: LearnerInfo, length: int | None) -> None:
    packet = learner_info_packet(info, accepted_epoch=4)

    assert (packet.data and len(packet.data)) == length
    assert learner_info(packet) == info
    assert (packet.type, packet.zxid) == (PacketType.FOLLOWERINFO, 4 << 32)


@pytest.mark.parametrize("length", [0, 7, 9, 11, 13, 19, 21, 28])
def test_learner_info_of_another_length_is_refused(length: int) -> None:
    packet = QuorumPacket(PacketType.OBSERVERINFO, 0, bytes(length))

    with pytest.raises(JuteError, match=f"OBSERVERINFO data: read {length} bytes, expected 8, 12"):
        learner_info(packet)


def test_an_observer_says_that_it_is_one() -> None:
    packet = learner_info_packet(LearnerInfo(4), 0, is_observer=True)

    assert packet.type == PacketType.OBSERVERINFO


def test_the_handshake_is_built_as_it_was_recorded() -> None:
    assert leader_info_packet(1) == QuorumPacket(17, 1 << 32, bytes.fromhex("00010000"))
    assert ack_epoch_packet(0, 0) == QuorumPacket(18, 0, bytes(4))
    assert ack_epoch_packet(EPOCH_NOT_ACKED, 3).data == b"\xff\xff\xff\xff"
    assert new_leader_packet(2, None) == QuorumPacket(10, 2 << 32)
    assert leader_protocol_version(leader_info_packet(1)) == 0x10000


@given(ints, longs)
def test_ack_epoch_holds_an_epoch(epoch: int, zxid: int) -> None:
    assert acked_current_epoch(ack_epoch_packet(epoch, zxid)) == epoch


@pytest.mark.parametrize("data", [None, b"", b"x"])
def test_new_leader_of_up_to_one_byte_says_no_configuration(data: bytes | None) -> None:
    assert new_leader_configuration(QuorumPacket(PacketType.NEWLEADER, 0, data)) is None


def test_new_leader_holds_the_text_of_a_configuration() -> None:
    text = "server.1=h:1:2:participant\nversion=0"

    assert new_leader_configuration(new_leader_packet(1, text)) == text


@given(st.lists(st.tuples(longs, ints), max_size=5))
def test_a_ping_answer_echoes_and_holds_the_touched_sessions(
    touched: list[tuple[int, int]],
) -> None:
    ping = QuorumPacket(PacketType.PING, 77, None, (Id("a", "b"),))

    answer = ping_answer(ping, touched)

    assert (answer.zxid, answer.authinfo) == (77, ping.authinfo)
    assert answer.data is not None
    assert touched_sessions(answer) == tuple(touched)


@pytest.mark.parametrize("data", [None, bytes(11), bytes(13)])
def test_a_ping_answer_that_holds_no_whole_sessions_is_refused(data: bytes | None) -> None:
    with pytest.raises(JuteError, match=r"PING data: read .*, expected 12 bytes for each session"):
        touched_sessions(QuorumPacket(PacketType.PING, 0, data))


@given(longs, ints, st.booleans())
def test_revalidation_asks_and_answers(session: int, timeout: int, is_valid: bool) -> None:
    question = revalidate_packet(session, timeout)

    answer = revalidate_answer_packet(question, session, is_valid=is_valid)

    assert question.zxid == NO_ZXID == answer.zxid
    assert revalidate_question(question) == (session, timeout)
    assert revalidate_answer(answer) == (session, is_valid)
    with pytest.raises(JuteError):
        revalidate_answer(question)
    with pytest.raises(JuteError):
        revalidate_question(answer)


@given(longs, ints, ints, st.binary(max_size=20))
def test_a_request_travels_with_who_asked(session: int, cxid: int, op: int, body: bytes) -> None:
    request = ForwardedRequest(session, cxid, op, body)
    who = (Id("ip", "127.0.0.1"),)

    packet, _ = decode_packet(request_packet(request, who).encode())

    assert forwarded_request(packet) == request
    assert (packet.zxid, packet.authinfo) == (NO_ZXID, who)


def test_activation_names_the_designated_leader() -> None:
    commit = commit_and_activate_packet(9, 3)
    inform = inform_and_activate_packet(9, -1, b"transaction")

    assert commit.data == bytes.fromhex("0000000000000003")
    assert commit_designated_leader(commit) == 3
    assert informed_and_activated(inform) == (-1, b"transaction")


def test_what_holds_too_little_is_refused_by_name() -> None:
    for read, name in [
        (leader_protocol_version, "LEADERINFO"),
        (acked_current_epoch, "ACKEPOCH"),
        (forwarded_request, "REQUEST"),
        (commit_designated_leader, "COMMITANDACTIVATE"),
        (informed_and_activated, "INFORMANDACTIVATE"),
    ]:
        for data in (None, b"abc"):
            with pytest.raises(JuteError, match=f"^{name} data"):
                read(QuorumPacket(PacketType[name], 0, data))


def test_a_type_that_no_release_uses_has_a_name_for_messages() -> None:
    assert packet_name(5) == "PING"
    assert QuorumPacket(99, 0).name == "packet type 99"


@given(st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 32) - 1))
def test_a_zxid_is_an_epoch_and_a_counter(epoch: int, counter: int) -> None:
    zxid = make_zxid(epoch, counter)

    assert (epoch_of(zxid), counter_of(zxid)) == (epoch, counter)
    assert int(zxid_text(zxid), 16) == zxid
    assert zxid_text(NO_ZXID) == "0xffffffffffffffff"
