"""One server in simulation, and whoever a test plays at the other ends of its connections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from impl import payloads
from impl import simulated_events as events
from impl.config import Config
from impl.database import Database
from impl.packets import PacketType, QuorumPacket, decode_packet
from impl.quorum import quorum_verifier
from impl.quorum_peer import QuorumPeer
from impl.records import OPEN_ACL_UNSAFE
from impl.requests import Reply
from impl.simulated_events import Event
from impl.simulated_files import SimulatedFiles
from impl.simulated_machine import Machine
from impl.simulated_observations import (
    ClientAnswered,
    ConnectAsked,
    ConnectionClosed,
    Observation,
    ProcessEnded,
    RoleEnded,
    Sent,
)
from impl.simulated_peer import PeerProcess
from impl.simulated_server import SimulatedServer
from impl.snapshot_stream import Snapshot, decode_snapshot, snapshot_on_the_wire
from impl.transactions import CreateTxn, OpCode, Transaction, TxnHeader, decode_transaction
from impl.zxids import make_zxid

Z = make_zxid
CONFIG = {"tick_time": 100, "init_limit": 10, "sync_limit": 5, "pre_alloc_size": 0}


def configuration(voters: int, observers: int = 0) -> str:
    lines = [
        f"server.{sid}=127.0.0.1:{2000 + sid}:{3000 + sid}:participant"
        for sid in range(1, voters + 1)
    ]
    lines += [
        f"server.{sid}=127.0.0.1:{2000 + sid}:{3000 + sid}:observer"
        for sid in range(voters + 1, voters + observers + 1)
    ]
    return "\n".join([*lines, "version=0"])


class Bench:
    """A server, run until it waits after each thing that happens to it.

    syncs: whether fsyncs complete by themselves. seen: everything, in order.
    """

    def __init__(
        self,
        sid: int,
        voters: int = 3,
        observers: int = 0,
        **settings: Any,  # noqa: ANN401 - what Config takes, under its names
    ) -> None:
        self.text = settings.pop("text", configuration(voters, observers))
        files = settings.pop("files", None)
        verifier = quorum_verifier(self.text)
        self.config = Config(sid, verifier, **{**CONFIG, **settings})
        self.syncs = True
        self.seen: list[Observation] = []
        self.answers: dict[int, Reply] = {}
        self.server = SimulatedServer(sid, self._process, files)
        self._read: dict[str, int] = {}
        self._connections = 0
        self._asked = 0
        self.settle()

    def _process(self, machine: Machine) -> PeerProcess:
        self.machine = machine
        self.process = PeerProcess(self.config, machine)
        return self.process

    @property
    def peer(self) -> QuorumPeer:
        return self.process.peer

    @property
    def files(self) -> SimulatedFiles:
        return self.server.files

    def happen(self, event: Event) -> None:
        self.step(event)
        self.settle()

    def step(self, event: Event) -> None:
        """Let it happen, and nothing after it."""
        self._see(self.server.step(event))

    def settle(self) -> None:
        while self.server.is_up:
            self._see(self.server.settle())
            if not self.server.is_up or not self.syncs or not self.server.syncs:
                return
            self._see(self.server.step(events.SyncCompleted(self.server.syncs[0])))

    def sync(self) -> None:
        """Complete what fsyncs are asked for, once."""
        for name in self.server.syncs:
            self._see(self.server.step(events.SyncCompleted(name)))
        self.settle()

    def fire(self, timer: str) -> None:
        self.happen(events.TimerFired(timer))

    def elect(self, leader: int) -> None:
        self.happen(events.Elected(leader))

    def accept(self, peer: int | None) -> str:
        """A learner connects; the name of its connection."""
        self._connections += 1
        name = f"q{self._connections}"
        self.happen(events.ConnectionAccepted(name, peer))
        return name

    def follow(self, leader: int) -> str:
        """Follow a leader that takes the connection; its name."""
        self.elect(leader)
        return self.connected()

    def connected(self) -> str:
        [(attempt, _)] = self.server.asked.items()
        self._connections += 1
        name = f"q{self._connections}"
        self.happen(events.ConnectAnswered(attempt, name))
        return name

    def send(self, name: str, *packets: QuorumPacket | bytes) -> None:
        for packet in packets:
            written = packet if isinstance(packet, bytes) else packet.encode()
            self.happen(events.Delivered(name, written))

    def sent(self, name: str) -> list[QuorumPacket]:
        """What it sent there since the last call; a SNAP's stream is passed over."""
        written = b"".join(
            one.written
            for one in self.seen[self._read.get(name, 0) :]
            if isinstance(one, Sent) and one.connection == name
        )
        self._read[name] = len(self.seen)
        packets, at = [], 0
        while at < len(written):
            packet, at = decode_packet(written, at)
            packets.append(packet)
            if packet.type == PacketType.SNAP:
                self.snapshot, at = decode_snapshot(written, at)
                at += 4 + len("BenWasHere")
        return packets

    def said(self, name: str) -> list[str]:
        """The same, as text."""
        return [text_of(packet) for packet in self.sent(name)]

    def closed(self, name: str) -> bool:
        return ConnectionClosed(name) in self.seen

    @property
    def ends(self) -> list[str]:
        """Why its roles ended so far."""
        return [one.why for one in self.seen if isinstance(one, RoleEnded)]

    @property
    def process_end(self) -> str | None:
        return next((one.why for one in self.seen if isinstance(one, ProcessEnded)), None)

    @property
    def dialled(self) -> int:
        return sum(isinstance(one, ConnectAsked) for one in self.seen)

    def ask(self, session: int, cxid: int, kind: int, body: bytes = b"") -> int:
        """A client asks; the number of its answer."""
        self._asked += 1
        self.happen(events.ClientAsked(self._asked, session, cxid, kind, body))
        return self._asked

    def answer(self, number: int) -> ClientAnswered | None:
        found = [
            one for one in self.seen if isinstance(one, ClientAnswered) and one.number == number
        ]
        return found[0] if found else None

    def log(self) -> list[int]:
        return [record.zxid for record in self.peer.storage.read_txn_log(0)]

    def restart(self, event: Event | None = None) -> None:
        self.happen(event or events.Killed())
        self.happen(events.Restarted())

    def close(self) -> None:
        self.server.close()
        assert self.server.unhandled == []

    def _see(self, seen: Iterable[Observation]) -> None:
        self.seen += seen


