"""Snapshot files: a header, the body, and a seal, in the forms of 3.4 to 3.9."""

from __future__ import annotations

import zlib

from attrs import frozen

from impl.files import (
    HEADER,
    StorageError,
    file_name,
    header_fault,
    made_header,
    named,
    write_atomically,
    zxid_of,
)
from impl.jute import JuteError, JuteReader, JuteWriter
from impl.runtime import Disk
from impl.snapshot_stream import Snapshot, SnapshotDigest, decode_snapshot

MAGIC = b"ZKSN"
DBID = -1
SEAL_END = b"\x00\x00\x00\x01/"
"""What every whole snapshot file ends with: the string "/"."""
SEAL_SIZE = 8 + len(SEAL_END)
LARGEST_UNPACKED = 1 << 30
"""Of a snapshot that was written packed (`.gz`), in bytes."""

_UNPACK_GZIP = 31
_ZXID_SIZE = 8
_HEX_DIGESTS = 2
"""Digests before this version were written as text."""


@frozen
class SnapshotFile:
    """A whole snapshot file, read.

    zxid: in its name: all transactions up to it are in the snapshot, later ones may be.
    digest: from 3.6 on, None where there is none.
    last_processed_zxid: from 3.9 on: of the last transaction in it; else None.
    """

    zxid: int
    snapshot: Snapshot
    digest: SnapshotDigest | None = None
    last_processed_zxid: int | None = None


class FileSnap:
    """The snapshots of one server. Models FileSnap."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def names(self) -> list[tuple[int, str]]:
        """Zxid and name of each, whole or not, newest first."""
        return named(self._disk, "snapshot")[::-1]

    def newest_size(self) -> int:
        """The size of the newest file that ends as a whole one does; 0 without one.

        Models FileSnap.findMostRecentSnapshot.
        """
        for _, name in self.names():
            size = self._disk.size(name)
            if size > SEAL_SIZE and self._disk.read(name, size - len(SEAL_END)) == SEAL_END:
                return size
        return 0

    def read(self, name: str) -> SnapshotFile:
        """Raises StorageError unless it is whole: header, body, and each seal right.

        Models FileSnap.deserialize, SnapStream.checkSealIntegrity.
        """
        return read_snapshot_file(self._disk, name)

    def find_n_valid_snapshots(self, count: int) -> list[tuple[int, str]]:
        """Zxid and name of so many whole ones, newest first. Models FileSnap.findNValidSnapshots.

        Differs: ZooKeeper looks at the last five bytes only.
        """
        valid: list[tuple[int, str]] = []
        for zxid, name in self.names():
            if len(valid) == count:
                break
            if self.is_valid(name):
                valid.append((zxid, name))
        return valid

    def is_valid(self, name: str) -> bool:
        """Whether it is whole."""
        try:
            self.read(name)
        except StorageError:
            return False
        return True

    async def write(self, zxid: int, body: bytes) -> str:
        """Write a snapshot, durable when it returns, and at no time half there. Answers its name.

        Models FileSnap.serialize. Differs: ZooKeeper writes most snapshots under their name, and
        syncs none of these.
        """
        name = file_name("snapshot", zxid)
        await write_atomically(self._disk, name, sealed(body))
        return name


def sealed(body: bytes) -> bytes:
    """A snapshot file, in the form that all releases read. Models SnapStream.sealStream."""
    content = made_header(MAGIC, DBID) + body
    return content + _seal(content)


def read_snapshot_file(disk: Disk, name: str) -> SnapshotFile:
    """As `FileSnap.read`."""
    content = _content(disk, name)
    fault = header_fault(content[: HEADER.size], MAGIC)
    if fault is not None:
        raise StorageError(name, 0, fault)
    zxid = zxid_of(name, "snapshot")
    if zxid is None:
        raise StorageError(name, None, "no name of a snapshot")
    try:
        snapshot, end = decode_snapshot(content, HEADER.size)
        end = _after_seal(content, end, name)
        return SnapshotFile(zxid, snapshot, *_behind_first_seal(content, end, name))
    except JuteError as error:
        raise StorageError(name, None, str(error)) from None


def _behind_first_seal(
    content: bytes, at: int, name: str
) -> tuple[SnapshotDigest | None, int | None]:
    """The digest and the last processed zxid, each with a seal of its own."""
    digest = last = None
    if len(content) - at > _ZXID_SIZE + SEAL_SIZE:
        reader = JuteReader(content, name, at=at)
        digest = _digest(reader)
        at = _after_seal(content, reader.at, name)
    if at < len(content):
        reader = JuteReader(content, name, at=at)
        last = reader.read_long("lastZxid")
        at = _after_seal(content, reader.at, name)
    if at < len(content):
        raise StorageError(name, at, f"{len(content) - at} bytes more, expected the end")
    return digest, last


def _digest(reader: JuteReader) -> SnapshotDigest:
    """Models ZxidDigest.deserialize."""
    zxid, version = reader.read_long("zxid"), reader.read_int("digestVersion")
    if version >= _HEX_DIGESTS:
        return SnapshotDigest(zxid, version, reader.read_long("digest"))
    text = reader.read_text("digest")
    try:
        return SnapshotDigest(zxid, version, int(text, 16))
    except ValueError:
        raise reader.error(f"digest {text!a}", "a hexadecimal number") from None


def _seal(content: bytes) -> bytes:
    writer = JuteWriter()
    writer.write_long(zlib.adler32(content))
    return writer.getvalue() + SEAL_END


def _after_seal(content: bytes, at: int, name: str) -> int:
    """Where a seal of everything before it ends."""
    end = at + SEAL_SIZE
    seal = _seal(content[:at])
    if content[at:end] != seal:
        read = content[at:end].hex(" ") or "the end"
        raise StorageError(name, at, f"{read}, expected the seal {seal.hex(' ')}")
    return end


def _content(disk: Disk, name: str) -> bytes:
    """The bytes of the file, unpacked."""
    content = disk.read(name)
    if name.endswith(".snappy"):
        raise StorageError(name, None, "packed with snappy, expected none or gzip")
    if not name.endswith(".gz"):
        return content
    unpack = zlib.decompressobj(_UNPACK_GZIP)
    try:
        unpacked = unpack.decompress(content, LARGEST_UNPACKED)
    except zlib.error as error:
        raise StorageError(name, None, f"{error}, expected gzip") from None
    if not unpack.eof:
        raise StorageError(name, None, "the end, or too long, expected the end of gzip")
    return unpacked
