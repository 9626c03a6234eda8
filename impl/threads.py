"""The tasks of one role: what ZooKeeper runs as threads, under stable names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Thread: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What a task runs. Called when the task begins, if it is not cancelled before."""


class Threads:
    """What runs while a role lasts, and stops with it, in the order it was started.

    left: called once, as soon as the role has ended, whatever task it was that ended it; answers
    the task that goes on then, all others being cancelled.
    """

    def __init__(self, left: Callable[[], asyncio.Task[None] | None]) -> None:
        self._left = left
        self._running: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, name: str, thread: Thread) -> asyncio.Task[None]:
        """Run it until it ends or the role does. An exception out of it ends the role.

        Models ZooKeeperCriticalThread.
        """
        task = asyncio.get_running_loop().create_task(self._guarded(thread), name=name)
        self._running.append(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, name: str, role: Thread) -> None:
        """Run what a role is about, without an end; raises what it, or any thread, raised first."""
        self.start(name, role)
        await self._failed

    def fail(self, why: BaseException) -> None:
        """End the role, for the first reason that there is."""
        if not self._failed.done():
            self._failed.set_exception(why)
            self.cancel(self._left())

    def cancel(self, keep: asyncio.Task[None] | None = None) -> None:
        """Cancel what still runs, oldest first, but for whoever asks. keep: nor this one."""
        for task in tuple(self._running):
            if task not in (keep, asyncio.current_task()):
                task.cancel()

    async def stop(self, *, keep: asyncio.Task[None] | None = None) -> None:
        """Cancel what still runs, and wait for its end. keep: all but this one."""
        self.cancel(keep)
        running = [task for task in self._running if task is not keep]
        if running:
            await asyncio.wait(running)

    async def _guarded(self, thread: Thread) -> None:
        try:
            await thread()
        except Exception as why:
            self.fail(why)
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.remove(task)
        if not task.cancelled():
            task.exception()  # `fail` was told
