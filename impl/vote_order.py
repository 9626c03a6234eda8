"""Which of two votes a server that looks for a leader prefers, and on whom servers agree by that.

Models FastLeaderElection, whose messages and rounds are left out: every server that takes part has
seen the votes of all others.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen
class Vote:
    """For whom a server votes at first: itself. epoch: its current one. zxid: its last."""

    epoch: int
    zxid: int
    sid: int


def total_order_predicate(new: Vote, current: Vote) -> bool:
    """Whether a vote is given up for a new one: epoch first, then zxid, then sid.

    Models FastLeaderElection.totalOrderPredicate.
    """
    if new.epoch != current.epoch:
        return new.epoch > current.epoch
    if new.zxid != current.zxid:
        return new.zxid > current.zxid
    return new.sid > current.sid


def agreed(votes: Sequence[Vote]) -> int | None:
    """Whose vote none of these servers gives up for another; None where votes go round, for ever.

    Models FastLeaderElection.lookForLeader.
    """
    for mine in votes:
        if not any(total_order_predicate(other, mine) for other in votes):
            return mine.sid
    return None
