"""A disk whose fsyncs are pending until completed from outside, and that fails when told to."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable

from attrs import define

from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulatedLoop, SimulationError
from impl.simulated_observations import (
    FileCut,
    FileRemoved,
    FileRenamed,
    FileWritten,
    Observation,
    SyncAsked,
)


@define
class _Fault:
    """An error to come. skipped: after how many changes; torn: how many bytes are written."""

    skipped: int
    error: str
    torn: int


@define
class _Sync:
    """An fsync that is pending. complete: makes durable what it was asked for."""

    complete: Callable[[], None]
    done: asyncio.Future[None]


class SimulatedDisk:
    """The `impl.runtime.Disk` of one process. files: outlive it."""

    def __init__(
        self, files: SimulatedFiles, loop: SimulatedLoop, observe: Callable[[Observation], None]
    ) -> None:
        self.files = files
        self._loop = loop
        self._observe = observe
        self._fault: _Fault | None = None
        self._syncs: dict[str, _Sync] = {}

    # What the server asks for.

    def names(self, folder: str = "") -> list[str]:
        """The files in a folder, sorted, without the folder's name."""
        self._loop.check_alive()
        return self.files.names(folder)

    def size(self, name: str) -> int:
        """In bytes."""
        self._loop.check_alive()
        return len(self.files.opened(name).content)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Up to so many bytes from there."""
        self._loop.check_alive()
        end = None if length is None else offset + length
        return bytes(self.files.opened(name).content[offset:end])

    def write(self, name: str, offset: int, written: bytes) -> None:
        """Write there, not durably."""
        fault = self._due_fault()
        if fault is None:
            self.files.created(name).write(offset, written)
            self._observe(FileWritten(name, offset, bytes(written)))
            return
        if fault.torn:
            self.files.created(name).write(offset, written[: fault.torn])
            self._observe(FileWritten(name, offset, bytes(written[: fault.torn])))
        raise _os_error(fault.error, name)

    def truncate(self, name: str, size: int) -> None:
        """Cut or extend it, not durably."""
        self._fail_if_due(name)
        self.files.opened(name).truncate(size)
        self._observe(FileCut(name, size))

    def rename(self, old: str, new: str) -> None:
        """Over what had the new name, not durably."""
        self._fail_if_due(old)
        self.files.rename(old, new)
        self._observe(FileRenamed(old, new))

    def remove(self, name: str) -> None:
        """Remove it, not durably."""
        self._fail_if_due(name)
        self.files.remove(name)
        self._observe(FileRemoved(name))

    async def sync(self, name: str) -> None:
        """Wait until somebody completes it: what was written before is durable then."""
        self._loop.check_alive()
        file = self.files.opened(name)
        changes = file.changes
        await self._sync(name, lambda: file.sync(changes))

    async def sync_folder(self, folder: str = "") -> None:
        """Wait until somebody completes it: the names of before are durable then."""
        self._loop.check_alive()
        renamings = frozenset(self.files.renamings)
        await self._sync(f"{folder}/", lambda: self.files.sync_names(folder, renamings))

    # What befalls it from outside.

    @property
    def syncs(self) -> tuple[str, ...]:
        """The pending fsyncs, by name, the oldest first."""
        return tuple(self._syncs)

    def complete(self, sync: str) -> None:
        """An fsync is done. Where its task was cancelled, it is done all the same."""
        found = self._pending(sync)
        found.complete()
        if not found.done.done():
            found.done.set_result(None)

    def fail_sync(self, sync: str, error: str) -> None:
        """An fsync raises this error, and nothing is durable."""
        raised = _os_error(error, sync)
        found = self._pending(sync)
        if not found.done.done():
            found.done.set_exception(raised)

    def fail_write(self, skipped: int, error: str, torn: int) -> None:
        """The change after so many others raises this error, with so many bytes written of it."""
        _os_error(error, "")
        self._fault = _Fault(skipped, error, torn)

    async def _sync(self, name: str, complete: Callable[[], None]) -> None:
        sync, number = name, 2
        while sync in self._syncs:
            sync, number = f"{name}#{number}", number + 1
        done = self._loop.create_future()
        self._syncs[sync] = _Sync(complete, done)
        self._observe(SyncAsked(sync, name))
        await done

    def _pending(self, sync: str) -> _Sync:
        found = self._syncs.pop(sync, None)
        if found is None:
            pending = ", ".join(map(repr, self._syncs)) or "none"
            raise SimulationError(f"no fsync {sync!r} is pending, {pending} are")
        return found

    def _fail_if_due(self, name: str) -> None:
        fault = self._due_fault()
        if fault is not None:
            raise _os_error(fault.error, name)

    def _due_fault(self) -> _Fault | None:
        self._loop.check_alive()
        fault = self._fault
        if fault is None:
            return None
        if fault.skipped:
            fault.skipped -= 1
            return None
        self._fault = None
        return fault


def _os_error(name: str, file: str) -> OSError:
    number = getattr(errno, name, None)
    if not isinstance(number, int):
        raise SimulationError(f"no error is called {name!r}; EIO and ENOSPC are")
    return OSError(number, os.strerror(number), file)
