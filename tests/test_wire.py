from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import wire_mutations_broadcast
import wire_mutations_handshake
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_mutations import (
    ALL_RECORDINGS,
    CLEAN_START,
    MUTATIONS,
    OBSERVER,
    OLD_LEADER,
    RECONFIG,
    SNAP_FORCED,
    Lines,
    Mutation,
    read_lines,
)

from zabspec.conform.recording import Record, read_recording
from zabspec.conform.trace import check_trace
from zabspec.conform.wire import WIRE_CHECKS, pass_over

MUTATING_MODULES = (wire_mutations_handshake, wire_mutations_broadcast)  # they fill MUTATIONS

EACH_MUTATION = pytest.mark.parametrize(
    "mutation", [pytest.param(found, id=found.mutate.__name__) for found in MUTATIONS]
)


@pytest.mark.parametrize("path", ALL_RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recording_of_real_servers_is_accepted(path: Path) -> None:
    records = len(path.read_text(encoding="utf-8").splitlines())

    result = check_trace(path)

    assert result.verdict == "accepted", result
    assert result.records == records
    assert 0 < result.passed_through < records


def test_there_are_fifteen_recordings() -> None:
    assert len(ALL_RECORDINGS) == 15


@EACH_MUTATION
def test_a_mutated_recording_is_refused_by_its_check_on_its_line(
    mutation: Mutation, tmp_path: Path
) -> None:
    path, line = mutation.apply(tmp_path)

    result = check_trace(path)

    assert (result.guard, result.line) == (mutation.sentence, line), result
    assert result.server == json.loads(path.read_text("utf-8").splitlines()[line - 1])["from"]
    assert result.possible


@EACH_MUTATION
def test_without_its_check_a_mutated_recording_is_not_refused_by_that_sentence(
    mutation: Mutation, tmp_path: Path
) -> None:
    path, _ = mutation.apply(tmp_path)
    others = [check for check in WIRE_CHECKS if check.sentence != mutation.sentence]

    result = check_trace(path, checks=others)

    assert len(others) == len(WIRE_CHECKS) - 1
    assert result.guard != mutation.sentence


def test_every_check_has_a_mutation_that_it_refuses() -> None:
    sentences = [check.sentence for check in WIRE_CHECKS]

    refused = {found.sentence for found in MUTATIONS}

    assert refused == set(sentences)
    assert len(set(sentences)) == len(sentences)


def test_a_reconfiguration_is_committed_as_soon_as_both_quorums_acked(tmp_path: Path) -> None:
    lines = read_lines(RECONFIG)
    lines.move_to(
        lines.find("q5", "COMMITANDACTIVATE", "0x100000003"),
        to=lines.find("q6", "ACK", "0x100000003"),
    )

    result = check_trace(lines.write(tmp_path))

    assert result.verdict == "accepted", result


def test_a_transaction_may_come_again_behind_a_snapshot_that_has_it(tmp_path: Path) -> None:
    lines = read_lines(OBSERVER)
    lines.change(lines.find("q10", "SNAP"), zxid="0x100000006")

    outcome = pass_over(read_recording(lines.write(tmp_path)).records)

    assert outcome.refusal is None


def test_a_transaction_without_its_digest_is_the_same_transaction(tmp_path: Path) -> None:
    lines = read_lines(CLEAN_START)
    line = lines.find("q7", "PROPOSAL")
    lines.change(line, data=lines.text(line, "data")[:-24])

    result = check_trace(lines.write(tmp_path))

    assert result.verdict == "accepted", result


def test_a_run_without_its_election_port_is_accepted(tmp_path: Path) -> None:
    lines = Lines(entry for entry in read_lines(RECONFIG) if not str(entry["conn"]).startswith("e"))

    result = check_trace(lines.write(tmp_path))

    assert result.verdict == "accepted", result


@pytest.mark.parametrize("path", ALL_RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_any_beginning_of_a_run_is_accepted(path: Path, tmp_path: Path) -> None:
    whole = path.read_text(encoding="utf-8").splitlines(keepends=True)
    beginning = tmp_path / "beginning.jsonl"

    for length in range(1, len(whole), 29):
        beginning.write_text("".join(whole[:length]), encoding="utf-8")

        assert check_trace(beginning).verdict == "accepted"


def test_what_may_have_been_left_out_is_not_refused(tmp_path: Path) -> None:
    lines = read_lines(SNAP_FORCED)
    mark = next(n for n, entry in enumerate(lines, start=1) if "skipped" in entry)
    ack, commit = lines.find("q3", "ACK"), lines.find("q3", "COMMIT")
    lines.change(lines.copy_to(commit, to=mark + 1), zxid="0x100000007")
    lines.change(lines.copy_to(ack, to=mark + 2), zxid="0x100000007")

    result = check_trace(lines.write(tmp_path))

    assert result.verdict == "accepted", result


def test_a_handshake_of_which_packets_were_left_out_is_not_refused(tmp_path: Path) -> None:
    lines = read_lines(CLEAN_START)
    del lines[lines.find("q6", "ACKEPOCH") - 1]
    del lines[lines.find("q7", "ACKEPOCH") - 1]
    lines.insert(
        lines.find("q6", "DIFF") - 1,
        {"t": 3.0, "conn": None, "type": "MARK", "text": "recording paused", "skipped": 2},
    )

    result = check_trace(lines.write(tmp_path))

    assert result.verdict == "accepted", result


def test_an_earlier_leaders_transaction_is_committed_in_a_synchronization(tmp_path: Path) -> None:
    lines = read_lines(OLD_LEADER)
    lines.change(lines.find("q11", "TRUNC"), zxid="0x100000003")
    newleader = lines.find("q11", "NEWLEADER")
    for record_type in ("COMMIT", "PROPOSAL"):
        copied = lines.copy_to(lines.find("q6", record_type, "0x100000004"), to=newleader)
        lines.change(copied, **{"conn": "q11", "from": 2, "to": 3})

    outcome = pass_over(read_recording(lines.write(tmp_path)).records)

    assert outcome.refusal is None


def may_be_stamped_first(earlier: Record, later: Record) -> bool:
    """Whether a slower link can have brought the earlier of two neighbours behind the later."""
    if "MARK" in {earlier.type, later.type}:
        return False
    is_bound = earlier.sender == later.sender or {"OPEN", "CLOSE"} & {earlier.type, later.type}
    if earlier.connection == later.connection and is_bound:
        return False
    return later.sender != earlier.receiver


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(ALL_RECORDINGS), random=st.randoms(use_true_random=True))
def test_a_run_is_accepted_however_slow_its_links_were(path: Path, random: Random) -> None:
    records = list(read_recording(path).records)
    for _ in range(3000):
        at = random.randrange(len(records) - 1)
        if may_be_stamped_first(*records[at : at + 2]):
            records[at : at + 2] = reversed(records[at : at + 2])
    stamped = [evolve(record, line=line) for line, record in enumerate(records, start=1)]

    outcome = pass_over(stamped)

    assert outcome.refusal is None


def test_a_result_is_one_json_object_with_these_keys(tmp_path: Path) -> None:
    path, line = Mutation("", CLEAN_START, wire_mutations_broadcast.commit_before_any_ack).apply(
        tmp_path
    )

    result = json.loads(json.dumps(check_trace(path).to_json()))

    assert result == {
        "file": str(path),
        "verdict": "refused",
        "line": line,
        "server": 3,
        "seen": "COMMIT 1.1 from 3 to 1 on q6",
        "possible": "more ACKs of 1.1 first: 3 are no quorum of {1, 2, 3}",
        "guard": "a COMMIT or INFORM follows the ACKs of a quorum",
        "assumed": {},
        "releases": [],
        "records": 104,
        "passed_through": 26,
    }
