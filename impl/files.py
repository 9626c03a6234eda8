"""The names and headers of ZooKeeper's files, and the error of a file that cannot be one."""

from __future__ import annotations

import re
import struct
from contextlib import suppress

from impl.runtime import Disk

VERSION_FOLDER = "version-2"
UNFINISHED = ".tmp"
"""Behind the name of a file that is still written, and has its own name only when it is whole."""
HEADER = struct.Struct(">iiq")
"""FileHeader: magic, version, dbid."""
HEADER_VERSION = 2

_NAME = re.compile(r"(log|snapshot)\.(0|[1-9a-f][0-9a-f]{0,15})(?:\.(gz|snappy))?")


class StorageError(Exception):
    """A file cannot be what a server wrote, and a server must not go on as if it were.

    name: of the file. offset: of the first byte that is wrong, None where it is the whole file.
    Nothing is lost by looking: repair or remove the file, or empty the folder (version-2) of this
    one server and let it take everything from the leader again.
    """

    def __init__(self, name: str, offset: int | None, what: str) -> None:
        where = name if offset is None else f"{name} at byte {offset}"
        super().__init__(f"{where}: {what}")
        self.name = name
        self.offset = offset


def hexed(zxid: int) -> str:
    """A zxid as file names have it."""
    return f"{zxid & 0xFFFFFFFFFFFFFFFF:x}"


def file_name(prefix: str, zxid: int) -> str:
    """Of a log file by its first zxid, or of a snapshot by its last. Models Util.makeLogName."""
    return f"{VERSION_FOLDER}/{prefix}.{hexed(zxid)}"


def zxid_of(name: str, prefix: str) -> int | None:
    """The zxid in a file's name; None where this is no such file. Models Util.getZxidFromName.

    Differs: ZooKeeper takes `snapshot.5.tmp`, not yet renamed, for a snapshot.
    """
    found = _NAME.fullmatch(name.removeprefix(f"{VERSION_FOLDER}/"))
    if found is None or found[1] != prefix or (prefix == "log" and found[3]):
        return None
    zxid = int(found[2], 16)
    return zxid if zxid < 1 << 63 else None


def named(disk: Disk, prefix: str) -> list[tuple[int, str]]:
    """The log files, or snapshots, of a disk: zxid and name, ascending."""
    found = [(zxid_of(name, prefix), name) for name in disk.names(VERSION_FOLDER)]
    return sorted((zxid, f"{VERSION_FOLDER}/{name}") for zxid, name in found if zxid is not None)


def made_header(magic: bytes, dbid: int) -> bytes:
    """The first 16 bytes of a file."""
    return HEADER.pack(int.from_bytes(magic, "big"), HEADER_VERSION, dbid)


def header_fault(header: bytes, magic: bytes) -> str | None:
    """What is wrong with a file's first 16 bytes; None if nothing. Any dbid will do."""
    if len(header) < HEADER.size:
        return f"{len(header)} bytes, expected a header of {HEADER.size}"
    if header[:4] != magic:
        return f"begins with {header[:4]!r}, expected {magic!r}"
    version = int.from_bytes(header[4:8], "big")
    if version != HEADER_VERSION:
        return f"file version {version}, expected {HEADER_VERSION}"
    return None


async def write_atomically(disk: Disk, name: str, content: bytes) -> None:
    """Give a file this content, all of it or none, durable when it returns.

    Models AtomicFileOutputStream. Differs: it does not sync the folder, and so a loss of power may
    bring the old content back.
    """
    await write_unfinished(disk, name, content)
    disk.rename(name + UNFINISHED, name)
    await disk.sync_folder(VERSION_FOLDER)


async def write_unfinished(disk: Disk, name: str, content: bytes) -> None:
    """Write and sync what `write_atomically` would then rename; nothing is left if it fails."""
    unfinished = name + UNFINISHED
    try:
        disk.write(unfinished, 0, content)
        disk.truncate(unfinished, len(content))
        await disk.sync(unfinished)
    except OSError:
        with suppress(OSError):
            disk.remove(unfinished)
        raise
