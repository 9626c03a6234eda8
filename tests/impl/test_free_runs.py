"""Free runs with a mistake in the implementation: found soon, and shrunk to few choices."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import freely
import pytest
from attrs import evolve, frozen
from freely import FAST, first_finding, shows, shrunk
from mistaken import MISTAKES

from impl.__main__ import main
from impl.choices import (
    Ask,
    Choice,
    Connect,
    Elect,
    Happens,
    Kill,
    Look,
    LosePower,
    Settle,
    from_json,
    to_line,
)
from impl.chosen_run import ChosenRun
from impl.free_run import Size
from impl.random_run import STORM, Rates
from impl.schedules import Pct
from impl.simulated_events import SyncCompleted, TaskRun
from impl.simulated_run import SimulatedRun
from zabspec.cli import main as zabspec
from zabspec.conform.free import PARTS, judge, read_record

SCRIPT = Path(__file__).with_name("mistaken.py")
UNIFORM, BY_PRIORITIES = Rates(), Rates(pct=Pct())


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@frozen
class Hunt:
    """How a mistake is looked for, what finds it, and how many choices show it."""

    mistake: str
    part: str
    most: int
    rates: Rates = UNIFORM
    seeds: Sequence[int] = range(5)
    events: int = 1500


HUNTS = {
    "a leader commits without a quorum": Hunt("any-ack", "wire", 8),
    "a leader commits without a quorum, by priorities": Hunt("any-ack", "wire", 8, BY_PRIORITIES),
    "an epoch is accepted in memory alone": Hunt("unwritten-promise", "system", 8),
    "that, by priorities": Hunt("unwritten-promise", "system", 8, BY_PRIORITIES),
    "a read is answered from an older tree": Hunt("old-read", "clients", 20),
    "such a read, by priorities": Hunt("old-read", "clients", 20, BY_PRIORITIES, events=2000),
}


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.nightly] * ("read" in one)) for one in HUNTS]
)
def test_a_mistake_is_found_within_few_seeds_and_shrunk_to_few_choices(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    hunt = HUNTS[name]
    with monkeypatch.context() as patched:
        patched.setattr(*MISTAKES[hunt.mistake])
        found = first_finding(hunt.seeds, hunt.rates, hunt.events)
        assert found is not None
        _, finding, choices = found
        assert finding.part == hunt.part

        few = shrunk(finding, choices)
        assert shows(finding, few)
        assert len(few) <= hunt.most
        assert not any(shows(finding, few[:at] + few[at + 1 :]) for at in range(1, len(few)))

    assert list(judge(freely.again(few))) == [], "it is the mistake that is shown"


def test_a_run_of_the_same_choices_is_the_same_run(tmp_path: Path) -> None:
    once, again = tmp_path / "once.jsonl", tmp_path / "again.jsonl"
    choices, chosen = tmp_path / "choices", tmp_path / "chosen"
    asked = ["--seed", "46", "--storm", "--events", "1200", "--quiet", "300", "--varied"]
    main(["simulate", *asked, "--out", str(once), "--choices", str(choices)])

    main(["simulate", "--replay", str(choices), "--out", str(again), "--choices", str(chosen)])

    assert again.read_bytes() == once.read_bytes()
    assert chosen.read_bytes() == choices.read_bytes()
    read = [from_json(json.loads(line)) for line in choices.read_text().splitlines()[1:]]
    assert [to_line(one) for one in read] == choices.read_text().splitlines()[1:]
    assert len({type(one) for one in read}) > 9


def _played(*choices: Choice) -> tuple[SimulatedRun, ChosenRun]:
    run = SimulatedRun(Size(), 0)
    chosen = ChosenRun(run)
    chosen.go(choices)
    return run, chosen


SERVING = (Settle(), Elect(1, (1, 2, 3)), Settle(), Connect(1, 2), Settle())


def test_what_is_routine_happens_until_the_ensemble_serves() -> None:
    run, chosen = _played(*SERVING, Ask(1, "create", "/r0", "w"), Settle(), Ask(1, "get", "/r0"))
    run.end()

    assert (chosen.passed_over, run.findings) == (0, [])
    session, created, read = run.history
    assert (session.error, created.error, read.error) == (0, 0, None)


def test_what_is_not_possible_is_passed_over_and_changes_nothing() -> None:
    impossible = [
        Connect(1, 3),
        Connect(7, 1),
        Ask(2, "get", "/r0"),
        Elect(2, (1, 2)),
        Kill(9),
        Happens(1, TaskRun("nobody")),
        Happens(9, TaskRun("main")),
        Happens(1, SyncCompleted("nothing")),
        from_json({"choice": "Restart", "sid": 1}),
        from_json({"choice": "Join", "sid": 1}),
        from_json({"choice": "Arrive", "sender": 1, "receiver": 2}),
        from_json({"choice": "Answer", "learner": 1, "leader": 2}),
        from_json({"choice": "Cut", "learner": 2, "leader": 1, "older": 1}),
    ]
    run, chosen = _played(*SERVING)
    before = run.events
    chosen.go(impossible)
    assert (chosen.passed_over, run.events) == (len(impossible), before)

    chosen.go([Kill(2), Connect(2, 2), Happens(2, TaskRun("main")), LosePower(2)])
    assert chosen.passed_over == len(impossible) + 3
    run.end()


def test_names_that_differ_in_what_is_counted_mean_the_same() -> None:
    run, chosen = _played()
    chosen.go([Happens(1, TaskRun("main")), Happens(1, SyncCompleted("version-2/"))])
    while not run.ensemble.servers[1].syncs:
        chosen.go([Happens(1, TaskRun("main"))])
    (sync,) = run.ensemble.servers[1].syncs
    assert sync == "version-2/snapshot.0.tmp"

    chosen.go([Happens(1, SyncCompleted("version-2/snapshot.300000007.tmp"))])
    assert (chosen.passed_over, run.ensemble.servers[1].syncs) == (0, ())
    run.end()


def test_what_servers_hold_is_told_when_it_is_looked_at() -> None:
    run, chosen = _played(*SERVING)
    held: list[tuple[int, int]] = []
    run.looked = lambda one: held.append((one.sid, one.zxid))

    chosen.go([Kill(3), Look()])
    run.end()
    assert held == [(1, 0x100000001), (2, 0x100000001)]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["x"], ":1: read 'x', expected a JSON object"),
        (["{}"], ":1: read '{}', expected {\"run\": "),
        ([], ":1: read '{}', expected {\"run\": "),
        (['{"run": {"voters": 0}}'], ":1: read "),
        (["RUN", "[]"], ":2: read '[]', expected a JSON object"),
        (["RUN", '{"choice": "Fly"}'], ":2: read choice 'Fly', expected one of Arrive, "),
        (["RUN", '{"choice": "Kill"}'], ":2: read Kill with []"),
        (["RUN", '{"choice": "Kill", "sid": "1"}'], ":2: read sid '1', expected int"),
        (
            ["RUN", '{"sid": 1, "event": "Killed"}'],
            ":2: read event Killed, expected one of TaskRun",
        ),
        (["RUN", '{"event": "RoleLeft"}'], ":2: read sid None, expected the number of a server"),
        (["RUN", '{"choice": "Ask", "client": 1, "name": "go"}'], ":2: read name 'go', expected"),
        (["RUN", '{"choice": "Elect", "leader": 1, "electorate": ["x"]}'], ":2: read electorate"),
    ],
)
def test_a_file_that_holds_no_choices_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: list[str], problem: str
) -> None:
    path, first = tmp_path / "choices", tmp_path / "first"
    main(["simulate", "--events", "0", "--choices", str(first)])
    capsys.readouterr()
    run = first.read_text().strip()
    path.write_text("".join(f"{run if line == 'RUN' else line}\n" for line in lines))

    assert main(["simulate", "--replay", str(path)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert f"{path}{problem}" in told.err


@pytest.mark.parametrize("option", ["--depth", "--steps"])
def test_settings_of_priorities_need_priorities(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main(["simulate", option, "3"]) == 2
    assert f"{option} is of --schedule pct" in capsys.readouterr().err
    assert main(["simulate", "--schedule", "pct", option, "3", "--events", "50"]) == 0


@pytest.mark.slow
def test_the_command_finds_a_mistake_and_writes_what_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate = [sys.executable, str(SCRIPT), "any-ack", "simulate", "--schedule", "pct"]
    command = shlex.join([*simulate, "--events", "800"])
    arguments = ["--seeds", "0-4", "--report", str(tmp_path)]

    assert zabspec(["free", "--command", command, *arguments]) == 1
    assert "a COMMIT or INFORM" in " ".join(capsys.readouterr().out.split())
    (choices,) = tmp_path.glob("*.choices")
    assert len(choices.read_text().splitlines()) <= 8
    assert next(judge(read_record(choices.with_suffix(".jsonl")))).part == "wire"
    right = [sys.executable, "-m", "impl", "simulate", "--replay", str(choices)]
    out = tmp_path / "right.jsonl"
    subprocess.run(
        [*right, "--out", str(out)], check=True, cwd=SCRIPT.parents[2], capture_output=True
    )
    assert list(judge(read_record(out))) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rates", "parts"),
    [(UNIFORM, PARTS), (BY_PRIORITIES, PARTS), (evolve(STORM, pct=Pct()), FAST)],
    ids=["uniform", "by priorities", "a storm, by priorities"],
)
def test_free_runs_of_what_is_right_are_right(rates: Rates, parts: Sequence[str]) -> None:
    for seed in range(100, 104):
        record, _ = freely.freely(seed, rates, 4000)
        assert list(judge(record, parts)) == [], seed
