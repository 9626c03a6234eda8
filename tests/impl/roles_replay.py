"""A recorded run, given to one of its servers: what the others sent it, and what its clients asked.

The record says what was sent and, before it could be read, when. What is sent to the server is
delivered at that line; what the recorded server sent by a line, ours must have sent by then.
Packets of one type must come in the same order on their connection; nothing else follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from roles_bench import Bench, text_of

from impl import payloads
from impl import simulated_events as events
from impl.client_records import (
    CreateRequest,
    DeleteRequest,
    SetDataRequest,
)
from impl.errors import ErrorCode
from impl.packets import PacketType, QuorumPacket
from impl.records import Id, encode_record
from impl.requests import Request
from impl.snapshot_stream import Snapshot, decode_snapshot_on_the_wire
from impl.transactions import (
    CreateTxn,
    DeleteTxn,
    ErrorTxn,
    OpCode,
    SetDataTxn,
    Transaction,
    decode_transaction,
)

TRANSACTIONS = ("PROPOSAL", "INFORM")
LEARNER_INFO = ("FOLLOWERINFO", "OBSERVERINFO")


@define
class Difference:
    """What our server sent, or did not send. line: of the record; 0 = never recorded."""

    line: int
    recorded: str
    ours: str

    def __str__(self) -> str:
        return f"{self.line} {self.recorded}: {self.ours}".strip()


@define
class Replay:
    """One server of a recording. until: the mark where the replay ends; "": at the end."""

    path: Path
    sid: int
    settings: dict[str, Any] = field(factory=dict)
    until: str = ""
    differences: list[Difference] = field(factory=list)
    compared: int = 0
    _bench: Bench = field(init=False)
    _records: list[dict[str, Any]] = field(init=False)
    _ours: dict[str, str] = field(init=False, factory=dict)
    _sent: dict[str, list[QuorumPacket]] = field(init=False, factory=dict)
    _asked: set[tuple[int, int]] = field(init=False, factory=set)
    _snapshots: dict[str, bytes] = field(init=False, factory=dict)
    _killed: bool = field(init=False, default=False)

    def run(self) -> None:
        self._records = [json.loads(line) for line in self.path.read_text().splitlines()]
        settings = {"text": configuration_of(self._records), "init_limit": 1000, "sync_limit": 1000}
        self._bench = Bench(self.sid, **{**settings, **self.settings})
        for number, record in enumerate(self._records, start=1):
            if record["type"] == "MARK" and self.until and self.until in record["text"]:
                break
            if record["type"] == "MARK" and f"SIGKILL follower {self.sid}" in record["text"]:
                self._killed = True
            elif str(record["conn"]).startswith("q"):
                self._line(number, record)
        for name, left in self._sent.items():
            self._collect(name)
            self.differences += (
                Difference(0, f"{name} {text_of(one)}", "not recorded")
                for one in left
                if one.type != PacketType.PING or one.data is not None
            )
        self._bench.close()

    def _line(self, number: int, record: dict[str, Any]) -> None:
        name, sender, receiver = record["conn"], record["from"], record["to"]
        if self.sid not in (sender, receiver):
            return
        if record["type"] == "OPEN":
            self._open(name, sender, receiver)
        elif record["type"] == "CLOSE":
            if sender != self.sid and self._is_open(name):
                self._bench.happen(events.ConnectionEnded(self._ours[name]))
        elif sender == self.sid:
            if not self._is_repeated(number, record):
                self._compare(number, record)
        elif not record.get("gated") and not record.get("held") and self._is_open(name):
            self._deliver(number, record)

    def _open(self, name: str, learner: int, leader: int) -> None:
        bench = self._bench
        if learner == self.sid:
            if self._killed:
                bench.restart()
                self._killed = False
            elif not bench.server.is_looking:
                bench.happen(events.RoleLeft())
            self._ours[name] = bench.follow(leader)
        else:
            if not bench.server.is_looking and bench.peer.leader is None:
                bench.happen(events.RoleLeft())
            if bench.server.is_looking:
                bench.elect(self.sid)
            self._ours[name] = bench.accept(learner)
        self._sent.setdefault(name, [])

    def _is_open(self, name: str) -> bool:
        return self._ours.get(name) in self._bench.server.connections

    def _deliver(self, number: int, record: dict[str, Any]) -> None:
        if record["type"] == "SNAPSTREAM":
            self._bench.send(self._ours[record["conn"]], bytes.fromhex(record["data"]))
            return
        packet = packet_of(record)
        if packet.type == PacketType.REQUEST:
            self._set_time(payloads.forwarded_request(packet))
        if packet.type == PacketType.PING and packet.data is None:
            self._touch(number, record["conn"])
        self._bench.send(self._ours[record["conn"]], packet)

    def _set_time(self, asked: payloads.ForwardedRequest) -> None:
        last_proposed = self._bench.peer.leader.proposals.last_proposed
        for transaction in self._proposed():
            header = transaction.header
            same = (header.client_id, header.cxid) == (asked.session, asked.cxid)
            if same and header.zxid > last_proposed:
                self._bench.machine.loop.now = header.time / 1000
                return

    def _proposed(self) -> Iterator[Transaction]:
        for record in self._records:
            if record["type"] == "PROPOSAL" and record["from"] == self.sid:
                yield decode_transaction(bytes.fromhex(record["data"]))

    def _touch(self, number: int, name: str) -> None:
        """A learner's clients were heard of, as its answer to this PING will tell."""
        answers = [
            record
            for number, record in enumerate(self._records, start=1)
            if (record["conn"], record["type"], record.get("from")) == (name, "PING", self.sid)
            and not self._is_repeated(number, record)
        ]
        asked = sum(
            (record["conn"], record["type"], record.get("to")) == (name, "PING", self.sid)
            for record in self._records[: number - 1]
        )
        for record in answers[asked : asked + 1]:
            for session, timeout in payloads.touched_sessions(packet_of(record)):
                self._bench.happen(events.SessionTouched(session, timeout))

    def _compare(self, number: int, record: dict[str, Any]) -> None:
        name = record["conn"]
        if record["type"] == "SNAPSTREAM":
            self._compare_snapshot(number, record)
            return
        recorded = packet_of(record)
        self._provoke(recorded, name)
        self._collect(name)
        left = self._sent.get(name, [])
        text = text_of(recorded)
        ours = next((one for one in left if text_of(one) == text), None)
        if recorded in left:
            ours = recorded
        shown = "nothing"
        if ours is not None:
            overtaken = [one for one in left[: left.index(ours)] if one.type == ours.type]
            out_of_order = bool(overtaken) and recorded.type != PacketType.PING
            left.remove(ours)
            self.compared += 1
            shown = "out of order" if out_of_order else "other content"
            if ours == recorded and not out_of_order:
                return
        self.differences.append(Difference(number, f"{name} {text}", shown))

    def _collect(self, name: str) -> None:
        if name in self._ours:
            self._sent[name] += self._bench.sent(self._ours[name])

    def _compare_snapshot(self, number: int, record: dict[str, Any]) -> None:
        recorded = decode_snapshot_on_the_wire(bytes.fromhex(record["data"]))
        ours = self._bench.snapshot
        same = recorded.sessions == ours.sessions and nodes_of(recorded) == nodes_of(ours)
        self.compared += 1
        if not same:
            self.differences.append(Difference(number, "SNAPSTREAM", "another snapshot"))

    def _provoke(self, recorded: QuorumPacket, name: str) -> None:
        """What made the recorded server send this, where it was no packet: a client, a tick."""
        self._collect(name)
        if recorded.type == PacketType.PING and recorded.data is None:
            if recorded not in self._sent.get(name, []):
                self._bench.fire("tick")
        elif recorded.name in TRANSACTIONS:
            self._ask_for(decode_transaction(recorded.data))
        elif recorded.type == PacketType.REQUEST:
            asked = payloads.forwarded_request(recorded)
            self._submit(asked.session, asked.cxid, asked.op, asked.body, recorded.authinfo)
        elif recorded.type == PacketType.REVALIDATE and len(recorded.data or b"") == 12:
            session, timeout = payloads.revalidate_question(recorded)
            self._bench.happen(events.SessionReopened(session, session, timeout))

    def _ask_for(self, transaction: Transaction) -> None:
        leader = self._bench.peer.leader
        if leader is None or not leader.is_established:
            return
        if leader.proposals.last_proposed >= transaction.zxid:
            return
        self._bench.machine.loop.now = transaction.header.time / 1000
        kind, body = asked_for(transaction)
        header = transaction.header
        self._submit(header.client_id, header.cxid, kind, body, None)

    def _submit(
        self, session: int, cxid: int, kind: int, body: bytes, authinfo: tuple[Id, ...] | None
    ) -> None:
        server = self._bench.peer.zookeeper_server
        with self._bench.machine.loop.entered():
            server.submit_request(Request(session, cxid, kind, body, authinfo))
        self._bench.settle()

    def _is_repeated(self, number: int, record: dict[str, Any]) -> bool:
        """Whether this line was seen before, as gated."""
        before = self._records[: number - 1]
        gated = sum(_bare(one) == _bare(record) for one in before if one.get("gated"))
        plain = sum(_bare(one) == _bare(record) for one in before if not one.get("gated"))
        return not record.get("gated") and gated > plain


