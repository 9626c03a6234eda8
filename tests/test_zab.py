"""ZooKeeper's grain, rule by rule, where no run within reach shows it; runs are scripts."""

from __future__ import annotations

import pytest
from attrs import evolve

from zabspec.check.outcomes import written
from zabspec.protocol.database import applied, load, pending
from zabspec.protocol.disk import (
    Append,
    AppendSynced,
    Change,
    CurrentEpoch,
    InstallSnapshot,
    LoseUnsynced,
    ReplaceLog,
    SaveSnapshot,
    SyncLog,
    Truncate,
    TruncateExactly,
    apply,
)
from zabspec.protocol.effects import Close, CloseAll, Impossible, Send, Step, Write
from zabspec.protocol.election import most_recent
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LimitExpired,
    LinkLost,
    LogSynced,
    Received,
    RoleEnded,
    TxnApplied,
)
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Packet,
    Proposal,
    Snap,
    UpToDate,
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
    Looking,
    Memory,
    Observer,
    Outstanding,
    Phase,
    Role,
    Server,
    Snapshot,
    Stage,
    Sync,
    Txn,
    Zxid,
)
from zabspec.protocol.zab import FINE, threads

THREE = Ensemble((1, 2, 3))
WITH_OBSERVER = Ensemble((1, 2, 3), (4,))
ELECTION, DISCOVERY, SYNCHRONIZATION, BROADCAST = Phase
TO_LEADER = Connection(1)
A, B, C = (Txn(Zxid(1, number), number) for number in (1, 2, 3))
NEXT = Txn(Zxid(2, 1), 4)

EVENTS: tuple[Event, ...] = (
    Elected(1),
    Received(TO_LEADER, Proposal(A)),
    Received(TO_LEADER, FollowerInfo(0)),
    LinkLost(TO_LEADER),
    ClientRequest(1),
    LogSynced(1),
    TxnApplied(),
    RoleEnded(),
    LimitExpired(),
    Crash(),
)


def follower(
    phase: Phase,
    *,
    disk: Disk | None = None,
    holds: History = (),
    sync: Sync | None = None,
    to_apply: History = (),
) -> Server[Role]:
    database = Database(holds, holds[-1].zxid if holds else ZERO, holds)
    role = Follower(TO_LEADER, phase, sync, to_apply)
    return Server(2, disk or Disk(1, 1), Memory((), database), role)


def leader(phase: Phase, *learners: Learner, outstanding: tuple[Outstanding, ...] = ()) -> Leader:
    return Leader(phase, 1, learners, outstanding)


def leading(role: Leader, disk: Disk | None = None) -> Server[Role]:
    return Server(1, disk or Disk(1, 1), Memory(), role)


def got(server: Server[Role], sender: int, packet: Packet, ensemble: Ensemble = THREE) -> Step:
    return FINE.step(server, Received(Connection(sender), packet), ensemble)


def active(sid: int, *, observes: bool = False) -> Learner:
    return Learner(Connection(sid), Stage.ACTIVE, observes=observes)


def impossible(step: Step) -> list[str]:
    return [one.why for one in step.effects if isinstance(one, Impossible)]


# What a server does not expect.


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_server_that_failed_ignores_everything(event: Event) -> None:
    server: Server[Role] = Server(2, Disk(1, 2, (A,), 1), Memory(), Failed("its disk"))

    assert FINE.step(server, event, THREE) == Step(server)


def test_a_server_that_looks_has_no_connection_to_hear_from() -> None:
    server: Server[Role] = Server(2, Disk(), Memory(), Looking())

    assert impossible(got(server, 1, Proposal(A))) == ["it has no connection"]


def test_a_server_that_leaves_does_nothing_before_it_has_left() -> None:
    server: Server[Role] = Server(2, Disk(), Memory(), Leaving(served=True))

    assert impossible(FINE.step(server, Crash(), THREE)) == ["a role that ends is left at once"]
    assert list(threads(server)) == [RoleEnded()]


@pytest.mark.parametrize("packet", [UpToDate(), NewLeader(1), Diff(ZERO), LeaderInfo(1)], ids=repr)
def test_a_follower_that_serves_is_not_synced_again(packet: Packet) -> None:
    server = follower(BROADCAST)

    step = got(server, 1, packet)

    assert step.server == server
    assert len(impossible(step)) == 1


