"""What abstract atomic broadcast allows, and each thing that it does not."""

from __future__ import annotations

import pytest

from zabspec.check.abstract import AtomicBroadcast, follow
from zabspec.check.outcomes import Outcome
from zabspec.protocol.effects import Apply, Broadcast, Effect, Ready
from zabspec.protocol.events import ClientRequest
from zabspec.protocol.state import Disk, History, Looking, Memory, Server, Txn, Zxid

A, B = Txn(Zxid(1, 1), 1), Txn(Zxid(1, 2), 2)
NEXT = Txn(Zxid(2, 1), 3)
FORGED = Txn(Zxid(1, 1), 9)


def shown(sid: int, *effects: Effect, applied: History = ()) -> Outcome:
    server = Server(sid, Disk(), Memory(applied), Looking())
    return Outcome(server, ClientRequest(1), server, effects)


def refused(monitor: AtomicBroadcast, outcome: Outcome) -> str | None:
    return follow(monitor, outcome)[1]


def test_a_run_of_two_primaries_is_followed() -> None:
    monitor = AtomicBroadcast()
    run = [
        shown(1, Ready(1)),
        shown(1, Broadcast(A)),
        shown(1, Broadcast(B)),
        shown(1, Apply(A)),
        shown(2, Apply(A)),
        shown(2, Apply(B), Ready(2), applied=(A,)),
        shown(2, Broadcast(NEXT), applied=(A, B)),
        shown(3, Apply(A), Apply(B), Apply(NEXT)),
    ]

    for outcome in run:
        monitor, why = follow(monitor, outcome)
        assert why is None

    assert monitor == AtomicBroadcast((A, B, NEXT), (A, B, NEXT), ((1, 1), (2, 2)))
    assert monitor.epoch == 2


def test_before_there_is_a_primary_there_is_no_epoch() -> None:
    assert AtomicBroadcast().epoch == 0


def test_what_a_server_delivers_again_after_a_restart_changes_nothing() -> None:
    monitor = AtomicBroadcast((A, B), (A, B), ((1, 1),))

    assert follow(monitor, shown(2, Apply(A), Apply(B))) == (monitor, None)


def test_a_primary_that_is_ready_late_may_broadcast_and_nobody_delivers_that() -> None:
    monitor = AtomicBroadcast((), (), ((2, 2),))

    monitor, why = follow(monitor, shown(1, Ready(1), Broadcast(A)))

    assert why is None
    assert refused(monitor, shown(3, Apply(A))) == (
        "1.1:r1 is delivered when epoch 2 already has a primary without it"
    )


@pytest.mark.parametrize(
    ("monitor", "outcome", "why"),
    [
        (
            AtomicBroadcast((), (), ((1, 1),)),
            shown(2, Broadcast(A)),
            "2 broadcasts 1.1 and is no primary of that epoch",
        ),
        (
            AtomicBroadcast((A, B), (), ((1, 1),)),
            shown(1, Broadcast(FORGED)),
            "1.1 is not behind what its primary broadcast before",
        ),
        (
            AtomicBroadcast((A,), (A,), ((1, 1),)),
            shown(2, Apply(FORGED)),
            "1.1:r9 is delivered where 1.1:r1 was",
        ),
        (
            AtomicBroadcast((A,), (), ((1, 1),)),
            shown(2, Apply(FORGED)),
            "1.1:r9 is delivered and was never broadcast",
        ),
        (
            AtomicBroadcast((A, B), (B,), ((1, 1),)),
            shown(2, Apply(A), applied=(B,)),
            "1.1:r1 is delivered behind 1.2:r2",
        ),
        (
            AtomicBroadcast((), (), ((1, 1),)),
            shown(2, Ready(1)),
            "epoch 1 has another primary than 2",
        ),
        (
            AtomicBroadcast((A, B), (A, B), ((1, 1),)),
            shown(2, Ready(2), applied=(A,)),
            "2 is ready in epoch 2 and lacks 1.2:r2",
        ),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_what_is_not_allowed_is_refused(
    monitor: AtomicBroadcast, outcome: Outcome, why: str
) -> None:
    assert refused(monitor, outcome) == why


def test_of_several_refusals_in_one_step_the_first_is_told() -> None:
    monitor = AtomicBroadcast((), (), ((1, 1),))

    assert refused(monitor, shown(2, Ready(1), Broadcast(NEXT))) == (
        "epoch 1 has another primary than 2"
    )