def text_of(packet: QuorumPacket) -> str:
    zxid = packet.zxid
    at = "-1" if zxid == -1 else f"{zxid >> 32}.{zxid & 0xFFFFFFFF}"
    text = f"{packet.name} {at}"
    if packet.type == PacketType.ACKEPOCH:
        text += f" epoch {payloads.acked_current_epoch(packet)}"
    return text


def txn(zxid: int, session: int = 7, content: bytes = b"") -> bytes:
    """A create, named for its zxid."""
    path = f"/n{zxid >> 32}-{zxid & 0xFFFFFFFF}"
    header = TxnHeader(session, zxid & 0xFFFF, zxid, 1000, OpCode.CREATE)
    return Transaction(
        header, CreateTxn(path, content, OPEN_ACL_UNSAFE, ephemeral=False, parent_cversion=-1)
    ).encode()


def proposal(zxid: int, content: bytes = b"") -> QuorumPacket:
    return QuorumPacket(PacketType.PROPOSAL, zxid, txn(zxid, content=content))


def inform(zxid: int) -> QuorumPacket:
    return QuorumPacket(PacketType.INFORM, zxid, txn(zxid))


def commit(zxid: int) -> QuorumPacket:
    return QuorumPacket(PacketType.COMMIT, zxid)


def ack(zxid: int) -> QuorumPacket:
    return QuorumPacket(PacketType.ACK, zxid)


def follower_info(sid: int, accepted: int = 0, *, observes: bool = False) -> QuorumPacket:
    return payloads.learner_info_packet(payloads.LearnerInfo(sid), accepted, is_observer=observes)


UPTODATE = QuorumPacket(PacketType.UPTODATE, -1)


def snapshot_of(*zxids: int) -> Snapshot:
    """Of a database that holds the transactions that `txn` makes."""
    database = Database()
    for zxid in zxids:
        database.process_txn(decode_transaction(txn(zxid)))
    return database.to_snapshot()


def snapshot(zxid: int, *zxids: int, signature: str = "BenWasHere") -> bytes:
    """SNAP and its stream."""
    stream = snapshot_on_the_wire(snapshot_of(*zxids).encode())
    stream = stream.replace(b"BenWasHere", signature.encode())
    return QuorumPacket(PacketType.SNAP, zxid).encode() + stream
