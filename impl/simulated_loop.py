"""An asyncio event loop on which nothing runs, and no time passes, unless chosen from outside.

Written on what asyncio documents for writers of event loops: callbacks with their contexts. The
context tells which task a callback belongs to, so that ready callbacks queue by task. No I/O, no
threads.
"""

from __future__ import annotations

import asyncio
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Callable, Container, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Self, TypeVar, TypeVarTuple, Unpack

from impl.simulated_callbacks import (
    NO_TASK,
    TASK,
    Callback,
    Dead,
    SimulationError,
    Timer,
    Unhandled,
)

__all__ = ["NO_TASK", "Dead", "SimulatedLoop", "SimulationError", "Timer", "Unhandled"]

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

_PATIENCE = 100
"""How often a task that was chosen may yield before it counts as waiting."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The event loop of one server, or of several, from its start to its end.

    now: in seconds. timers: those pending, by name. unhandled: what nobody handled, in order.
    is_dead: whether the process was killed.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.timers: dict[str, Timer] = {}
        self.unhandled: list[Unhandled] = []
        self.is_dead = False
        self._ready: dict[str, list[Callback]] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._is_running = False

    @classmethod
    def new(cls, now: float = 0.0) -> Self:
        """A loop at this time: what asyncio asks of loops but for I/O, threads and signals."""
        return cls(now)

    # What is chosen from outside.

    def runnable(self) -> tuple[str, ...]:
        """The tasks that could run, by name; who could first comes first."""
        return tuple(self._ready)

    def tasks(self) -> tuple[str, ...]:
        """The tasks that have not ended, by name; the oldest comes first."""
        return tuple(self._tasks)

    def run(self, task: str) -> None:
        """Let this task run until it next waits. What it wakes waits for a turn of its own.

        A task that yields is left, still runnable, after a hundred times.
        """
        if task not in self._ready:
            raise SimulationError(f"task {task!r} cannot run now, {_listed(self._ready)} can")
        with self.entered():
            self._run(task)

    def settle(
        self,
        limit: int = 100_000,
        held: Container[str] = (),
        choose: Callable[[list[str]], str] | None = None,
    ) -> int:
        """Run all that can run, who could first first; how many turns that took.

        held: tasks that wait all the same. choose: who runs next; None: who could first.
        Raises SimulationError after so many turns.
        """
        turns = 0
        with self.entered():
            while ready := [task for task in self._ready if task not in held]:
                if turns == limit:
                    raise SimulationError(f"{_listed(self._ready)} can still run: {limit} turns")
                self._run(ready[0] if choose is None else choose(ready))
                turns += 1
        return turns

    def fire(self, timer: str) -> None:
        """Fire a pending timer. Time moves on to when it was due, never back."""
        fired = self.timers.pop(timer, None)
        if fired is None:
            raise SimulationError(f"no timer {timer!r} is pending, {_listed(self.timers)} are")
        self.now = max(self.now, fired.due)
        self._soon(fired.callback)

    def kill(self) -> None:
        """End as a killed process does: nothing more is done, whatever `finally` blocks ask for.

        Tasks are closed in the order in which they were created.
        """
        self.is_dead = True
        self._ready.clear()
        self.timers.clear()
        with self.entered():
            for task in tuple(self._tasks.values()):
                self._close(task)
        self._tasks.clear()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be, for a while, what asyncio finds as the running loop."""
        outer = _get_running_loop()
        if self._is_running:
            raise SimulationError("chosen from within: a task cannot choose what runs")
        _set_running_loop(self)
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False
            _set_running_loop(outer)

    def check_alive(self) -> None:
        """Raises Dead once the process was killed: everything that does I/O asks this first."""
        if self.is_dead:
            raise Dead

    # What a simulated clock asks for.

    def set_timer(self, name: str, due: float, call: Callable[..., object], *args: object) -> Timer:
        """A timer under this name, or `name#2`, ... while others of that name are pending."""
        return self._set_timer(name, due, Callback(call, args, copy_context()))

    # What asyncio asks for.

    def time(self) -> float:
        """Seconds, moved on by timers alone."""
        return self.now

    def call_soon(
        self,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Queue behind what else the task of this context has ready."""
        ready = Callback(callback, args, copy_context() if context is None else context)
        self._soon(ready)
        return ready

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """A timer without a name of its own."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """A timer without a name of its own."""
        context = copy_context() if context is None else context
        return self._set_timer("timer", when, Callback(callback, args, context))

    def create_future(self) -> asyncio.Future[Any]:
        """A future whose callbacks queue here."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, _Result] | Coroutine[Any, Any, _Result],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[_Result]:
        """A task under this name, or `name#2`, ... while others of that name live.

        A task that is given a context takes its turns with the task that the context is of.
        """
        if self.is_dead:
            coro.close()
            raise Dead
        free = _free(name or "task", self._tasks)
        if context is None:
            context = copy_context()
            context.run(TASK.set, free)
        task: asyncio.Task[_Result] = asyncio.Task(coro, loop=self, name=free, context=context)
        self._tasks[free] = task
        task.add_done_callback(self._forget, context=context)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep it among `unhandled`."""
        if not self.is_dead:
            message, error = str(context.get("message", "")), context.get("exception")
            self.unhandled.append(Unhandled(message, error))

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Whether a task is in its turn."""
        return self._is_running

    def is_closed(self) -> bool:
        """Whether the process was killed."""
        return self.is_dead

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: generators end with the tasks that hold them."""

    # How.

    def _run(self, task: str) -> None:
        for _ in range(_PATIENCE):
            ready = self._ready.pop(task, None)
            if ready is None:
                return
            for callback in ready:
                if not callback.is_cancelled:
                    self._call(callback)

    def _call(self, callback: Callback) -> None:
        try:
            callback.context.run(callback.call, *callback.arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the loop goes on
            self.unhandled.append(Unhandled(f"in {callback!r}", error))

    def _soon(self, callback: Callback) -> None:
        if self.is_dead:
            return
        task = callback.context.get(TASK, NO_TASK)
        queue = self._ready.get(task)
        if queue is None:
            self._ready[task] = [callback]
        else:
            queue.append(callback)

    def _set_timer(self, name: str, due: float, callback: Callback) -> Timer:
        timer = Timer(_free(name, self.timers), due, callback, self.timers)
        if not self.is_dead:
            self.timers[timer.name] = timer
        return timer

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task.get_name(), None)

    def _close(self, task: asyncio.Task[Any]) -> None:
        coroutine = task.get_coro()
        for _ in range(_PATIENCE):
            try:
                coroutine.close()
            except BaseException:  # noqa: BLE001, S112 - a dead process raises to nobody, and one
                continue  # that awaits in a `finally` block is left there: again, until it is out
            return
        self.unhandled.append(Unhandled(f"task {task.get_name()!r} does not end", None))


def _free(name: str, taken: dict[str, Any]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
