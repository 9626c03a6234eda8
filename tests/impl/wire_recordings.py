"""The packets and snapshot streams of the recorded runs, as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from impl.packets import Id, PacketType, QuorumPacket

RECORDINGS = Path(__file__).parents[1] / "recordings"


@frozen
class RecordedBytes:
    """One line of a recording that has bytes of the quorum port."""

    path: Path
    line: int
    type: str
    sender: int
    receiver: int
    connection: str
    content: bytes | None
    zxid: int
    authinfo: tuple[Id, ...] | None

    @property
    def packet(self) -> QuorumPacket:
        return QuorumPacket(PacketType[self.type], self.zxid, self.content, self.authinfo)

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}:{self.line} {self.type}"


def recordings() -> list[Path]:
    return sorted(RECORDINGS.glob("*/*.jsonl"))


def recorded_bytes(path: Path) -> Iterator[RecordedBytes]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        record = json.loads(line)
        if record["type"] in PacketType.__members__ or record["type"] == "SNAPSTREAM":
            yield _recorded(path, number, record)


def recorded_packets(path: Path) -> list[RecordedBytes]:
    return [one for one in recorded_bytes(path) if one.type != "SNAPSTREAM"]


def recorded_snapshots(path: Path) -> list[RecordedBytes]:
    return [one for one in recorded_bytes(path) if one.type == "SNAPSTREAM"]


def _recorded(path: Path, number: int, record: dict[str, object]) -> RecordedBytes:
    text, authinfo = record["data"], record.get("authinfo")
    zxid = int(str(record.get("zxid", "0x0")), 16)
    return RecordedBytes(
        path=path,
        line=number,
        type=str(record["type"]),
        sender=int(str(record["from"])),
        receiver=int(str(record["to"])),
        connection=str(record["conn"]),
        content=None if text is None else bytes.fromhex(str(text)),
        zxid=zxid - (1 << 64) if zxid >> 63 else zxid,
        authinfo=tuple(Id(one["scheme"], one["id"]) for one in authinfo)
        if isinstance(authinfo, list)
        else None,
    )
