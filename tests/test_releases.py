"""What each of ZooKeeper's releases does where the baseline does it right; runs are scripts."""

from __future__ import annotations

import pytest
from attrs import evolve

from zabspec.check.outcomes import written
from zabspec.protocol.disk import (
    Append,
    AppendSynced,
    CurrentEpoch,
    LoseUnsynced,
    SaveSnapshot,
    SyncLog,
    Truncate,
    TruncateExactly,
)
from zabspec.protocol.effects import Apply, CloseAll, Effect, Send, Write
from zabspec.protocol.events import Crash, Elected, LogSynced, Received, RoleEnded
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    NewLeader,
    Packet,
    Proposal,
    Snap,
    Trunc,
    UpToDate,
)
from zabspec.protocol.releases import RELEASES, STANDS_FOR
from zabspec.protocol.rules import Spec
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
from zabspec.protocol.zab import FINE

THREE = Ensemble((1, 2, 3))
SYNCHRONIZATION, BROADCAST = Phase.SYNCHRONIZATION, Phase.BROADCAST
TO_LEADER = Connection(1)
A, B, C = (Txn(Zxid(1, number), number) for number in (1, 2, 3))
NEXT = Txn(Zxid(2, 1), 4)
EPOCH = Write(CurrentEpoch(2))
ACK = Send(TO_LEADER, Ack(Zxid(2, 0)))
COMMITTED = (Proposal(A), Commit(A.zxid), Proposal(B))
"""The middle of a sync: A is committed, B is not."""

SPECS = {"baseline": FINE, **RELEASES}
LOGS_AT_NEWLEADER = ("3.5.10", "3.8.0", "3.8.6")
"""All that was proposed, and not only what is committed."""
CLAIMS_DIFF = ("3.5.2", "3.5.3")

every_spec = pytest.mark.parametrize("name", SPECS)


def learner(
    disk: Disk | None = None, holds: History = (), *, observes: bool = False
) -> Server[Role]:
    database = Database(holds, holds[-1].zxid if holds else ZERO, holds)
    kind = Observer if observes else Follower
    return Server(2, disk or Disk(2, 1), Memory((), database), kind(TO_LEADER, SYNCHRONIZATION))


def hear(
    spec: Spec, server: Server[Role], *packets: Packet
) -> tuple[Server[Role], tuple[Effect, ...]]:
    """The learner when it has read these, and what the last of them led to."""
    effects: tuple[Effect, ...] = ()
    for packet in packets:
        step = spec.step(server, Received(TO_LEADER, packet), THREE)
        effects = step.effects
        server = evolve(step.server, disk=written(server.disk, effects))
    return server, effects


AFTER_DIFF: dict[str, tuple[Effect, ...]] = {
    "baseline": (Write(AppendSynced((A,))), EPOCH, ACK),
    "3.5.2": (Write(SaveSnapshot(Snapshot(A.zxid, (A,)))), EPOCH, ACK),
    "3.5.3": (EPOCH, ACK),
    "3.5.8": (EPOCH, ACK),
    "3.5.10": (EPOCH, Write(Append((A, B))), ACK),
    "3.6.2": (EPOCH, ACK),
    "3.8.0": (EPOCH, Write(Append((A, B))), ACK),
    "3.8.6": (Write(AppendSynced((A, B))), EPOCH, ACK),
    "3.9.3": (Write(AppendSynced((A,))), EPOCH, ACK),
    "3.9.4": (Write(AppendSynced((A,))), EPOCH, ACK),
}


def test_each_release_line_says_which_releases_it_stands_for() -> None:
    assert set(STANDS_FOR) == set(RELEASES)
    assert all(version in said for version, said in STANDS_FOR.items() if version != "3.5.8")


@every_spec
def test_at_newleader_after_a_diff(name: str) -> None:
    _, effects = hear(SPECS[name], learner(), Diff(A.zxid), *COMMITTED, NewLeader(2))

    assert effects == AFTER_DIFF[name]


AT_UPTODATE: dict[str, tuple[tuple[Effect, ...], History]] = {
    "baseline": ((Apply(A), ACK, Write(Append((B,)))), ()),
    "3.5.2": ((Apply(A), ACK, Write(Append((B,)))), ()),
    "3.5.3": ((ACK, Write(Append((A, B)))), (A,)),
    "3.5.8": ((ACK, Write(Append((A, B)))), (A,)),
    "3.5.10": ((ACK,), (A,)),
    "3.6.2": ((ACK, Write(Append((A, B)))), (A,)),
    "3.8.0": ((ACK,), (A,)),
    "3.8.6": ((ACK, Send(TO_LEADER, Ack(A.zxid)), Send(TO_LEADER, Ack(B.zxid))), (A,)),
    "3.9.3": ((Apply(A), ACK, Write(Append((B,)))), ()),
    "3.9.4": ((Apply(A), ACK, Write(Append((B,)))), ()),
}


