"""What a leader sends a learner first, decided by its history alone.

Zxids are written epoch.counter. A row: the committed log, the transaction log, the learner's last
zxid; then why, the operation, and what follows up to where forwarding begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from attrs import evolve

from impl.packets import PacketType
from impl.sync_follower import CommittedHistory, Logged, Plan, sync_follower
from impl.zxids import make_zxid
from zabspec.protocol.messages import Commit, Diff, Proposal, Snap, Trunc
from zabspec.protocol.state import (
    Database,
    Disk,
    Ensemble,
    Leader,
    Memory,
    Server,
    Txn,
    Zxid,
)
from zabspec.protocol.sync_follower import Plan as ModelPlan
from zabspec.protocol.sync_follower import sync_follower as model_sync_follower

WINDOW = "1.3 1.4 1.5"
LOG = "1.1 1.2 1.3 1.4 1.5"

TABLE = [
    # committed log, log, learner     branch                     operation, queued, forwarded from
    (WINDOW, LOG, "1.5", "equal", "DIFF 1.5", "", "1.5"),
    ("", "", "0.0", "equal", "DIFF 0.0", "", "0.0"),
    (WINDOW, LOG, "1.6", "ahead", "TRUNC 1.5", "", "1.5"),
    (WINDOW, LOG, "2.1", "ahead", "TRUNC 1.5", "", "1.5"),
    ("", "", "1.1", "ahead", "TRUNC 0.0", "", "0.0"),
    (WINDOW, LOG, "1.4", "within the window", "DIFF 1.5", "1.5", "1.5"),
    (WINDOW, LOG, "1.3", "within the window", "DIFF 1.5", "1.4 1.5", "1.5"),
    ("1.3 1.5 2.1", LOG, "1.4", "a missing one", "TRUNC 1.3", "1.5 2.1", "2.1"),
    ("1.3 2.1", LOG, "1.4", "another epoch", "SNAP 2.1", "", "2.1"),
    ("1.3 2.1 2.2", LOG, "2.0", "within the window", "DIFF 2.2", "2.1 2.2", "2.2"),
    ("1.3 3.1", LOG, "2.0", "within the window", "DIFF 3.1", "3.1", "3.1"),
    (WINDOW, LOG, "1.2", "from the log", "DIFF 1.5", "1.3 1.4 1.5", "1.5"),
    (WINDOW, LOG, "1.1", "from the log", "DIFF 1.5", "1.2 1.3 1.4 1.5", "1.5"),
    (WINDOW, LOG, "0.0", "before the log", "SNAP 1.5", "", "1.5"),
    (WINDOW, "1.2 1.3 1.4 1.5", "1.1", "before the log", "SNAP 1.5", "", "1.5"),
    (WINDOW, "", "1.2", "before the log", "SNAP 1.5", "", "1.5"),
    (WINDOW, "1.1 1.2", "1.1", "before the log", "SNAP 1.5", "", "1.5"),
    ("2.2 2.3", "1.1 1.2 2.1 2.2", "1.1", "from the log", "DIFF 2.3", "1.2 2.1 2.2 2.3", "2.3"),
    ("2.2 2.3", "1.1 1.3 2.1 2.2", "1.2", "from the log", "TRUNC 1.1", "1.3 2.1 2.2 2.3", "2.3"),
    ("2.2 2.3", "1.1 2.1 2.2", "1.2", "before the log", "SNAP 2.3", "", "2.3"),
    ("2.2 2.3", "1.1 1.2 2.1 2.2", "2.0", "from the log", "DIFF 2.3", "2.1 2.2 2.3", "2.3"),
    (WINDOW, None, "1.2", "before the window", "SNAP 1.5", "", "1.5"),
    (WINDOW, LOG, "2.0", "epoch only", "SNAP 1.5", "", "1.5"),
    (WINDOW, LOG, "9.0", "epoch only", "SNAP 1.5", "", "1.5"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[3]} {row[2]}")
def test_the_operation_and_what_follows(
    row: tuple[str, str | None, str, str, str, str, str],
) -> None:
    window, log, peer, branch, operation, queued, upto = row

    plan = sync_follower(_zxid(peer), _history(window, log))

    assert (plan.branch, *_told(plan)) == (branch, operation, queued, _zxid(upto))


def test_a_snapshot_can_be_forced() -> None:
    plan = sync_follower(_zxid("1.5"), _history(WINDOW, LOG), force_snapshot=True)

    assert _told(plan) == ("SNAP 1.5", "", _zxid("1.5"))
    assert plan.needs_snapshot


def test_a_leader_that_serves_is_equal_to_its_epochs_zxid() -> None:
    history = evolve(_history(WINDOW, LOG), last_processed=_zxid("2.0"))

    assert _told(sync_follower(_zxid("2.0"), history)) == ("DIFF 2.0", "", _zxid("2.0"))
    assert _told(sync_follower(_zxid("1.5"), history)) == ("DIFF 1.5", "", _zxid("1.5"))


def test_what_is_duplicated_in_the_log_is_sent_once() -> None:
    plan = sync_follower(_zxid("1.1"), _history(WINDOW, "1.1 1.2 1.2 1.3"))

    assert _told(plan) == ("DIFF 1.5", "1.2 1.3 1.4 1.5", _zxid("1.5"))


def test_it_decides_as_the_model_whatever_the_histories() -> None:
    compared = 0
    for history, peer in _small_histories():
        plan = sync_follower(peer, history)

        assert _as_model(plan) == _of_model(history, peer), (history, peer)
        compared += 1
    assert compared > 10_000


def _zxid(text: str) -> int:
    epoch, _, counter = text.partition(".")
    return make_zxid(int(epoch), int(counter))


def _text(zxid: int) -> str:
    return f"{zxid >> 32}.{zxid & 0xFFFFFFFF}"


def _logged(text: str) -> list[Logged]:
    return [(_zxid(one), one.encode()) for one in text.split()]


def _history(window: str, log: str | None) -> CommittedHistory:
    kept = _logged(window)
    last = kept[-1][0] if kept else 0
    return CommittedHistory(last, kept, None if log is None else lambda _: _logged(log))


def _told(plan: Plan) -> tuple[str, str, int]:
    first, *rest = plan.packets
    proposals, commits = rest[::2], rest[1::2]
    assert [one.type for one in proposals] == [PacketType.PROPOSAL] * len(proposals)
    assert [one.type for one in commits] == [PacketType.COMMIT] * len(proposals)
    assert [one.zxid for one in proposals] == [one.zxid for one in commits]
    assert all(one.data == _text(one.zxid).encode() for one in proposals)
    queued = " ".join(_text(one.zxid) for one in proposals)
    return f"{first.name} {_text(first.zxid)}", queued, plan.upto


def _small_histories() -> Iterator[tuple[CommittedHistory, int]]:
    zxids = [make_zxid(epoch, counter) for epoch in (1, 2) for counter in (1, 2, 3)]
    peers = [0, *zxids, make_zxid(2, 0), make_zxid(3, 0), make_zxid(3, 1)]
    for size in range(5):
        for held in combinations(zxids, size):
            for first in range(size + 1):
                for log in (held, held[1:], held[:-1]):
                    for served in (0, make_zxid(3, 0)):
                        window = [(one, _text(one).encode()) for one in held[first:]]
                        read = [(one, _text(one).encode()) for one in log]
                        last = served or (held[-1] if held else 0)
                        history = CommittedHistory(last, window, lambda _, read=read: read)
                        yield from ((history, peer) for peer in peers)


def _txn(zxid: int) -> Txn:
    return Txn(Zxid.unpack(zxid), 0)


def _of_model(history: CommittedHistory, peer: int) -> ModelPlan:
    assert history.read_log is not None
    window = tuple(_txn(zxid) for zxid, _ in history.window)
    log = tuple(_txn(zxid) for zxid, _ in history.read_log(0))
    database = Database((), Zxid.unpack(history.last_processed), window)
    server = Server(1, Disk(log=log), Memory((), database), Leader())
    return model_sync_follower(server, Zxid.unpack(peer), Ensemble((1, 2, 3)))


def _as_model(plan: Plan) -> ModelPlan:
    packets = []
    for one in plan.packets:
        zxid = Zxid.unpack(one.zxid)
        match one.type:
            case PacketType.DIFF:
                packets.append(Diff(zxid))
            case PacketType.TRUNC:
                packets.append(Trunc(zxid))
            case PacketType.SNAP:
                packets.append(Snap(zxid, ()))
            case PacketType.PROPOSAL:
                packets.append(Proposal(_txn(one.zxid)))
            case _:
                packets.append(Commit(zxid))
    return ModelPlan(plan.branch, tuple(packets), Zxid.unpack(plan.upto))
