"""The transaction log: files of records, each file named after its first zxid."""

from __future__ import annotations

from collections.abc import Iterator

from impl.files import VERSION_FOLDER, StorageError, file_name, named
from impl.logfile import LogFile, LogRecord, file_header, made_record, zxid_in
from impl.runtime import Disk

_ROOM = 4096
"""A file is extended when less than this is left of it."""


class FileTxnLog:
    """The log of one server. Models FileTxnLog.

    pre_alloc_size: by how many bytes a file is extended at a time; 0 = never in advance.
    last_zxid_seen: the largest that was recovered or appended; 0 before.
    failed: why a write or a sync failed. From then on nothing is appended or committed, until the
        process starts anew: what a failed fsync leaves can be read, and yet be on no disk.
    """

    def __init__(self, disk: Disk, *, pre_alloc_size: int = 65536 * 1024) -> None:
        self.last_zxid_seen = 0
        self.failed: OSError | None = None
        self._disk = disk
        self._pre_alloc_size = pre_alloc_size
        self._name: str | None = None
        self._position = 0
        self._size = 0
        self._appended = 0
        self._synced = 0
        self._folder_synced = True

    def append(self, payload: bytes) -> None:
        """Write a transaction behind the others; durable from the next `commit` on.

        A zxid that goes back is written too, as ZooKeeper does; who reads the log passes over it.
        Raises ValueError for a payload that no reader would take.
        """
        zxid = zxid_in(payload)
        self._refuse_after_failure()
        record = made_record(payload)
        try:
            if self._name is None:
                self._create(zxid)
            self._pad()
            self._disk.write(str(self._name), self._position, record)
        except OSError as error:
            self.failed = error
            raise
        self._position += len(record)
        self._appended += 1
        self.last_zxid_seen = max(self.last_zxid_seen, zxid)

    async def commit(self) -> None:
        """Wait until what was appended before is durable, the name of its file too.

        Differs: ZooKeeper never syncs the folder, and syncs a file that nothing was written to.
        """
        self._refuse_after_failure()
        appended = self._appended
        if self._name is None or appended == self._synced:
            return
        try:
            await self._disk.sync(self._name)
            if not self._folder_synced:
                await self._disk.sync_folder(VERSION_FOLDER)
        except OSError as error:
            self.failed = error
            raise
        self._folder_synced = True
        self._synced = max(self._synced, appended)

    async def roll_log(self) -> None:
        """Let the next append begin a new file. The old one is synced first.

        Else a loss of power could tear the old file in front of a new one. Models rollLog.
        """
        await self.commit()
        self._name = None

    def read(self, zxid: int, *, fast_forward: bool = True) -> Iterator[LogRecord]:
        """Records in the order of the files, from the first one at or after this zxid on.

        Without fast_forward, from the beginning of the first file that may hold it. Raises
        StorageError at a record that is broken. Models FileTxnLog.read, FileTxnIterator.
        """
        passing = fast_forward
        for name in self._files_from(zxid):
            for record in LogFile(self._disk, name):
                passing = passing and record.zxid < zxid
                if not passing:
                    yield record

    def get_storage_size(self, zxid: int) -> int:
        """How many bytes the files are that are read from this zxid on, padding included."""
        return sum(self._disk.size(name) for name in self._files_from(zxid))

    def get_log_files(self, snapshot_zxid: int) -> list[str]:
        """The files that hold what comes after a snapshot, oldest first. Models getLogFiles."""
        files = named(self._disk, "log")
        first = max((zxid for zxid, _ in files if zxid <= snapshot_zxid), default=0)
        return [name for zxid, name in files if zxid >= first]

    def get_last_logged_zxid(self) -> int:
        """The zxid of the last record; -1 where there is none.

        Differs: of a file without a record, ZooKeeper takes the zxid in its name.
        """
        for _, name in reversed(named(self._disk, "log")):
            last = -1
            for record in LogFile(self._disk, name):
                last = record.zxid
            if last != -1:
                return last
        return -1

    async def recover(self, snapshot_zxid: int) -> None:
        """Make the files that come after a snapshot whole, and durable, as a process starts.

        A torn end of the last file is cut off; a last file without a record is removed. What a
        killed process had written is synced, since from now on it counts as logged. The names in
        the folder are durable before. Differs: ZooKeeper leaves all three as they are.
        """
        self._refuse_after_failure()
        self._name = None
        files = self.get_log_files(snapshot_zxid)
        while files and await self._dropped_if_empty(files[-1]):
            files.pop()
        for name in files:
            log_file = LogFile(self._disk, name)
            for record in log_file:
                self.last_zxid_seen = max(self.last_zxid_seen, record.zxid)
            if name == files[-1]:
                await self._settle(log_file)
        self._synced = self._appended

    async def truncate(self, zxid: int) -> None:
        """Remove every record behind this zxid, newest first: a crash leaves no hole.

        Models FileTxnLog.truncate. Differs: where the zxid itself is not in the log, ZooKeeper
        keeps the record behind it too; and it cuts the oldest file first.
        """
        await self.roll_log()
        for _, name in reversed(named(self._disk, "log")):
            end = self._end_of(name, zxid)
            if end is None:
                await self._remove(name)
            else:
                if end < self._disk.size(name):
                    self._disk.truncate(name, end)
                    await self._disk.sync(name)
                break
        self.last_zxid_seen = max(0, self.get_last_logged_zxid())

    async def remove_all(self) -> None:
        """Remove every file, newest first."""
        self._name = None
        for _, name in reversed(named(self._disk, "log")):
            await self._remove(name)
        self.last_zxid_seen = 0

    async def purge(self, snapshot_zxid: int) -> list[str]:
        """Remove the files that nobody needs who has a snapshot; answers which."""
        needed = set(self.get_log_files(snapshot_zxid))
        removed = [name for _, name in named(self._disk, "log") if name not in needed]
        for name in removed:
            self._disk.remove(name)
        if removed:
            await self._disk.sync_folder(VERSION_FOLDER)
        return removed

    def _refuse_after_failure(self) -> None:
        if self.failed is not None:
            raise self.failed

    def _create(self, zxid: int) -> None:
        """Begin a new file. One of that name may only hold what is no record."""
        name = file_name("log", zxid)
        if name in (known for _, known in named(self._disk, "log")):
            record = next(iter(LogFile(self._disk, name)), None)
            if record is not None:
                raise StorageError(name, record.offset, "a record, expected none in a new file")
            self._disk.truncate(name, 0)
        header = file_header()
        self._folder_synced = False
        self._disk.write(name, 0, header)
        self._name, self._position, self._size = name, len(header), len(header)

    def _pad(self) -> None:
        """Extend the file with zeros when little is left. Models FilePadding.padFile."""
        step = self._pre_alloc_size
        if step <= 0 or self._position + _ROOM < self._size:
            return
        if self._position > self._size:
            larger = self._position + step
            self._size = larger - larger % step
        else:
            self._size += step
        self._disk.truncate(str(self._name), self._size)

    def _files_from(self, zxid: int) -> list[str]:
        """The last file whose first zxid is smaller, and all that follow it."""
        files = named(self._disk, "log")
        first = max((first for first, _ in files if first < zxid), default=0)
        return [name for begins, name in files if begins >= first]

    async def _dropped_if_empty(self, name: str) -> bool:
        """Remove a file that holds no record."""
        if next(iter(LogFile(self._disk, name)), None) is not None:
            return False
        await self._remove(name)
        return True

    async def _settle(self, log_file: LogFile) -> None:
        """Cut off what is torn and make the rest durable."""
        if log_file.torn:
            self._disk.truncate(log_file.name, log_file.offset)
        await self._disk.sync(log_file.name)

    def _end_of(self, name: str, zxid: int) -> int | None:
        """Behind the last record up to this zxid; None where the file has none."""
        end = None
        for record in LogFile(self._disk, name):
            if record.zxid > zxid:
                break
            end = record.end
        return end

    async def _remove(self, name: str) -> None:
        self._disk.remove(name)
        await self._disk.sync_folder(VERSION_FOLDER)
