"""A leader's snapshot in place of everything a server had: at once, or not at all.

The records of a log that a snapshot replaces may contradict it, so no crash may leave both
(ZOOKEEPER-2846). Many files cannot change at once, one can: the whole snapshot is made durable
under its unfinished name, then the file `replacedBy`, which names it, appears. From then on the
rest is void; whoever finds that file finishes. The folder is synced around each of these steps:
not every file system keeps changes of names in their order.
"""

from __future__ import annotations

from contextlib import suppress

from impl.files import (
    UNFINISHED,
    VERSION_FOLDER,
    StorageError,
    file_name,
    write_atomically,
    write_unfinished,
    zxid_of,
)
from impl.runtime import Disk
from impl.snapshots import FileSnap, sealed
from impl.txnlog import FileTxnLog

REPLACED_BY = f"{VERSION_FOLDER}/replacedBy"

_LONGEST = 32


async def install_snapshot(disk: Disk, log: FileTxnLog, zxid: int, body: bytes) -> str:
    """Put this snapshot in place of all snapshots and logs. Answers its name."""
    name = file_name("snapshot", zxid)
    await write_unfinished(disk, name, sealed(body))
    await disk.sync_folder(VERSION_FOLDER)
    await write_atomically(disk, REPLACED_BY, name.removeprefix(f"{VERSION_FOLDER}/").encode())
    await finish_install(disk, log)
    return name


async def finish_install(disk: Disk, log: FileTxnLog) -> None:
    """Do what is left of an installation, if one was begun in earnest; remove what is unfinished.

    Any part of it may have been done before.
    """
    name = _replaced_by(disk)
    if name is None:
        _remove_unfinished(disk)
        return
    with suppress(FileNotFoundError):
        disk.rename(name + UNFINISHED, name)
    snapshots = FileSnap(disk)
    snapshots.read(name)
    await log.remove_all()
    for _, other in snapshots.names():
        if other != name:
            disk.remove(other)
    await disk.sync_folder(VERSION_FOLDER)
    disk.remove(REPLACED_BY)
    await disk.sync_folder(VERSION_FOLDER)
    _remove_unfinished(disk)


def _replaced_by(disk: Disk) -> str | None:
    """The snapshot that takes the place of everything, if there is one."""
    try:
        content = disk.read(REPLACED_BY, 0, _LONGEST)
    except FileNotFoundError:
        return None
    name = f"{VERSION_FOLDER}/{content.decode('ascii', errors='replace')}"
    if zxid_of(name, "snapshot") is None:
        raise StorageError(REPLACED_BY, None, f"{content!r}, expected the name of a snapshot")
    if not {name, name + UNFINISHED} & {f"{VERSION_FOLDER}/{one}" for one in _names(disk)}:
        raise StorageError(name, None, f"no such file, expected the one in {REPLACED_BY}")
    return name


def _names(disk: Disk) -> list[str]:
    return disk.names(VERSION_FOLDER)


def _remove_unfinished(disk: Disk) -> None:
    """Remove snapshots that a crash left unfinished; whether that lasts does not matter."""
    for name in _names(disk):
        if name.startswith(("snapshot.", "replacedBy")) and name.endswith(UNFINISHED):
            disk.remove(f"{VERSION_FOLDER}/{name}")
