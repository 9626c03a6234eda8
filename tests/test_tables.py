"""The exploration over tables, held against the plain search."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator
from itertools import combinations
from pathlib import Path

import pytest
from attrs import evolve
from bending import ARTIFICIAL, bounds, properties, specs
from hypothesis import given
from hypothesis import strategies as st
from plain import columns, disagreements, goes_on, is_real, levels, reached, searched

from zabspec.check import frontier, promises, sync_witnesses, witnesses
from zabspec.check.audit import Audit
from zabspec.check.bounds import Bounds
from zabspec.check.expand import Expander
from zabspec.check.exploration import Exploration, Finding, Progress
from zabspec.check.explore import Explorer
from zabspec.check.kernels import NUMPY, best
from zabspec.check.model import Broken, Holds, Model, load_models
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.play import retell
from zabspec.check.promises import PROMISES
from zabspec.check.properties import NOT_STUCK, Property, always, every_step
from zabspec.check.settings import Settings
from zabspec.check.tables import Tables
from zabspec.check.world import World, Worlds
from zabspec.protocol import paper
from zabspec.protocol.effects import CloseAll, Step
from zabspec.protocol.events import Crash, Elected, Event
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import RuleFunction, Spec
from zabspec.protocol.state import Ensemble, Looking, Role, Server
from zabspec.protocol.zab import BASELINE, COARSE, FINE

MODELS = load_models()
LARGE, DEEP = 29_000, 15
"""A plain search of more worlds, or to a bug that is deeper, takes too long for the default run."""
TOO_LARGE = 3_000_000
"""A plain search of more worlds needs minutes and gigabytes: their counts are pinned only."""
BEYOND_PLAIN = ("servers",)
"""What a property reads that the plain search does not ask: whether a world can be reached."""
TWO = Bounds(servers=2, txns=1, lost_links=1, crashes=1, elections=2, limits=1)
THREE = Bounds(servers=3, txns=1, elections=1)
SEVERAL = [
    pytest.param(PAPER, TWO, id="paper"),
    pytest.param(FINE, evolve(TWO, elections=1), id="fine"),
    pytest.param(BASELINE, Bounds(2, observers=1, txns=1, elections=1, crashes=1), id="observer"),
    pytest.param(FINE, Bounds(2, txns=2, elections=1), id="threads"),
    pytest.param(COARSE, Bounds(2, txns=2, lost_links=1, elections=2, window=0), id="coarse"),
]
LOOKS = tuple(
    dict.fromkeys(
        one
        for one in (
            *vars(promises).values(),
            *vars(witnesses).values(),
            *vars(sync_witnesses).values(),
        )
        if isinstance(one, Property) and one.reads
    )
)


def waits(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
    return Step(server)


def closes_first(server: Server[Looking], event: Elected, ensemble: Ensemble) -> Step:
    step = paper.server_takes_its_role(server, event, ensemble)
    return Step(step.server, (CloseAll(), *step.effects))


CLOSING = PAPER.but("paper-closing", server_takes_its_role=closes_first)
"""Here it shows that of those who take part in an election the leader comes first."""
MUTE = PAPER.but("paper-mute", follower_promises_epoch=waits)

# Agreement.


def _models() -> Iterator[object]:
    for model in MODELS.values():
        pinned = model.expected
        small = isinstance(pinned, Holds) and pinned.worlds < LARGE
        small |= isinstance(pinned, Broken) and pinned.depth <= DEEP
        fair = isinstance(pinned, Holds) and pinned.worlds < 5 * LARGE
        mark = pytest.mark.slow if fair else pytest.mark.nightly
        marks = [] if small and not model.slow else [mark]
        if isinstance(pinned, Holds) and pinned.worlds > TOO_LARGE:
            continue
        if not any(one.reads == BEYOND_PLAIN for one in model.promises):
            yield pytest.param(model, id=model.name, marks=marks)


@pytest.mark.parametrize("model", list(_models()))
def test_a_model_is_explored_as_the_plain_search_does(model: Model) -> None:
    asked = (*model.promises, *model.witnesses)

    found = Explorer(Worlds(model.spec, model.bounds), asked).run()
    plain = searched(Worlds(model.spec, model.bounds), asked)

    assert disagreements(found, plain) == []
    assert found.complete == isinstance(model.expected, Holds)
    assert found.finding is None or _breaks_last(model, found.finding)


def _breaks_last(model: Model, finding: Finding) -> bool:
    """Whether the run can happen, and breaks what it says at its last step and not before."""
    worlds = Worlds(model.spec, model.bounds)
    if finding.promise is NOT_STUCK:
        last = finding.run[-1].world
        broken = [not goes_on(worlds, last) and not worlds.is_cut(last)]
    else:
        audit = Audit([finding.promise], worlds.ensemble)
        world = worlds.start()
        broken = []
        for step in finding.run:
            broken.append(bool(audit.step(world, step) + audit.world(step.world, world, step)))
            world = step.world
    return is_real(worlds, finding.run) and broken.pop() and not any(broken)


def _agree(spec: Spec, within: Bounds, asked: tuple[Property, ...], most: int) -> None:
    plain = searched(Worlds(spec, within), asked, most)
    if not plain.complete and plain.finding is None:
        return  # larger than asked for

    found = Explorer(Worlds(spec, within), asked).run()

    assert disagreements(found, plain) == []
    assert found.finding is None or is_real(Worlds(spec, within), found.finding.run)


@given(specs(), bounds(servers=2), properties())
def test_bent_specs_of_two_servers_are_explored_as_the_plain_search_does(
    spec: Spec, within: Bounds, asked: tuple[Property, ...]
) -> None:
    _agree(spec, within, asked, most=1_000)


@pytest.mark.slow
@given(specs(), bounds(servers=3), properties())
def test_bent_specs_of_three_servers_are_explored_as_the_plain_search_does(
    spec: Spec, within: Bounds, asked: tuple[Property, ...]
) -> None:
    _agree(spec, within, asked, most=20_000)


@pytest.mark.parametrize("broken", ARTIFICIAL, ids=lambda one: one.sentence)
@pytest.mark.parametrize("spec", [PAPER, COARSE], ids=lambda spec: spec.name)
def test_whatever_a_property_reads_the_same_run_breaks_it(spec: Spec, broken: Property) -> None:
    within = Bounds(servers=3, txns=1, lost_links=1, elections=2)

    found = Explorer(Worlds(spec, within), [broken]).run()

    assert found.finding is not None
    assert disagreements(found, searched(Worlds(spec, within), [broken])) == []


@pytest.mark.parametrize(("spec", "within"), [*SEVERAL, pytest.param(CLOSING, TWO, id="closing")])
def test_what_follows_a_world_is_what_the_plain_steps_say_in_their_order(
    spec: Spec, within: Bounds
) -> None:
    worlds = Worlds(spec, within)
    tables = Tables(Worlds(spec, within), Audit((), within.ensemble), NUMPY)
    met = reached(worlds, 800)

    followers = Expander(tables).expand(columns(tables, met))

    rows = zip(*(column.tolist() for column in followers.columns), strict=True)
    followed = list(zip(followers.parent.tolist(), map(tables.world, rows), strict=True))
    expected = [(at, step.world) for at, world in enumerate(met) for step in worlds.steps(world)]
    assert followed == expected
    assert followers.goes_on.tolist() == [goes_on(worlds, world) for world in met]


@pytest.mark.parametrize(
    ("spec", "within"),
    [
        *SEVERAL,
        pytest.param(MUTE, TWO, id="mute"),
        pytest.param(PAPER, evolve(TWO, elections=0), id="nobody elected"),
        pytest.param(PAPER, evolve(TWO, txns=0), id="nobody asks"),
    ],
)
def test_worlds_that_a_bound_stops_are_told_from_those_that_are_stuck(
    spec: Spec, within: Bounds
) -> None:
    worlds = Worlds(spec, within)
    tables = Tables(Worlds(spec, within), Audit((), within.ensemble), NUMPY)
    ended = [world for world in reached(worlds, 3_000) if not goes_on(worlds, world)]

    cut = Expander(tables).is_cut(columns(tables, ended))

    assert ended
    assert cut.tolist() == [worlds.is_cut(world) for world in ended]


# Dead ends.


@pytest.mark.parametrize("chunk", [1, 1 << 16])
def test_a_stuck_world_is_told_before_a_step_from_another_of_its_level(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = Bounds(servers=2, txns=0, lost_links=1, elections=2)
    depth, level, first_there = _first_level_with_a_dead_end(Worlds(MUTE, within))

    @every_step("what first happens behind that level never happens")
    def avoided(outcome: Outcome) -> bool:
        return (outcome.before, outcome.event) not in first_there

    monkeypatch.setattr(frontier, "CHUNK", chunk)
    found = Explorer(Worlds(MUTE, within), [avoided, NOT_STUCK]).run()
    alone = Explorer(Worlds(MUTE, within), [avoided]).run()

    assert found.finding is not None
    assert (found.finding.promise, len(found.finding.run)) == (NOT_STUCK, depth)
    assert found.finding.run[-1].world in level
    assert alone.finding is not None
    assert (alone.finding.promise, alone.depth) == (avoided, depth + 1)


Happened = set[tuple[AnyServer, Event]]


def _first_level_with_a_dead_end(worlds: Worlds) -> tuple[int, list[World], Happened]:
    """Its depth, its worlds, and what happens to servers there and not before."""
    happened: Happened = set()
    for depth, level in enumerate(levels(worlds, 10_000)):
        steps = [step for world in level for step in worlds.steps(world)]
        here = {(one.before, one.event) for step in steps for one in step.outcomes}
        if any(not goes_on(worlds, world) and not worlds.is_cut(world) for world in level):
            return depth, level, here - happened
        happened |= here
    raise AssertionError("nothing is stuck")


def test_a_promise_that_the_first_world_breaks_is_broken_by_the_empty_run() -> None:
    @always("nobody looks")
    def nobody_looks(server: AnyServer) -> bool:
        return not isinstance(server.role, Looking)

    found = Explorer(Worlds(PAPER, TWO), [nobody_looks]).run()

    assert found.finding == Finding(nobody_looks, ())
    assert (found.worlds, found.depth, found.complete) == (1, 0, False)


# Rows.


def _asked(spec: Spec, wrap: Callable[[RuleFunction], RuleFunction]) -> Spec:
    table = {row: evolve(rule, function=wrap(rule.function)) for row, rule in spec.table.items()}
    return evolve(spec, table=table)


@pytest.mark.parametrize(("spec", "within"), SEVERAL)
@pytest.mark.parametrize("jobs", [1, 2])
def test_each_rule_is_asked_about_each_server_and_event_once(
    spec: Spec, within: Bounds, jobs: int
) -> None:
    asked: list[tuple[AnyServer, Event]] = []

    def recorded(rule: RuleFunction) -> RuleFunction:
        def noted(server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
            asked.append((server, event))
            return rule(server, event, ensemble)

        return noted

    found = Explorer(Worlds(_asked(spec, recorded), within), PROMISES, Settings(jobs=jobs)).run()

    assert found.complete
    assert found.reach is not None
    assert len(set(asked)) == len(asked) == found.reach.rows == found.reach.calls
    assert sum(found.reach.branches.values()) == found.reach.rows


@pytest.mark.parametrize(("spec", "within"), SEVERAL)
def test_the_rows_are_what_the_plain_steps_give_to_servers(spec: Spec, within: Bounds) -> None:
    worlds = Worlds(spec, within)
    tables = Tables(Worlds(spec, within), Audit((), within.ensemble), NUMPY)
    met = reached(worlds, 800)

    Expander(tables).expand(columns(tables, met))

    happened = {
        (outcome.before, outcome.event)
        for world in met
        for step in worlds.steps(world)
        for outcome in step.outcomes
    }
    keys = tables.rows.pairs()[0].tolist()
    rows = {(tables.locals.values[key >> 24], tables.event(key & 0xFFFFFF)) for key in keys}
    assert rows == happened
    assert len(rows) == len(keys)


def test_an_exploration_tells_what_it_reached() -> None:
    worlds = Worlds(PAPER, TWO)

    found = Explorer(worlds, PROMISES, Settings(words=2)).run()

    met = [*dict.fromkeys(server for world in reached(worlds, 10_000) for server in world.servers)]
    assert found.reach is not None
    assert found.reach.weighed == (found.worlds, found.steps)
    assert set(met) <= _servers(worlds)
    assert (found.reach.bits, found.reach.jobs, found.reach.symmetry) == (128, 1, False)
    assert 0 <= found.reach.odds < 1e-20
    assert found.reach.kept_bytes >= 16 * found.worlds


def _servers(worlds: Worlds) -> set[AnyServer]:
    explorer = Explorer(worlds, ())
    explorer.run()
    return set(explorer._tables.locals.values)  # noqa: SLF001  nothing public tells them


# What rules read.

PEEKED: list[World] = []
"""The world that the naive search leaves just now: what no rule may look at."""


def _naive_counts(spec: Spec, within: Bounds) -> tuple[int, int, int]:
    """Worlds, steps and depth, with nothing remembered from world to world."""
    level = [Worlds(spec, within).start()]
    met, steps, depth = set(level), 0, -1
    while level:
        depth += 1
        ahead: dict[World, None] = {}
        for world in level:
            PEEKED[:] = [world]
            following = [step.world for step in Worlds(spec, within).steps(world)]
            steps += len(following)
            ahead |= dict.fromkeys(one for one in following if one not in met)
        met |= ahead.keys()
        level = list(ahead)
    return len(met), steps, depth


def _explored_counts(spec: Spec, within: Bounds) -> tuple[int, int, int]:
    PEEKED[:] = [Worlds(spec, within).start()]
    found = Explorer(Worlds(spec, within), ()).run()
    return found.worlds, found.steps, found.depth


def _other_leads(server: AnyServer) -> bool:
    return PEEKED[0].servers[2 - server.sid].role.phase.name == "BROADCAST"


def _no_loss_is_left(_server: AnyServer) -> bool:
    return not PEEKED[0].environment.lost_links


def _often_asked(_server: AnyServer) -> bool:
    CALLS.append(None)
    return len(CALLS) % 3 == 0


CALLS: list[None] = []


@pytest.mark.parametrize("peeks", [_other_leads, _no_loss_is_left, _often_asked])
def test_a_rule_that_reads_anything_else_is_told_by_disagreement(
    peeks: Callable[[AnyServer], bool],
) -> None:
    def unless_peeked(rule: RuleFunction) -> RuleFunction:
        def peeking(server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
            deaf = not isinstance(event, Crash) and peeks(server)
            return Step(server) if deaf else rule(server, event, ensemble)

        return peeking

    within = Bounds(servers=2, txns=1, lost_links=1, elections=1)
    poisoned = _asked(PAPER, unless_peeked)

    assert _explored_counts(PAPER, within) == _naive_counts(PAPER, within)
    assert _explored_counts(poisoned, within) != _naive_counts(poisoned, within)


# What properties look at.


def _dishonest(one: Property, abouts: list[tuple[Hashable, ...]], ensemble: Ensemble) -> list[str]:
    """Where a property answers differently about what looks alike to it, or where it looks away."""
    answers: dict[object, object] = {}
    wrong: list[str] = []
    for about in abouts:
        answer = one.function(*about, *([ensemble] if one.wants_ensemble else []))
        answer = bool(answer) if one.sometimes else answer
        seen = one.seen(*about)
        if seen is None:
            wrong += ["looks away"] if answer not in {None, False} or _failing(one, answer) else []
        elif answers.setdefault(seen, answer) != answer:
            wrong.append("looks too little")
    return wrong


def _failing(one: Property, answer: object) -> bool:
    return answer is False and not one.sometimes


def _abouts(
    spec: Spec, within: Bounds, most: int
) -> dict[tuple[str, ...], set[tuple[object, ...]]]:
    """By what properties read, everything that the first worlds hold of that."""
    worlds = Worlds(spec, within)
    met = reached(worlds, most)
    outcomes = {
        (outcome, world.monitor)
        for world in met
        for step in worlds.steps(world)
        for outcome in step.outcomes
    }
    beside = {(server, world.monitor) for world in met for server in world.servers}
    return {
        ("server",): {(server,) for server, _ in beside},
        ("server", "other"): {pair for world in met for pair in combinations(world.servers, 2)},
        ("server", "monitor"): set(beside),
        ("servers", "monitor"): {(world.servers, world.monitor) for world in met},
        BEYOND_PLAIN: {(world.servers,) for world in met},
        ("outcome",): {(outcome,) for outcome, _ in outcomes},
        ("outcome", "monitor"): set(outcomes),
    }


HONEST_IN = [
    pytest.param(PAPER, Bounds(2, txns=2, lost_links=1, crashes=1), 9_000, id="paper"),
    pytest.param(MODELS["paper-own-history"].spec, THREE, 1_000, id="own-history"),
    pytest.param(
        MODELS["zab-commits-alone"].spec, evolve(TWO, txns=2, limits=0), 1_500, id="commits-alone"
    ),
    pytest.param(COARSE, Bounds(2, txns=3, lost_links=1, window=1), 2_500, id="coarse"),
]


@pytest.mark.parametrize(("spec", "within", "most"), HONEST_IN)
def test_a_property_answers_alike_about_what_looks_alike_to_it(
    spec: Spec, within: Bounds, most: int
) -> None:
    abouts = _abouts(spec, within, most)

    dishonest = {
        one.sentence: wrong
        for one in LOOKS
        if (wrong := _dishonest(one, list(abouts[one.reads]), within.ensemble))
    }

    assert dishonest == {}


def test_a_property_that_looks_at_less_than_it_reads_is_told() -> None:
    @always("nobody leads", looks_at=lambda server: server.sid)
    def looks_too_little(server: AnyServer, other: AnyServer) -> bool:
        return server.role.phase is other.role.phase

    @always("nobody leads", looks_at=lambda _: None)
    def looks_away(server: AnyServer) -> bool:
        return isinstance(server.role, Looking)

    abouts = _abouts(PAPER, TWO, 100)

    for one in (looks_too_little, looks_away):
        assert _dishonest(one, list(abouts[one.reads]), TWO.ensemble)


# The same every time.

ALWAYS_THE_SAME = ("zab-commits-alone", "paper-epoch-not-its-own", "paper-commit-overtakes")
"""What breaks in these depends on a step, a local state, and a step beside what was seen."""


def _told(name: str, settings: Settings) -> tuple[str, ...]:
    model = MODELS[name]
    found = Explorer(Worlds(model.spec, model.bounds), model.promises, settings).run()
    assert found.finding is not None
    script = retell(found.finding.run, model.spec, model.bounds, model.promises)
    return (str(found.depth), found.finding.promise.sentence, script)


@pytest.mark.parametrize("name", ALWAYS_THE_SAME)
@pytest.mark.parametrize(("chunk", "jobs"), [(1 << 16, 1), (7, 1), (7, 3), (100, 2)])
def test_the_same_run_is_told_however_the_work_is_divided(
    name: str, chunk: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _told(name, Settings(kernels=NUMPY))

    monkeypatch.setattr(frontier, "CHUNK", chunk)

    assert _told(name, Settings(jobs=jobs)) == expected


@pytest.mark.parametrize("chunk", [7, 100])
def test_the_worlds_are_the_same_however_the_work_is_divided(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(settings: Settings) -> Exploration:
        found = Explorer(Worlds(PAPER, evolve(TWO, limits=0)), PROMISES, settings).run()
        return evolve(found, seconds=0, peak_mb=0, reach=None)

    whole = counted(Settings(kernels=NUMPY))
    monkeypatch.setattr(frontier, "CHUNK", chunk)

    assert counted(Settings(jobs=3)) == counted(Settings(words=2)) == whole
    assert [best().name, whole.complete] == ["numba", True]


TELL = """
import sys
sys.path.insert(0, sys.argv[1])
from test_tables import ALWAYS_THE_SAME, NUMPY, Settings, _told
for name in ALWAYS_THE_SAME:
    print(*_told(name, Settings(kernels=NUMPY)), sep="", end="")
