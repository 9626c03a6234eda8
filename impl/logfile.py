"""One file of the transaction log, read record by record, and what its end means."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from attrs import frozen

from impl.files import HEADER, StorageError, header_fault, made_header
from impl.jute import MAX_LENGTH
from impl.runtime import Disk

MAGIC = b"ZKLG"
END = b"B"
HEAD = struct.Struct(">qi")
"""Before each payload: its Adler32, its length."""
SMALLEST = 32
"""The length of a TxnHeader, which every payload begins with."""
LARGEST = MAX_LENGTH
"""Of a payload: ZooKeeper reads up to jute.maxbuffer, and as much again for what it adds."""

_CHUNK = 1 << 16
_ZXID = slice(12, 20)
_RECORD = re.compile(rb"(?=\x00{4,7}[^\x00])")
"""Where a record may begin: an Adler32 in eight bytes."""


@frozen
class LogRecord:
    """A transaction in the log. payload: header, body, digest; name, offset: where it is."""

    zxid: int
    payload: bytes
    name: str
    offset: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + HEAD.size + len(self.payload) + len(END)


def zxid_in(payload: bytes) -> int:
    """The zxid of a payload's TxnHeader. Raises ValueError where it is too short or too long."""
    if not SMALLEST <= len(payload) <= LARGEST:
        raise ValueError(f"a transaction of {len(payload)} bytes, expected {SMALLEST} to {LARGEST}")
    return int.from_bytes(payload[_ZXID], "big", signed=True)


def made_record(payload: bytes) -> bytes:
    """The bytes of a record. The checksum is over the payload alone, whatever Javadoc says."""
    return HEAD.pack(zlib.adler32(payload), len(payload)) + payload + END


def file_header() -> bytes:
    """What a log file begins with."""
    return made_header(MAGIC, 0)


class LogFile:
    """Reads the records of one file, from the beginning.

    offset: behind the last good record that was read; 0 where even the header is torn.
    torn: whether a write that was cut short follows there. Only known when the iteration is over.

    A record that was cut short, the last thing in the file, is what a loss of power leaves; nobody
    was told that it is durable. Anything else that is wrong raises `StorageError`: a whole record
    with another checksum, or something broken in front of good records.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self.name = name
        self.offset = 0
        self.torn = False
        self._disk = disk
        self._chunk = b""
        self._chunk_offset = 0

    def __iter__(self) -> Iterator[LogRecord]:
        if not self._begins():
            return
        while (record := self._record(self.offset)) is not None:
            self.offset = record.end
            yield record
        self._ends()

    def _begins(self) -> bool:
        """Read the header; False where it was cut short."""
        header = self._bytes(0, HEADER.size)
        fault = header_fault(header, MAGIC)
        if fault is None:
            self.offset = HEADER.size
            return True
        written = header.rstrip(b"\x00")
        if not file_header().startswith(written) or self._good_record_after(0) is not None:
            raise StorageError(self.name, 0, fault)
        self.torn = True
        return False

    def _record(self, offset: int) -> LogRecord | None:
        """The good record there, if there is one."""
        head = self._bytes(offset, HEAD.size)
        if len(head) < HEAD.size:
            return None
        checksum, length = HEAD.unpack(head)
        if not SMALLEST <= length <= LARGEST:
            return None
        body = self._bytes(offset + HEAD.size, length + len(END))
        payload = body[:length]
        if body[length:] != END or zlib.adler32(payload) != checksum:
            return None
        return LogRecord(zxid_in(payload), payload, self.name, offset)

    def _ends(self) -> None:
        """Tell the end of the file from a torn write, and both from a broken record."""
        if self._last_written() < self.offset:
            return
        fault = self._broken()
        if fault is not None:
            raise StorageError(self.name, self.offset, fault)
        behind = self._good_record_after(self.offset)
        if behind is not None:
            fault = f"no record, expected one: a good record follows at byte {behind}"
            raise StorageError(self.name, self.offset, fault)
        self.torn = True

    def _broken(self) -> str | None:
        """What no write that was cut short leaves, in place of a record."""
        head = self._bytes(self.offset, HEAD.size)
        if len(head) < HEAD.size:
            return None
        checksum, length = HEAD.unpack(head)
        if not 0 <= length <= LARGEST:
            return f"a record of {length} bytes, expected {SMALLEST} to {LARGEST}"
        body = self._bytes(self.offset + HEAD.size, length + len(END))
        if length < SMALLEST or body[length:] != END:
            return None
        return f"Adler32 {zlib.adler32(body[:length]):#x}, expected {checksum:#x}"

    def _last_written(self) -> int:
        """The offset of the last byte that is no padding; -1 if there is none."""
        end = self._disk.size(self.name)
        while end > 0:
            begin = max(0, end - _CHUNK)
            written = self._disk.read(self.name, begin, end - begin).rstrip(b"\x00")
            if written:
                return begin + len(written) - 1
            end = begin
        return -1

    def _good_record_after(self, offset: int) -> int | None:
        """Where the next good record begins behind this offset, at any byte."""
        last = self._last_written()
        begin = offset + 1
        while begin <= last:
            chunk = self._disk.read(self.name, begin, _CHUNK)
            for found in _RECORD.finditer(chunk):
                if self._record(begin + found.start()) is not None:
                    return begin + found.start()
            begin += max(1, len(chunk) - HEAD.size) if len(chunk) == _CHUNK else len(chunk)
        return None

    def _bytes(self, offset: int, length: int) -> bytes:
        """Up to so many bytes from there."""
        begin = offset - self._chunk_offset
        if begin < 0 or begin + length > len(self._chunk):
            self._chunk = self._disk.read(self.name, offset, max(length, _CHUNK))
            self._chunk_offset, begin = offset, 0
        return self._chunk[begin : begin + length]
