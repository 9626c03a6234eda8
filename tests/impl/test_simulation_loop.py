"""The loop on which nothing happens unless chosen, and asyncio's own primitives on it."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from impl.simulated_clock import SimulatedClock
from impl.simulated_loop import Dead, SimulatedLoop, SimulationError


class Toys:
    """A loop, a clock, and what its tasks said."""

    def __init__(self) -> None:
        self.loop = SimulatedLoop.new()
        self.clock = SimulatedClock(self.loop)
        self.said: list[object] = []

    def start(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.loop.create_task(coroutine, name=name)

    async def say(self, *words: object) -> None:
        for word in words:
            self.said.append(word)
            await asyncio.sleep(0)

    async def hear(self, queue: asyncio.Queue[str]) -> None:
        while True:
            self.said.append(await queue.get())


@pytest.fixture
def toys() -> Iterator[Toys]:
    made = Toys()
    yield made
    made.loop.kill()


def test_nothing_runs_unless_chosen(toys: Toys) -> None:
    toys.start("a", toys.say(1))

    assert toys.loop.runnable() == ("a",)
    assert toys.said == []


def test_the_task_that_is_chosen_runs_before_those_that_could_run_earlier(toys: Toys) -> None:
    toys.start("a", toys.say("a"))
    toys.start("b", toys.say("b"))

    toys.loop.run("b")

    assert toys.said == ["b"]
    assert toys.loop.runnable() == ("a",)


def test_by_default_who_could_run_first_runs_first(toys: Toys) -> None:
    for name in "cab":
        toys.start(name, toys.say(name))

    assert toys.loop.settle() == 3
    assert toys.said == ["c", "a", "b"]
    assert toys.loop.tasks() == ()


def test_what_a_task_wakes_waits_for_a_turn_of_its_own(toys: Toys) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    toys.start("hears", toys.hear(queue))
    toys.loop.settle()

    toys.start("tells", queue.put("news"))
    toys.loop.run("tells")

    assert toys.said == []
    assert toys.loop.runnable() == ("hears",)


def test_callbacks_of_one_task_keep_their_order(toys: Toys) -> None:
    async def order() -> None:
        for number in range(5):
            toys.loop.call_soon(toys.said.append, number)

    toys.start("a", order())
    toys.loop.run("a")

    assert toys.said == [0, 1, 2, 3, 4]


def test_a_callback_that_was_cancelled_never_runs(toys: Toys) -> None:
    toys.loop.call_soon(toys.said.append, 1).cancel()

    toys.loop.settle()

    assert toys.said == []


def test_a_task_that_yields_for_ever_is_left_runnable(toys: Toys) -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - it is the yielding that is tested
            await asyncio.sleep(0)

    toys.start("spins", spin())
    toys.loop.run("spins")

    assert toys.loop.runnable() == ("spins",)
    with pytest.raises(SimulationError, match="'spins' can still run: 10 turns"):
        toys.loop.settle(limit=10)


def test_who_cannot_run_is_refused_with_those_who_can(toys: Toys) -> None:
    toys.start("a", toys.say(1))

    with pytest.raises(SimulationError, match="task 'b' cannot run now, 'a' can"):
        toys.loop.run("b")


def test_a_task_cannot_choose_what_runs(toys: Toys) -> None:
    async def choose() -> None:
        toys.loop.settle()

    task = toys.start("chooses", choose())
    toys.loop.settle()

    assert isinstance(task.exception(), SimulationError)


def test_a_name_that_lives_gets_a_number_and_is_free_again_afterwards(toys: Toys) -> None:
    names = [toys.start("log", toys.say(1)).get_name() for _ in range(3)]
    toys.loop.settle()

    assert names == ["log", "log#2", "log#3"]
    assert toys.start("log", toys.say(1)).get_name() == "log"


def test_tasks_have_names_of_their_own_whatever_ran_before() -> None:
    async def nothing() -> None:
        pass

    first, second = Toys(), Toys()

    assert first.loop.create_task(nothing()).get_name() == "task"
    assert second.loop.create_task(nothing()).get_name() == "task"
    first.loop.settle()
    second.loop.settle()


def test_a_task_sees_the_context_in_which_it_was_made_and_keeps_changes_to_itself(
    toys: Toys,
) -> None:
    word: ContextVar[str] = ContextVar("word", default="none")

    async def inner() -> None:
        toys.said.append(word.get())
        word.set("inner")

    async def outer() -> None:
        word.set("outer")
        await toys.start("inner", inner())
        toys.said.append(word.get())

    toys.start("outer", outer())
    toys.loop.settle()

    assert toys.said == ["outer", "outer"]


def test_tasks_that_share_a_context_take_their_turns_as_one(toys: Toys) -> None:
    async def outer() -> None:
        asyncio.get_running_loop().create_task(toys.say("shared"), context=copy_context())

    toys.start("outer", outer())
    toys.loop.run("outer")

    assert toys.said == ["shared"]


def test_events_and_conditions_wake_who_waits(toys: Toys) -> None:
    async def wait(event: asyncio.Event, condition: asyncio.Condition) -> None:
        await event.wait()
        async with condition:
            await condition.wait_for(lambda: "go" in toys.said)
        toys.said.append("done")

    async def wake(event: asyncio.Event, condition: asyncio.Condition) -> None:
        event.set()
        await asyncio.sleep(0)
        async with condition:
            toys.said.append("go")
            condition.notify_all()

    event, condition = asyncio.Event(), asyncio.Condition()
    toys.start("waits", wait(event, condition))
    toys.loop.settle()
    toys.start("wakes", wake(event, condition))
    toys.loop.settle()

    assert toys.said == ["go", "done"]


def test_queues_keep_their_bound_and_their_order(toys: Toys) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)

    async def put() -> None:
        for word in "abc":
            await queue.put(word)
            toys.said.append(f"put {word}")

    toys.start("puts", put())
    toys.loop.settle()
    assert toys.said == ["put a"]

    toys.start("hears", toys.hear(queue))
    toys.loop.settle()
    assert [word for word in toys.said if len(str(word)) == 1] == ["a", "b", "c"]


def test_a_task_group_ends_with_its_first_failure(toys: Toys) -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            toys.said.append("cancelled")

    async def group() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(last(), name="lasts")
                tasks.create_task(fail(), name="fails")
        except* ValueError as errors:
            toys.said.append(str(errors.exceptions[0]))

    toys.start("group", group())
    toys.loop.settle()

    assert toys.said == ["cancelled", "no"]
    assert toys.loop.unhandled == []


def test_gather_wait_and_shield_work(toys: Toys) -> None:
    async def number(value: int) -> int:
        await toys.clock.sleep(value, f"number{value}")
        return value

    async def all_of_them() -> None:
        toys.said.append(await asyncio.gather(number(1), asyncio.shield(number(2))))
        first = asyncio.ensure_future(number(3))
        done, pending = await asyncio.wait({first, asyncio.ensure_future(number(4))}, timeout=9)
        toys.said.append((len(done), len(pending)))

    toys.start("all", all_of_them())
    toys.loop.settle()
    for name in ("number2", "number1"):
        toys.loop.fire(name)
        toys.loop.settle()
    assert toys.said == [[1, 2]]

    toys.loop.fire("timer")
    toys.loop.settle()
    assert toys.said[1:] == [(0, 2)]


def test_a_stream_reader_reads_what_is_fed_to_it(toys: Toys) -> None:
    reader = StreamReader(loop=toys.loop)

    async def read() -> None:
        toys.said.append(await reader.readexactly(3))
        toys.said.append(await reader.readline())
        try:
            await reader.readexactly(1)
        except asyncio.IncompleteReadError:
            toys.said.append("end")

    toys.start("reads", read())
    for fed in (b"ab", b"cde\n", b""):
        toys.loop.settle()
        reader.feed_data(fed)
    reader.feed_eof()
    toys.loop.settle()

    assert toys.said == [b"abc", b"de\n", "end"]


def test_a_timer_fires_when_chosen_and_time_moves_on_to_it_and_never_back(toys: Toys) -> None:
    for seconds in (5, 2):
        toys.start(f"sleeps{seconds}", toys.clock.sleep(seconds, f"after{seconds}"))
    toys.loop.settle()
    assert [(one.name, one.due, one.task) for one in toys.clock.pending()] == [
        ("after2", 2, "sleeps2"),
        ("after5", 5, "sleeps5"),
    ]

    toys.loop.fire("after5")
    toys.loop.fire("after2")

    assert toys.clock.now() == 5
    assert toys.loop.runnable() == ("sleeps5", "sleeps2")
    assert toys.clock.pending() == ()


def test_a_timer_that_is_not_pending_is_refused_with_those_that_are(toys: Toys) -> None:
    toys.start("a", toys.clock.sleep(1, "tick"))
    toys.start("b", toys.clock.sleep(1, "tick"))
    toys.loop.settle()

    with pytest.raises(SimulationError, match="no timer 'tock' is pending, 'tick', 'tick#2' are"):
        toys.loop.fire("tock")


def test_a_limit_that_fires_ends_the_body_with_a_timeout(toys: Toys) -> None:
    async def limited() -> None:
        try:
            async with toys.clock.limit(10, "initLimit"):
                await asyncio.Event().wait()
        except TimeoutError:
            toys.said.append(toys.clock.now())

    toys.start("limited", limited())
    toys.loop.settle()
    toys.loop.fire("initLimit")
    toys.loop.run("limited")

    assert toys.said == [10]


def test_a_limit_whose_body_ends_is_not_pending_any_more(toys: Toys) -> None:
    async def limited() -> None:
        async with toys.clock.limit(10, "initLimit"):
            await toys.say("in time")

    toys.start("limited", limited())
    toys.loop.settle()

    assert toys.said == ["in time"]
    assert toys.clock.pending() == ()


@pytest.mark.parametrize("fires_first", [True, False])
def test_a_limit_that_fires_as_its_body_is_done_does_no_harm(
    toys: Toys, *, fires_first: bool
) -> None:
    event = asyncio.Event()

    async def limited() -> None:
        async with toys.clock.limit(10, "initLimit"):
            await event.wait()
        await asyncio.sleep(0)
        toys.said.append("done")

    toys.start("limited", limited())
    toys.loop.settle()
    if fires_first:
        toys.loop.fire("initLimit")
    event.set()
    if not fires_first:
        toys.loop.fire("initLimit")
    toys.loop.settle()

    assert toys.said == ["done"]
    assert toys.loop.unhandled == []


def test_asyncios_own_timeouts_and_sleeps_are_timers_too(toys: Toys) -> None:
    async def limited() -> None:
        try:
            async with asyncio.timeout(3):
                await asyncio.sleep(7)
        except TimeoutError:
            toys.said.append("late")

    toys.start("limited", limited())
    toys.loop.settle()
    assert [(one.name, one.due) for one in toys.clock.pending()] == [("timer", 3), ("timer#2", 7)]

    toys.loop.fire("timer")
    toys.loop.settle()
    assert toys.said == ["late"]
    assert toys.clock.pending() == ()


def test_an_exception_in_a_callback_is_kept_and_the_rest_goes_on(toys: Toys) -> None:
    toys.loop.call_soon(_raise, ValueError("no"))
    toys.loop.call_soon(toys.said.append, 1)

    toys.loop.settle()

    assert [str(one.error) for one in toys.loop.unhandled] == ["no"]
    assert toys.said == [1]


def test_a_task_whose_exception_nobody_asks_for_is_unhandled(toys: Toys) -> None:
    async def fail() -> None:
        raise ValueError("no")

    toys.start("fails", fail())
    toys.loop.settle()

    assert [str(one.error) for one in toys.loop.unhandled] == ["no"]


def test_a_kill_closes_tasks_in_the_order_in_which_they_were_created(toys: Toys) -> None:
    async def last(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            toys.said.append(name)

    for name in "cab":
        toys.start(name, last(name))
    toys.loop.settle()
    toys.loop.kill()

    assert toys.said == ["c", "a", "b"]
    assert toys.loop.runnable() == ()


def test_after_a_kill_nothing_can_be_waited_for_or_started(toys: Toys) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await _refused(toys, toys.clock.sleep(1, "never"))
            await _refused(toys, _started(toys))
            await asyncio.sleep(0)
            toys.said.append("never")

    toys.start("stubborn", stubborn())
    toys.loop.settle()
    toys.loop.kill()

    assert toys.said == ["refused", "refused"]
    assert toys.clock.pending() == ()
    assert toys.loop.runnable() == ()
    assert toys.loop.unhandled == []


def test_a_task_that_never_ends_is_told(toys: Toys) -> None:
    async def immortal() -> None:
        for _ in range(150):
            try:
                await asyncio.Event().wait()
            except GeneratorExit:
                continue

    coroutine = immortal()
    toys.start("immortal", coroutine)
    toys.loop.settle()
    toys.loop.kill()

    assert [one.message for one in toys.loop.unhandled] == ["task 'immortal' does not end"]
    for _ in range(50):
        with suppress(RuntimeError), toys.loop.entered():
            coroutine.close()


def test_a_task_group_dies_with_its_process(toys: Toys) -> None:
    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait(), name="lasts")

    toys.start("group", group())
    toys.loop.settle()
    toys.loop.kill()

    assert toys.loop.tasks() == ()
    assert toys.loop.unhandled == []


async def _refused(toys: Toys, coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except Dead:
        toys.said.append("refused")


async def _started(toys: Toys) -> None:
    await toys.start("more", toys.say("never"))


def _raise(error: Exception) -> None:
    raise error
