"""What a simulated loop holds: callbacks in their contexts, and timers that wait to be fired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar

from attrs import frozen

NO_TASK = ""
"""The name under which callbacks queue that no task asked for."""

TASK: ContextVar[str] = ContextVar("TASK", default=NO_TASK)
"""In the context of a task, its name."""


class SimulationError(Exception):
    """Something was chosen that cannot happen now: what, and what could."""


class Dead(BaseException):
    """The process of this server was killed: it does nothing any more, whatever it tries."""


@frozen
class Unhandled:
    """What a loop reports that nobody handled. error: the exception, None if there is none."""

    message: str
    error: BaseException | None


class Callback(asyncio.Handle):
    """A callback that is to run in a context."""

    __slots__ = ("arguments", "call", "context", "is_cancelled")

    def __init__(
        self, call: Callable[..., object], arguments: tuple[object, ...], context: Context
    ) -> None:
        self.call = call
        self.arguments = arguments
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it will never run."""
        return self.is_cancelled

    def get_context(self) -> Context:
        """The context that it runs in."""
        return self.context

    def __repr__(self) -> str:
        return f"<callback {getattr(self.call, '__qualname__', 'of a task')}>"


class Timer(asyncio.TimerHandle):
    """A callback that waits to be fired. due: in seconds, on its loop's clock."""

    __slots__ = ("callback", "due", "name", "pending")

    def __init__(
        self, name: str, due: float, callback: Callback, pending: dict[str, Timer]
    ) -> None:
        self.name = name
        self.due = due
        self.callback = callback
        self.pending = pending

    @property
    def task(self) -> str:
        """Whose timer it is."""
        return self.callback.context.get(TASK, NO_TASK)

    def cancel(self) -> None:
        """Never fire it."""
        self.callback.cancel()
        if self.pending.get(self.name) is self:
            del self.pending[self.name]

    def cancelled(self) -> bool:
        """Whether it will never fire."""
        return self.callback.is_cancelled

    def when(self) -> float:
        """When it is due."""
        return self.due

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<timer {self.name} due {self.due}>"
