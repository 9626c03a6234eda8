from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from test_wire import may_be_stamped_first
from trace_mutations import Mutated, mutations
from trace_mutations_table import NAMES, RECORDINGS
from wire_mutations import (
    FOLLOWER_RESTART,
    OLD_LEADER,
    OUTSTANDING,
    RECONFIG,
    SNAP_FORCED,
    Lines,
    read_lines,
)

from zabspec.conform.follow import Follow, Future, Keeping
from zabspec.conform.follow_beginning import beginning
from zabspec.conform.follow_recording import carry_on, explain, follow_server, future_of
from zabspec.conform.follow_seen import Sightings, sightings
from zabspec.conform.recording import read_recording
from zabspec.conform.trace import TraceResult, check_trace
from zabspec.protocol.messages import Ack, FollowerInfo, LeaderInfo
from zabspec.protocol.releases import RELEASES
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble, Zxid, new_server

SEED = 1
CHUNKS = range(6)
EVERYTHING = Keeping(reduced=False, cap=10_000)

ASSUMED: dict[str, dict[str, object]] = {
    "3.5.8/a_clean_start": {},
    "3.5.8/b_follower_restart_diff": {"crashes": 1},
    "3.5.8/d_trunc_old_leader": {"lost_links": 2},
    "3.8.0/a_clean_start": {},
    "3.8.0/b_follower_restart_diff": {"crashes": 1},
    "3.8.0/c2_snap_forced": {"crashes": 1, "forced_snapshots": 1, "left_out": 9},
    "3.8.0/d_trunc_old_leader": {"lost_links": 2},
    "3.8.0/f_observer": {},
    "3.8.0/g_request_sync_revalidate": {"crashes": 1},
    "3.8.0/h_reconfig": {"followed_up_to": "line 122: a reconfiguration is activated there"},
    "3.8.0/i_writes_between_newleader_and_uptodate": {"crashes": 1},
    "3.8.0/j_outstanding_at_sync_commit_before_uptodate": {"crashes": 1},
    "3.8.0/k_ack_outlives_connection": {"crashes": 1},
    "3.9.4/a_clean_start": {},
    "3.9.4/b_follower_restart_diff": {"crashes": 1},
}

LOGS_UNAPPLIED = {"3.5.3", "3.5.8", "3.5.10", "3.6.2", "3.8.0", "3.8.6"}
TELLING = {
    "3.5.8/b_follower_restart_diff": LOGS_UNAPPLIED,
    "3.8.0/b_follower_restart_diff": LOGS_UNAPPLIED,
    "3.8.0/i_writes_between_newleader_and_uptodate": {"3.5.10", "3.8.0"},
    "3.8.0/j_outstanding_at_sync_commit_before_uptodate": {"3.5.10", "3.8.0"},
    "3.9.4/b_follower_restart_diff": {"3.5.2", "3.9.3", "3.9.4"},
}


def path_of(name: str) -> Path:
    return RECORDINGS / f"{name}.jsonl"


def spec_of(name: str) -> Spec:
    return RELEASES[name.partition("/")[0]]


def checked(lines: Lines, folder: Path, release: str) -> TraceResult:
    target = folder / release
    target.mkdir(exist_ok=True)
    return check_trace(lines.write(target), release)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_accepted_by_its_release_with_what_its_readme_tells(name: str) -> None:
    result = check_trace(path_of(name), name.partition("/")[0])

    assert result.verdict == "accepted", result
    assert result.assumed == ASSUMED[name]
    assert result.releases == (name.partition("/")[0],)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_release_those_that_explain_a_recording_are_named(name: str) -> None:
    result = check_trace(path_of(name))

    assert set(result.releases) == TELLING.get(name, set(RELEASES))


def test_a_refusal_says_what_was_possible_and_which_rule_said_no() -> None:
    result = check_trace(path_of("3.9.4/b_follower_restart_diff"), "3.8.0")

    assert (result.line, result.server) == (128, 1)
    assert result.seen == "ACK 1.8 from 1 to 3 on q11"
    assert result.possible == "Ack zxid=1.5 (differs in zxid)"
    assert result.guard == (
        "follower_acknowledges: Acknowledge each transaction that is durable now."
        " Here 1.5 is the oldest that is not synced"
    )


