from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.jute import MAX_LENGTH, JuteError, JuteReader, JuteWriter, decode_text, encode_text
from impl.packets import PacketType, QuorumPacket, decode_packet, read_packet
from impl.records import Acl, Id, decode_record, encode_record, vector

HEAD = struct.Struct(">iqi")
longs = st.integers(-(1 << 63), (1 << 63) - 1)
ints = st.integers(-(1 << 31), (1 << 31) - 1)
ids = st.builds(Id, st.text(max_size=9), st.text(max_size=9))
packets = st.builds(
    QuorumPacket,
    type=ints,
    zxid=longs,
    data=st.none() | st.binary(max_size=99),
    authinfo=st.none() | st.lists(ids, max_size=4).map(tuple),
)


@given(packets, st.binary(max_size=9))
def test_a_packet_is_read_as_it_was_written_and_nothing_behind_it(
    packet: QuorumPacket, behind: bytes
) -> None:
    written = packet.encode()

    assert decode_packet(written + behind) == (packet, len(written))
    assert decode_packet(behind + written, at=len(behind)) == (packet, len(behind + written))


@given(packets)
def test_a_packet_that_is_cut_anywhere_is_refused(packet: QuorumPacket) -> None:
    written = packet.encode()

    for end in range(len(written)):
        with pytest.raises(JuteError, match="expected the next field"):
            decode_packet(written[:end])


@given(st.binary(max_size=40))
def test_any_bytes_of_a_string_come_back(content: bytes) -> None:
    assert encode_text(decode_text(content)) == content


def test_null_is_no_empty_bytes_and_no_empty_vector() -> None:
    forms = [QuorumPacket(1, 0, data, authinfo) for data in (None, b"") for authinfo in (None, ())]

    written = [packet.encode() for packet in forms]

    assert len(set(written)) == 4
    assert [decode_packet(one)[0] for one in written] == forms


@pytest.mark.parametrize("length", [-2, -(1 << 31), MAX_LENGTH + 1, (1 << 31) - 1])
def test_a_length_out_of_bounds_is_refused_before_its_bytes_are_there(length: int) -> None:
    """The stream stays open: whoever waited for the bytes would hang here."""

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(HEAD.pack(PacketType.PROPOSAL, 1, length))
        await read_packet(reader)

    with pytest.raises(JuteError) as caught:
        asyncio.run(asyncio.wait_for(read(), 5))
    assert str(caught.value) == (
        f"PROPOSAL: read data of {length} bytes, expected 0 to {MAX_LENGTH} bytes, or -1"
    )


def test_data_of_the_greatest_length_is_read() -> None:
    packet = QuorumPacket(PacketType.REQUEST, -1, bytes(MAX_LENGTH))

    async def read() -> QuorumPacket:
        reader = asyncio.StreamReader()
        reader.feed_data(packet.encode())
        return await read_packet(reader)

    assert asyncio.run(read()) == packet
    with pytest.raises(JuteError, match=f"{MAX_LENGTH + 1} bytes"):
        decode_packet(QuorumPacket(PacketType.REQUEST, -1, bytes(MAX_LENGTH + 1)).encode())


@pytest.mark.parametrize("who", [Id("ip", "1" * 1014), Id("1" * 1014, "ip")])
def test_all_authinfo_together_is_bounded(who: Id) -> None:
    two, three = (QuorumPacket(1, -1, None, (who,) * count).encode() for count in (2, 3))

    assert decode_packet(two, max_length=2048)[0].authinfo == (who, who)
    with pytest.raises(JuteError, match="REQUEST authinfo: read"):
        decode_packet(three, max_length=2048)


def test_more_authinfo_than_could_ever_come_is_refused_at_once() -> None:
    with pytest.raises(JuteError, match="authinfo of 2147483647 elements, expected 0 to 262143"):
        decode_packet(HEAD.pack(1, 0, -1) + struct.pack(">i", (1 << 31) - 1))


def test_the_end_of_a_stream_says_where_it_was() -> None:
    async def read(content: bytes) -> QuorumPacket:
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return await read_packet(reader)

    with pytest.raises(EOFError, match="read the end of the stream at byte 0, expected 16"):
        asyncio.run(read(b""))
    with pytest.raises(EOFError, match="read the end of the stream at byte 18, expected 6 bytes"):
        asyncio.run(read(HEAD.pack(3, 1, 4) + b"ab"))


def test_a_lost_connection_is_told_as_it_is() -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.set_exception(ConnectionResetError("lost"))
        await read_packet(reader)

    with pytest.raises(ConnectionResetError, match="lost"):
        asyncio.run(read())


def test_an_error_says_where_what_and_what_was_expected() -> None:
    reader = JuteReader(struct.pack(">i", 5) + b"abc", "PROPOSAL data")

    with pytest.raises(JuteError) as caught:
        reader.read_buffer("path")
    expected = "PROPOSAL data, byte 4: read 3 bytes, expected path of 5 bytes"
    assert str(caught.value) == expected
    assert (caught.value.where, caught.value.read) == ("PROPOSAL data, byte 4", "3 bytes")


@pytest.mark.parametrize("byte", [2, 255])
def test_a_boolean_is_0_or_1(byte: int) -> None:
    with pytest.raises(JuteError, match=f"byte 0: read valid {byte}, expected 0 or 1"):
        JuteReader(bytes([byte]), "x").read_bool("valid")


def test_a_string_that_must_not_be_null_is_refused_when_it_is() -> None:
    with pytest.raises(JuteError, match="byte 0: read path that is null, expected a string"):
        JuteReader(b"\xff\xff\xff\xff", "x").read_text("path")


@pytest.mark.parametrize("count", [-2, 2, 1 << 30])
def test_a_vector_has_as_many_elements_as_bytes_are_left_for(count: int) -> None:
    content = struct.pack(">i", count) + bytes(15)
    reader = JuteReader(content, "x")

    with pytest.raises(JuteError, match=f"read acl of {count} elements, expected as many as fit"):
        reader.read_vector("acl", lambda inner: inner.read_long("long"), 8)


def test_a_vector_of_records_is_bounded_by_the_shortest_record() -> None:
    reader = JuteReader(struct.pack(">i", 2) + bytes(23), "x")

    with pytest.raises(JuteError, match="acl of 2 elements, expected as many as fit into 23"):
        vector(Acl).read(reader, "acl")


def test_bytes_behind_a_record_are_refused() -> None:
    acl = Acl(31, Id("world", "anyone"))

    assert decode_record(Acl, encode_record(acl), "ACL") == acl
    with pytest.raises(JuteError, match="ACL, byte 23: read 1 bytes more, expected the end"):
        decode_record(Acl, encode_record(acl) + b"x", "ACL")


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1])
def test_a_number_that_does_not_fit_is_not_written(number: int) -> None:
    with pytest.raises(struct.error):
        JuteWriter().write_int(number)
