"""Rows: each answered by its rule once, and the branch that answered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.explore import Explorer
from zabspec.check.outcomes import AnyServer
from zabspec.check.rows import Branch, Rows
from zabspec.check.world import Worlds
from zabspec.protocol.effects import CloseAll, Impossible, Step
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LinkLost,
    Received,
)
from zabspec.protocol.messages import Ack
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import Rule, Spec
from zabspec.protocol.state import ZERO, Connection, Ensemble, Leader, Phase, new_server
from zabspec.protocol.zab import COARSE

TWO = Ensemble((1, 2))
LOOKING = new_server(1)
ESTABLISHED = LOOKING.playing(Leader(Phase.BROADCAST, 1))


def answers_by_request(server: AnyServer, event: ClientRequest, _: Ensemble) -> Step:
    if event.request == 1:
        return Step(server)
    if event.request < 5:
        return Step(server, ())
    done = (CloseAll(),)
    return Step(server, done)


def bursts(_server: AnyServer, event: ClientRequest, _: Ensemble) -> Step:
    if event.request > 1:
        raise ValueError("no more ink")
    return Step(_server)


def _decides(server: AnyServer) -> Step:
    if server.sid:
        return Step(server)
    return Step(server, ())


def asks_another(server: AnyServer, _event: Event, _ensemble: Ensemble) -> Step:
    return _decides(server)


def asks_itself(server: AnyServer, event: ClientRequest, ensemble: Ensemble) -> Step:
    if event.request > 1:
        return asks_itself(server, ClientRequest(event.request - 1), ensemble)
    return Step(server)


def _proposing(rule: Callable[[AnyServer, ClientRequest, Ensemble], Step]) -> Spec:
    return PAPER.but("paper-proposing", leader_proposes=rule)


def _lines(rows: Rows) -> dict[tuple[str, int], int]:
    return {(one.rule.name, one.line): count for one, count in rows.branches.items()}


def test_each_place_where_a_rule_returns_is_counted_for_each_row() -> None:
    rows = Rows(_proposing(answers_by_request))

    for request in (1, 2, 3, 4, 5, 6):
        rows.step(ESTABLISHED, ClientRequest(request), TWO)

    name = "leader_proposes"
    assert _lines(rows) == {(name, 3): 1, (name, 5): 3, (name, 7): 2}
    assert rows.calls == 6


def test_the_line_is_counted_from_the_first_mark_of_a_rule() -> None:
    rows = Rows(PAPER)

    rows.step(LOOKING, Elected(1), TWO)
    rows.step(LOOKING, Elected(2), TWO)

    rule = PAPER.rule(LOOKING, Elected(1))
    assert rows.branches == {Branch(rule, 5): 1, Branch(rule, 9): 1}


def test_a_rule_that_raises_has_a_branch_where_it_does() -> None:
    rows = Rows(_proposing(bursts))

    rows.step(ESTABLISHED, ClientRequest(1), TWO)
    for request in (2, 3):
        with pytest.raises(ValueError, match="no more ink"):
            rows.step(ESTABLISHED, ClientRequest(request), TWO)

    assert _lines(rows) == {("leader_proposes", 3): 2, ("leader_proposes", 4): 1}


def test_a_decision_has_one_branch() -> None:
    rows = Rows(PAPER)

    ignored = rows.step(LOOKING, ClientRequest(1), TWO)
    never = rows.step(LOOKING, LinkLost(Connection(2)), TWO)
    rows.step(LOOKING, Received(Connection(2), Ack(ZERO)), TWO)

    assert ignored == Step(LOOKING)
    assert isinstance(never.effects[0], Impossible)
    counts = {one.rule.name: count for one, count in rows.branches.items()}
    assert counts == {"ignore": 1, "never": 2}


@pytest.mark.parametrize(("rule", "line"), [(asks_another, 2), (asks_itself, 3)])
def test_only_where_the_rule_itself_returns_counts(
    rule: Callable[[AnyServer, Event, Ensemble], Step], line: int
) -> None:
    rows = Rows(_proposing(rule))

    rows.step(ESTABLISHED, ClientRequest(3), TWO)

    assert _lines(rows) == {("leader_proposes", line): 1}


def test_a_row_inside_other_steps_is_answered_once() -> None:
    rows = Rows(COARSE)

    first = rows.step(LOOKING, Crash(0), TWO)
    again = rows.step(new_server(1), Crash(0), TWO)
    rows.step(new_server(2), Crash(0), TWO)

    assert first is again
    assert (rows.calls, rows.inner_rows) == (2, 2)
    assert sum(rows.branches.values()) == 2


def test_a_spec_that_counts_is_the_spec_in_all_else() -> None:
    rows = Rows(COARSE)

    assert (rows.name, rows.fused, rows.threads) == (COARSE.name, COARSE.fused, COARSE.threads)
    assert rows.rule(LOOKING, Elected(1)) is COARSE.rule(LOOKING, Elected(1))
    assert rows.step(LOOKING, Elected(2), TWO) == COARSE.step(LOOKING, Elected(2), TWO)


@pytest.fixture(name="traced")
def _traced() -> Iterator[list[str]]:
    """The functions that were entered, as a debugger or a measure of coverage would see them."""
    entered: list[str] = []

    def tracer(frame: FrameType, _event: str, _argument: object) -> None:
        entered.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(tracer)
    yield entered
    sys.settrace(before)


@pytest.mark.parametrize("raises", [False, True])
def test_whoever_watched_before_watches_again(traced: list[str], *, raises: bool) -> None:
    watching = sys.gettrace()
    rows = Rows(_proposing(bursts))

    if raises:
        with pytest.raises(ValueError, match="no more ink"):
            rows.step(ESTABLISHED, ClientRequest(2), TWO)
    else:
        rows.step(ESTABLISHED, ClientRequest(1), TWO)
    _decides(LOOKING)

    assert watching is not None
    assert sys.gettrace() is watching
    assert "_decides" in traced


def test_the_branches_of_an_exploration_are_those_of_its_rows() -> None:
    bounds = Bounds(servers=2, txns=1, lost_links=1, crashes=1, elections=2)

    reach = Explorer(Worlds(PAPER, bounds), ()).run().reach

    assert reach is not None
    by_rule: dict[Rule, int] = {}
    for branch, count in reach.branches.items():
        by_rule[branch.rule] = by_rule.get(branch.rule, 0) + count
        assert branch.line >= 1
    assert sum(by_rule.values()) == reach.rows
    table = evolve(PAPER, name="same").table
    assert set(by_rule) <= set(table.values())
    selects = PAPER.table[Leader, Phase.DISCOVERY, Ack]
    assert selects not in by_rule