@every_spec
def test_at_uptodate_after_a_diff(name: str) -> None:
    packets = (Diff(A.zxid), *COMMITTED, NewLeader(2), UpToDate())

    server, effects = hear(SPECS[name], learner(), *packets)

    assert (effects, server.role) == (
        AT_UPTODATE[name][0],
        Follower(TO_LEADER, BROADCAST, to_apply=AT_UPTODATE[name][1]),
    )


@pytest.mark.parametrize("name", LOGS_AT_NEWLEADER)
def test_what_is_proposed_and_committed_before_uptodate_is_logged_and_applied(name: str) -> None:
    packets = (Diff(ZERO), Proposal(A), NewLeader(2), Proposal(B), Commit(A.zxid), Commit(B.zxid))

    server, effects = hear(SPECS[name], learner(), *packets, UpToDate())

    assert effects[-1] == Write(Append((B,)))
    assert server.role == Follower(TO_LEADER, BROADCAST, to_apply=(A, B))


@every_spec
def test_an_observer_acknowledges_newleader_with_nothing_proposed_in_its_log(name: str) -> None:
    observer = learner(observes=True)

    _, effects = hear(SPECS[name], observer, Diff(A.zxid), *COMMITTED, NewLeader(2))

    assert effects == ((EPOCH, ACK) if name in LOGS_AT_NEWLEADER else AFTER_DIFF[name])


@every_spec
def test_at_newleader_after_a_truncation(name: str) -> None:
    server = learner(Disk(2, 1, (A, B)), (A, B))

    _, effects = hear(
        SPECS[name], server, Trunc(A.zxid), Proposal(NEXT), Commit(NEXT.zxid), NewLeader(2)
    )

    saved = Write(SaveSnapshot(Snapshot(NEXT.zxid, (A, NEXT))))
    logged = Write(AppendSynced((NEXT,)))
    assert effects == (logged if name == "baseline" else saved, EPOCH, ACK)


@every_spec
def test_a_truncation_cuts_the_log_and_only_the_baseline_cuts_snapshots(name: str) -> None:
    server = learner(Disk(2, 1, (A, B), snapshots=(Snapshot(B.zxid, (A, B)),)), (A, B))

    cut, effects = hear(SPECS[name], server, Trunc(A.zxid))

    change = TruncateExactly(A.zxid) if name == "baseline" else Truncate(A.zxid)
    assert effects == (Write(change),)
    assert cut.memory.database.holds == ((A,) if name == "baseline" else (A, B))
    assert cut.memory.database.zxid == A.zxid


@every_spec
def test_until_353_a_learner_claims_the_zxid_of_a_diff(name: str) -> None:
    server, _ = hear(SPECS[name], learner(), Diff(B.zxid))

    assert server.memory.database.zxid == (B.zxid if name in CLAIMS_DIFF else ZERO)


@every_spec
def test_a_gap_in_a_sync_passes_until_394(name: str) -> None:
    server, _ = hear(SPECS[name], learner(), Diff(C.zxid), Proposal(A), Proposal(C))

    assert isinstance(server.role, Leaving) == (name in ("baseline", "3.9.4"))


# Commits before service.


@every_spec
@pytest.mark.parametrize("first", [Diff(A.zxid), Snap(ZERO, ())], ids=["DIFF", "SNAP"])
def test_what_is_committed_before_newleader(name: str, first: Packet) -> None:
    server, effects = hear(SPECS[name], learner(), first, Proposal(A), Commit(A.zxid))

    at_once = name == "3.5.2" or (isinstance(first, Snap) and name != "baseline")
    assert effects == ()
    assert server.memory.database.holds == ((A,) if at_once else ())


@every_spec
@pytest.mark.parametrize("first", [Diff(A.zxid), Snap(ZERO, ())], ids=["DIFF", "SNAP"])
def test_what_is_committed_before_newleader_is_in_the_window_from_394_on(
    name: str, first: Packet
) -> None:
    server, _ = hear(SPECS[name], learner(), first, Proposal(A), Commit(A.zxid), NewLeader(2))

    database = server.memory.database
    assert database.window == (database.holds if name in ("baseline", "3.9.4") else ())


