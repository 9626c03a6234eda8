"""Free runs in which epochs run out of zxids, again and again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pytest
from judged import judged

from impl.free_run import FreeRun, Size
from impl.simulated_events import Event
from impl.simulated_observations import Observation, RoleEnded
from impl.zxids import counter_of

LAST = 12


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_leaders_that_come_to_the_last_counter_lose_nothing_and_use_it_for_nothing() -> None:
    ends: list[str] = []

    def watch(_sid: int, _event: Event, seen: Sequence[Observation]) -> None:
        ends.extend(one.why for one in seen if isinstance(one, RoleEnded))

    run = FreeRun(Size(last_counter=LAST), 1, None, watch)

    assert judged(run, 8000) == []

    rolled_over = [why for why in ends if "rolled over" in why]
    counters = {counter_of(asked.zxid) for asked in run.history if asked.zxid}
    assert len(rolled_over) > 5
    assert max(counters) == LAST - 1


def test_with_the_usual_last_counter_no_leader_comes_to_it() -> None:
    ends: list[str] = []

    def watch(_sid: int, _event: Event, seen: Sequence[Observation]) -> None:
        ends.extend(one.why for one in seen if isinstance(one, RoleEnded))

    run = FreeRun(Size(), 1, None, watch)
    run.go(4000)
    run.end()

    assert not [why for why in ends if "rolled over" in why]
