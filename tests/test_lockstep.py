"""Model and system side by side: what is compared, what is found, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, islice

import pytest
from model_system import ModelSystem

from zabspec.check import promises
from zabspec.check.actions import Deliver, Elect, Restart
from zabspec.check.bounds import Bounds
from zabspec.check.model import Model, load_models
from zabspec.check.script import parse_script
from zabspec.check.world import Worlds
from zabspec.conform.beside import Beside, Cut, Rulebook, _beginnings
from zabspec.conform.exhaust import Budget, exhaust
from zabspec.conform.findings import Diverged, show_failure
from zabspec.conform.local_graph import LocalGraph, Node, local_graph
from zabspec.conform.lockstep import RUN, Failure, Lockstep, Taken, Task, replay
from zabspec.conform.machine import PROFILES, LockstepMachine, Profile, conform, shortest
from zabspec.conform.rounds import play_round
from zabspec.protocol.disk import CurrentEpoch
from zabspec.protocol.effects import CloseAll, Effect, Send, Step, Write
from zabspec.protocol.events import ClientRequest, Elected, Event, LogSynced, Received
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    LeaderInfo,
    NewLeader,
    Proposal,
)
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import ZERO, Connection, Txn, Zxid
from zabspec.protocol.zab import BASELINE, COARSE, FINE

BROKEN = load_models()["zab-acknowledges-unlogged"].spec
SMALL = Model("small", "", BASELINE, Bounds(servers=2, txns=1, crashes=1, elections=2), None)
MUTE = BASELINE.but("mute", leader_proposes=lambda server, *_: Step(server))
WORLDS = Worlds(BASELINE, RUN)
TO_2 = Connection(2)
LEADING = (
    Elected(1),
    Received(TO_2, FollowerInfo(0)),
    Received(TO_2, AckEpoch(0, ZERO)),
    Received(TO_2, Ack(Zxid(1, 0))),
)


@pytest.fixture(scope="module")
def graph() -> LocalGraph:
    return local_graph(SMALL)


def beside(system: ModelSystem) -> Beside:
    return Rulebook(BASELINE, RUN.ensemble, system).start(1)


# one server


def test_a_spec_as_a_system_does_what_the_spec_does() -> None:
    side = beside(ModelSystem())

    assert not any(side.step(event) for event in (*LEADING, ClientRequest(1), LogSynced(1)))

    (server,) = side.explained
    assert server.disk.durable == (Txn(Zxid(1, 1), 1),)
    assert side.connected == {2}


def test_a_packet_that_is_missing_is_told_with_what_was_expected() -> None:
    side = beside(ModelSystem(MUTE))

    *_, divergence = [side.step(event) for event in (*LEADING, ClientRequest(1))]

    assert divergence is not None
    assert [one.what for one in divergence.differences] == ["sent to 2"]
    assert divergence.differences[0].expected == ({"type": "Proposal", "txn": (1, 1, 1)},)
    assert divergence.differences[0].seen == ()


def test_what_is_durable_when_a_packet_leaves_is_compared() -> None:
    failure = _failure_of(BROKEN)

    assert failure.divergence is not None
    assert any("when Ack was sent" in one.what for one in failure.divergence.differences)


def test_what_is_not_shown_is_followed_as_several_servers() -> None:
    system = ModelSystem(takes=(), shows=("role", "epochs"))
    side = beside(system)

    for event in (*LEADING, ClientRequest(1)):
        assert side.step(event) is None

    assert {server.disk.unsynced for server in side.explained} == {0, 1}
    assert side.step(Received(TO_2, Ack(Zxid(1, 1)))) is None
    assert {server.disk.unsynced for server in side.explained} == {0}


def test_what_a_system_does_by_itself_is_still_held_against_the_spec() -> None:
    side = beside(ModelSystem(BROKEN, takes=(), shows=()))
    told = [
        Elected(2),
        Received(TO_2, LeaderInfo(2)),
        *_diff_of_two(),
        Received(TO_2, NewLeader(2)),
    ]

    assert all(side.step(event) is None for event in told[:-1])


@pytest.mark.parametrize("spec", [BASELINE, COARSE, FINE], ids=lambda spec: spec.name)
def test_every_grain_is_the_same_as_itself(spec: Spec) -> None:
    done = play_round(ModelSystem(spec), Task(spec), range(8))

    assert done.failure is None
    assert done.events > 400


# cuts


def test_what_goes_to_several_peers_may_be_cut_in_any_order() -> None:
    to_2, to_3 = (Send(Connection(sid), NewLeader(1)) for sid in (2, 3))
    write = Write(CurrentEpoch(1))
    effects: tuple[Effect, ...] = (write, to_2, to_3, CloseAll())

    begun = set(_beginnings(effects))

    assert {(), (write, CloseAll()), (write, CloseAll(), to_3)} <= begun
    assert (write, CloseAll(), to_2, to_3) in begun


def test_a_server_that_is_killed_in_a_step_may_be_in_several() -> None:
    side = beside(ModelSystem())
    for event in LEADING[:2]:
        side.step(event)

    assert side.step(LEADING[2], Cut(1)) is None

    (server,) = side.explained
    assert (server.disk.current_epoch, server.disk.accepted_epoch) == (1, 1)


# runs


def test_the_numbers_are_the_run() -> None:
    one, other = (_played(range(7, 2000, 13)) for _ in range(2))

    assert one == other
    assert len(one) > 50
    assert {type(taken.action) for taken in one} >= {Elect, Deliver, Restart}
    assert any(taken.order for taken in one)


def test_a_failure_is_told_as_a_script_an_event_and_two_columns() -> None:
    failure = shortest(_failure_of(BROKEN), lambda: _lockstep(BROKEN))

    said = show_failure(failure, BASELINE, RUN)

    script, _, told = said.partition("\n\n")
    assert parse_script(script).actions == tuple(taken.action for taken in failure.run)
    first, columns, *rows = told.splitlines()
    assert first.startswith("server ")
    assert columns.split() == ["expected", "seen"]
    assert rows
    assert all(row.startswith("    ") for row in rows)


def test_a_run_is_shrunk_until_nothing_can_be_left_out() -> None:
    failure = _failure_of(BROKEN)

    least = shortest(failure, lambda: _lockstep(BROKEN))

    assert len(least.run) < len(failure.run)
    for left_out in range(len(least.run)):
        rest = least.run[:left_out] + least.run[left_out + 1 :]
        assert replay(_lockstep(BROKEN), rest) is None


def test_a_script_says_in_which_order_tasks_run() -> None:
    text = "zabspec script 1\nspec baseline\nservers 3\nelect 1 among 1 2 / order 41\nask 1\n"

    first, second = parse_script(text).lines

    assert (first.action, first.order) == (Elect(1, (1, 2)), 41)
    assert second.order == 0


def test_a_promise_that_both_break_is_a_failure_too() -> None:
    done = play_round(ModelSystem(BROKEN), Task(BROKEN), range(200))

    assert done.failure is not None
    assert promises.acknowledged_is_durable in done.failure.broken
    assert "broken: what is acknowledged is durable" in show_failure(done.failure, BROKEN, RUN)


# under Hypothesis


def test_conform_says_what_was_tried() -> None:
    done = conform(ModelSystem, Task(), Profile(20))

    assert done.runs >= 20
    assert done.events > 500


def test_conform_raises_the_shortest_failure_and_nothing_else() -> None:
    with pytest.raises(Diverged) as raised:
        conform(lambda: ModelSystem(BROKEN), Task(), PROFILES["ci"])

    assert raised.value.actions == len(parse_script(raised.value.script).actions)
    assert str(raised.value).startswith("zabspec script 1\nspec baseline ")
    assert not getattr(raised.value, "__notes__", [])
    assert raised.value.__cause__ is None


def test_a_machine_has_to_say_what_its_system_is() -> None:
    class Nothing(LockstepMachine):
        pass

    with pytest.raises(NotImplementedError, match="make_system"):
        Nothing()


# rows


def test_every_row_is_replayed_behind_two_histories(graph: LocalGraph) -> None:
    done = exhaust(graph, Rulebook(BASELINE, SMALL.bounds.ensemble, ModelSystem()))

    assert done.is_complete
    assert done.replayed == done.rows == sum(len(graph.edges[one]) for one in _shortest(graph))
    assert done.again > 0.9 * done.rows
    assert not done.divergences


def test_the_shortest_history_is_the_shortest(graph: LocalGraph) -> None:
    depth = dict.fromkeys(graph.roots, 0)
    for node in graph:
        for edge in graph.edges[node]:
            reached = depth.setdefault(Node(edge.target.server), depth[Node(node.server)] + 1)
            assert reached <= depth[Node(node.server)] + 1

    assert all(len(graph.history(node)) == depth[node] for node in _shortest(graph))


def test_another_history_is_another(graph: LocalGraph) -> None:
    for node in graph:
        way = tuple(edge.event for edge in graph.history(node))
        if node.otherwise:
            assert way != tuple(edge.event for edge in graph.history(Node(node.server)))


def test_a_row_that_differs_is_told_with_its_history(graph: LocalGraph) -> None:
    rulebook = Rulebook(BASELINE, SMALL.bounds.ensemble, ModelSystem(MUTE))

    done = exhaust(graph, rulebook)

    assert done.divergences
    assert {type(one.divergence.event) for one in done.divergences} == {ClientRequest}
    assert done.replayed < done.rows
    assert done.behind + done.replayed + len(done.divergences) >= done.rows


def test_the_first_row_that_differs_can_be_the_last(graph: LocalGraph) -> None:
    rulebook = Rulebook(BASELINE, SMALL.bounds.ensemble, ModelSystem(MUTE))

    assert len(exhaust(graph, rulebook, Budget(first=True)).divergences) == 1


def test_a_sample_is_drawn_by_its_seed(graph: LocalGraph) -> None:
    system = ModelSystem()
    rulebook = Rulebook(BASELINE, SMALL.bounds.ensemble, system)

    done = exhaust(graph, rulebook, Budget(sample=20, seed=3))

    assert (done.rows, done.replayed) == (20, 20)
    assert system.events == done.events < exhaust(graph, rulebook).events


def _diff_of_two() -> list[Event]:
    txn = Txn(Zxid(1, 1), 1)
    return [Received(TO_2, one) for one in (Diff(txn.zxid), Proposal(txn), Commit(txn.zxid))]


def _shortest(graph: LocalGraph) -> list[Node]:
    return [node for node in graph if not node.otherwise]


def _lockstep(spec: Spec) -> Lockstep:
    rulebook = Rulebook(BASELINE, RUN.ensemble, ModelSystem(spec), WORLDS.uncut)
    return Lockstep(WORLDS, rulebook)


def _failure_of(spec: Spec) -> Failure:
    done = play_round(ModelSystem(spec), Task(), count())
    assert done.failure is not None
    return done.failure


def _played(numbers: Iterable[int]) -> list[Taken]:
    lockstep = _lockstep(BASELINE)
    for number in islice(numbers, 150):
        assert lockstep.choose(number * 977 % 65536) is None
    return lockstep.taken
