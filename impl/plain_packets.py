"""Zab's packets as plain values, for who drives a server without its bytes.

A zxid is [epoch, counter], a transaction [epoch, counter, request]: request r creates the node
/r<number>. Packets that carry nothing of Zab (PING, REVALIDATE, REQUEST, SYNC) have no plain form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from impl import payloads
from impl.database import Database
from impl.operations import CreateTxn, OpCode, TxnHeader
from impl.packets import PacketType, QuorumPacket, decode_packet
from impl.records import OPEN_ACL_UNSAFE
from impl.snapshot_stream import Snapshot, decode_snapshot_on_the_wire, snapshot_on_the_wire
from impl.transactions import Transaction, decode_transaction
from impl.zxids import counter_of, epoch_of, make_zxid

Plain = dict[str, Any]
"""A packet. type: its name, as FollowerInfo; the rest its fields."""

SESSION = 1
"""Who asks for every request."""

_BY_ZXID = {
    "Diff": PacketType.DIFF,
    "Trunc": PacketType.TRUNC,
    "Ack": PacketType.ACK,
    "Commit": PacketType.COMMIT,
}
_BY_TXN = {"Proposal": PacketType.PROPOSAL, "Inform": PacketType.INFORM}
_NAMES: dict[int, str] = {number: name for name, number in (_BY_ZXID | _BY_TXN).items()}
_KEPT = 10_000


@lru_cache(_KEPT)
def payload_of(epoch: int, counter: int, request: int) -> bytes:
    """A transaction as it is proposed and logged."""
    header = TxnHeader(SESSION, request, make_zxid(epoch, counter), 0, OpCode.CREATE)
    body = CreateTxn(path_of(request), b"", OPEN_ACL_UNSAFE, ephemeral=False, parent_cversion=-1)
    return Transaction(header, body).encode()


def path_of(request: int) -> str:
    """The node that a request creates."""
    return f"/r{request}"


@lru_cache(_KEPT)
def transaction_in(payload: bytes) -> tuple[int, int, int]:
    """[epoch, counter, request] of what is proposed or logged; request 0 where it is no request."""
    transaction = decode_transaction(payload)
    body, zxid = transaction.body, transaction.zxid
    request = int(body.path[2:]) if isinstance(body, CreateTxn) else 0
    return epoch_of(zxid), counter_of(zxid), request


def pair(zxid: int) -> tuple[int, int]:
    """A zxid as plain values."""
    return epoch_of(zxid), counter_of(zxid)


def content(database: Database) -> tuple[tuple[int, int, int], ...]:
    """The transactions that a database shows, in the order of their zxids."""
    tree, found = database.tree, list[tuple[int, int, int]]()
    for name in tree.get_children("/"):
        node = tree.get_node(f"/{name}")
        if name.startswith("r") and node is not None:
            found.append((*pair(node.czxid), int(name[1:])))
    return tuple(sorted(found))


def holds_of(snapshot: Snapshot) -> tuple[tuple[int, int, int], ...]:
    """The transactions that a snapshot shows, in the order of their zxids."""
    found = [
        (*pair(node.stat.czxid), int(node.path[2:]))
        for node in snapshot.nodes
        if node.path.startswith("/r")
    ]
    return tuple(sorted(found))


def database_of(holds: Iterable[Sequence[int]], zxid: Sequence[int]) -> Database:
    """A database that shows these transactions."""
    database = Database()
    for txn in holds:
        database.process_txn(decode_transaction(payload_of(*txn)))
    database.last_processed_zxid = make_zxid(*zxid)
    return database


def to_bytes(packet: Plain, sender: int) -> bytes:
    """What a server writes that sends this packet; a SNAP with what stands behind it."""
    name = packet["type"]
    if name == "Snap":
        body = database_of(packet["holds"], packet["zxid"]).serialize_snapshot()
        start = QuorumPacket(PacketType.SNAP, make_zxid(*packet["zxid"])).encode()
        return start + snapshot_on_the_wire(body)
    return _packet(name, packet, sender).encode()


def _packet(name: str, packet: Plain, sender: int) -> QuorumPacket:
    if name in _BY_ZXID:
        return QuorumPacket(_BY_ZXID[name], make_zxid(*packet["zxid"]))
    if name in _BY_TXN:
        epoch, counter, request = packet["txn"]
        payload = payload_of(epoch, counter, request)
        return QuorumPacket(_BY_TXN[name], make_zxid(epoch, counter), payload)
    if name not in _OTHERS:
        raise ValueError(f'read packet type "{name}", expected one that carries Zab')
    return _OTHERS[name](packet, sender)


def _ack_epoch(packet: Plain, _sender: int) -> QuorumPacket:
    current = packet["current_epoch"]
    answered = payloads.EPOCH_NOT_ACKED if current is None else current
    return payloads.ack_epoch_packet(answered, make_zxid(*packet["last_zxid"]))


def _info(packet: Plain, sender: int, *, is_observer: bool) -> QuorumPacket:
    who = payloads.LearnerInfo(sender)
    return payloads.learner_info_packet(who, packet["accepted_epoch"], is_observer=is_observer)


_OTHERS: Mapping[str, Callable[[Plain, int], QuorumPacket]] = {
    "FollowerInfo": partial(_info, is_observer=False),
    "ObserverInfo": partial(_info, is_observer=True),
    "LeaderInfo": lambda packet, _: payloads.leader_info_packet(packet["epoch"]),
    "AckEpoch": _ack_epoch,
    "NewLeader": lambda packet, _: payloads.new_leader_packet(packet["epoch"], None),
    "UpToDate": lambda _packet, _: QuorumPacket(PacketType.UPTODATE, -1),
}


def from_bytes(written: bytes) -> list[Plain]:
    """The packets in what a server wrote at once. Raises JuteError."""
    found: list[Plain] = []
    at = 0
    while at < len(written):
        packet, at = decode_packet(written, at)
        if packet.type == PacketType.SNAP:
            holds = holds_of(decode_snapshot_on_the_wire(written[at:]))
            found.append({"type": "Snap", "zxid": pair(packet.zxid), "holds": holds})
            break
        plain = _plain(packet)
        if plain is not None:
            found.append(plain)
    return found


def _plain(packet: QuorumPacket) -> Plain | None:
    name, zxid = _NAMES.get(packet.type), packet.zxid
    if name in _BY_ZXID:
        return {"type": name, "zxid": pair(zxid)}
    if name in _BY_TXN:
        return {"type": name, "txn": transaction_in(packet.data or b"")}
    read = _READ.get(packet.type)
    return None if read is None else read(packet)


def _read_ack_epoch(packet: QuorumPacket) -> Plain:
    said = payloads.acked_current_epoch(packet)
    current = None if said == payloads.EPOCH_NOT_ACKED else said
    return {"type": "AckEpoch", "current_epoch": current, "last_zxid": pair(packet.zxid)}


def _read_epoch(name: str, key: str, packet: QuorumPacket) -> Plain:
    return {"type": name, key: epoch_of(packet.zxid)}


_READ: Mapping[int, Callable[[QuorumPacket], Plain]] = {
    PacketType.FOLLOWERINFO: partial(_read_epoch, "FollowerInfo", "accepted_epoch"),
    PacketType.OBSERVERINFO: partial(_read_epoch, "ObserverInfo", "accepted_epoch"),
    PacketType.LEADERINFO: partial(_read_epoch, "LeaderInfo", "epoch"),
    PacketType.NEWLEADER: partial(_read_epoch, "NewLeader", "epoch"),
    PacketType.ACKEPOCH: _read_ack_epoch,
    PacketType.UPTODATE: lambda _: {"type": "UpToDate"},
}