def test_a_release_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        check_trace(path_of(NAMES[0]), "3.0.0")


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_forbidden_mutation_is_refused_within_three_packets(chunk: int, tmp_path: Path) -> None:
    mine = list(mutations(300, SEED))[chunk :: len(CHUNKS)]
    forbidden = [one for one in mine if one.forbidden]

    results = [(one, check_trace(one.write(tmp_path), one.run.release)) for one in forbidden]

    assert len(mine) == 300 // len(CHUNKS)
    assert len(forbidden) > 40
    missed = [told(*pair) for pair in results if pair[1].verdict == "accepted"]
    assert not missed
    assert not [told(*pair) for pair in results if pair[0].distance(pair[1].line or 0) > 3]


def told(one: Mutated, result: TraceResult) -> str:
    return f"{one.run.name}:{one.at + 1} {one.kind} {one.type}: {result.line} {result.guard}"


def test_a_legal_mutation_is_accepted(tmp_path: Path) -> None:
    legal = [one for one in mutations(300, SEED) if not one.forbidden]

    results = [(one, check_trace(one.write(tmp_path), one.run.release)) for one in legal]

    assert len(legal) >= 5
    assert not [told(*pair) for pair in results if pair[1].verdict == "refused"]


@pytest.mark.parametrize("name", NAMES)
def test_the_explanations_that_are_kept_stand_for_all(name: str) -> None:
    seen = sightings(read_recording(path_of(name)).records)

    for release, spec in RELEASES.items():
        few, many = ends(seen, spec, Keeping()), ends(seen, spec, EVERYTHING)

        assert few == many, release


@pytest.mark.parametrize("chunk", CHUNKS)
def test_they_do_where_a_recording_was_changed(chunk: int, tmp_path: Path) -> None:
    for one in list(mutations(120, SEED + 1))[chunk :: len(CHUNKS)]:
        seen = sightings(read_recording(one.write(tmp_path)).records[:90])
        spec = RELEASES[one.run.release]

        few, many = ends(seen, spec, Keeping()), ends(seen, spec, EVERYTHING)

        assert few == many, told(one, check_trace(tmp_path / one.run.release / "mutated.jsonl"))


def ends(seen: Sightings, spec: Spec, keeping: Keeping) -> dict[int, int | None]:
    """By server: the line on which it is refused; None if it is explained to its end."""
    return {sid: end(seen, spec, sid, keeping) for sid in sorted(seen.of)}


def end(seen: Sightings, spec: Spec, sid: int, keeping: Keeping) -> int | None:
    sighted = seen.of[sid]
    future = future_of(sighted) if keeping.reduced else Future()
    follow = Follow.of(spec, seen.ensemble, beginning(sid, sighted), future, keeping)
    refused = (one.record.line for one in sighted if not carry_on(follow, one))
    line = next(refused, None)
    assert not follow.capped
    assert follow.most <= (16 if keeping.reduced else 1000)
    return line


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(NAMES), random=st.randoms(use_true_random=True))
def test_a_run_is_explained_however_slow_its_links_were(name: str, random: Random) -> None:
    records = list(read_recording(path_of(name)).records)
    for _ in range(3000):
        at = random.randrange(len(records) - 1)
        if may_be_stamped_first(*records[at : at + 2]):
            records[at : at + 2] = reversed(records[at : at + 2])
    stamped = [evolve(record, line=line) for line, record in enumerate(records, start=1)]

    verdict = explain(spec_of(name), sightings(stamped))

    assert verdict.refused is None, verdict


def test_a_crash_that_no_mark_tells_of_may_have_been_a_lost_link(tmp_path: Path) -> None:
    lines = Lines(one for one in read_lines(FOLLOWER_RESTART) if "SIGKILL" not in str(one))

    result = checked(lines, tmp_path, "3.5.8")

    assert (result.verdict, result.assumed) == ("accepted", {"lost_links": 1})


