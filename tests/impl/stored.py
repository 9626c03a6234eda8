"""What the tests of the disk share: a database that is a list, transactions, a disk cut short."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from impl.simulated_files import SimulatedFiles
from impl.snapshot_stream import Snapshot, SnapshotNode, StatPersisted, decode_snapshot
from impl.storage import Storage
from impl.zxids import make_zxid

T = TypeVar("T")


def payload(zxid: int, content: bytes = b"x") -> bytes:
    """A transaction's bytes: header, and a body that no test decodes."""
    return struct.pack(">qiqqi", 7, 1, zxid, 1000, 1) + content


def zxids(epoch: int, *counters: int) -> list[int]:
    return [make_zxid(epoch, counter) for counter in counters]


class ListDatabase:
    """Holds the transactions themselves, so that a test sees all of them."""

    def __init__(self) -> None:
        self.last_processed_zxid = 0
        self.initialized = False
        self.held: list[bytes] = []
        self.replayed = 0

    @property
    def zxids(self) -> list[int]:
        return [int.from_bytes(one[12:20], "big") for one in self.held]

    def clear(self) -> None:
        self.held, self.last_processed_zxid = [], 0

    def replay(self, written: bytes) -> None:
        self.held.append(written)
        self.replayed += 1
        self.last_processed_zxid = int.from_bytes(written[12:20], "big")

    def serialize_snapshot(self) -> bytes:
        packed = b"".join(len(one).to_bytes(4, "big") + one for one in self.held)
        root = SnapshotNode("", packed, -1, StatPersisted(mzxid=max(self.zxids, default=0)))
        return Snapshot((), (), (root,)).encode()

    def deserialize_snapshot(self, snapshot: Snapshot) -> None:
        self.clear()
        packed = snapshot.nodes[0].data or b""
        while packed:
            length = int.from_bytes(packed[:4], "big")
            self.held.append(packed[4 : 4 + length])
            packed = packed[4 + length :]


def holding(*held: int) -> ListDatabase:
    database = ListDatabase()
    for zxid in held:
        database.replay(payload(zxid))
    return database


def body_of(*held: int) -> bytes:
    body = holding(*held).serialize_snapshot()
    assert decode_snapshot(body)[1] == len(body)
    return body


class Stopped(Exception):
    """The power is gone."""


class CutDisk:
    """Simulated files whose fsyncs are done at once, until the step at which everything stops.

    stop: before which change or fsync; None = never. failing: raise this OSError there, once,
    instead of stopping for good.
    """

    def __init__(
        self, files: SimulatedFiles, stop: int | None = None, failing: int | None = None
    ) -> None:
        self.files = files
        self.steps = 0
        self._stop = stop
        self._failing = failing

    def stop_in(self, steps: int) -> None:
        """Stop before the change or fsync that comes after so many others."""
        self._stop = self.steps + steps

    def names(self, folder: str = "") -> list[str]:
        return self.files.names(folder)

    def size(self, name: str) -> int:
        return len(self.files.opened(name).content)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        end = None if length is None else offset + length
        return bytes(self.files.opened(name).content[offset:end])

    def write(self, name: str, offset: int, written: bytes) -> None:
        try:
            self._step()
        except OSError:
            half = written[: len(written) // 2]
            self.files.created(name).write(offset, half)
            raise
        self.files.created(name).write(offset, written)

    def truncate(self, name: str, size: int) -> None:
        self._step()
        self.files.opened(name).truncate(size)

    def rename(self, old: str, new: str) -> None:
        self._step()
        self.files.rename(old, new)

    def remove(self, name: str) -> None:
        if name in self.files.named:
            self._step()
        self.files.remove(name)

    async def sync(self, name: str) -> None:
        file = self.files.opened(name)
        self._step()
        file.sync(file.changes)

    async def sync_folder(self, folder: str = "") -> None:
        self._step()
        self.files.sync_names(folder, frozenset(self.files.renamings))

    def _step(self) -> None:
        if self._stop is not None and self.steps >= self._stop:
            if self._failing is None:
                raise Stopped
            self._stop = None
            raise OSError(self._failing, "as chosen")
        self.steps += 1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run what never really waits."""
    try:
        work.send(None)
    except StopIteration as done:
        answer: T = done.value
        return answer
    raise AssertionError("it waits")


def storage_on(files: SimulatedFiles, **cut: int | None) -> Storage:
    return Storage(CutDisk(files, **cut), pre_alloc_size=128)


def restored(files: SimulatedFiles) -> tuple[Storage, ListDatabase]:
    """As a process that starts on these files."""
    storage, database = storage_on(files), ListDatabase()
    last = run(storage.restore(database))
    assert last == database.last_processed_zxid
    assert database.initialized
    return storage, database


def started(*held: int, files: SimulatedFiles | None = None) -> tuple[SimulatedFiles, Storage]:
    """A server that has logged these, all durable."""
    files = files or SimulatedFiles()
    storage, _ = restored(files)
    logged(storage, *held)
    return files, storage


def logged(storage: Storage, *held: int) -> None:
    for zxid in held:
        storage.append(payload(zxid))
    run(storage.commit())


def every_cut(
    begin: Callable[[], SimulatedFiles], act: Callable[[Storage], Coroutine[Any, Any, None]]
) -> Iterator[tuple[str, SimulatedFiles]]:
    """What a crash leaves, at every step of some work and for all that a loss of power may take.

    begin: makes the files as they are before. act: the work, on a storage that was restored.
    """
    for stop in range(_steps(begin, act) + 1):
        files = begin()
        cut = CutDisk(files)
        storage = Storage(cut, pre_alloc_size=128)
        run(storage.restore(ListDatabase()))
        cut.stop_in(stop)
        with suppress(Stopped):
            run(act(storage))
        yield f"killed at step {stop}", files.copy()
        for names in range(len(files.renamings) + 1):
            for survives in _survivals(files.unsynced()):
                left = files.copy()
                left.lose_power(survives, names)
                yield f"power lost at step {stop}, {names} names, {survives}", left


def _steps(
    begin: Callable[[], SimulatedFiles], act: Callable[[Storage], Coroutine[Any, Any, None]]
) -> int:
    disk = CutDisk(begin())
    storage = Storage(disk, pre_alloc_size=128)
    run(storage.restore(ListDatabase()))
    before = disk.steps
    run(act(storage))
    return disk.steps - before


def _survivals(unsynced: dict[str, int]) -> Iterator[dict[str, int]]:
    """Nothing, and every length of each file, the others lost and the others whole."""
    yield {}
    for name, count in unsynced.items():
        for length in range(1, count + 1):
            yield {name: length}
            yield {**unsynced, name: length}


def failing_steps(
    begin: Callable[[], SimulatedFiles], act: Callable[[Storage], Coroutine[Any, Any, None]]
) -> Iterator[tuple[str, SimulatedFiles]]:
    """What is left where one change or fsync of some work fails, half written."""
    for stop in range(_steps(begin, act)):
        for failing in (errno.EIO, errno.ENOSPC):
            files = begin()
            cut = CutDisk(files, failing=failing)
            storage = Storage(cut, pre_alloc_size=128)
            run(storage.restore(ListDatabase()))
            cut.stop_in(stop)
            with suppress(OSError):
                run(act(storage))
            yield f"{errno.errorcode[failing]} at step {stop}", files
