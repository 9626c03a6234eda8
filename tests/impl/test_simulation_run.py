"""Free runs of the real roles: repeatable, told as transcripts that zabspec can judge."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from os import environ
from pathlib import Path

import pytest
from attrs import evolve

from impl import simulated_events as events
from impl.__main__ import main
from impl.config import Config
from impl.ensemble import replay
from impl.free_run import FreeRun, Size
from impl.payloads import new_leader_packet
from impl.random_faults import FAULTS
from impl.random_run import STORM, Rates
from impl.run_findings import RunFindings
from impl.simulated_events import EVENTS, Event, PowerLost
from impl.simulated_loop import Unhandled
from impl.simulated_observations import ConnectionClosed, Observation, ProcessEnded, Sent
from impl.simulated_run import SimulatedRun
from impl.simulation import configuration, start
from impl.transcript import Transcript
from zabspec.conform.recording import read_recording
from zabspec.conform.trace import check_trace
from zabspec.conform.wire import pass_over

CALM = Rates(burst=0)
OPERATIONS = ("create", "set", "delete", "get", "sync", "close")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _lines(size: Size, seed: int, length: int, rates: Rates | None = None) -> list[str]:
    lines: list[str] = []
    run = FreeRun(size, seed, rates, Transcript(lines.append).watch)
    try:
        run.go(length)
    finally:
        run.end()
    assert run.findings == []
    return lines


def _written(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_the_same_seed_makes_the_same_bytes_and_another_one_others() -> None:
    first, again, other = (_lines(Size(), seed, 2000) for seed in (5, 5, 6))

    assert first == again
    assert first != other


def _is_told(line: str) -> bool:
    return not {"operation", "content", "finding"}.isdisjoint(json.loads(line))


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_run_is_the_same_whatever_order_sets_have(tmp_path: Path, hash_seed: str) -> None:
    out = tmp_path / "run.jsonl"
    arguments = ["simulate", "--seed", "5", "--events", "1500", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "impl", *arguments],
        check=True,
        env={**environ, "PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
    )

    written = out.read_text().splitlines()[1:]
    assert [line for line in written if not _is_told(line)] == _lines(Size(), 5, 1500)


def test_a_calm_run_is_one_epoch_in_which_everybody_is_answered() -> None:
    run = FreeRun(Size(), 1, CALM)
    run.go(6000)
    shown = [server.observe() for server in run.ensemble.servers.values()]
    run.end()

    assert run.findings == []
    assert {one["current_epoch"] for one in shown} == {1}
    assert sorted(str(one["role"]) for one in shown) == ["FOLLOWING", "FOLLOWING", "LEADING"]
    answers = Counter(one.error for one in run.history if one.returned is not None)
    assert answers[0] > 100
    assert sum(1 for one in run.history if one.returned is None) < 60


def test_what_a_debugger_shows_is_what_was_synced_and_what_was_not() -> None:
    run = FreeRun(Size(), 1, CALM)
    shown, unsynced = [], 0
    for until in range(100, 4000, 100):
        run.go(until)
        shown += [server.observe() for server in run.ensemble.servers.values()]
    run.end()

    for one in shown:
        log, synced = one["log"], one["log_synced"]
        assert isinstance(log, list)
        assert isinstance(synced, list)
        assert log[: len(synced)] == synced
        assert log == sorted(log)
        unsynced += len(log) - len(synced)
    assert unsynced
    assert shown[-1]["snapshots"]
    assert json.loads(json.dumps(shown[-1]))["role"] in ("LEADING", "FOLLOWING")


def test_observers_take_part(tmp_path: Path) -> None:
    lines = _lines(Size(observers=1), 2, 4000, CALM)
    types = Counter(json.loads(line)["type"] for line in lines)

    assert types["OBSERVERINFO"]
    assert types["INFORM"]
    recording = read_recording(_written(tmp_path / "run.jsonl", lines))
    assert pass_over(recording.records).refusal is None


@pytest.mark.parametrize("seed", [1, 2])
def test_the_wire_of_a_run_with_faults_is_what_a_correct_one_shows(
    tmp_path: Path, seed: int
) -> None:
    recording = read_recording(_written(tmp_path / "run.jsonl", _lines(Size(), seed, 5000, STORM)))

    assert pass_over(recording.records).refusal is None
    assert any((one.text or "").startswith("SIGKILL") for one in recording.records)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_calm_run_is_accepted_by_zabspec(tmp_path: Path, seed: int) -> None:
    result = check_trace(_written(tmp_path / "run.jsonl", _lines(Size(), seed, 2000, CALM)))

    assert result.verdict == "accepted", result
    assert "3.9.4" in result.releases


def test_a_run_with_faults_happens_again_from_its_events_alone() -> None:
    seen: list[tuple[int, Event, Sequence[Observation]]] = []
    run = FreeRun(Size(), 4, STORM, lambda *one: seen.append(one))
    run.go(3000)
    config = Config(1, configuration((1, 2, 3)), snap_count=100, pre_alloc_size=0)
    servers = {sid: start(sid, evolve(config, sid=sid)) for sid in (1, 2, 3)}
    again: list[tuple[int, Event, Sequence[Observation]]] = []
    choices = [
        (sid, EVENTS.from_json(json.loads(json.dumps(EVENTS.to_json(event)))))
        for sid, event, _ in seen
    ]
    replay(servers, choices, lambda *one: again.append(one))

    assert again == seen
    assert any(isinstance(event, PowerLost) for _, event in choices)
    run.end()
    for server in servers.values():
        server.close()


def test_each_client_asks_for_one_thing_at_a_time_in_its_session() -> None:
    run = FreeRun(Size(), 7)
    run.go(9000)
    run.end()
    lost = 0

    for client in {one.client for one in run.history}:
        asked = [one for one in run.history if one.client == client]
        for one, after in pairwise(asked):
            assert one.invoked <= (one.returned or after.invoked) <= after.invoked
            lost += one.returned is None
        assert len({one.server for one in asked}) == 3
    assert lost
    assert {one.name for one in run.history} == {"session", "reopen", *OPERATIONS}
    numbers = [json.loads(json.dumps(one.to_json()))["number"] for one in run.history]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_client_of_a_calm_run_reads_what_was_written_last_or_later() -> None:
    run = FreeRun(Size(clients=1, paths=2), 8, CALM)
    run.go(8000)
    run.end()
    content: str | None = None
    reads = 0

    for one in run.history:
        if one.path != "/r0":
            continue
        if one.error == 0 and one.name in ("create", "set"):
            content = one.written
        elif one.error == 0 and one.name == "delete":
            content = None
        elif one.name == "get" and one.returned is not None:
            reads += 1
            assert one.found == content
            assert (one.error == 0) == (content is not None)
    assert reads > 30


@pytest.mark.parametrize("size", [Size(), Size(is_varied=True), Size(5, 1, is_varied=True)])
def test_runs_with_faults_show_nothing_that_no_run_may_show(size: Size) -> None:
    for seed in range(3):
        run = FreeRun(size, seed)
        run.go(4000)
        run.end()

        assert run.findings == [], seed


def test_every_kind_of_fault_happens_in_a_storm() -> None:
    seen: Counter[str] = Counter()
    run = FreeRun(Size(), 3, STORM, lambda _sid, event, _seen: seen.update([type(event).__name__]))
    run.go(12_000)
    run.end()

    assert {"Killed", "PowerLost", "ConnectionBroken", "RoleLeft", "DiskFails", "SyncFailed"} <= (
        set(seen)
    )
    assert len(FAULTS) == 11


def test_two_leaders_of_one_epoch_are_a_finding() -> None:
    noticed = RunFindings()
    sent = Sent("q1", new_leader_packet(7, None).encode())
    other = Sent("q1", new_leader_packet(8, None).encode())

    for sid, seen in ((1, sent), (1, sent), (2, other)):
        noticed.watch(sid, events.TaskRun("sender-2"), [seen])
    assert noticed.found == []
    noticed.watch(2, events.TaskRun("sender-1"), [sent])
    assert noticed.found == ["servers 1 and 2 both lead epoch 7"]


@pytest.mark.parametrize(
    ("event", "why", "is_finding"),
    [
        (events.RoleLeft(), "OSError: [Errno 5]", True),
        (events.DiskFails(), "OSError: [Errno 5]", False),
        (events.DiskFails(), "StorageError: a gap", True),
    ],
)
def test_a_process_that_ends_is_a_finding_unless_its_disk_failed(
    event: Event, why: str, is_finding: bool
) -> None:
    noticed = RunFindings()

    noticed.watch(1, event, [])
    noticed.watch(1, events.TaskRun("main"), [ProcessEnded(why)])
    assert noticed.found == ([f"server 1 ended: {why}"] if is_finding else [])
    assert list(noticed.broken) == ([1] if is_finding else [])


def test_what_nobody_handled_is_a_finding() -> None:
    run = SimulatedRun(Size(), 0)
    run.ensemble.servers[2].unhandled.append(Unhandled("in a callback", ValueError("no")))

    run.end()
    assert run.findings == ["server 2: in a callback: ValueError('no')"]


def test_settings_of_another_server_are_refused() -> None:
    with pytest.raises(ValueError, match="read settings of server 2, expected those of 1"):
        start(1, Config(2, configuration((1, 2, 3))))


def test_simulate_tells_what_it_did(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"

    assert main(["simulate", "--events", "1500", "--calm", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("seed 0: 1,500 events in ")
    assert told.out.endswith("requests answered; no findings\n")
    assert told.err == ""
    assert check_trace(out).verdict == "accepted"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["simulate", "--events", "x"], "'x' is not a valid integer range."),
        (["simulate", "--servers", "0"], "0 is not in the range 1<=x<=99."),
        (["simulate", "--out", "nowhere/run.jsonl"], "nowhere/run.jsonl: No such file"),
        (["simulat"], "No such command 'simulat'"),
        (["simulate", "more"], "Got unexpected extra argument (more)"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert problem in told.err


def test_a_connection_that_a_learner_gave_up_before_it_opened_is_told() -> None:
    lines: list[str] = []
    transcript = Transcript(lines.append)
    transcript.watch(2, events.ConnectAnswered(1, "q1"), [ConnectionClosed("q1")])
    transcript.watch(1, events.ConnectionAccepted("q1", 2), [])
    transcript.watch(1, events.ConnectionEnded("q1"), [ConnectionClosed("q1")])

    told = [json.loads(line) for line in lines]
    assert [(one["type"], one.get("from")) for one in told if one["conn"]] == [
        ("OPEN", 2),
        ("CLOSE", 2),
    ]


def test_an_interrupt_is_one_line_and_exit_code_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = FreeRun.go

    def interrupted(run: FreeRun, until: int) -> None:
        go(run, min(until, 700))
        raise KeyboardInterrupt

    monkeypatch.setattr(FreeRun, "go", interrupted)
    out = tmp_path / "run.jsonl"

    assert main(["simulate", "--events", "9000", "--out", str(out)]) == 130
    assert capsys.readouterr().err == "impl: interrupted\n"
    assert len(out.read_text().splitlines()) > 500
