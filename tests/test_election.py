"""Whose vote beats whose, and who is elected by that."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest
from attrs import evolve

from zabspec.protocol.election import Vote, most_recent, total_order_predicate, unbeaten
from zabspec.protocol.state import Disk, Looking, Memory, Role, Server, Zxid

ZXIDS = (Zxid(1, 0), Zxid(1, 1), Zxid(2, 0))
VOTES = [Vote(*one) for one in product((1, 2), ZXIDS, (1, 2, 3))]


def _server(vote: Vote) -> Server[Role]:
    memory = Memory()
    memory = evolve(memory, database=evolve(memory.database, zxid=vote.zxid))
    return Server(vote.sid, Disk(current_epoch=vote.epoch), memory, Looking())


def test_of_two_votes_exactly_one_beats_the_other() -> None:
    for one, other in combinations(VOTES, 2):
        assert total_order_predicate(one, other) is not total_order_predicate(other, one)


def test_no_vote_beats_itself() -> None:
    assert not any(total_order_predicate(vote, vote) for vote in VOTES)


def test_what_beats_a_vote_beats_all_that_it_beats() -> None:
    for first, second, third in permutations(VOTES, 3):
        if total_order_predicate(first, second) and total_order_predicate(second, third):
            assert total_order_predicate(first, third)


@pytest.mark.parametrize(
    ("new", "current"),
    [
        pytest.param(Vote(2, Zxid(1, 0), 1), Vote(1, Zxid(1, 1), 2), id="epoch"),
        pytest.param(Vote(1, Zxid(1, 1), 1), Vote(1, Zxid(1, 0), 2), id="zxid"),
        pytest.param(Vote(1, Zxid(1, 1), 2), Vote(1, Zxid(1, 1), 1), id="sid"),
    ],
)
def test_the_epoch_counts_before_the_zxid_and_that_before_the_sid(new: Vote, current: Vote) -> None:
    assert total_order_predicate(new, current)


def test_the_most_recent_is_the_greatest_by_epoch_zxid_and_sid() -> None:
    for votes in combinations(VOTES, 3):
        if len({vote.sid for vote in votes}) == len(votes):
            greatest = max(votes, key=lambda vote: (vote.epoch, vote.zxid, vote.sid))

            assert most_recent([_server(vote) for vote in votes]) == (greatest.sid,)


def test_where_votes_go_round_nobody_is_elected() -> None:
    servers = [_server(Vote(2, Zxid(1, 1), 1)), _server(Vote(1, Zxid(1, 1), 2))]

    assert unbeaten(servers, lambda new, current: new != current) == ()
