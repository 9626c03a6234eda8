"""What a leader sends a learner: each branch of syncFollower, and where all of them lead."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from zabspec.check.outcomes import written
from zabspec.protocol.database import load
from zabspec.protocol.events import Received
from zabspec.protocol.messages import (
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
    Follower,
    History,
    Leader,
    Learner,
    Memory,
    Outstanding,
    Phase,
    Role,
    Server,
    Snapshot,
    Stage,
    Txn,
    Zxid,
    last_zxid,
)
from zabspec.protocol.sync_follower import BEST, Style, begin_sync, sync_follower
from zabspec.protocol.variants import AS_IS, BEFORE_3_6
from zabspec.protocol.zab import BASELINE

VOTERS = (1, 2, 3)
THREE = Ensemble(VOTERS)
A, B, C, D = (Txn(Zxid(1, number), number) for number in (1, 2, 3, 4))
E, F = (Txn(Zxid(2, number), 4 + number) for number in (1, 2))
HOLES = Style(sends_holes=True)


def leader(
    window: History = (),
    *,
    log: History = (),
    zxid: Zxid | None = None,
    to_apply: History = (),
) -> Server[Leader]:
    """A leader whose database holds its window and its log."""
    holds = tuple(sorted({*log, *window}, key=lambda txn: txn.zxid))
    database = Database(holds, zxid or last_zxid(holds), window)
    role = Leader(Phase.BROADCAST, epoch=2, to_apply=to_apply)
    return Server(1, Disk(2, 2, log), Memory((), database), role)


def each(*txns: Txn) -> tuple[Packet, ...]:
    """Transactions as a sync sends what is committed."""
    return tuple(packet for txn in txns for packet in (Proposal(txn), Commit(txn.zxid)))


@pytest.mark.parametrize(
    ("server", "peer", "branch", "packets", "upto"),
    [
        pytest.param(leader(), ZERO, "equal", (Diff(ZERO),), ZERO, id="nobody has anything"),
        pytest.param(
            leader((A, B)), B.zxid, "equal", (Diff(B.zxid),), B.zxid, id="it has all of it"
        ),
        pytest.param(
            leader((A, B), zxid=Zxid(2, 0)),
            Zxid(2, 0),
            "equal",
            (Diff(Zxid(2, 0)),),
            Zxid(2, 0),
            id="it has all, and the epoch's own zxid",
        ),
        pytest.param(
            leader((A, B)), C.zxid, "ahead", (Trunc(B.zxid),), B.zxid, id="one more than the window"
        ),
        pytest.param(
            leader((A, B), zxid=Zxid(2, 0)),
            C.zxid,
            "ahead",
            (Trunc(B.zxid),),
            B.zxid,
            id="one more than the window of a leader that serves",
        ),
        pytest.param(
            leader(zxid=Zxid(2, 0)),
            E.zxid,
            "ahead",
            (Trunc(Zxid(2, 0)),),
            Zxid(2, 0),
            id="more than a leader with an empty window",
        ),
        pytest.param(
            leader((A, B, C)),
            A.zxid,
            "within the window",
            (Diff(C.zxid), *each(B, C)),
            C.zxid,
            id="at the low end of the window",
        ),
        pytest.param(
            leader((A, E), zxid=E.zxid),
            A.zxid,
            "within the window",
            (Diff(E.zxid), *each(E)),
            E.zxid,
            id="in the window, across an epoch",
        ),
        pytest.param(
            leader((A, B), zxid=Zxid(2, 0)),
            B.zxid,
            "within the window",
            (Diff(B.zxid),),
            B.zxid,
            id="at the high end of the window of a leader that serves",
        ),
        pytest.param(
            leader((A, E)),
            Zxid(2, 0),
            "within the window",
            (Diff(E.zxid), *each(E)),
            E.zxid,
            id="an epoch in the window",
        ),
        pytest.param(
            leader((A, B, D)),
            C.zxid,
            "a missing one",
            (Trunc(B.zxid), *each(D)),
            D.zxid,
            id="one of this epoch that the window steps over",
        ),
        pytest.param(
            leader((A, B, E)),
            C.zxid,
            "another epoch",
            (Snap(E.zxid, (A, B, E)),),
            E.zxid,
            id="one of an earlier epoch that the window steps over",
        ),
        pytest.param(
            leader((C,), log=(A, B, C)),
            A.zxid,
            "from the log",
            (Diff(C.zxid), *each(B, C)),
            C.zxid,
            id="below the window, at the low end of the log",
        ),
        pytest.param(
            leader((C, D), log=(A, B, C, D)),
            A.zxid,
            "from the log",
            (Diff(D.zxid), *each(B, C, D)),
            D.zxid,
            id="what is in both is sent once",
        ),
        pytest.param(
            leader((D,), log=(A, C, D)),
            B.zxid,
            "from the log",
            (Trunc(A.zxid), *each(C, D)),
            D.zxid,
            id="one of this epoch that the log steps over",
        ),
        pytest.param(
            leader((F,), log=(A, E, F)),
            B.zxid,
            "before the log",
            (Snap(F.zxid, (A, E, F)),),
            F.zxid,
            id="one of an earlier epoch that the log steps over",
        ),
        pytest.param(
            leader((C,), log=(B, C)),
            A.zxid,
            "before the log",
            (Snap(C.zxid, (B, C)),),
            C.zxid,
            id="below the log",
        ),
        pytest.param(
            leader((C,)),
            A.zxid,
            "before the log",
            (Snap(C.zxid, (C,)),),
            C.zxid,
            id="below the window, and no log",
        ),
        pytest.param(
            leader((D,), log=(A, B)),
            A.zxid,
            "before the log",
            (Snap(D.zxid, (A, B, D)),),
            D.zxid,
            id="the log ends before the window begins",
        ),
        pytest.param(
            leader((A, B), zxid=Zxid(3, 0)),
            Zxid(2, 0),
            "epoch only",
            (Snap(Zxid(3, 0), (A, B)),),
            Zxid(3, 0),
            id="an epoch behind the window",
        ),
    ],
)
def test_a_leader_decides_by_where_the_learner_ends(
    server: Server[Leader], peer: Zxid, branch: str, packets: tuple[Packet, ...], upto: Zxid
) -> None:
    plan = sync_follower(server, peer, THREE)

    assert (plan.branch, plan.packets, plan.upto) == (branch, packets, upto)


@pytest.mark.parametrize("peer", [ZERO, A.zxid, B.zxid, C.zxid, Zxid(2, 0)], ids=str)
def test_where_snapshots_are_forced_everybody_gets_one(peer: Zxid) -> None:
    plan = sync_follower(leader((A, B)), peer, evolve(THREE, force_snapshot=True))

    assert (plan.branch, plan.packets) == ("forced snapshot", (Snap(B.zxid, (A, B)),))
    assert plan.upto == B.zxid


def test_without_the_log_who_is_before_the_window_gets_a_snapshot() -> None:
    server = leader((C,), log=(A, B, C))

    plan = sync_follower(server, A.zxid, evolve(THREE, log_sync=False))

    assert (plan.branch, plan.packets) == ("before the window", (Snap(C.zxid, (A, B, C)),))


@pytest.mark.parametrize(
    ("log", "peer", "packets"),
    [
        pytest.param((A, B), A.zxid, (Diff(D.zxid), *each(B, D)), id="behind some of the log"),
        pytest.param((A, B), B.zxid, (Diff(D.zxid), *each(D)), id="at the end of the log"),
    ],
)
def test_until_2418_the_hole_between_log_and_window_is_sent(
    log: History, peer: Zxid, packets: tuple[Packet, ...]
) -> None:
    plan = sync_follower(leader((D,), log=log), peer, THREE, HOLES)

    assert (plan.branch, plan.packets, plan.upto) == ("from the log", packets, D.zxid)


def test_until_2418_who_ends_with_an_epoch_in_the_hole_is_sent_the_window() -> None:
    server = leader((F,), log=(A, B))

    plan = sync_follower(server, Zxid(2, 0), THREE, HOLES)

    assert plan.packets == (Diff(F.zxid), *each(F))


def test_until_3140_forwarding_after_a_snapshot_begins_where_the_learner_ended() -> None:
    server = leader((C,), log=(B, C))

    assert sync_follower(server, A.zxid, THREE, BEFORE_3_6).upto == A.zxid
    assert sync_follower(server, A.zxid, THREE, AS_IS).upto == C.zxid


def test_until_3140_what_is_no_snapshot_is_forwarded_behind_as_ever() -> None:
    assert sync_follower(leader((A, B)), A.zxid, THREE, BEFORE_3_6).upto == B.zxid


@pytest.mark.parametrize(
    ("style", "branch", "packets"),
    [
        pytest.param(BEST, "equal", (Diff(B.zxid),), id="the baseline keeps it"),
        pytest.param(AS_IS, "ahead", (Trunc(A.zxid),), id="ZooKeeper cuts it off"),
    ],
)
def test_a_learner_may_hold_what_is_committed_and_not_applied(
    style: Style, branch: str, packets: tuple[Packet, ...]
) -> None:
    server = leader((A,), log=(A, B), to_apply=(B,))
    server = evolve(server, memory=Memory((), Database((A,), A.zxid, (A,))))

    plan = sync_follower(server, B.zxid, THREE, style)

    assert (plan.branch, plan.packets) == (branch, packets)


def _syncing(style: Style, *, observes: bool) -> tuple[Server[Leader], tuple[Packet, ...]]:
    """A learner that holds A, where B is committed and not applied, C and D are outstanding."""
    server = leader((A,), log=(A,), to_apply=(B,))
    outstanding = (Outstanding(C, (2,)), Outstanding(D, (2, 3)))
    server = server.playing(evolve(server.role, outstanding=outstanding))
    return begin_sync(server, Learner(Connection(2), upto=A.zxid, observes=observes), THREE, style)


def test_behind_the_sync_come_what_is_outstanding_and_newleader() -> None:
    _, packets = _syncing(BEST, observes=False)

    assert packets == (Diff(B.zxid), *each(B), Proposal(C), Proposal(D), NewLeader(2))


def test_as_zookeeper_has_it_what_is_on_its_way_to_the_database_follows_the_sync() -> None:
    _, packets = _syncing(AS_IS, observes=False)

    assert packets == (Diff(A.zxid), *each(B), Proposal(C), Proposal(D), NewLeader(2))


def test_an_observer_is_sent_nothing_that_is_not_committed() -> None:
    _, packets = _syncing(BEST, observes=True)

    assert packets == (Diff(B.zxid), *each(B), NewLeader(2))


def test_a_leader_forgets_what_the_learner_acknowledged_of_what_it_sends_anew() -> None:
    server, _ = _syncing(BEST, observes=False)

    assert server.role.outstanding == (Outstanding(C), Outstanding(D, (3,)))


def test_as_zookeeper_has_it_an_acknowledgement_is_never_forgotten() -> None:
    server, _ = _syncing(AS_IS, observes=False)

    assert server.role.outstanding == (Outstanding(C, (2,)), Outstanding(D, (2, 3)))


def test_a_learner_that_is_being_synced_is_forwarded_to_from_then_on() -> None:
    server, _ = _syncing(BEST, observes=True)

    assert server.role.learners == (Learner(Connection(2), Stage.SYNCING, observes=True),)


@st.composite
def committed_histories(draw: st.DrawFn) -> History:
    """Up to three epochs without a gap; some epochs have no transaction."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    zxids = (
        Zxid(epoch, counter)
        for epoch, count in enumerate(counts, start=1)
        for counter in range(1, count + 1)
    )
    return tuple(Txn(zxid, number) for number, zxid in enumerate(zxids, start=1))


