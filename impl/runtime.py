"""What a server runs on: a clock, a network and a disk, each passed in.

Everything that takes time is awaited on one of the three, so that whoever provides them decides
what happens next. Names say what a wait is for; a simulation shows them to whoever chooses.
"""

from __future__ import annotations

from asyncio import StreamReader
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Clock(Protocol):
    """Time in seconds, monotonic, from an arbitrary start."""

    def now(self) -> float:
        """Seconds since the clock started."""

    async def sleep(self, seconds: float, name: str) -> None:
        """Wait. name: of the timer, such as `tick`."""

    def limit(self, seconds: float, name: str) -> AbstractAsyncContextManager[None]:
        """Raise `TimeoutError` in the body when it takes longer. name: such as `initLimit`."""


class Connection(Protocol):
    """One end of a TCP connection between two servers.

    peer: the sid at the other end where the network knows it, else None (until a packet says so).
    reader: what the other end wrote, in order; at its end, an end of file; broken, it raises
        `ConnectionError`.
    """

    peer: int | None
    reader: StreamReader

    def write(self, written: bytes) -> None:
        """Send, in order. Whole packets: a simulated link delivers one write at a time."""

    async def drain(self) -> None:
        """Wait until the other end, or a buffer, has room. Raises `ConnectionError` when lost."""

    def close(self) -> None:
        """End both directions. What was written before may still arrive; nothing more is read."""


class Listener(Protocol):
    """A port that is open."""

    def close(self) -> None:
        """Accept no more. Connections that were accepted stay."""


class Network(Protocol):
    """How a server reaches the quorum port of another."""

    async def connect(self, sid: int) -> Connection:
        """Raises `ConnectionError` where nobody listens."""

    def listen(self, accept: Callable[[Connection], Awaitable[None]]) -> Listener:
        """Open this server's own quorum port; `accept` is run, as a task, for each connection."""


class Disk(Protocol):
    """A folder. Names are relative, with `/` between folders, which exist when they are needed.

    What is written is seen by every later read at once. It survives a killed process. It survives a
    loss of power from the next `sync` of that file on; a new name, a rename and a removal, from the
    next `sync_folder` on. Everything may raise `OSError` (EIO, ENOSPC).
    """

    def names(self, folder: str = "") -> list[str]:
        """The files in a folder, sorted; empty where there is no such folder."""

    def size(self, name: str) -> int:
        """In bytes. Raises `FileNotFoundError`."""

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Up to `length` bytes from there, all of them if None. Raises `FileNotFoundError`."""

    def write(self, name: str, offset: int, written: bytes) -> None:
        """Write there, making the file if it is missing; a gap is filled with zero bytes."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to so many bytes, or extend it with zero bytes."""

    def rename(self, old: str, new: str) -> None:
        """Atomically, over what had the new name."""

    def remove(self, name: str) -> None:
        """Raises `FileNotFoundError`."""

    async def sync(self, name: str) -> None:
        """fsync: what was written to this file before survives a loss of power."""

    async def sync_folder(self, folder: str = "") -> None:
        """Make the names in a folder survive a loss of power: fsync of the folder."""
