"""Whose turn it is in a free run: by random priorities, as PCT has it; and faults in bursts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise

import pytest
from attrs import evolve

from impl.choices import Choice, Cut, Happens, Kill, LosePower
from impl.free_run import FreeRun, Size
from impl.random_run import RandomRun, Rates
from impl.schedules import Pct, Possible, Priorities
from impl.simulated_events import DiskFails, RoleLeft, SyncFailed
from impl.simulated_run import SimulatedRun
from impl.transcript import Transcript


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _turns(names: str) -> list[Possible]:
    return [(name, print, None) for name in names]


def _picked(settings: Pct, seed: int, steps: int, names: str = "abcdef") -> str:
    priorities = Priorities(settings, seed)
    return "".join(str(priorities.pick(_turns(names))[0]) for _ in range(steps))


def test_without_a_change_one_takes_every_turn_of_a_round() -> None:
    picked = {_picked(Pct(depth=1, steps=20), seed, 20) for seed in range(60)}

    assert picked == {name * 20 for name in "abcdef"}


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_priorities_change_d_minus_1_times_in_a_round(depth: int) -> None:
    for seed in range(40):
        picked = _picked(Pct(depth, 30), seed, 30)
        runs = [name for name, _ in groupby(picked)]

        assert len(runs) <= depth
        assert len(set(runs)) == len(runs), "who was lowered does not come back"


def test_who_was_lowered_waits_for_all_others_and_goes_on_when_they_cannot() -> None:
    priorities = Priorities(Pct(depth=2, steps=1000), 5)
    turns = [priorities.pick(_turns("ab"))[0] for _ in range(1000)]
    first, last = turns[0], turns[-1]

    assert first != last
    assert turns == sorted(turns, key=lambda name: name == last)


def test_each_round_draws_anew() -> None:
    picked = _picked(Pct(depth=1, steps=10), 7, 10_000)
    rounds = Counter(picked[at] for at in range(0, 10_000, 10))

    assert all(picked[at : at + 10] == picked[at] * 10 for at in range(0, 10_000, 10))
    assert set(rounds) == set("abcdef")
    assert all(120 < count < 220 for count in rounds.values()), rounds


def test_an_order_of_one_pair_is_met_as_often_as_is_promised() -> None:
    """Depth 1, two that take turns: b before a, with probability 1 / n at least."""
    before = 0
    for seed in range(400):
        priorities = Priorities(Pct(depth=1, steps=50), seed)
        before += priorities.pick(_turns("ab"))[0] == "b"

    assert 160 < before < 240


def test_a_preemption_at_one_step_is_met_as_often_as_is_promised() -> None:
    """Depth 2: a stops before its fourth step, and b goes on. 1 / (n * k) = 1 / 20 at least."""
    met = 0
    for seed in range(2000):
        priorities = Priorities(Pct(depth=2, steps=10), seed)
        met += "".join(str(priorities.pick(_turns("ab"))[0]) for _ in range(4)) == "aaab"

    assert 0.03 < met / 2000 < 0.08


def _lines(rates: Rates, seed: int = 5) -> list[str]:
    lines: list[str] = []
    run = FreeRun(Size(), seed, rates, Transcript(lines.append).watch)
    run.go(2000)
    run.end()
    assert run.findings == []
    return lines


def test_a_run_by_priorities_is_repeatable_and_unlike_others() -> None:
    pct = Rates(pct=Pct())

    assert _lines(pct) == _lines(pct)
    deeper = evolve(pct, pct=Pct(depth=9))
    runs = [_lines(Rates()), _lines(pct), _lines(deeper), _lines(pct, seed=6)]
    assert len({"\n".join(lines) for lines in runs}) == 4


def test_a_run_by_priorities_serves() -> None:
    run = FreeRun(Size(), 2, Rates(burst=0, pct=Pct()))
    run.go(6000)
    run.end()

    assert run.findings == []
    assert sum(1 for one in run.history if one.error == 0 and one.path is not None) > 50


FAULTS = (Kill, LosePower, Cut)
EVENTS = (RoleLeft, DiskFails, SyncFailed)


def _is_fault(choice: Choice) -> bool:
    return isinstance(choice, FAULTS) or (
        isinstance(choice, Happens) and isinstance(choice.event, EVENTS)
    )


def _stretches(seed: int, events: int) -> list[tuple[bool, int, int]]:
    """Of each burst, and each quiet time: which it is, its faults, and the writes done in it."""
    run = SimulatedRun(Size(), seed)
    random = RandomRun(run.ensemble, run.clients, run.noticed, seed)
    faults: list[Choice] = []
    run.tell_choices(lambda one: faults.append(one) if _is_fault(one) else None)
    bounds = [(False, 0, 0)]
    while run.events < events:
        random.choose()
        if random.is_in_burst is not bounds[-1][0]:
            bounds.append((random.is_in_burst, len(faults), _writes(run)))
    run.end()
    return [
        (is_burst, faults_after - faults_before, writes_after - writes_before)
        for (is_burst, faults_before, writes_before), (_, faults_after, writes_after) in pairwise(
            bounds
        )
    ]


def _writes(run: SimulatedRun) -> int:
    return sum(1 for one in run.history if one.error == 0 and one.name in ("create", "set"))


def test_faults_come_in_bursts_and_in_between_the_ensemble_serves() -> None:
    stretches = [one for seed in (1, 2, 3) for one in _stretches(seed, 6000)]
    bursts = [faults for is_burst, faults, _ in stretches if is_burst]
    quiet = [(faults, writes) for is_burst, faults, writes in stretches if not is_burst]

    assert all(faults == 0 for faults, _ in quiet)
    assert sum(1 for faults in bursts if faults > 1) > len(bursts) / 4
    assert sum(1 for _, writes in quiet if writes) > len(quiet) / 2
