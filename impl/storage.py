"""What a server keeps on its disk: the transaction log, snapshots, the epoch files, `myid`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from impl.database import DatabaseError
from impl.epochs import EpochFiles, read_my_id
from impl.errors import KeeperError
from impl.files import VERSION_FOLDER, StorageError
from impl.installing import finish_install, install_snapshot
from impl.jute import JuteError
from impl.logfile import LogRecord
from impl.runtime import Disk
from impl.snapshot_stream import Snapshot
from impl.snapshots import FileSnap
from impl.txnlog import FileTxnLog
from impl.zxids import counter_of, epoch_of, zxid_text

__all__ = ["Storage", "StorageError"]

PRE_ALLOC_SIZE = 65536 * 1024
"""preAllocSize, in bytes."""
LEAST_KEPT = 3
"""How many snapshots a purge leaves at least."""


_REFUSALS = (JuteError, DatabaseError, KeeperError)
"""What a database says of bytes that it does not take."""


class Restored(Protocol):
    """The part of a database that is read from disk and written to it: see `Database`."""

    last_processed_zxid: int
    initialized: bool

    def clear(self) -> None:
        """Forget everything."""

    def replay(self, payload: bytes) -> object:
        """Apply a record of the log, and add it to the committed log."""

    def serialize_snapshot(self) -> bytes:
        """The body of a snapshot of what it holds now."""

    def deserialize_snapshot(self, snapshot: Snapshot) -> None:
        """Take over what a snapshot holds."""


class Storage:
    """The files of one server. Models FileTxnSnapLog, and the epoch files of QuorumPeer.

    disk: the data folder; log_disk: where the logs are, the same if None. Both hold `version-2/`.
    pre_alloc_size: by how many bytes a log file is extended at a time.
    epochs: what was promised and accepted. txn_log, snap_log: the two kinds of files.
    Everything may raise `OSError`, or `StorageError` where a file cannot be what a server wrote.
    After a write or sync of the log that failed, only a new process may go on.
    """

    def __init__(
        self, disk: Disk, log_disk: Disk | None = None, *, pre_alloc_size: int = PRE_ALLOC_SIZE
    ) -> None:
        self.epochs = EpochFiles(disk)
        self.txn_log = FileTxnLog(log_disk or disk, pre_alloc_size=pre_alloc_size)
        self.snap_log = FileSnap(disk)
        self._disk = disk
        self._disks = (disk,) if log_disk in (None, disk) else (disk, log_disk)

    def read_my_id(self) -> int:
        """The sid in the file `myid`."""
        return read_my_id(self._disk)

    async def restore(self, database: Restored) -> int:
        """Load the newest valid snapshot, and every later record of the log, into a database.

        Answers the last zxid. What is loaded is durable from then on, and what `load_epochs` reads
        next: the folder is synced, a torn end of the log cut, the rest synced. With nothing on
        disk, `snapshot.0` is written. A record that leaves a gap is refused, as is a log without a
        snapshot. Models FileTxnSnapLog.restore. Differs: ZooKeeper syncs nothing here.
        """
        await self._settle_names()
        await finish_install(self._disk, self.txn_log)
        database.clear()
        snapshot_zxid = self._load_snapshot(database)
        await self.txn_log.recover(max(0, snapshot_zxid))
        if snapshot_zxid >= 0:
            return self.fast_forward(database)
        first = next(self.txn_log.read(0), None)
        if first is not None:
            what = "a transaction log and no snapshot, expected both or none"
            raise StorageError(first.name, None, what)
        database.last_processed_zxid = 0
        database.initialized = True
        await self.save(database)
        return 0

    def fast_forward(self, database: Restored) -> int:
        """Replay what the log holds behind the database's last processed zxid. Answers the last.

        Models FileTxnSnapLog.fastForwardFromEdits.
        """
        last = database.last_processed_zxid
        for record in self.txn_log.read(last + 1):
            if record.zxid <= last:
                continue
            if not _follows(last, record.zxid):
                what = f"transaction {zxid_text(record.zxid)} behind {zxid_text(last)}: a gap"
                raise StorageError(record.name, record.offset, what)
            try:
                database.replay(record.payload)
            except _REFUSALS as error:
                raise StorageError(record.name, record.offset, str(error)) from error
            last = record.zxid
        database.last_processed_zxid = last
        database.initialized = True
        return last

    async def load_epochs(self, last_zxid: int) -> None:
        """Read both epoch files and hold them against the last zxid; see `EpochFiles.load`."""
        await self.epochs.load(last_zxid)

    async def set_accepted_epoch(self, epoch: int) -> None:
        """Durable when it returns. Models QuorumPeer.setAcceptedEpoch."""
        await self.epochs.set_accepted_epoch(epoch)

    async def set_current_epoch(self, epoch: int) -> None:
        """Durable when it returns. Models QuorumPeer.setCurrentEpoch."""
        await self.epochs.set_current_epoch(epoch)

    def append(self, payload: bytes) -> None:
        """Write a transaction behind the log: header, body, digest, as in a PROPOSAL's data.

        Durable from the next `commit` on. Models FileTxnSnapLog.append.
        """
        self.txn_log.append(payload)

    async def commit(self) -> None:
        """Wait until everything appended before is durable. Models FileTxnSnapLog.commit."""
        await self.txn_log.commit()

    async def roll_log(self) -> None:
        """Let the next append begin a new file; what was appended is synced first.

        Models FileTxnSnapLog.rollLog. Differs: ZooKeeper syncs the old file with the new one.
        """
        await self.txn_log.roll_log()

    async def save(self, database: Restored) -> str:
        """Write a snapshot of what the database is now; durable when it returns. Answers its name.

        The database may go on changing meanwhile. Models FileTxnSnapLog.save.
        """
        zxid, body = database.last_processed_zxid, database.serialize_snapshot()
        return await self.snap_log.write(zxid, body)

    async def install(self, database: Restored) -> str:
        """Put a snapshot, durable, in place of all snapshots and logs: at once, or not at all.

        What a learner does at NEWLEADER after a SNAP (ZOOKEEPER-2846). A crash in between leaves
        what was there before, or what `restore` finishes. Answers its name.
        """
        zxid, body = database.last_processed_zxid, database.serialize_snapshot()
        return await install_snapshot(self._disk, self.txn_log, zxid, body)

    async def truncate_log(self, zxid: int) -> bool:
        """Cut what is behind this zxid off the log, and remove snapshots that hold more.

        False, and nothing changed, where no snapshot would be left. A snapshot whose name says
        more than it holds, as one of an epoch's beginning does, is saved under this zxid. The
        database has to be restored after it. Models FileTxnSnapLog.truncateLog. Differs: snapshots
        are cut too (ZOOKEEPER-1549).
        """
        newer = [(last, name) for last, name in self.snap_log.names() if last > zxid]
        older = [name for last, name in self.snap_log.names() if last <= zxid]
        if not any(self.snap_log.is_valid(name) for name in older):
            names = (name for _, name in newer if self.snap_log.is_valid(name))
            read = (self.snap_log.read(name).snapshot for name in names)
            kept = next((one for one in read if one.last_change <= zxid), None)
            if kept is None:
                return False
            await self.snap_log.write(zxid, kept.encode())
        for _, name in newer:
            self._disk.remove(name)
        if newer:
            await self._disk.sync_folder(VERSION_FOLDER)
        await self.txn_log.truncate(zxid)
        return True

    def read_txn_log(self, zxid: int, *, fast_forward: bool = True) -> Iterator[LogRecord]:
        """Records from the first one at or after this zxid on.

        Without fast_forward, from the beginning of the file that may hold it. A torn end ends it.
        Models FileTxnSnapLog.readTxnLog.
        """
        return self.txn_log.read(zxid, fast_forward=fast_forward)

    def get_storage_size(self, zxid: int) -> int:
        """How many bytes the files are that `read_txn_log` reads from this zxid on.

        Models FileTxnIterator.getStorageSize.
        """
        return self.txn_log.get_storage_size(zxid)

    def get_last_logged_zxid(self) -> int:
        """The last zxid of the log; -1 without one. Models FileTxnSnapLog.getLastLoggedZxid."""
        return self.txn_log.get_last_logged_zxid()

    def get_last_snapshot_size(self) -> int:
        """How many bytes the newest valid snapshot file is; 0 without one."""
        return self.snap_log.newest_size()

    async def purge(self, keep: int = LEAST_KEPT) -> list[str]:
        """Remove all but so many of the newest valid snapshots, and the logs nobody needs then.

        Answers what was removed. Raises ValueError below 3. Models PurgeTxnLog.purge.
        """
        if keep < LEAST_KEPT:
            raise ValueError(f"{keep} snapshots to keep, expected {LEAST_KEPT} or more")
        kept = self.snap_log.find_n_valid_snapshots(keep)
        if not kept:
            return []
        oldest = kept[-1][0]
        snapshots = [name for zxid, name in self.snap_log.names() if zxid < oldest]
        for name in snapshots:
            self._disk.remove(name)
        if snapshots:
            await self._disk.sync_folder(VERSION_FOLDER)
        return snapshots + await self.txn_log.purge(oldest)

    async def close(self) -> None:
        """Sync what was appended; the next append begins a new file."""
        await self.txn_log.roll_log()

    async def _settle_names(self) -> None:
        """Make durable what a killed process, or a failed fsync, left of renames and removals.

        Else a server answers with an epoch that it read, and a loss of power takes it back.
        """
        for disk in self._disks:
            with suppress(FileNotFoundError):
                await disk.sync_folder(VERSION_FOLDER)

    def _load_snapshot(self, database: Restored) -> int:
        """Take over the newest snapshot that is whole; -1 without any. Models FileSnap.deserialize.

        Raises StorageError where there are some and none is whole: what is wrong with the newest.
        """
        newest_fault: StorageError | None = None
        for zxid, name in self.snap_log.names():
            try:
                database.deserialize_snapshot(self.snap_log.read(name).snapshot)
            except StorageError as error:
                newest_fault = newest_fault or error
                continue
            database.last_processed_zxid = zxid
            return zxid
        if newest_fault is not None:
            raise newest_fault
        return -1


def _follows(last: int, zxid: int) -> bool:
    """Whether nothing is missing between two transactions, as far as zxids tell."""
    if epoch_of(last) == epoch_of(zxid):
        return zxid == last + 1
    return counter_of(zxid) == 1