@pytest.mark.parametrize("name", ["baseline", "3.9.3", "3.9.4"])
def test_a_follower_of_393_that_leads_skips_what_it_applied_in_a_sync(name: str) -> None:
    held = Database((A,), A.zxid, (A,))
    server: Server[Role] = Server(
        2, Disk(2, 1, (A,)), Memory((), held), Follower(TO_LEADER, SYNCHRONIZATION)
    )
    synced, _ = hear(SPECS[name], server, Diff(B.zxid), Proposal(B), Commit(B.zxid), NewLeader(2))
    database = evolve(synced.memory.database, zxid=Zxid(3, 0))
    leads = Leader(BROADCAST, 3, (Learner(Connection(1)), Learner(Connection(3))))
    leader = evolve(synced, memory=Memory((), database), role=leads)

    step = SPECS[name].step(leader, Received(Connection(3), AckEpoch(2, B.zxid)), THREE)

    sent = [one.packet for one in step.effects if isinstance(one, Send)]
    assert (sent[0] == Trunc(A.zxid)) == (name == "3.9.3")


@every_spec
def test_a_commit_before_newleader_that_finds_no_proposal(name: str) -> None:
    server, _ = hear(SPECS[name], learner(), Snap(ZERO, ()), Commit(A.zxid))

    assert isinstance(server.role, Leaving) == (name != "baseline")


@every_spec
def test_a_commit_between_newleader_and_uptodate_that_finds_no_proposal(name: str) -> None:
    server, _ = hear(SPECS[name], learner(), Diff(ZERO), NewLeader(2), Commit(A.zxid))

    assert isinstance(server.role, Leaving) == (name in LOGS_AT_NEWLEADER)


@pytest.mark.parametrize("name", RELEASES)
def test_a_commit_between_newleader_and_uptodate_is_remembered(name: str) -> None:
    packets = (Snap(ZERO, ()), NewLeader(2), Proposal(A), Commit(A.zxid))

    server, effects = hear(SPECS[name], learner(), *packets)

    assert effects == ()
    assert server.role == Follower(
        TO_LEADER, SYNCHRONIZATION, Sync(Kind.SNAP, (A,), (A.zxid,), accepted=True)
    )


@pytest.mark.parametrize("name", RELEASES)
def test_after_a_snapshot_a_commit_of_another_than_the_first_is_passed_over(name: str) -> None:
    before, _ = hear(SPECS[name], learner(), Snap(ZERO, ()), Proposal(A), Proposal(B))

    assert hear(SPECS[name], before, Commit(B.zxid)) == (before, ())


# Leaving, and starting again.

LEFT: dict[str, tuple[History, History, History]] = {
    "baseline": ((A, B, C), (A, B, C), (A, B, C)),
    "3.5.2": ((A, B, C), (A,), (A,)),
    "3.5.3": ((A,), (A,), (A,)),
    "3.5.8": ((A, B), (A,), (A,)),
    "3.5.10": ((A, B), (A,), (A, B, C)),
    "3.6.2": ((A, B), (A,), (A,)),
    "3.8.0": ((A, B), (A,), (A, B, C)),
    "3.8.6": ((A, B), (A,), (A, B, C)),
    "3.9.3": ((A, B, C), (A,), (A, B, C)),
    "3.9.4": ((A, B, C), (A,), (A, B, C)),
}
"""What memory holds if it held A, B is in the log, C not yet synced; in the order of `ENDED`."""

ENDED = (
    Leaving(served=True),
    Leaving(served=False, kind=Kind.DIFF),
    Leaving(served=False, kind=Kind.SNAP),
)


@every_spec
@pytest.mark.parametrize("number", [0, 1, 2], ids=["served", "in a DIFF", "in a SNAP"])
def test_what_leaving_a_role_does_to_memory(name: str, number: int) -> None:
    disk = Disk(2, 2, (A, B, C), unsynced=1)
    server: Server[Role] = Server(2, disk, Memory((A,), Database((A,), A.zxid)), ENDED[number])

    step = SPECS[name].step(server, RoleEnded(), THREE)

    assert step.server.memory.database.holds == LEFT[name][number]
    assert step.server.memory.applied == ()
    assert (step.server.role, step.effects) == (Looking(), (Write(SyncLog(1)),))


