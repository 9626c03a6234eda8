"""A folder of the file system as a disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RealDisk:
    """A `Disk` that is a folder; it is made when it is needed.

    An fsync runs in a thread of its own. One that is cancelled goes on there, and whoever was
    waiting for it is not told.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, folder: str = "") -> list[str]:
        """The files in a folder, sorted; empty where there is no such folder."""
        try:
            return sorted(one.name for one in os.scandir(self._folder / folder) if one.is_file())
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int:
        """In bytes. Raises FileNotFoundError."""
        return (self._folder / name).stat().st_size

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Up to `length` bytes from there, all of them if None. Raises FileNotFoundError."""
        with (self._folder / name).open("rb") as file:
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def write(self, name: str, offset: int, written: bytes) -> None:
        """Write there, making the file if it is missing; a gap is filled with zero bytes."""
        with self._opened(name, os.O_WRONLY | os.O_CREAT) as descriptor:
            left = memoryview(written)
            while left:
                done = os.pwrite(descriptor, left, offset)
                offset, left = offset + done, left[done:]

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to so many bytes, or extend it with zero bytes."""
        with self._opened(name, os.O_WRONLY) as descriptor:
            os.ftruncate(descriptor, size)

    def rename(self, old: str, new: str) -> None:
        """Atomically, over what had the new name."""
        (self._folder / old).replace(self._folder / new)

    def remove(self, name: str) -> None:
        """Raises FileNotFoundError."""
        (self._folder / name).unlink()

    async def sync(self, name: str) -> None:
        """fsync: what was written to this file before survives a loss of power."""
        await asyncio.to_thread(self._sync, name)

    async def sync_folder(self, folder: str = "") -> None:
        """Fsync of the folder, and of the one it is in: its names survive a loss of power."""
        await asyncio.to_thread(self._sync, folder)
        if folder:
            await asyncio.to_thread(self._sync, "")

    def _sync(self, name: str) -> None:
        with self._opened(name, os.O_RDONLY) as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        path = self._folder / name
        if flags & os.O_CREAT:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o644)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