@st.composite
def leaders(draw: st.DrawFn, history: History) -> Server[Leader]:
    """Leaders of epoch 5 that have this history: before they serve, or serving."""
    window = draw(st.integers(0, 4))
    saved = draw(st.integers(0, len(history)))
    snapshots = (Snapshot(last_zxid(history[:saved]), history[:saved]),) if saved else ()
    log = history[draw(st.integers(0, saved)) :]
    disk = Disk(5, 5, log, snapshots=snapshots)
    database = load(disk, window)
    if draw(st.booleans()):
        database = evolve(database, zxid=Zxid(5, 0))
    return Server(1, disk, Memory((), database), Leader(Phase.BROADCAST, epoch=5))


@st.composite
def peers(draw: st.DrawFn, history: History) -> Disk:
    """What a learner can hold: a beginning, and behind it what a dead leader proposed in vain.

    Who broadcast in an epoch had all that was committed before; so such a tail stands behind all of
    the history up to its own epoch, and its zxids are nobody else's.
    """
    if draw(st.booleans()):
        held = history[: draw(st.integers(0, len(history)))]
        zxid = last_zxid(held)
    else:
        epoch = draw(st.integers(1, 4))
        held = tuple(txn for txn in history if txn.zxid.epoch <= epoch)
        last = max((txn.zxid.counter for txn in held if txn.zxid.epoch == epoch), default=0)
        later = range(last + 1, last + 1 + draw(st.integers(0, 2)))
        held += tuple(Txn(Zxid(epoch, counter), 90 + counter) for counter in later)
        zxid = max(last_zxid(held), Zxid(epoch, 0))
    saved = draw(st.integers(0, len(held)))
    if zxid.counter == 0:  # an epoch's own zxid is on disk as a snapshot's name, and only so
        return Disk(4, 4, (), snapshots=(Snapshot(zxid, held),))
    snapshots = (Snapshot(last_zxid(held[:saved]), held[:saved]),) if saved else ()
    return Disk(4, 4, held[saved:], snapshots=snapshots)


@given(st.data())
def test_a_learner_that_carries_out_the_plan_ends_with_the_committed_history(
    data: st.DataObject,
) -> None:
    history = data.draw(committed_histories())
    server = data.draw(leaders(history))
    disk = data.draw(peers(history))
    ensemble = Ensemble(
        VOTERS, force_snapshot=data.draw(st.booleans()), log_sync=data.draw(st.booleans())
    )
    memory = Memory((), load(disk, ensemble.window))
    learner: Server[Role] = Server(2, disk, memory, Follower(Connection(1), Phase.SYNCHRONIZATION))

    plan = sync_follower(server, memory.database.zxid, ensemble)
    for packet in (*plan.packets, NewLeader(5)):
        step = BASELINE.step(learner, Received(Connection(1), packet), ensemble)
        learner = evolve(step.server, disk=written(learner.disk, step.effects))

    assert learner.disk.durable == history
    assert learner.memory.database.holds == history
    assert learner.disk.current_epoch == 5
