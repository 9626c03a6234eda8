"""The files `acceptedEpoch`, `currentEpoch` and `myid`."""

from __future__ import annotations

import re
from contextlib import suppress

from impl.files import UNFINISHED, VERSION_FOLDER, StorageError, write_atomically
from impl.runtime import Disk
from impl.zxids import epoch_of, zxid_text

ACCEPTED_EPOCH = f"{VERSION_FOLDER}/acceptedEpoch"
CURRENT_EPOCH = f"{VERSION_FOLDER}/currentEpoch"
UPDATING_EPOCH = f"{VERSION_FOLDER}/updatingEpoch"
"""The mark of 3.4.6 to 3.4.14: the history is there, `currentEpoch` is still to be written."""
MY_ID = "myid"

_LONGEST = 32
_NUMBER = re.compile(rb"(0|[1-9][0-9]{0,18})[ \t\r]*(?:\n.*)?", re.DOTALL)
_LARGEST_EPOCH = 0xFFFFFFFF


class EpochFiles:
    """What this server has promised and accepted.

    accepted_epoch: it follows no leader of an earlier one. current_epoch: it has accepted the
    history of this one's leader. Both as they are on disk; 0 before `load`.
    """

    def __init__(self, disk: Disk) -> None:
        self.accepted_epoch = 0
        self.current_epoch = 0
        self._disk = disk

    async def load(self, last_zxid: int) -> None:
        """Read both files and hold them against the last zxid of snapshot and log.

        What is read is relied on, so the folder has been synced since the process began: whoever
        restored snapshot and log did that for all files at once. Differs: ZooKeeper never syncs it
        (AtomicFileOutputStream), and so a kill and then a loss of power takes back an epoch that it
        has answered with.

        A missing file is written, with the last zxid's epoch. Where the last zxid is of a later
        epoch than `currentEpoch`, a crash fell between the synced history and the file: the epoch
        that the log shows is written. An accepted epoch before the current one is refused with
        StorageError. Models QuorumPeer.loadDataBase. Differs: ZooKeeper refuses to start after
        that crash, but for marks of releases (`updatingEpoch`, `currentEpoch.tmp`: 1653, 4269).
        """
        epoch = max(0, epoch_of(last_zxid))
        current = read_number(self._disk, CURRENT_EPOCH)
        if current is None or epoch > current:
            await self._write(CURRENT_EPOCH, epoch)
            current = epoch
        self._forget_marks()
        accepted = read_number(self._disk, ACCEPTED_EPOCH)
        if accepted is None:
            await self._write(ACCEPTED_EPOCH, epoch)
            accepted = epoch
        if accepted < current:
            last = f"current epoch {current}, last zxid {zxid_text(last_zxid)}"
            raise StorageError(ACCEPTED_EPOCH, None, f"{accepted}, expected no less than {last}")
        self.accepted_epoch, self.current_epoch = accepted, current

    async def set_accepted_epoch(self, epoch: int) -> None:
        """Durable when it returns. Raises ValueError for one that is earlier than the promise."""
        if not self.accepted_epoch <= epoch <= _LARGEST_EPOCH:
            raise ValueError(f"accepted epoch {epoch} after {self.accepted_epoch}")
        await self._write(ACCEPTED_EPOCH, epoch)
        self.accepted_epoch = epoch

    async def set_current_epoch(self, epoch: int) -> None:
        """Durable when it returns. Raises ValueError unless it is between the two there are."""
        if not self.current_epoch <= epoch <= self.accepted_epoch:
            bounds = f"current {self.current_epoch}, accepted {self.accepted_epoch}"
            raise ValueError(f"current epoch {epoch}, with {bounds}")
        await self._write(CURRENT_EPOCH, epoch)
        self.current_epoch = epoch

    async def _write(self, name: str, epoch: int) -> None:
        await write_atomically(self._disk, name, b"%d" % epoch)

    def _forget_marks(self) -> None:
        """Remove what a crash left beside the files; whether it lasts does not matter."""
        for mark in (UPDATING_EPOCH, CURRENT_EPOCH + UNFINISHED, ACCEPTED_EPOCH + UNFINISHED):
            with suppress(FileNotFoundError):
                self._disk.remove(mark)


def read_number(disk: Disk, name: str) -> int | None:
    """The decimal number in a file's first line; None where there is no file.

    Models QuorumPeer.readLongFromFile. Differs: no sign, and nothing that is longer than a number.
    """
    try:
        content = disk.read(name, 0, _LONGEST)
    except FileNotFoundError:
        return None
    found = _NUMBER.fullmatch(content)
    if found is None:
        raise StorageError(name, None, f"{content!r}, expected a decimal number")
    return int(found[1])


def read_my_id(disk: Disk) -> int:
    """The sid in `myid`. Raises StorageError without one."""
    sid = read_number(disk, MY_ID)
    if sid is None:
        raise StorageError(MY_ID, None, "no such file, expected the number of this server")
    return sid
