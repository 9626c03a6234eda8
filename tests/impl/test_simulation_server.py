"""One simulated server as plain data, with a toy as the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from attrs import fields_dict
from hypothesis import given
from hypothesis import strategies as st
from toy_server import toy

from impl import simulated_events as events
from impl.simulated_events import EVENTS, Event
from impl.simulated_loop import SimulatedLoop, SimulationError
from impl.simulated_network import SimulatedNetwork
from impl.simulated_observations import (
    OBSERVATIONS,
    ClientAnswered,
    ConnectAsked,
    ConnectGivenUp,
    ConnectionClosed,
    ElectionAsked,
    FileWritten,
    ListeningBegan,
    ListeningEnded,
    Observation,
    ProcessEnded,
    RoleEnded,
    Sent,
    SyncAsked,
)
from impl.simulated_server import SimulatedServer


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    made = toy(1)
    made.settle()
    yield made
    made.close()


def test_a_server_does_nothing_before_it_is_told_to_run() -> None:
    server = toy(1)

    assert server.step(events.DiskFails()) == ()
    assert server.runnable == ("main",)
    assert server.step(events.TaskRun("main")) == (ElectionAsked(1, 0, 0),)
    assert server.is_looking
    server.close()


def test_a_leader_accepts_logs_syncs_and_answers(server: SimulatedServer) -> None:
    assert _do(server, events.Elected(1)) == (ListeningBegan(),)
    assert server.is_listening

    server.step(events.ConnectionAccepted("q1", 2))
    assert server.runnable == ("accepted-q1",)
    assert server.settle() == ()
    assert _do(server, events.Delivered("q1", b"w")) == (
        FileWritten("log", 0, b"w"),
        SyncAsked("log", "log"),
    )
    assert _do(server, events.SyncCompleted("log")) == (SyncAsked("/", "/"),)
    assert _do(server, events.SyncCompleted("/")) == (Sent("q1", b"kept"),)
    assert server.observe() == {"is_up": True, "role": "leading", "kept": 1}


def test_a_follower_connects_and_gives_up_when_its_limit_expires(server: SimulatedServer) -> None:
    assert _do(server, events.Elected(2)) == (ConnectAsked(1, 2),)
    assert server.asked == {1: 2}
    assert [(one.name, one.due) for one in server.timers] == [("initLimit", 10.001)]

    assert _do(server, events.TimerFired("initLimit")) == (
        ConnectGivenUp(1),
        RoleEnded("TimeoutError: "),
        ElectionAsked(1, 0, 0),
    )
    assert server.asked == {}
    assert server.now == 10.001


@pytest.mark.parametrize("name", ["q1", None])
def test_an_answer_to_an_attempt_that_is_being_given_up_raises_nothing(name: str | None) -> None:
    loop = SimulatedLoop.new()
    seen: list[Observation] = []
    network = SimulatedNetwork(loop, seen.append)
    task = loop.create_task(network.connect(2), name="main")
    loop.settle()
    with loop.entered():
        task.cancel()

    network.answer(1, name)
    loop.settle()

    assert task.cancelled()
    assert seen == [ConnectAsked(1, 2), *([ConnectionClosed("q1")] if name else [])]


def test_a_refused_connection_ends_the_role(server: SimulatedServer) -> None:
    _do(server, events.Elected(2))

    seen = _do(server, events.ConnectRefused(1))

    assert seen[0] == RoleEnded("ConnectionRefusedError: server 2 does not listen")


def test_a_client_is_answered_when_its_word_is_kept(server: SimulatedServer) -> None:
    _follow(server)

    assert _do(server, _asked(7, b"w")) == (Sent("q1", b"w"),)
    assert _do(server, events.Delivered("q1", b"ke")) == ()
    assert _do(server, events.Delivered("q1", b"pt")) == (ClientAnswered(7, 1, 0, None, 0),)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (events.ConnectionEnded("q1"), "IncompleteReadError"),
        (events.ConnectionBroken("q1"), "ConnectionResetError"),
        (events.TimerFired("syncLimit"), "TimeoutError"),
        (events.RoleLeft(), "CancelledError"),
    ],
)
def test_what_ends_a_role_is_told(server: SimulatedServer, event: Event, why: str) -> None:
    _follow(server)
    _do(server, _asked(7, b"w"))

    closed, ended, _ = _do(server, event)

    assert closed == ConnectionClosed("q1")
    assert isinstance(ended, RoleEnded)
    assert ended.why.startswith(why)
    assert server.connections == ()


def test_an_answer_that_comes_as_the_server_gives_up_is_closed(server: SimulatedServer) -> None:
    _do(server, events.Elected(2))
    server.step(events.RoleLeft())

    seen = server.step(events.ConnectAnswered(1, "q1"))

    assert seen == (ConnectionClosed("q1"),)
    assert server.connections == ()
    assert server.settle()[0] == RoleEnded("CancelledError: ")


def test_a_server_that_gives_up_after_an_answer_closes_it(server: SimulatedServer) -> None:
    _do(server, events.Elected(2))
    server.step(events.ConnectAnswered(1, "q1"))
    server.step(events.RoleLeft())

    assert server.settle()[0] == ConnectionClosed("q1")


def test_what_cannot_happen_is_refused_and_says_what_can(server: SimulatedServer) -> None:
    _follow(server)

    for event, problem in (
        (events.Delivered("q9", b""), "no connection 'q9' is open here, 'q1' are"),
        (events.ConnectAnswered(5, "q2"), r"no attempt 5 waits, \[\] do"),
        (events.ConnectionAccepted("q2"), "'q2' cannot be accepted, the port is closed"),
        (events.TimerFired("tick"), "no timer 'tick' is pending, none are"),
        (events.SyncCompleted("log"), "no fsync 'log' is pending, none are"),
        (events.TaskRun("x"), "task 'x' cannot run now, none can"),
        (events.Elected(1), "waits for no election"),
        (events.Restarted(), "server 1 is up"),
    ):
        with pytest.raises(SimulationError, match=problem):
            server.step(event)


def test_nothing_arrives_behind_an_end(server: SimulatedServer) -> None:
    _follow(server)
    server.step(events.ConnectionEnded("q1"))

    with pytest.raises(SimulationError, match="nothing more can arrive"):
        server.step(events.Delivered("q1", b"x"))


def test_a_killed_server_does_nothing_until_it_is_started_again(server: SimulatedServer) -> None:
    _do(server, events.Elected(1))
    _do(server, _asked(1, b"w"))
    assert server.syncs == ("log",)

    assert server.step(events.Killed()) == ()

    assert not server.is_up
    assert not any((server.runnable, server.timers, server.syncs, server.connections))
    assert server.observe() == {"is_up": False}
    with pytest.raises(SimulationError, match="server 1 is down"):
        server.step(events.Elected(1))
    with pytest.raises(SimulationError, match="server 1 is down"):
        server.settle()
    server.step(events.Restarted())
    assert server.settle() == (ElectionAsked(1, 1, 0),)


def test_a_loss_of_power_takes_what_was_not_synced(server: SimulatedServer) -> None:
    _do(server, events.Elected(1))
    _do(server, _asked(1, b"w"))
    assert server.observe()["kept"] == 1

    server.step(events.PowerLost())
    server.step(events.Restarted())

    assert server.settle() == (ElectionAsked(1, 0, 0),)


def test_what_survives_a_loss_of_power_is_chosen(server: SimulatedServer) -> None:
    _do(server, events.Elected(1))
    _do(server, _asked(1, b"word"))

    server.step(events.PowerLost((("log", 3),), 1))
    server.step(events.Restarted())

    assert server.settle() == (ElectionAsked(1, 3, 0),)


def test_a_crash_in_a_role_tells_nobody(server: SimulatedServer) -> None:
    _follow(server)

    assert server.step(events.Killed()) == ()
    assert server.unhandled == []


def test_the_clock_goes_on_over_a_crash(server: SimulatedServer) -> None:
    _do(server, events.Elected(2))
    _do(server, events.TimerFired("initLimit"))
    server.step(events.Killed())
    assert server.now == 10.001

    server.step(events.Restarted())
    server.settle()
    _do(server, events.Elected(2))

    assert [one.due for one in server.timers] == [pytest.approx(20.003)]


def test_an_error_out_of_a_process_ends_it(server: SimulatedServer) -> None:
    _do(server, events.Elected(1))
    _do(server, events.RoleLeft())
    server.step(events.Elected(1))
    server.step(events.DiskFails(0, "ENOSPC"))
    server.settle()
    server.step(_asked(1, b"w"))

    seen = server.settle()
    assert isinstance(seen[1], RoleEnded)
    assert "No space left" in seen[1].why
    assert seen[0] == ListeningEnded()


def test_what_ends_a_process_is_told_and_it_is_down() -> None:
    class Ends:
        async def run(self) -> None:
            raise OSError(5, "Input/output error", "currentEpoch")

        leave_role = ask = reopen = touch = observe = _fail

    server = SimulatedServer(1, lambda _: Ends())
    why = "OSError: [Errno 5] Input/output error: 'currentEpoch'"

    assert server.step(events.TaskRun("main")) == (ProcessEnded(why),)
    assert not server.is_up
    assert server.step(events.Restarted()) == ()
    server.close()


def test_the_same_events_are_seen_the_same_way() -> None:
    run: list[Event] = [
        events.Elected(1),
        events.ConnectionAccepted("q1", 2),
        events.ConnectionAccepted("q2", 3),
        events.Delivered("q1", b"ab"),
        events.Delivered("q2", b"c"),
        events.SyncCompleted("log"),
        events.SyncCompleted("log#2"),
        events.PowerLost((("log", 1),), 1),
        events.Restarted(),
    ]

    assert _run(run) == _run(run)
    assert _run(run)[-1] == ElectionAsked(1, 2, 0)


def test_a_server_cannot_be_copied(server: SimulatedServer) -> None:
    assert server.copy() is None  # type: ignore[func-returns-value]


def test_a_thing_that_is_no_event_is_refused(server: SimulatedServer) -> None:
    with pytest.raises(SimulationError, match="expected an event"):
        server.step("Killed")  # type: ignore[arg-type]


TEXTS = st.text(max_size=5)
NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": NUMBERS,
    "str": TEXTS,
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bytes": st.binary(max_size=9),
    "int | None": st.none() | NUMBERS,
    "bytes | None": st.none() | st.binary(max_size=9),
    "tuple[tuple[str, int], ...]": st.lists(st.tuples(TEXTS, NUMBERS), max_size=3).map(tuple),
}


def _anything(classes: tuple[type, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(
        [
            st.builds(one, **{name: VALUES[str(at.type)] for name, at in fields_dict(one).items()})
            for one in classes
        ]
    )


@given(_anything(Event.__args__))
def test_events_are_written_as_json_and_read_back(event: Event) -> None:
    written = json.loads(json.dumps(EVENTS.to_json(event)))

    assert EVENTS.from_json(written) == event


@given(_anything(Observation.__args__))
def test_observations_are_written_as_json_and_read_back(seen: Observation) -> None:
    written = json.loads(json.dumps(OBSERVATIONS.to_json(seen)))

    assert OBSERVATIONS.from_json(written) == seen


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({}, "read event None, expected one of Delivered, "),
        ({"event": "Nothing"}, "read event 'Nothing', expected one of Delivered, "),
        ({"event": ["Killed"]}, "read event .'Killed'., expected one of"),
        ({"event": "Killed", "why": 1}, r"read Killed with \['why'\], expected no such key"),
        ({"event": "Elected"}, r"read Elected with \[\]: .*leader"),
        ({"event": "Elected", "leader": "1"}, "read leader '1', expected int"),
        ({"event": "Elected", "leader": True}, "read leader 'True', expected int"),
        ({"event": "Elected", "leader": 1, "zxid": "x"}, "read zxid 'x', expected int or NoneType"),
        ({"event": "Delivered", "connection": "q", "written": "0"}, "read written '0', expected"),
        ({"event": "PowerLost", "survives": [1]}, "read survives .*, expected pairs"),
        ({"event": "PowerLost", "survives": [["a", "b"]]}, "read survives 'b', expected int"),
        ({"event": "PowerLost", "survives": "a"}, "read survives 'a', expected"),
    ],
)
def test_what_is_no_event_is_refused_and_says_why(written: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        EVENTS.from_json(written)


def _asked(number: int, word: bytes) -> Event:
    return events.ClientAsked(number, 1, number, 1, word)


def _do(server: SimulatedServer, event: Event) -> tuple[Observation, ...]:
    return server.step(event) + server.settle()


def _follow(server: SimulatedServer) -> None:
    _do(server, events.Elected(2))
    assert _do(server, events.ConnectAnswered(1, "q1")) == ()


def _run(run: list[Event]) -> list[Observation]:
    server = toy(1)
    seen = list(server.settle())
    for event in run:
        seen += server.step(event)
        seen += server.settle() if server.is_up else ()
    server.close()
    return seen


def _fail(*_: object) -> NoReturn:
    raise AssertionError
