"""A clock whose timers are pending until somebody outside fires them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from attrs import frozen

from impl.simulated_loop import SimulatedLoop, Timer


@frozen
class PendingTimer:
    """A timer that can be fired. task: whose it is. due: in seconds, on the server's clock."""

    name: str
    due: float
    task: str


class SimulatedClock:
    """The `impl.runtime.Clock` of one server."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Seconds since the clock started: what the latest timer that fired was due at."""
        return self._loop.now

    async def sleep(self, seconds: float, name: str) -> None:
        """Wait until the timer of this name is fired."""
        self._loop.check_alive()
        fired = self._loop.create_future()
        timer = self._loop.set_timer(name, self._loop.now + seconds, _wake, fired)
        try:
            await fired
        finally:
            timer.cancel()

    def limit(self, seconds: float, name: str) -> AbstractAsyncContextManager[None]:
        """Raise `TimeoutError` in the body when the timer of this name is fired before its end."""
        return _Limit(self._loop, seconds, name)

    def pending(self) -> tuple[PendingTimer, ...]:
        """The timers that can be fired, the earliest first; of two, the one set first."""
        found = sorted(self._loop.timers.values(), key=_due)
        return tuple(PendingTimer(one.name, one.due, one.task) for one in found)


class _Limit(AbstractAsyncContextManager[None]):
    """asyncio's own timeout, at a time that is chosen from outside."""

    def __init__(self, loop: SimulatedLoop, seconds: float, name: str) -> None:
        self._loop = loop
        self._seconds = seconds
        self._name = name
        self._timeout = asyncio.timeout(None)
        self._timer: Timer | None = None

    async def __aenter__(self) -> None:
        self._loop.check_alive()
        await self._timeout.__aenter__()
        self._timer = self._loop.set_timer(self._name, self._loop.now + self._seconds, self._expire)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _expire(self) -> None:
        self._timeout.reschedule(self._loop.now)


def _wake(fired: asyncio.Future[None]) -> None:
    if not fired.done():
        fired.set_result(None)


def _due(timer: Timer) -> float:
    return timer.due
