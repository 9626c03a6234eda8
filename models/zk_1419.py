"""ZOOKEEPER-1419: with equal zxids the greater sid wins an election, whatever the epochs.

Fast Leader Election prefers the later current epoch, then the later zxid, then the greater sid. In
3.4.0 to 3.4.3 the last comparison asked only for equal zxids. Of two votes with one zxid and two
epochs each then beats the other: who is told of the one gives up the other for it, and back again,
and the election never ends. It was found on five servers; two are enough. The shortest run crashes
one server twice: 2 leads epoch 1 and loses a transaction that 1 has logged, so that 1 leads epoch
2, and 2 crashes again when it holds that transaction, but not yet the epoch. Since 3.4.4 and 3.5.0
the sid counts only where the epochs are equal, too.

What FLE sends, and its rounds, are left out: elected is whose vote nobody gives up for another. A
bare quorum elects here, so that of three servers two may still agree who in fact would go round
with the third.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.properties import NOT_STUCK
from zabspec.conform.zoo import Against, Good
from zabspec.protocol.election import unbeaten
from zabspec.protocol.state import Role, Server
from zabspec.protocol.zab import BASELINE


def total_order_predicate(new: Any, current: Any) -> bool:
    return bool(
        new.epoch > current.epoch
        or (new.epoch == current.epoch and new.zxid > current.zxid)
        or (new.zxid == current.zxid and new.sid > current.sid)
    )


def greater_sid_wins(looking: Sequence[Server[Role]]) -> tuple[int, ...]:
    return unbeaten(looking, total_order_predicate)


MODELS = (
    Model(
        "zk-1419",
        "With equal zxids the greater sid wins, whatever the epochs: votes go round (1419).",
        evolve(BASELINE, name="zk-1419", oracle=greater_sid_wins),
        Bounds(servers=2, txns=1, crashes=2, elections=2),
        Broken(NOT_STUCK, 18),
    ),
)

CODE: Mapping[str, Callable[..., Any]] = {
    "impl.vote_order:total_order_predicate": total_order_predicate,
}
"""The same three lines: a vote has the same names there."""

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=1, crashes=2, elections=3)),
    lockstep=Good(Bounds(servers=2, txns=40, crashes=40, elections=60)),
    with_cuts=True,
)
