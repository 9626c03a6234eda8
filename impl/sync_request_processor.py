"""The log thread: it appends what it is given, syncs, and only then passes it on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from impl.requests import Request

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer
    from impl.threads import Threads


class SyncRequestProcessor:
    """One fsync for all that waits, up to a limit; a snapshot every so many records.

    task: the thread. next_processor: told of each transaction that is durable, in order; None:
    nobody is. Models SyncRequestProcessor.
    """

    def __init__(
        self, peer: QuorumPeer, threads: Threads, next_processor: Callable[[Request], None] | None
    ) -> None:
        self._peer = peer
        self._threads = threads
        self._next = next_processor
        self._queue: asyncio.Queue[Request | None] = asyncio.Queue()
        self._log_count = 0
        self._random = Random(peer.config.sid)  # noqa: S311 - so that not all save at once
        self._snapshot_due = self._draw_snapshot_due()
        self._snapshot: asyncio.Task[None] | None = None
        self.task = threads.start("sync", self.run)

    def process_request(self, request: Request) -> None:
        """Log a transaction."""
        self._queue.put_nowait(request)

    async def run(self) -> None:
        """Until it is shut down, and has logged what it was given before."""
        while True:
            batch, is_last = await self._append_batch()
            if batch:
                await self._peer.storage.commit()
                self._pass_on(batch)
            if is_last:
                return

    async def shutdown(self) -> None:
        """Log and sync what it was given, telling nobody, and stop (ZOOKEEPER-4712).

        Raises what the disk raises.
        """
        self._next = None
        self._queue.put_nowait(None)
        await asyncio.wait({self.task})
        self.task.result()

    async def _append_batch(self) -> tuple[list[Request], bool]:
        """What was written and not yet synced; whether it is the end."""
        batch: list[Request] = []
        while True:
            request = await self._queue.get()
            if request is None:
                return batch, True
            self._peer.storage.append(request.payload)
            batch.append(request)
            self._log_count += 1
            if self._log_count > self._snapshot_due:
                await self._take_snapshot()
            if self._queue.empty() or len(batch) >= self._peer.config.max_batch:
                return batch, False

    def _pass_on(self, batch: list[Request]) -> None:
        for request in batch:
            if self._next is not None:
                self._next(request)

    async def _take_snapshot(self) -> None:
        """In a thread of its own; where one is still being saved, none."""
        self._log_count = 0
        self._snapshot_due = self._draw_snapshot_due()
        await self._peer.storage.roll_log()
        if self._snapshot is None or self._snapshot.done():
            self._snapshot = self._threads.start("snapshot", self._save)

    async def _save(self) -> None:
        await self._peer.storage.save(self._peer.database)

    def _draw_snapshot_due(self) -> int:
        half = self._peer.config.snap_count // 2
        return half + self._random.randrange(max(1, half))