@pytest.mark.parametrize("phase", [SYNCHRONIZATION, BROADCAST])
def test_the_first_ack_of_a_learner_is_that_of_newleader(phase: Phase) -> None:
    server = leading(leader(phase, Learner(Connection(2), Stage.SYNCING)))

    step = got(server, 2, Ack(A.zxid))

    assert step.server == server
    assert impossible(step) == ["ack 1.1 in place of NEWLEADER's"]


def test_a_commit_of_any_but_the_oldest_pending_is_impossible() -> None:
    server = follower(BROADCAST, disk=Disk(1, 1, (A, B)))

    step = got(server, 1, Commit(B.zxid))

    assert step.server == server
    assert impossible(step) == ["commit 1.2 when 1.1 is next"]


def test_a_commit_while_nothing_is_pending_is_passed_over() -> None:
    server = follower(BROADCAST, disk=Disk(1, 1, (A,)), holds=(A,))

    assert got(server, 1, Commit(A.zxid)) == Step(server)


# Counting.


def test_an_ack_of_what_is_not_the_oldest_commits_nothing() -> None:
    before = leader(BROADCAST, active(2), outstanding=(Outstanding(A), Outstanding(B, (1,))))
    server = leading(before)

    step = got(server, 2, Ack(B.zxid))

    assert step.effects == ()
    assert step.server.role == evolve(before, outstanding=(Outstanding(A), Outstanding(B, (1, 2))))


def test_an_ack_of_what_is_committed_or_unknown_is_passed_over() -> None:
    server = leading(leader(BROADCAST, active(2), outstanding=(Outstanding(B, (1,)),)))

    assert got(server, 2, Ack(A.zxid)) == Step(server)
    assert got(server, 2, Ack(C.zxid)) == Step(server)


def test_an_ack_of_uptodate_counts_for_nothing() -> None:
    server = leading(leader(BROADCAST, active(2), outstanding=(Outstanding(A, (1,)),)))

    assert got(server, 2, Ack(Zxid(1, 0))) == Step(server)


def test_an_observer_does_not_count_for_a_transaction() -> None:
    learners = (active(2), active(4, observes=True))
    server = leading(leader(BROADCAST, *learners, outstanding=(Outstanding(A, (1,)),)))

    assert got(server, 4, Ack(A.zxid), WITH_OBSERVER) == Step(server)


def test_an_observer_does_not_count_when_an_epoch_is_offered() -> None:
    server: Server[Role] = Server(1, Disk(), Memory(), Leader())

    step = got(server, 4, ObserverInfo(7), WITH_OBSERVER)
    later = got(step.server, 2, FollowerInfo(0), WITH_OBSERVER)

    assert step.effects == ()
    assert Send(Connection(4), LeaderInfo(8)) in later.effects


def test_an_observer_does_not_count_as_a_promise() -> None:
    learners = (Learner(Connection(2)), Learner(Connection(4), observes=True))
    server = leading(leader(DISCOVERY, *learners))

    step = got(server, 4, AckEpoch(1, ZERO), WITH_OBSERVER)

    assert step.effects == ()
    assert step.server.role.phase is DISCOVERY


def test_a_leader_goes_on_after_it_has_refused_a_learner_if_a_quorum_is_left() -> None:
    learners = (Learner(Connection(2)), Learner(Connection(3)))
    server = leading(leader(DISCOVERY, *learners))

    step = got(server, 2, AckEpoch(1, A.zxid))

    assert step.effects == (Close(Connection(2)),)
    assert step.server.role == leader(DISCOVERY, learners[1])


def test_a_leader_gives_up_when_it_has_refused_the_last_that_made_a_quorum() -> None:
    server = leading(leader(DISCOVERY, Learner(Connection(2))))

    step = got(server, 2, AckEpoch(1, A.zxid))

    assert step.effects == (CloseAll(),)
    assert step.server.role == Leaving(served=False)


def test_an_answer_without_a_promise_is_not_compared() -> None:
    learners = (Learner(Connection(2)), Learner(Connection(3)))
    server = leading(leader(DISCOVERY, *learners))

    assert got(server, 2, AckEpoch(None, A.zxid)).effects == ()


