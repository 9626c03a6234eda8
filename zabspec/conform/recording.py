"""Recorded runs: one JSON object a line, one packet, connection event or mark a record.

Within one connection and direction the order of the lines is the order on the wire. A record is
stamped after its sender sent it and before its receiver could read it; nothing else follows across
connections.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen

from zabspec.conform.recording_entry import SHOWN_CHARACTERS, Entry, RecordingError, kind_of
from zabspec.conform.recording_packets import CONNECTION_TYPES, NO_ZXID, PACKET_NUMBERS
from zabspec.conform.recording_payload import Payload
from zabspec.protocol.state import Zxid

__all__ = ["NO_ZXID", "PACKET_NUMBERS", "Record", "Recording", "RecordingError", "read_recording"]

_RELEASE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


@frozen
class Record:
    """One line of a recording."""

    line: int
    """From 1."""
    time: float
    """Seconds, on the recorder's monotonic clock."""
    connection: str | None
    """q... = quorum port, e... = election port, None = a MARK."""
    sender: int | None
    receiver: int | None
    type: str
    zxid: Zxid | None
    """None where there is no QuorumPacket."""
    payload: str | None
    """QuorumPacket.data in hex, without a recorder's note; None = null, or no packet."""
    decoded: Payload | None
    fields: Mapping[str, object]
    """As the recorder decoded them: for people, not for checks."""
    held: bool
    """Sent, and never forwarded."""
    gated: bool
    """Sent, and forwarded where the same record comes again without it."""
    text: str | None
    """Of a MARK."""
    skipped: int
    """Of a MARK: how many packets were left out of the file there."""

    @property
    def named(self) -> Zxid:
        """The zxid that this packet carries; `NO_ZXID` where there is no packet."""
        return NO_ZXID if self.zxid is None else self.zxid

    def __str__(self) -> str:
        zxid = "" if self.named == NO_ZXID else f" {self.named}"
        ends = f" from {self.sender} to {self.receiver} on {self.connection}"
        return self.type if self.connection is None else f"{self.type}{zxid}{ends}"


@frozen
class Recording:
    """A recorded run."""

    path: Path
    release: str | None
    """Guessed from the name of the folder; None = it is not one of a release."""
    records: tuple[Record, ...]


def read_recording(path: Path) -> Recording:
    """The recording in this file. Raises RecordingError at the first line that is not one."""
    return parse_recording(read_text(path), path)


def parse_recording(text: str, path: Path) -> Recording:
    """The recording in this text. path: what an error names. Raises RecordingError."""
    lines = text.split("\n")
    reader = _Reader(path, is_whole=lines[-1] == "")
    if reader.is_whole:
        lines.pop()
    if not any(lines):
        raise RecordingError(path, 0, "read an empty file, expected one JSON object a line")
    records = tuple(
        reader.record(number, line, is_last=number == len(lines))
        for number, line in enumerate(lines, start=1)
    )
    release = path.absolute().parent.name
    return Recording(path, release if _RELEASE.fullmatch(release) else None, records)


def read_text(path: Path) -> str:
    """The text of this file. Raises RecordingError, for the file or the line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RecordingError(path, 0, "read no such file, expected a recording") from None
    except IsADirectoryError:
        raise RecordingError(path, 0, "read a directory, expected a recording") from None
    except (OSError, ValueError) as error:
        raise RecordingError(path, 0, f"read nothing ({error}), expected a recording") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise RecordingError(path, number, "read bytes, expected UTF-8 text") from None


@define
class _Reader:
    """Reads records one after the other; knows the connections that were opened so far."""

    path: Path
    is_whole: bool
    """Whether the file ends with an end of line."""
    ends_of: dict[str, tuple[int, int]] = field(factory=dict)

    def record(self, number: int, line: str, *, is_last: bool) -> Record:
        entry = Entry(self.path, number, self._parsed(number, line, is_last=is_last))
        record_type = entry.type()
        if record_type == "MARK":
            return _record(entry, record_type, connection=None)
        connection = entry.connection()
        ends = entry.sid("from"), entry.sid("to")
        if record_type == "OPEN":
            self._open(entry, connection, ends)
        elif connection not in self.ends_of:
            entry.refuse(f"{record_type} on {connection}", "its OPEN first")
        elif sorted(self.ends_of[connection]) != sorted(ends):
            opener, accepter = self.ends_of[connection]
            read = f"{record_type} from {ends[0]} to {ends[1]} on {connection}"
            entry.refuse(read, f"a record between {opener} and {accepter}")
        return _record(entry, record_type, connection)

    def _open(self, entry: Entry, connection: str, ends: tuple[int, int]) -> None:
        if connection in self.ends_of:
            entry.refuse(f"OPEN of {connection} again", "a name that no connection had before")
        if ends[0] == ends[1]:
            entry.refuse(f"OPEN from {ends[0]} to itself", "two servers")
        self.ends_of[connection] = ends

    def _parsed(self, number: int, line: str, *, is_last: bool) -> dict[str, object]:
        try:
            parsed = json.loads(line)
        except (ValueError, RecursionError):
            read = ascii(line[:SHOWN_CHARACTERS]) if line.strip() else "an empty line"
            if is_last and not self.is_whole:
                read = f"a line that is cut after {len(line)} characters"
            problem = f"read {read}, expected a JSON object"
            raise RecordingError(self.path, number, problem) from None
        if not isinstance(parsed, dict):
            problem = f"read JSON that is {kind_of(parsed)}, expected an object"
            raise RecordingError(self.path, number, problem)
        return parsed


def _record(entry: Entry, record_type: str, connection: str | None) -> Record:
    has_payload = connection is not None and record_type not in CONNECTION_TYPES
    payload = entry.payload() if has_payload else None
    is_mark = connection is None
    return Record(
        line=entry.line,
        time=entry.time(),
        connection=connection,
        sender=None if is_mark else entry.sid("from"),
        receiver=None if is_mark else entry.sid("to"),
        type=record_type,
        zxid=entry.zxid() if record_type in PACKET_NUMBERS else None,
        payload=payload,
        decoded=entry.decoded(record_type, payload) if has_payload else None,
        fields=entry.fields(),
        held=bool(entry.optional("held", bool, "true or false")),
        gated=bool(entry.optional("gated", bool, "true or false")),
        text=str(entry.required("text", str, "the text of the mark")) if is_mark else None,
        skipped=entry.skipped() if is_mark else 0,
    )
