"""Delta debugging: what is left still shows it, and nothing of it can go."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from zabspec.conform.free_shrink import SETTLE, shrink_run
from zabspec.conform.shrink import shortest_prefix, shrunk

ITEMS = st.lists(st.integers(0, 9), max_size=30)


@given(ITEMS, st.sets(st.integers(0, 9), max_size=4))
def test_what_is_left_is_what_is_needed(items: list[int], needed: set[int]) -> None:
    needed &= set(items)

    left = shrunk(items, needed.issubset)
    assert sorted(left) == sorted(needed)
    rest = iter(items)
    assert all(one in rest for one in left), "in their order"


@given(ITEMS, st.integers(0, 40), st.integers(1, 5))
def test_nothing_of_what_is_left_can_go(items: list[int], least: int, step: int) -> None:
    def shows(some: Sequence[int]) -> bool:
        return sum(some) >= least and len(some) % step == len(items) % step

    if not shows(items):
        return
    left = shrunk(items, shows)
    assert shows(left)
    assert not any(shows(left[:at] + left[at + 1 :]) for at in range(len(left)))


def test_few_questions_are_asked() -> None:
    asked: list[int] = []

    def shows(some: Sequence[int]) -> bool:
        asked.append(len(some))
        return {300, 301, 900} <= set(some)

    assert shrunk(range(1000), shows) == (300, 301, 900)
    assert len(asked) < 80


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_shortest_prefix_is_as_long_as_it_has_to_be(length: int, needed: int) -> None:
    needed = min(needed, length)

    assert shortest_prefix(range(length), lambda some: len(some) >= needed) == needed


FIRST = '{"run": "of a toy"}'


def _line(text: str, *, routine: bool = False) -> str:
    return json.dumps({"text": text, "routine": True} if routine else {"text": text})


def test_what_is_routine_is_left_to_the_system_but_where_its_order_matters() -> None:
    noise = [_line(f"step {number}", routine=True) for number in range(20)]
    ask, kill, late = _line("ask"), _line("kill"), _line("late")
    sync = _line("sync", routine=True)
    choices = [FIRST, *noise, _line("other"), *noise, ask, sync, *noise, kill, *noise, late, *noise]

    def shows(some: Sequence[str]) -> bool:
        """Much happened before the request, and the sync alone behind it."""
        if ask not in some or kill not in some:
            return False
        before, between = some[: some.index(ask)], some[some.index(ask) : some.index(kill)]
        return {SETTLE, noise[0]} & {*before} != set() and SETTLE not in between and sync in between

    assert shrink_run(choices, shows) == (FIRST, SETTLE, ask, sync, kill)


def test_a_system_without_routine_is_shrunk_line_by_line() -> None:
    lines = [_line(str(number)) for number in range(50)]
    needed = {lines[7], lines[40]}

    assert shrink_run([FIRST, *lines], needed.issubset) == (FIRST, lines[7], lines[40])