def replayed(
    path: Path,
    sid: int,
    until: str = "",
    **settings: Any,  # noqa: ANN401 - what Config takes, under its names
) -> Replay:
    replay = Replay(path, sid, settings, until)
    replay.run()
    return replay


def packet_of(record: dict[str, Any]) -> QuorumPacket:
    text, zxid = record["data"], int(record["zxid"], 16)
    ids = record.get("authinfo")
    authinfo = None if ids is None else tuple(Id(one["scheme"], one["id"]) for one in ids)
    zxid = zxid - (1 << 64) if zxid >> 63 else zxid
    content = None if text is None else bytes.fromhex(text)
    return QuorumPacket(PacketType[record["type"]], zxid, content, authinfo)


def configuration_of(records: list[dict[str, Any]]) -> str:
    """As the servers were started with it: under version 0."""
    data = next(one["data"] for one in records if one["type"] == "NEWLEADER")
    text = bytes.fromhex(data).decode()
    return text.rpartition("version=")[0] + "version=0"


def servers_of(path: Path) -> list[int]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    quorum = [one for one in records if str(one["conn"]).startswith("q")]
    return sorted({one["from"] for one in quorum} | {one["to"] for one in quorum})


def nodes_of(snapshot: Snapshot) -> dict[str, Any]:
    acls = dict(snapshot.acls)
    return {
        one.path: (one.data, acls.get(one.acl), one.stat)
        for one in snapshot.nodes
        if not one.path.startswith("/zookeeper/")
    }


def asked_for(transaction: Transaction) -> tuple[int, bytes]:
    """What a client asks to get this transaction."""
    kind, body = transaction.header.type, transaction.body
    match body:
        case CreateTxn(path, content, acl, ephemeral, _):
            return kind, encode_record(CreateRequest(path, content, acl, int(ephemeral)))
        case SetDataTxn(path, content, _):
            return kind, encode_record(SetDataRequest(path, content, -1))
        case DeleteTxn(path):
            return kind, encode_record(DeleteRequest(path, -1))
        case ErrorTxn(ErrorCode.NO_NODE):
            return OpCode.DELETE, encode_record(DeleteRequest("/no such node", -1))
        case _:
            return kind, b"" if kind == OpCode.CLOSE_SESSION else encode_record(body)


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("t", "gated")}
