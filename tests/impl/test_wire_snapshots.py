from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.jute import JuteError
from impl.packets import QuorumPacket, read_packet
from impl.records import Acl, Id
from impl.snapshot_stream import (
    Snapshot,
    SnapshotNode,
    StatPersisted,
    decode_snapshot,
    decode_snapshot_on_the_wire,
    read_snapshot,
    snapshot_on_the_wire,
)

longs = st.integers(-(1 << 63), (1 << 63) - 1)
ints = st.integers(-(1 << 31), (1 << 31) - 1)
acls = st.lists(st.builds(Acl, ints, st.builds(Id, st.text(max_size=5), st.text(max_size=5))))
stats = st.builds(StatPersisted, longs, longs, longs, longs, ints, ints, ints, longs, longs)
names = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1)
ROOT = SnapshotNode("", b"", -1, StatPersisted())

EMPTY = Snapshot((), (), (ROOT,))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    paths = [""]
    for name in draw(st.lists(names, max_size=6)):
        path = f"{draw(st.sampled_from(paths))}/{name}"
        if path not in paths:
            paths.append(path)
    nodes = [
        SnapshotNode(path, draw(st.none() | st.binary(max_size=9)), draw(longs), draw(stats))
        for path in paths
    ]
    numbered = draw(st.lists(st.tuples(longs, acls.map(tuple)), max_size=3))
    sessions = draw(st.lists(st.tuples(longs, ints), max_size=3))
    return Snapshot(tuple(sessions), tuple(numbered), tuple(nodes))


@given(snapshots(), st.binary(max_size=5))
def test_a_snapshot_is_read_as_it_was_written(snapshot: Snapshot, behind: bytes) -> None:
    body = snapshot.encode()

    assert decode_snapshot(b"head" + body + behind, at=4) == (snapshot, 4 + len(body))
    assert decode_snapshot_on_the_wire(snapshot_on_the_wire(body)) == snapshot


@given(snapshots())
def test_a_stream_holds_on_behind_the_signature(snapshot: Snapshot) -> None:
    new_leader = QuorumPacket(10, 1 << 32)

    async def read() -> tuple[Snapshot, QuorumPacket]:
        reader = asyncio.StreamReader()
        reader.feed_data(snapshot_on_the_wire(snapshot.encode()) + new_leader.encode())
        return await read_snapshot(reader), await read_packet(reader)

    assert asyncio.run(read()) == (snapshot, new_leader)


@given(snapshots())
def test_a_snapshot_that_is_cut_anywhere_is_refused(snapshot: Snapshot) -> None:
    written = snapshot_on_the_wire(snapshot.encode())

    for end in range(len(written)):
        with pytest.raises(JuteError):
            decode_snapshot_on_the_wire(written[:end])


@pytest.mark.parametrize("signature", [b"BenWasNowhere", b"BenWasHerE", b""])
def test_a_snapshot_without_its_signature_is_refused(signature: bytes) -> None:
    body = Snapshot((), (), (ROOT,)).encode()

    with pytest.raises(JuteError, match="signature"):
        decode_snapshot_on_the_wire(body + struct.pack(">i", len(signature)) + signature)


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        ([], "read the end, expected the root"),
        (["/a"], "node 1: read '/a', expected the root"),
        (["", "/a/b"], "node 2: read '/a/b', expected a path whose parent came before"),
        (["", "a"], "node 2: read 'a', expected a path whose parent came before"),
        (["", "/a", "/a"], "node 3: read '/a' again, expected a path that did not come before"),
        (["", ""], "node 2: read '', expected a path whose parent came before"),
    ],
)
def test_nodes_that_are_no_tree_are_refused(paths: list[str], problem: str) -> None:
    nodes = tuple(SnapshotNode(path, None, -1, StatPersisted()) for path in paths)

    with pytest.raises(JuteError, match=problem):
        decode_snapshot(Snapshot((), (), nodes).encode())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (struct.pack(">i", -1), "read -1 sessions"),
        (struct.pack(">ii", 0, -5), "read -5 ACLs"),
        (struct.pack(">iiqi", 0, 1, 7, -1), "ACL 7: read -1 elements"),
        (struct.pack(">iiqi", 0, 1, 7, 1 << 30), "ACL 7: read 1073741824 elements"),
        (struct.pack(">iiqiii", 0, 1, 7, 1, 31, -1), "ACL 7: read a string of -1 bytes"),
        (struct.pack(">iii", 0, 0, -1), "node 1: read a string of -1 bytes"),
        (struct.pack(">iii", 0, 0, 1 << 30), "node 1: read a string of 1073741824 bytes"),
        (struct.pack(">iiii", 0, 0, 0, -2), "node '': read data of -2 bytes"),
        (EMPTY.encode() + struct.pack(">i", 11), "read signature of 11 bytes, expected 0 to 10"),
    ],
)
def test_a_length_out_of_bounds_is_refused_before_its_bytes_are_there(
    body: bytes, problem: str
) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(body)
        await read_snapshot(reader)

    with pytest.raises(JuteError, match=problem):
        asyncio.run(asyncio.wait_for(read(), 5))


def test_more_sessions_than_ever_come_end_with_the_stream() -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(struct.pack(">iqi", (1 << 31) - 1, 5, 10))
        reader.feed_eof()
        await read_snapshot(reader)

    with pytest.raises(EOFError, match="snapshot: read the end of the stream at byte 16"):
        asyncio.run(read())
