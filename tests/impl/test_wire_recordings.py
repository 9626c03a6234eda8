from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest
from payloads_again import PAYLOADS
from wire_recordings import (
    RecordedBytes,
    recorded_bytes,
    recorded_packets,
    recorded_snapshots,
    recordings,
)

from impl.database import Database
from impl.packets import PacketType, QuorumPacket, decode_packet, read_packet
from impl.snapshot_stream import (
    Snapshot,
    decode_snapshot_on_the_wire,
    read_snapshot,
    snapshot_on_the_wire,
)
from impl.transactions import OpCode, Transaction, decode_transaction
from zabspec.conform.recording import read_recording
from zabspec.conform.recording_payload import Transaction as ZabspecTransaction

every_recording = pytest.mark.parametrize(
    "path", recordings(), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
TRANSACTION_TYPES = ("PROPOSAL", "INFORM", "INFORMANDACTIVATE")


@every_recording
def test_every_recorded_packet_is_written_again_as_it_was(path: Path) -> None:
    packets = recorded_packets(path)

    for one in packets:
        on_the_wire = _framed(one)
        packet, end = decode_packet(on_the_wire)
        assert (packet.name, packet.zxid, packet.data) == (one.type, one.zxid, one.content)
        assert end == len(on_the_wire)
        assert packet.encode() == on_the_wire, one
    assert packets


@every_recording
def test_what_every_recorded_packet_holds_is_written_again_as_it_was(path: Path) -> None:
    for one in recorded_packets(path):
        again = PAYLOADS.get(PacketType[one.type])
        is_ping_of_leader = one.type == "PING" and one.content is None
        if again is not None and not is_ping_of_leader:
            assert again(one.packet) == one.content, one


@every_recording
def test_every_recorded_snapshot_is_written_again_as_it_was(path: Path) -> None:
    for one in recorded_snapshots(path):
        assert one.content is not None
        snapshot = decode_snapshot_on_the_wire(one.content)
        assert snapshot_on_the_wire(snapshot.encode()) == one.content, one


@every_recording
def test_a_recorded_connection_is_read_packet_by_packet_from_a_stream(path: Path) -> None:
    for sent in _directions(path):
        assert asyncio.run(_read_all(sent)) == [_parsed(one) for one in sent]


@every_recording
def test_the_checker_reads_the_same_transactions(path: Path) -> None:
    transactions = {
        record.line: record.decoded
        for record in read_recording(path).records
        if isinstance(record.decoded, ZabspecTransaction)
    }

    ours = [one for one in recorded_packets(path) if one.type in TRANSACTION_TYPES]

    assert [one.line for one in ours] == list(transactions)
    for one in ours:
        theirs, transaction = transactions[one.line], decode_transaction(one.content)
        assert transaction.zxid == theirs.zxid.pack()
        assert transaction.header.type == theirs.operation


@every_recording
def test_the_tree_has_the_digest_that_zookeeper_computed(path: Path) -> None:
    """All that was committed, applied; 3.5 computes none, and after a gap none can agree."""
    if path.stem == "c2_snap_forced":
        pytest.skip("packets are left out of this recording")
    database = Database()

    for transaction in _committed(path):
        database.process_txn(transaction)
        assert database.digest_mismatch is None, transaction


def test_so_many_digests_of_zookeeper_were_compared() -> None:
    compared = [
        transaction.digest
        for path in recordings()
        if path.stem != "c2_snap_forced"
        for transaction in _committed(path)
        if transaction.digest is not None
    ]

    assert len(compared) == 86


def test_a_tree_that_lacks_transactions_has_another_digest() -> None:
    path = next(path for path in recordings() if path.stem == "c2_snap_forced")
    database = Database()

    for transaction in _committed(path):
        database.process_txn(transaction)

    assert database.digest_mismatch == 0x100000008


@every_recording
def test_a_recorded_snapshot_survives_the_database(path: Path) -> None:
    for one in recorded_snapshots(path):
        assert one.content is not None
        snapshot = decode_snapshot_on_the_wire(one.content)
        database = Database()
        database.deserialize_snapshot(snapshot)

        assert database.to_snapshot() == _sorted(snapshot)


def test_what_follows_a_recorded_snapshot_leads_to_the_digest_that_zookeeper_computed() -> None:
    path = next(path for path in recordings() if path.stem == "c2_snap_forced")
    records = list(recorded_bytes(path))
    at = max(number for number, one in enumerate(records) if one.type == "SNAPSTREAM")
    snap = next(one for one in reversed(records[:at]) if one.type == "SNAP")
    database = Database()
    content = records[at].content
    assert content is not None
    database.deserialize_snapshot(decode_snapshot_on_the_wire(content))

    later = [one for one in _committed(path) if one.zxid > snap.zxid]
    for transaction in later:
        database.process_txn(transaction)

    assert [one.digest is not None for one in later] == [True, True]
    assert database.digest_mismatch is None


def test_a_leader_that_replays_a_recorded_history_has_its_window() -> None:
    path = next(p for p in recordings() if p.parent.name == "3.9.4" and p.stem[0] == "b")
    database = Database()

    for transaction in _committed(path):
        database.replay(transaction.encode())

    zxids = [one.zxid for one in database.committed_log]
    sent = {one.zxid: one.packet for one in recorded_packets(path) if one.type == "PROPOSAL"}
    assert (database.min_committed_log, database.max_committed_log) == (zxids[0], zxids[-1])
    assert [one.packet for one in database.committed_log] == [sent[zxid] for zxid in zxids]
    assert database.last_processed_zxid == zxids[-1]


def test_closed_sessions_of_the_recordings_leave_nothing() -> None:
    path = next(path for path in recordings() if path.stem == "g_request_sync_revalidate")
    database = Database()
    opened, closed = set(), set()

    for transaction in _committed(path):
        database.process_txn(transaction)
        session = transaction.header.client_id
        if transaction.header.type == OpCode.CREATE_SESSION:
            opened.add(session)
        if transaction.header.type == OpCode.CLOSE_SESSION:
            closed.add(session)
            assert database.tree.get_ephemerals(session) == ()

    assert set(database.sessions_with_timeouts) == opened - closed


def _framed(one: RecordedBytes) -> bytes:
    """Put together apart from the code under test."""
    content = b"\xff\xff\xff\xff" if one.content is None else _prefixed(one.content)
    authinfo = b"\xff\xff\xff\xff"
    if one.authinfo is not None:
        authinfo = struct.pack(">i", len(one.authinfo)) + b"".join(
            _prefixed(who.scheme.encode()) + _prefixed(who.id.encode()) for who in one.authinfo
        )
    number = PacketType[one.type].value
    return struct.pack(">iq", number, one.zxid) + content + authinfo


def _prefixed(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


def _directions(path: Path) -> list[list[RecordedBytes]]:
    """What was written into each end of each connection, in order."""
    directions: dict[tuple[str, int], list[RecordedBytes]] = {}
    for one in recorded_bytes(path):
        directions.setdefault((one.connection, one.sender), []).append(one)
    return list(directions.values())


def _parsed(one: RecordedBytes) -> QuorumPacket | Snapshot:
    if one.type != "SNAPSTREAM":
        return one.packet
    assert one.content is not None
    return decode_snapshot_on_the_wire(one.content)


async def _read_all(sent: list[RecordedBytes]) -> list[QuorumPacket | Snapshot]:
    """Fed in pieces that respect nothing, while it is read."""
    written = b"".join(
        one.content or b"" if one.type == "SNAPSTREAM" else one.packet.encode() for one in sent
    )
    reader = asyncio.StreamReader()

    async def feed() -> None:
        for at in range(0, len(written), 37):
            reader.feed_data(written[at : at + 37])
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.create_task(feed())
    found: list[QuorumPacket | Snapshot] = []
    for one in sent:
        reading = read_snapshot if one.type == "SNAPSTREAM" else read_packet
        found.append(await reading(reader))
    await feeding
    with pytest.raises(EOFError):
        await read_packet(reader)
    return found


def _committed(path: Path) -> list[Transaction]:
    """By zxid; of a zxid that was proposed twice, the one that was committed after it."""
    packets = recorded_packets(path)
    commits = {"COMMIT", "COMMITANDACTIVATE", "INFORM"}
    committed = {one.zxid for one in packets if one.type in commits}
    payloads = {one.zxid: one.content for one in packets if one.type in TRANSACTION_TYPES}
    return [decode_transaction(payloads[zxid]) for zxid in sorted(committed & set(payloads))]


def _sorted(snapshot: Snapshot) -> Snapshot:
    """Depth first with the children of one parent sorted, as the database writes it."""
    nodes = sorted(snapshot.nodes, key=lambda node: node.path.split("/"))
    return Snapshot(tuple(sorted(snapshot.sessions)), tuple(sorted(snapshot.acls)), tuple(nodes))