"""


def test_the_same_run_is_told_whatever_the_hashes_of_strings_are() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", TELL, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "01"
    }

    here = "".join(text for name in ALWAYS_THE_SAME for text in _told(name, Settings()))
    assert told == {here}


@given(st.data())
def test_a_local_state_that_breaks_a_promise_is_met_by_the_same_run_whatever_came_first(
    data: st.DataObject,
) -> None:
    servers = [*dict.fromkeys(one for world in _FEW for one in world.servers)]
    avoided = data.draw(st.sampled_from(servers[3:]))

    @always("no server ever becomes that")
    def never_that(server: AnyServer) -> bool:
        return server != avoided

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frontier, "CHUNK", data.draw(st.sampled_from((1, 50, 1 << 16))))
        found = Explorer(Worlds(PAPER, THREE), [never_that]).run()

    assert disagreements(found, searched(Worlds(PAPER, THREE), [never_that])) == []


_FEW = reached(Worlds(PAPER, THREE), 150)

# Settings.


def test_an_exploration_that_may_not_have_the_memory_says_so_and_claims_nothing() -> None:
    bug = MODELS["zab-commits-alone"]

    found = Explorer(Worlds(bug.spec, bug.bounds), bug.promises, Settings(memory_mb=1)).run()

    assert found.stopped == "the 1 MiB of memory are used up"
    assert (found.complete, found.finding) == (False, None)
    assert (found.worlds, found.depth) == (1, 0)


def test_an_exploration_that_is_interrupted_says_what_it_covered() -> None:
    def interrupt(progress: Progress) -> None:
        if progress.depth == 5:
            raise KeyboardInterrupt

    found = Explorer(Worlds(PAPER, TWO), PROMISES).run(interrupt)

    assert (found.stopped, found.complete, found.finding) == ("interrupted", False, None)
    assert 1 < found.worlds < found.steps


def test_progress_is_reported_while_an_exploration_goes_on() -> None:
    heard: list[Progress] = []

    found = Explorer(Worlds(PAPER, THREE), ()).run(heard.append)

    assert [one.depth for one in heard] == sorted(one.depth for one in heard)
    assert (heard[-1].worlds, heard[-1].steps) == (found.worlds, found.steps)
    assert all(one.frontier > 0 for one in heard[:-1])


@pytest.mark.parametrize(
    "wrong", [{"jobs": 0}, {"jobs": -1}, {"memory_mb": 0}, {"words": 0}, {"words": 3}], ids=str
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_rule_that_raises_is_one_row() -> None:
    def bursts(_server: AnyServer, _event: Event, _ensemble: Ensemble) -> Step:
        raise ValueError("no more ink")

    spec = PAPER.but("paper-bursts", server_restarts=bursts)

    found = Explorer(Worlds(spec, evolve(TWO, limits=0)), ()).run()

    assert found.reach is not None
    assert found.complete
    assert found.reach.rows == found.reach.calls
