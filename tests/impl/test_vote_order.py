"""Whose vote is preferred, and on whom servers agree by that."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest

from impl import vote_order
from impl.free_run import FreeRun, Size
from impl.simulated_loop import SimulationError
from impl.vote_order import Vote, agreed, total_order_predicate

VOTES = [Vote(epoch, zxid, sid) for epoch, zxid, sid in product((0, 1, 2), repeat=3)]


def _without_epoch(new: Vote, current: Vote) -> bool:
    """As in 3.4.0 to 3.4.3 (ZOOKEEPER-1419)."""
    return (
        new.epoch > current.epoch
        or (new.epoch == current.epoch and new.zxid > current.zxid)
        or (new.zxid == current.zxid and new.sid > current.sid)
    )


def test_of_two_votes_exactly_one_is_preferred() -> None:
    for one, other in combinations(VOTES, 2):
        assert total_order_predicate(one, other) is not total_order_predicate(other, one)


def test_no_vote_is_given_up_for_itself() -> None:
    assert not any(total_order_predicate(vote, vote) for vote in VOTES)


def test_the_order_is_transitive() -> None:
    for first, second, third in permutations(VOTES, 3):
        if total_order_predicate(first, second) and total_order_predicate(second, third):
            assert total_order_predicate(first, third)


@pytest.mark.parametrize(
    ("new", "current"),
    [
        pytest.param(Vote(2, 0, 1), Vote(1, 9, 2), id="epoch"),
        pytest.param(Vote(1, 9, 1), Vote(1, 8, 2), id="zxid"),
        pytest.param(Vote(1, 9, 2), Vote(1, 9, 1), id="sid"),
    ],
)
def test_the_epoch_counts_before_the_zxid_and_that_before_the_sid(new: Vote, current: Vote) -> None:
    assert total_order_predicate(new, current)
    assert not total_order_predicate(current, new)


def test_servers_agree_on_the_most_recent_in_whatever_order_they_are_asked() -> None:
    votes = (Vote(1, 7, 1), Vote(1, 9, 2), Vote(1, 9, 3), Vote(0, 99, 4))

    assert {agreed(order) for order in permutations(votes)} == {3}


def test_where_votes_go_round_nobody_is_elected(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = (Vote(2, 7, 1), Vote(1, 7, 2))
    assert agreed(votes) == 1

    monkeypatch.setattr(vote_order, "total_order_predicate", _without_epoch)

    assert agreed(votes) is None


def test_a_run_in_which_nobody_can_be_elected_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = FreeRun(Size(voters=3), 0)
    run.calm_down()
    monkeypatch.setattr(vote_order, "total_order_predicate", lambda *_: True)

    with pytest.raises(SimulationError, match="nothing can happen any more"):
        run.go(1000)

    assert run.findings == ["servers [1, 2, 3] agree on no leader"]
    run.end()
