"""The decision of syncFollower as a table, and rules met where no run of the baseline leads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from zabspec.protocol import acceptance, database, leaving, synchronization, variants
from zabspec.protocol.effects import Impossible, Send
from zabspec.protocol.events import Crash, Received
from zabspec.protocol.messages import (
    Ack,
    Commit,
    Diff,
    NewLeader,
    Packet,
    Proposal,
    Snap,
    Trunc,
)
from zabspec.protocol.state import (
    ZERO,
    Connection,
    Database,
    Disk,
    Ensemble,
    Failed,
    Follower,
    History,
    Kind,
    Leader,
    Learner,
    Leaving,
    Memory,
    Phase,
    Server,
    Stage,
    Sync,
    Txn,
    Zxid,
    last_zxid,
)
from zabspec.protocol.sync_follower import BEST, Style, sync_follower

THREE = Ensemble((1, 2, 3))
LEADER = Connection(1)


def history(*zxids: str) -> History:
    return tuple(txn(zxid) for zxid in zxids)


def txn(text: str) -> Txn:
    epoch, counter = map(int, text.split("."))
    return Txn(Zxid(epoch, counter), epoch * 10 + counter)


def zxid(text: str) -> Zxid:
    return txn(text).zxid


def leading(log: History, window: History, last: str, role: Leader | None = None) -> Server[Leader]:
    memory = Memory((), Database(log, zxid(last), window))
    return Server(1, Disk(9, 9, log), memory, role or Leader(Phase.BROADCAST, 9))


def syncing(sync: Sync, holds: History = (), log: History = ()) -> Server[Follower]:
    memory = Memory((), Database(holds, last_zxid(holds), holds))
    role = Follower(LEADER, Phase.SYNCHRONIZATION, sync)
    return Server(2, Disk(9, 0, log), memory, role)


def sent(*texts: str) -> tuple[Packet, ...]:
    """PROPOSAL and COMMIT of each."""
    return tuple(packet for text in texts for packet in (Proposal(txn(text)), Commit(zxid(text))))


TABLE = {
    # log, window, last processed, peer, style and flags -> branch, packets, forwarded from
    "equal": (("1.1",), ("1.1",), "1.1", "1.1", {}, (Diff(zxid("1.1")),), "1.1"),
    "ahead": (("1.1",), ("1.1",), "9.0", "1.2", {}, (Trunc(zxid("1.1")),), "1.1"),
    "within the window": (
        ("1.1", "1.2"),
        ("1.1", "1.2"),
        "9.0",
        "1.1",
        {},
        (Diff(zxid("1.2")), *sent("1.2")),
        "1.2",
    ),
    "a missing one": (
        ("1.1", "1.3"),
        ("1.1", "1.3"),
        "9.0",
        "1.2",
        {},
        (Trunc(zxid("1.1")), *sent("1.3")),
        "1.3",
    ),
    "another epoch": (
        ("1.1", "2.1"),
        ("1.1", "2.1"),
        "9.0",
        "1.2",
        {},
        (Snap(zxid("9.0"), history("1.1", "2.1")),),
        "9.0",
    ),
    "from the log": (
        ("1.1", "1.2", "1.3"),
        ("1.3",),
        "9.0",
        "1.1",
        {},
        (Diff(zxid("1.3")), *sent("1.2", "1.3")),
        "1.3",
    ),
    "before the log": (
        ("1.2", "1.3"),
        ("1.3",),
        "9.0",
        "1.1",
        {},
        (Snap(zxid("9.0"), history("1.2", "1.3")),),
        "9.0",
    ),
    "before the window": (
        ("1.1", "1.2", "1.3"),
        ("1.3",),
        "9.0",
        "1.1",
        {"log_sync": False},
        (Snap(zxid("9.0"), history("1.1", "1.2", "1.3")),),
        "9.0",
    ),
    "epoch only": (
        ("1.1",),
        ("1.1",),
        "9.0",
        "2.0",
        {},
        (Snap(zxid("9.0"), history("1.1")),),
        "9.0",
    ),
    "forced snapshot": (
        ("1.1",),
        ("1.1",),
        "1.1",
        "1.1",
        {"force_snapshot": True},
        (Snap(zxid("1.1"), history("1.1")),),
        "1.1",
    ),
}


@pytest.mark.parametrize("branch", TABLE)
def test_a_learner_is_synced_by_the_branch_that_its_zxid_calls_for(branch: str) -> None:
    log, window, last, peer, flags, packets, upto = TABLE[branch]
    server = leading(history(*log), history(*window), last)

    plan = sync_follower(server, zxid(peer), evolve(THREE, **flags))

    assert (plan.branch, plan.packets, plan.upto) == (branch, packets, zxid(upto))


STYLES: Mapping[str, tuple[Style, tuple[Packet, ...], str]] = {
    "right": (BEST, (Snap(zxid("9.0"), history("1.1", "3.1")),), "9.0"),
    "a hole is sent": (
        evolve(BEST, sends_holes=True),
        (Diff(zxid("3.1")), *sent("3.1")),
        "3.1",
    ),
    "and forwarded from the peer": (
        evolve(BEST, snap_from_peer=True),
        (Snap(zxid("9.0"), history("1.1", "3.1")),),
        "2.0",
    ),
}


@pytest.mark.parametrize("name", STYLES)
def test_a_log_that_ends_before_the_window_is_not_gone_on_with(name: str) -> None:
    style, packets, upto = STYLES[name]
    server = leading(history("1.1"), history("3.1"), "9.0")
    holding = evolve(
        server,
        memory=evolve(
            server.memory, database=evolve(server.memory.database, holds=history("1.1", "3.1"))
        ),
    )

    plan = sync_follower(holding, zxid("2.0"), THREE, style)

    assert (plan.packets, plan.upto) == (packets, zxid(upto))


def test_what_is_committed_and_not_applied_counts_only_where_it_is_done_right() -> None:
    role = Leader(Phase.BROADCAST, 9, to_apply=history("9.1"))
    server = leading((), (), "9.0", role)

    right = sync_follower(server, zxid("9.1"), THREE)
    as_is = sync_follower(server, zxid("9.1"), THREE, variants.AS_IS)

    assert right.packets == (Diff(zxid("9.1")),)
    assert as_is.packets == (Trunc(zxid("9.0")),)


@st.composite
def good_histories(draw: st.DrawFn) -> History:
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    return history(
        *(
            f"{epoch}.{counter}"
            for epoch, count in enumerate(counts, start=1)
            for counter in range(1, count + 1)
        )
    )


@given(good_histories(), st.data())
def test_a_learner_that_does_as_it_is_told_ends_with_the_leaders_history(
    log: History, data: st.DataObject
) -> None:
    window = data.draw(st.integers(0, len(log)), label="window")
    served = data.draw(st.booleans(), label="the leader serves")
    kept = data.draw(st.integers(0, len(log)), label="the learner holds")
    tail = data.draw(st.integers(0, 2), label="and proposals of a dead leader")
    held = list(log[:kept])
    epoch = held[-1].zxid.epoch if held else 1
    taken = sum(one.zxid.epoch == epoch for one in log)
    held += (Txn(Zxid(epoch, taken + more), 900 + more) for more in range(1, tail + 1))
    server = leading(log, log[len(log) - window :], "9.0" if served else str(last_zxid(log)))

    plan = sync_follower(server, last_zxid(tuple(held)), THREE)

    if kept == len(log) or tail == 0 or log[kept].zxid.epoch != epoch:
        assert _carried_out(tuple(held), plan.packets) == log


def _carried_out(held: History, packets: tuple[Packet, ...]) -> History:
    for packet in packets:
        if isinstance(packet, Trunc):
            held = tuple(one for one in held if one.zxid <= packet.zxid)
        elif isinstance(packet, Snap):
            held = packet.holds
        elif isinstance(packet, Proposal):
            held = (*held, packet.txn)
    return held


# Rules, where the baseline's own runs do not lead.


def test_a_transaction_that_is_applied_again_changes_nothing() -> None:
    once = database.applied(Database(), txn("1.1"), 5)

    assert database.applied(once, txn("1.1"), 5) == once


def test_a_server_that_accepted_less_than_it_follows_does_not_start() -> None:
    server = evolve(syncing(Sync(Kind.DIFF)), disk=Disk(accepted_epoch=1, current_epoch=2))

    step = leaving.server_restarts(server, Crash(), THREE)

    assert step.server.role == Failed("accepted epoch 1 below current epoch 2")


def test_a_proposal_that_leaves_a_gap_ends_a_sync() -> None:
    server = syncing(Sync(Kind.DIFF, not_logged=history("1.1")))

    step = synchronization.learner_keeps_proposal(
        server, Received(LEADER, Proposal(txn("1.3"))), THREE
    )

    assert isinstance(step.server.role, Leaving)


def _waiting(*learners: Learner) -> Server[Leader]:
    return leading((), (), "0.0", Leader(Phase.SYNCHRONIZATION, 9, learners))


def test_another_ack_in_place_of_new_leaders_is_called_impossible() -> None:
    server = _waiting(Learner(Connection(2), Stage.SYNCING))

    step = synchronization.leader_counts_new_leader_ack(
        server, Received(Connection(2), Ack(zxid("9.1"))), THREE
    )

    assert step.effects == (Impossible("ack 9.1 in place of NEWLEADER's"),)


def test_a_release_takes_another_ack_for_new_leaders_and_never_counts_the_true_one() -> None:
    server = _waiting(Learner(Connection(2), Stage.SYNCING), Learner(Connection(3), Stage.SYNCING))
    early, true = (
        Received(Connection(2), Ack(zxid("9.1"))),
        Received(Connection(2), Ack(zxid("9.0"))),
    )

    first = variants.leader_misses_new_leader_ack(server, early, THREE)
    assert isinstance(first.server.role, Leader)
    second = variants.leader_misses_new_leader_ack(
        first.server.playing(first.server.role), true, THREE
    )
    assert isinstance(second.server.role, Leader)
    third = variants.leader_misses_new_leader_ack(
        second.server.playing(second.server.role),
        Received(Connection(3), Ack(zxid("9.0"))),
        THREE,
    )

    assert not second.server.role.learner(Connection(2)).counted
    assert second.server.role.phase is Phase.SYNCHRONIZATION
    assert third.server.role.phase is Phase.BROADCAST


@pytest.mark.parametrize(
    ("not_logged", "accepted", "leaves", "kept"),
    [
        ((), False, True, ()),
        (("1.1",), False, False, ()),
        (("1.2",), False, False, ("1.2",)),
        (("1.1",), True, False, ("1.1",)),
    ],
)
def test_a_commit_before_new_leader_is_applied_in_the_seed(
    not_logged: tuple[str, ...], *, accepted: bool, leaves: bool, kept: tuple[str, ...]
) -> None:
    server = syncing(Sync(Kind.DIFF, history(*not_logged), accepted=accepted))

    step = variants.learner_applies_at_once(server, Received(LEADER, Commit(zxid("1.1"))), THREE)

    role = step.server.role
    assert isinstance(role, Leaving) is leaves
    if isinstance(role, Follower) and role.sync:
        assert role.sync.not_logged == history(*kept)
        assert role.sync.committed == ((zxid("1.1"),) if accepted else ())


ACCEPTED: Mapping[str, tuple[object, str]] = {
    "seed": (acceptance.learner_saves_then_epoch, "SaveSnapshot CurrentEpoch Ack"),
    "3.5.8": (acceptance.learner_acks_before_it_logs, "CurrentEpoch Ack"),
    "3.8.0": (acceptance.follower_acks_before_it_syncs, "CurrentEpoch Append Ack"),
    "3.8.6": (acceptance.follower_logs_everything, "AppendSynced CurrentEpoch Ack"),
    "3.9.4": (acceptance.learner_logs_committed, "AppendSynced CurrentEpoch Ack"),
    "baseline": (synchronization.learner_accepts_leader, "AppendSynced CurrentEpoch Ack"),
}


@pytest.mark.parametrize("release", ACCEPTED)
def test_at_new_leader_each_release_writes_and_sends_in_its_own_order(release: str) -> None:
    rule, order = ACCEPTED[release]
    server = syncing(Sync(Kind.DIFF, history("1.1", "1.2"), (zxid("1.1"),)))

    step = rule(server, Received(LEADER, NewLeader(9)), THREE)  # type: ignore[operator]

    done = [one.packet if isinstance(one, Send) else one.change for one in step.effects]
    assert " ".join(type(one).__name__ for one in done) == order


def test_the_last_zxid_of_nothing_is_zero() -> None:
    assert last_zxid(()) == ZERO
