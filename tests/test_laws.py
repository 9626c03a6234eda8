from __future__ import annotations

from copy import deepcopy

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st
from values import (
    NUMBERS,
    WALKED,
    WORLDS,
    ZXIDS,
    actions,
    disks,
    histories,
    packets,
    runs,
)

from zabspec.check.actions import Action
from zabspec.check.bounds import Bounds
from zabspec.check.notation import read_packet, read_value, show
from zabspec.check.outcomes import Outcome, outcomes, written
from zabspec.check.play import play, retell
from zabspec.check.promises import PROMISES
from zabspec.check.script import parse_script, show_action, show_script
from zabspec.check.walk import walk
from zabspec.check.world import Step
from zabspec.protocol.disk import (
    AcceptedEpoch,
    AcceptHistory,
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
from zabspec.protocol.effects import Send, Write
from zabspec.protocol.events import Crash
from zabspec.protocol.messages import Packet
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Disk, Ensemble, History, Snapshot, Txn, Zxid

EACH_SPEC = pytest.mark.parametrize("spec", [*WALKED], ids=lambda spec: spec.name)

# Zxids.


@given(ZXIDS, ZXIDS)
def test_zxids_are_ordered_by_epoch_and_then_by_counter(one: Zxid, other: Zxid) -> None:
    assert (one < other) == ((one.epoch, one.counter) < (other.epoch, other.counter))


@given(
    st.builds(Zxid, st.integers(0, 2**31), st.integers(0, 2**32 - 1)),
    st.builds(Zxid, st.integers(0, 2**31), st.integers(0, 2**32 - 1)),
)
def test_packed_zxids_keep_their_order_and_can_be_unpacked(one: Zxid, other: Zxid) -> None:
    assert (one.pack() < other.pack()) == (one < other)
    assert Zxid.unpack(one.pack()) == one


def test_a_packed_zxid_is_the_number_that_zookeeper_writes() -> None:
    assert Zxid(3, 7).pack() == 0x3_0000_0007


@given(ZXIDS)
def test_the_next_zxid_is_the_least_later_one_and_follows_without_a_gap(zxid: Zxid) -> None:
    following = zxid.next()

    assert zxid.pack() + 1 == following.pack()
    assert zxid.leads_to(following)


@given(ZXIDS, ZXIDS)
def test_what_a_zxid_leads_to_is_its_next_or_the_first_of_a_later_epoch(
    zxid: Zxid, later: Zxid
) -> None:
    assert zxid.leads_to(later) == (
        later == zxid.next() or (later.counter == 1 and later.epoch > zxid.epoch)
    )


# Quorums.


@given(st.integers(1, 7), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_any_two_quorums_have_a_voter_in_common(
    voters: int, some: set[int], others: set[int]
) -> None:
    ensemble = Ensemble(tuple(range(1, voters + 1)), observers=(8, 9))

    if ensemble.is_quorum(some) and ensemble.is_quorum(others):
        assert some & others & set(ensemble.voters)


@given(st.integers(1, 7), st.sets(st.integers(1, 9)))
def test_either_some_voters_or_the_others_are_a_quorum_but_for_a_tie(
    voters: int, some: set[int]
) -> None:
    ensemble = Ensemble(tuple(range(1, voters + 1)))
    inside = some & set(ensemble.voters)
    outside = set(ensemble.voters) - some

    tie = len(inside) == len(outside)

    assert ensemble.is_quorum(some) + ensemble.is_quorum(outside) == (not tie)


# Notation and scripts.


@given(packets())
def test_a_packet_that_is_shown_can_be_read(packet: Packet) -> None:
    assert read_packet(show(packet)) == packet


@given(st.one_of(st.none(), NUMBERS, ZXIDS, histories()))
def test_a_value_that_is_shown_can_be_read(value: object) -> None:
    assert read_value(show(value)) == value


def test_a_connection_is_shown_with_its_number_where_that_tells_it_apart() -> None:
    assert (show(Connection(2)), show(Connection(2, 1))) == ("2", "2#1")


def test_a_snapshot_is_shown_with_its_zxid_and_what_it_holds() -> None:
    holds = (Txn(Zxid(1, 1), 1), Txn(Zxid(1, 2), 2))

    assert show(Snapshot(Zxid(1, 2), holds)) == "1.2[1.1:r1 1.2:r2]"


@given(st.lists(actions(), max_size=5), st.integers(2, 9), NUMBERS)
def test_a_script_that_is_shown_can_be_read(
    told: list[Action], servers: int, observers: int
) -> None:
    bounds = Bounds(servers, observers=observers, txns=0, elections=0)

    text = show_script("some-spec", "0123abcd", bounds, map(show_action, told))
    script = parse_script(text)

    assert script.actions == tuple(told)
    assert (script.spec, script.fingerprint) == ("some-spec", "0123abcd")
    assert script.bounds.ensemble == bounds.ensemble


@EACH_SPEC
@given(data=st.data())
def test_a_run_that_is_told_can_be_played(spec: Spec, data: st.DataObject) -> None:
    run = data.draw(runs(spec))
    text = retell(run, spec, WALKED[spec], PROMISES)

    script = parse_script(text)
    replayed = list(play(script, spec, PROMISES))

    assert script.actions == tuple(step.action for step in run)
    assert [one.outputs for one in replayed] == [line.outputs for line in script.lines]
    assert [one.step.world.servers for one in replayed] == [step.world.servers for step in run]


# Rules.


@EACH_SPEC
@given(data=st.data())
def test_rules_are_functions_that_leave_their_inputs_and_the_disk_alone(
    spec: Spec, data: st.DataObject
) -> None:
    ensemble = WALKED[spec].ensemble
    for outcome in _happened(data.draw(runs(spec))):
        server, event = outcome.before, outcome.event
        kept = deepcopy((server, event, ensemble))

        first = spec.step(server, event, ensemble)
        again = spec.step(*deepcopy(kept))

        assert first == again
        assert (server, event, ensemble) == kept
        assert first.server.disk == server.disk
        assert first.server.sid == server.sid


@EACH_SPEC
@given(data=st.data())
def test_states_are_values_that_can_be_hashed(spec: Spec, data: st.DataObject) -> None:
    for outcome in _happened(data.draw(runs(spec))):
        copied = deepcopy(outcome.after)

        assert copied == outcome.after
        assert hash(evolve(copied)) == hash(outcome.after)


# The disk.


@given(disks(), NUMBERS)
def test_a_crash_loses_nothing_that_was_synced(disk: Disk, survives: int) -> None:
    after = apply(LoseUnsynced(survives), disk)

    kept = min(survives, disk.unsynced)
    assert after.log == disk.log[: len(disk.durable_log) + kept]
    assert after.durable_log == after.log
    assert evolve(after, log=disk.log, unsynced=disk.unsynced) == disk


@given(disks(), histories())
def test_what_is_appended_is_durable_when_it_is_synced_and_not_before(
    disk: Disk, txns: History
) -> None:
    appended = apply(Append(txns), disk)

    assert appended.durable_log == disk.durable_log
    assert appended.log == disk.log + txns
    synced = apply(SyncLog(appended.unsynced), appended)
    assert synced == apply(AppendSynced(txns), disk)
    assert synced.durable_log == disk.log + txns


@given(disks(), NUMBERS)
def test_syncing_makes_the_oldest_durable_and_changes_no_log(disk: Disk, upto: int) -> None:
    after = apply(SyncLog(upto), disk)

    assert after.log == disk.log
    assert len(after.durable_log) == min(len(disk.log), len(disk.durable_log) + upto)


@given(disks(), histories(), histories())
def test_appending_twice_is_appending_both(disk: Disk, some: History, more: History) -> None:
    assert apply(Append(more), apply(Append(some), disk)) == apply(Append(some + more), disk)


@given(disks(), ZXIDS)
def test_truncating_keeps_the_prefix_up_to_the_zxid_and_what_was_durable_of_it(
    disk: Disk, zxid: Zxid
) -> None:
    after = apply(Truncate(zxid), disk)

    kept = sum(txn.zxid <= zxid for txn in disk.log)
    assert after.log == disk.log[:kept]
    assert after.durable_log == disk.durable_log[:kept]
    assert after.snapshots == disk.snapshots


@given(disks(), ZXIDS)
def test_truncating_exactly_leaves_nothing_behind_the_zxid(disk: Disk, zxid: Zxid) -> None:
    after = apply(TruncateExactly(zxid), disk)

    assert (after.log, after.unsynced) == _log(apply(Truncate(zxid), disk))
    assert after.held() == tuple(txn for txn in disk.held() if txn.zxid <= zxid)
    assert all(snapshot.zxid <= zxid for snapshot in after.snapshots)


@given(disks(), NUMBERS, histories())
def test_accepting_a_history_is_both_its_halves_in_either_order(
    disk: Disk, epoch: int, history: History
) -> None:
    whole = apply(AcceptHistory(epoch, history), disk)

    assert whole == apply(CurrentEpoch(epoch), apply(ReplaceLog(history), disk))
    assert whole == apply(ReplaceLog(history), apply(CurrentEpoch(epoch), disk))
    assert (whole.current_epoch, whole.durable_log) == (epoch, history)


@given(disks(), NUMBERS)
def test_writing_an_epoch_changes_nothing_else(disk: Disk, epoch: int) -> None:
    accepted = apply(AcceptedEpoch(epoch), disk)
    current = apply(CurrentEpoch(epoch), disk)

    assert accepted == evolve(disk, accepted_epoch=epoch)
    assert current == evolve(disk, current_epoch=epoch)


@given(disks(), histories())
def test_a_snapshot_that_is_saved_is_the_newest_and_leaves_the_log_alone(
    disk: Disk, holds: History
) -> None:
    assume(holds)
    snapshot = Snapshot(holds[-1].zxid, holds)

    after = apply(SaveSnapshot(snapshot), disk)

    assert after.snapshots == (*disk.snapshots, snapshot)
    assert _log(after) == _log(disk)
    assert after.held() == holds + tuple(txn for txn in disk.log if txn.zxid > snapshot.zxid)


@given(disks(), histories())
def test_a_snapshot_that_is_installed_is_all_there_is(disk: Disk, holds: History) -> None:
    assume(holds)
    snapshot = Snapshot(holds[-1].zxid, holds)

    after = apply(InstallSnapshot(snapshot), disk)

    assert after.held() == after.durable == holds
    assert after.accepted_epoch == disk.accepted_epoch


@given(
    disks(),
    st.one_of(
        st.builds(AcceptedEpoch, NUMBERS),
        st.builds(CurrentEpoch, NUMBERS),
        st.builds(ReplaceLog, histories()),
        st.builds(AcceptHistory, NUMBERS, histories()),
        st.builds(Truncate, ZXIDS),
        st.builds(TruncateExactly, ZXIDS),
        st.builds(LoseUnsynced, NUMBERS),
        histories().map(lambda holds: InstallSnapshot(Snapshot(Zxid(9, 9), holds))),
    ),
)
def test_what_sets_or_cuts_does_nothing_more_when_done_again(disk: Disk, change: Change) -> None:
    once = apply(change, disk)

    assert apply(change, once) == once


def test_what_is_no_change_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Crash\(survives=0\) changes no disk"):
        apply(Crash(), Disk())  # type: ignore[arg-type]  # that is the point


# Outcomes.


@EACH_SPEC
@given(data=st.data())
def test_the_uncut_outcome_comes_first_and_every_cut_is_a_prefix_of_it(
    spec: Spec, data: st.DataObject
) -> None:
    ensemble = WALKED[spec].ensemble
    for happened in _happened(data.draw(runs(spec, longest=30))):
        server, event = happened.before, happened.event

        uncut, *cuts = outcomes(spec, ensemble, server, event)

        assert uncut.crash_after is None
        assert uncut.after.disk == written(server.disk, uncut.effects)
        places = [(cut.crash_after or 0, cut.survives) for cut in cuts]
        assert places == sorted(set(places))
        for cut in cuts:
            _assert_is_a_prefix_and_a_crash(spec, ensemble, uncut, cut)


@EACH_SPEC
@given(data=st.data())
def test_there_is_a_cut_behind_every_write_and_packet_but_the_last(
    spec: Spec, data: st.DataObject
) -> None:
    for happened in _happened(data.draw(runs(spec, longest=30))):
        uncut, *cuts = outcomes(spec, WALKED[spec].ensemble, happened.before, happened.event)

        lasting = [
            number
            for number, effect in enumerate(uncut.effects, start=1)
            if isinstance(effect, Write | Send)
        ]

        assert sorted({cut.crash_after or 0 for cut in cuts}) == lasting[:-1]


def _assert_is_a_prefix_and_a_crash(
    spec: Spec, ensemble: Ensemble, uncut: Outcome, cut: Outcome
) -> None:
    number = cut.crash_after
    assert number is not None
    done = uncut.effects[:number]
    assert cut.effects[:number] == done
    stopped = evolve(uncut.before, disk=written(uncut.before.disk, done))
    crash = next(outcomes(spec, ensemble, stopped, Crash(cut.survives)))
    assert (cut.after, cut.effects[number:]) == (crash.after, crash.effects)
    assert 0 <= cut.survives <= stopped.disk.unsynced


def _happened(run: tuple[Step, ...]) -> list[Outcome]:
    return [outcome for step in run for outcome in step.outcomes]


def _log(disk: Disk) -> tuple[History, int]:
    return disk.log, disk.unsynced


@EACH_SPEC
def test_random_runs_reach_most_rules_so_that_these_laws_say_something(spec: Spec) -> None:
    happened = [
        outcome for seed in range(20) for outcome in _happened(walk(WORLDS[spec], (), seed, 60).run)
    ]

    reached = {spec.rule(outcome.before, outcome.event).name for outcome in happened}
    acting = {rule.name for rule, _ in spec.rules() if rule.because is None}

    assert len(reached & acting) > 0.7 * len(acting)