@every_spec
@pytest.mark.parametrize("unsynced", [0, 1])
def test_only_the_baseline_starts_with_a_log_that_is_ahead_of_its_epoch(
    name: str, unsynced: int
) -> None:
    log = (A, NEXT, Txn(Zxid(2, 2), 5))[: 2 + unsynced]
    server: Server[Role] = Server(2, Disk(2, 1, log, unsynced), Memory(), Looking())

    step = SPECS[name].step(server, Crash(), THREE)

    lost = (Write(LoseUnsynced(0)),) * unsynced
    if name == "baseline":
        assert step.effects == (*lost, Write(CurrentEpoch(2)), CloseAll())
        assert step.server.role == Looking()
    else:
        assert step.effects == (*lost, CloseAll())
        assert step.server.role == Failed("current epoch 1 is older than the last zxid 2.1")


@every_spec
def test_every_release_starts_where_the_log_ends_in_its_epoch(name: str) -> None:
    server: Server[Role] = Server(2, Disk(1, 1, (A,)), Memory(), Looking())

    assert SPECS[name].step(server, Crash(), THREE).server.role == Looking()


# The leader.


@every_spec
def test_every_release_saves_a_snapshot_when_it_begins_to_lead(name: str) -> None:
    server: Server[Role] = Server(
        2, Disk(1, 1, (A,)), Memory((), Database((A,), A.zxid)), Looking()
    )

    leads = SPECS[name].step(server, Elected(2), THREE)
    follows = SPECS[name].step(server, Elected(1), THREE)

    saved = (Write(SaveSnapshot(Snapshot(A.zxid, (A,)))),)
    assert leads.effects == (() if name == "baseline" else saved)
    assert not any(isinstance(effect, Write) for effect in follows.effects)


def _leader(*learners: Learner, phase: Phase = SYNCHRONIZATION) -> Server[Role]:
    database = Database((A,), A.zxid, (A,))
    role = Leader(phase, 2, learners, (Outstanding(C, (2,)),), (B,))
    return Server(1, Disk(2, 2, (A, B, C)), Memory((), database), role)


@pytest.mark.parametrize("name", RELEASES)
def test_a_first_ack_of_anything_but_newleader_is_lost_and_so_is_the_true_one(name: str) -> None:
    spec, server = SPECS[name], _leader(Learner(Connection(2), Stage.SYNCING))

    first = spec.step(server, Received(Connection(2), Ack(A.zxid)), THREE)
    second = spec.step(first.server, Received(Connection(2), Ack(Zxid(2, 0))), THREE)

    missed = Learner(Connection(2), Stage.ACTIVE, counted=False)
    assert first.effects == second.effects == ()
    assert second.server.role == _leader(missed).role


@every_spec
def test_a_true_ack_of_newleader_makes_every_release_serve(name: str) -> None:
    server = _leader(Learner(Connection(2), Stage.SYNCING))

    step = SPECS[name].step(server, Received(Connection(2), Ack(Zxid(2, 0))), THREE)

    assert step.effects[-1] == Send(Connection(2), UpToDate())


@every_spec
@pytest.mark.parametrize("phase", [Phase.DISCOVERY, BROADCAST])
def test_every_release_truncates_what_is_committed_and_counts_old_acks(
    name: str, phase: Phase
) -> None:
    server = _leader(Learner(Connection(2)), Learner(Connection(3)), phase=phase)
    server = evolve(server, disk=evolve(server.disk, current_epoch=3))

    step = SPECS[name].step(server, Received(Connection(2), AckEpoch(2, B.zxid)), THREE)

    sent = [one.packet for one in step.effects if isinstance(one, Send)]
    role = step.server.role
    assert isinstance(role, Leader)
    if name == "baseline":
        assert sent[0] == Diff(B.zxid)
        assert role.outstanding == (Outstanding(C),)
    else:
        assert sent[:3] == [Trunc(A.zxid), Proposal(B), Commit(B.zxid)]
        assert role.outstanding == (Outstanding(C, (2,)),)


@pytest.mark.parametrize("name", RELEASES)
def test_only_3510_and_380_acknowledge_what_they_log_before_they_serve(name: str) -> None:
    server, _ = hear(SPECS["3.8.0"], learner(), Diff(ZERO), Proposal(A), Proposal(B), NewLeader(2))

    step = SPECS[name].step(server, LogSynced(1), THREE)

    acknowledges = (Write(SyncLog(1)), Send(TO_LEADER, Ack(A.zxid)))
    assert (step.effects == acknowledges) == (name in ("3.5.10", "3.8.0"))