def test_a_server_that_forgot_what_it_had_not_synced_must_have_crashed(tmp_path: Path) -> None:
    lines = Lines(one for one in read_lines("3.8.0/b_follower_restart_diff"))
    del lines[lines.find("q5", "ACK", "0x100000004") - 1]
    lines.change(lines.find("q11", "ACKEPOCH"), zxid="0x100000003")
    at = lines.find("q11", "PROPOSAL")
    lines.insert(at - 1, lines[lines.find("q5", "COMMIT", "0x100000004") - 1] | {"conn": "q11"})
    lines.insert(at - 1, lines[lines.find("q5", "PROPOSAL", "0x100000004") - 1] | {"conn": "q11"})
    again = lines[lines.find("q11", "ACK", "0x100000005") - 1] | {"zxid": "0x100000004"}
    lines.insert(lines.find("q11", "ACK", "0x100000005") - 1, again)

    result = checked(lines, tmp_path, "3.8.0")

    assert (result.verdict, result.assumed) == ("accepted", {"crashes": 1}), result


def test_proposals_that_a_leader_logged_and_never_sent_are_assumed(tmp_path: Path) -> None:
    lines = Lines(one for one in read_lines(OLD_LEADER) if not one.get("held"))

    result = checked(lines, tmp_path, "3.8.0")

    assert result.verdict == "accepted", result
    assert result.assumed == {"lost_links": 2, "unsent_proposals": 1}


def test_what_is_committed_while_a_snapshot_is_written_comes_before_newleader(
    tmp_path: Path,
) -> None:
    lines = read_lines(SNAP_FORCED)
    to = lines.find("q13", "NEWLEADER")
    for name, kind in (
        ("q3", "PROPOSAL"),
        ("q13", "PROPOSAL"),
        ("q3", "ACK"),
        ("q3", "COMMIT"),
        ("q13", "COMMIT"),
    ):
        lines.move_to(lines.find(name, kind, "0x100000008"), to)
        to += 1
    del lines[lines.find("q13", "ACK", "0x100000008") - 1]

    result = checked(lines, tmp_path, "3.8.0")

    assert result.verdict == "accepted", result


def test_a_reconfiguration_is_where_following_ends(tmp_path: Path) -> None:
    lines = read_lines(RECONFIG)
    lines.move_to(lines.find("q6", "COMMITANDACTIVATE"), lines.find("q6", "PROPOSAL"))
    line = lines.find("q6", "COMMITANDACTIVATE")

    verdict = explain(RELEASES["3.8.0"], sightings(read_recording(lines.write(tmp_path)).records))

    told_so = f"line {line}: a reconfiguration is activated there"
    assert verdict.assumed == {"followed_up_to": told_so}


def test_a_server_may_have_begun_with_a_disk(tmp_path: Path) -> None:
    lines = read_lines(OLD_LEADER)
    begin = next(at for at, one in enumerate(lines) if "unblock" in str(one.get("text")))
    end = next(at for at, one in enumerate(lines) if "ready" in str(one.get("text")))
    del lines[end:begin]
    started = [one for one in lines if str(one["conn"]) not in {"q6", "q7", "q8"}]

    seen = sightings(read_recording(Lines(started).write(tmp_path)).records)
    followed = follow_server(RELEASES["3.8.0"], seen, 3)

    assert followed.refused is None
    assert followed.assumed == ("initial_disks",)


def test_more_explanations_than_may_be_kept_are_reported() -> None:
    seen = sightings(read_recording(path_of(OUTSTANDING)).records)

    verdict = explain(RELEASES["3.8.0"], seen, Keeping(cap=1))

    assert "too many explanations" in str(verdict.assumed.get("capped"))


def test_a_server_is_followed_while_it_runs() -> None:
    connection = Connection(3, 1)
    follow = Follow.of(RELEASES["3.9.4"], Ensemble((1, 2, 3)), new_server(1))

    assert follow.sent(connection, FollowerInfo(0)) is None
    follow.readable(connection, LeaderInfo(1))
    refused = follow.sent(connection, Ack(Zxid(1, 0)))

    assert refused is not None
    assert refused.packet == Ack(Zxid(1, 0))