def test_the_order_of_votes_is_current_epoch_then_zxid_then_sid() -> None:
    def looking(sid: int, epoch: int, zxid: Zxid) -> Server[Role]:
        return Server(sid, Disk(9, epoch), Memory((), Database((), zxid)), Looking())

    first, longer, later = looking(3, 1, A.zxid), looking(2, 1, B.zxid), looking(1, 2, ZERO)

    assert most_recent([first, longer]) == (2,)
    assert most_recent([first, longer, later]) == (1,)
    assert most_recent([first, evolve(first, sid=2)]) == (3,)


# Syncing.


def test_a_gap_in_a_sync_ends_it() -> None:
    server = follower(SYNCHRONIZATION, sync=Sync(Kind.DIFF, (A,)))

    step = got(server, 1, Proposal(C))

    assert step.effects == (CloseAll(),)
    assert step.server.role == Leaving(served=False, kind=Kind.DIFF)


def test_a_later_epoch_that_begins_at_one_is_no_gap() -> None:
    server = follower(SYNCHRONIZATION, sync=Sync(Kind.DIFF, (A,)))

    step = got(server, 1, Proposal(NEXT))

    assert step.server.role == Follower(TO_LEADER, SYNCHRONIZATION, Sync(Kind.DIFF, (A, NEXT)))


def test_newleader_without_anything_before_it_is_taken_for_an_empty_diff() -> None:
    step = got(follower(SYNCHRONIZATION), 1, NewLeader(1))

    assert step.effects == (Write(CurrentEpoch(1)), Send(TO_LEADER, Ack(Zxid(1, 0))))


def test_after_a_snapshot_come_its_installation_the_rest_the_epoch_and_the_ack() -> None:
    server = got(follower(SYNCHRONIZATION), 1, Snap(A.zxid, (A,))).server
    for packet in (Proposal(B), Commit(B.zxid), Proposal(C)):
        server = got(server, 1, packet).server

    step = got(server, 1, NewLeader(1))

    assert step.effects == (
        Write(InstallSnapshot(Snapshot(A.zxid, (A,)))),
        Write(AppendSynced((B,))),
        Write(CurrentEpoch(1)),
        Send(TO_LEADER, Ack(Zxid(1, 0))),
    )
    assert step.server.memory.database == Database((A, B), B.zxid, (B,))


def test_commits_settle_proposals_only_in_order() -> None:
    sync = Sync(Kind.DIFF, (A, B), (B.zxid, A.zxid))

    step = got(follower(SYNCHRONIZATION, sync=sync), 1, NewLeader(1))

    assert step.effects == (Write(CurrentEpoch(1)), Send(TO_LEADER, Ack(Zxid(1, 0))))


def test_what_came_in_a_sync_uncommitted_is_logged_when_service_starts() -> None:
    sync = Sync(Kind.DIFF, (A, B), (A.zxid,), accepted=True)

    step = got(follower(SYNCHRONIZATION, sync=sync), 1, UpToDate())

    assert step.effects == (Send(TO_LEADER, Ack(Zxid(1, 0))), Write(Append((A, B))))
    assert step.server.role == Follower(TO_LEADER, BROADCAST, to_apply=(A,))


# Disks and databases.


def test_a_server_whose_accepted_epoch_is_older_than_its_current_one_does_not_start() -> None:
    server: Server[Role] = Server(2, Disk(1, 2, (A, B), 1), Memory(), Looking())

    step = FINE.step(server, Crash(), THREE)

    assert step.effects == (Write(LoseUnsynced(0)), CloseAll())
    assert step.server.role == Failed("accepted epoch 1 below current epoch 2")


@pytest.mark.parametrize("phase", [DISCOVERY, SYNCHRONIZATION, BROADCAST])
def test_a_restart_writes_the_epoch_that_its_log_ends_in(phase: Phase) -> None:
    server = follower(phase, disk=Disk(2, 1, (A, NEXT)))

    step = FINE.step(server, Crash(), THREE)

    assert step.effects == (Write(CurrentEpoch(2)), CloseAll())
    assert step.server.memory == Memory((), Database((A, NEXT), NEXT.zxid, (A, NEXT)))


def test_what_is_applied_again_changes_nothing() -> None:
    database = Database((A, B), Zxid(2, 0), (B,))

    assert applied(database, A, 5) == database


def test_a_database_without_a_window_keeps_nothing_to_send() -> None:
    assert load(Disk(log=(A, B)), 0) == Database((A, B), B.zxid, ())
    assert applied(Database(), A, 0) == Database((A,), A.zxid, ())


def test_what_was_in_a_snapshot_is_not_in_the_window() -> None:
    disk = Disk(log=(A, B, C), snapshots=(Snapshot(B.zxid, (A, B)),))

    assert load(disk, 5) == Database((A, B, C), C.zxid, (C,))
    assert load(evolve(disk, log=()), 5) == Database((A, B), B.zxid, ())


def test_what_is_on_its_way_to_the_database_is_not_pending() -> None:
    server = follower(BROADCAST, disk=Disk(1, 1, (A, B, C)), holds=(A,), to_apply=(B,))
    assert isinstance(server.role, Follower)

    assert pending(server.playing(server.role)) == (C,)


_DISK = Disk(2, 1, (A, B, NEXT), 1, (Snapshot(A.zxid, (A,)),))


@pytest.mark.parametrize(
    ("change", "log", "unsynced", "snapshots"),
    [
        (Append((Txn(Zxid(2, 2), 5),)), (A, B, NEXT, Txn(Zxid(2, 2), 5)), 2, _DISK.snapshots),
        (AppendSynced(()), (A, B, NEXT), 0, _DISK.snapshots),
        (SyncLog(1), (A, B, NEXT), 0, _DISK.snapshots),
        (SyncLog(9), (A, B, NEXT), 0, _DISK.snapshots),
        (LoseUnsynced(0), (A, B), 0, _DISK.snapshots),
        (LoseUnsynced(1), (A, B, NEXT), 0, _DISK.snapshots),
        (ReplaceLog((B,)), (B,), 0, _DISK.snapshots),
        (Truncate(B.zxid), (A, B), 0, _DISK.snapshots),
        (Truncate(NEXT.zxid), (A, B, NEXT), 1, _DISK.snapshots),
        (Truncate(ZERO), (), 0, _DISK.snapshots),
        (TruncateExactly(ZERO), (), 0, (Snapshot(ZERO, ()),)),
        (
            SaveSnapshot(Snapshot(B.zxid, (A, B))),
            (A, B, NEXT),
            1,
            (*_DISK.snapshots, Snapshot(B.zxid, (A, B))),
        ),
        (InstallSnapshot(Snapshot(B.zxid, (A, B))), (), 0, (Snapshot(B.zxid, (A, B)),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_of_the_disk_changes_what_it_says(
    change: Change, log: History, unsynced: int, snapshots: tuple[Snapshot, ...]
) -> None:
    assert apply(change, _DISK) == Disk(2, 1, log, unsynced, snapshots)


def test_what_is_no_change_changes_no_disk() -> None:
    with pytest.raises(TypeError, match="changes no disk"):
        apply(A, _DISK)  # type: ignore[arg-type]  # on purpose


def test_a_snapshot_that_was_cut_keeps_nothing_of_what_a_truncation_forgets() -> None:
    disk = Disk(2, 1, (B, C), snapshots=(Snapshot(B.zxid, (A, B)),))

    cut = written(disk, [Write(TruncateExactly(A.zxid))])

    assert cut.held() == (A,)


def test_a_zxid_is_packed_as_zookeeper_writes_it() -> None:
    assert Zxid(3, 7).pack() == 0x3_0000_0007
    assert Zxid.unpack(0x3_0000_0007) == Zxid(3, 7)


def test_a_leader_that_serves_nothing_yet_takes_no_request() -> None:
    server = leading(leader(SYNCHRONIZATION))

    assert FINE.step(server, ClientRequest(1), THREE) == Step(server)
    assert not FINE.acts(server, ClientRequest(1))


def test_an_observer_that_serves_is_sent_no_proposal() -> None:
    server: Server[Role] = Server(4, Disk(1, 1), Memory(), Observer(TO_LEADER, BROADCAST))

    step = got(server, 1, Proposal(A), WITH_OBSERVER)

    assert impossible(step) == ["an observer is sent INFORM"]
