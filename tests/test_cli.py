from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from model_system import ModelSystem

from zabspec import cli_check, cli_main_job
from zabspec.check import model as models
from zabspec.check.exploration import Progress
from zabspec.check.explore import Report
from zabspec.check.model import Holds, Model, load_models, shipped
from zabspec.check.promises import committed_is_durable
from zabspec.check.settings import Settings
from zabspec.cli import main
from zabspec.conform.main_job import Budgets
from zabspec.conform.trace import check_trace

RECORDINGS = shipped("recordings", "tests/recordings")
RECORDING = RECORDINGS / "3.9.4" / "a_clean_start.jsonl"
ZABSPEC = (sys.executable, "-c", "import sys; from zabspec.cli import main; sys.exit(main())")

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line: exit code, lines of output, lines of errors."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture
def stale_ack(run: Run, tmp_path: Path) -> Path:
    """The script of the shortest run to a seeded bug."""
    run("check", "paper-stale-ack", "--scripts", tmp_path / "found")
    return tmp_path / "found" / "paper-stale-ack.txt"


def apart(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs the command line as a process of its own."""
    return subprocess.run(
        [*ZABSPEC, *arguments],
        check=False,
        capture_output=True,
        env={**os.environ, **environment},
    )


@pytest.fixture
def only_fast_models(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = ("paper-stale-ack", "paper-commits-alone", "paper-2-2-2-0")
    known = {name: one for name, one in load_models().items() if name in fast}
    monkeypatch.setattr(cli_check, "load_models", lambda: known)


# Help.


@pytest.mark.parametrize("command", ["check", "models", "walk", "replay", "trace", "rules", "diff"])
def test_every_command_tells_how_it_ends(run: Run, command: str) -> None:
    code, said, errors = run(command, "--help")

    assert code == 0
    assert not errors
    assert "xit code" in " ".join(said)


def test_no_command_at_all_is_answered_with_help(run: Run) -> None:
    code, said, _ = run()

    assert code == 0
    assert any("zabspec check" in line for line in said)


def test_the_version_is_told(run: Run) -> None:
    assert run("--version") == (0, ["zabspec 0.1.0"], [])


# check


def test_check_tells_the_shortest_run_of_a_model_that_is_named(run: Run) -> None:
    code, said, errors = run("check", "paper-stale-ack")

    assert code == 0
    assert not errors
    assert "zabspec script 1" in said
    assert "    broken: what is committed is durable on a quorum" in said


@pytest.mark.usefixtures("only_fast_models")
def test_check_of_all_models_holds_the_recordings_too(run: Run) -> None:
    code, said, _ = run("check", "--models")

    assert code == 0
    assert any("3 asked" in line and "1 hold, 2 broken; none unexpected" in line for line in said)
    assert any("recorded runs of ZooKeeper held; none refused" in line for line in said)
    assert "zabspec script 1" not in said


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main job within smaller bounds, and seconds."""
    monkeypatch.setattr(cli_main_job, "DEFAULT_MODEL", "baseline-3-1-1-0")
    monkeypatch.setattr(cli_main_job, "BUDGETS", Budgets(rows=2.0, lockstep=1.0))


@pytest.mark.usefixtures("short")
def test_check_without_a_model_does_the_main_job(run: Run) -> None:
    code, said, errors = run("check")

    assert (code, errors) == (0, [])
    parts = [line.split()[:2] for line in said[1:] if line[:1].strip()][:4]
    assert parts == [
        ["model", "holds"],
        ["rows", "same"],
        ["lockstep", "same"],
        ["recordings", "accepted"],
    ]
    assert "a sample: the time ended there" in " ".join(" ".join(said).split())
    assert all(len(line) <= 80 for line in said)


@pytest.mark.usefixtures("short")
def test_the_main_job_as_json_has_these_keys(run: Run) -> None:
    code, said, _ = run("check", "--json", "--system", "impl.under_test:ServersUnderTest")

    told = json.loads("\n".join(said))
    assert code == 0
    assert set(told) == {"as_expected", "model", "system", "rows", "lockstep", "recordings"}
    assert told["system"] == "impl.under_test:ServersUnderTest"
    assert told["rows"]["differing"] == 0 < told["rows"]["replayed"]
    assert told["lockstep"]["differs"] is False


@pytest.mark.usefixtures("short")
def test_the_main_job_tells_how_a_system_differs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = partial(ModelSystem, load_models()["zab-acknowledges-unlogged"].spec)
    monkeypatch.setattr(cli_main_job, "system_called", lambda _: broken)

    code, said, _ = run("check", "--system", "some.module:Servers")

    assert code == 1
    assert any(line.split()[:2] == ["lockstep", "DIFFERS"] for line in said)
    assert "zabspec script 1" in said
    assert any(line.split() == ["expected", "seen"] for line in said)


@pytest.mark.usefixtures("short")
def test_the_main_job_without_a_system_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_main_job, "OWN_SYSTEM_MODULE", "nowhere_to_be_found")

    code, said, _ = run("check")

    assert code == 0
    assert "No system was held against it: name one with --system." in said


def test_holds_stands_beside_what_it_does_not_cover(run: Run) -> None:
    _, said, _ = run("check", "paper-2-2-2-0")

    assert "  - runs with more of anything that is bounded" in said


def test_promises_that_met_no_case_are_named(run: Run) -> None:
    _, said, _ = run("check", "paper-3-1-1-0")

    assert any("no case of these was met" in line for line in said)


def test_check_as_json_has_these_keys_and_nothing_else(run: Run) -> None:
    code, said, errors = run("check", "--json", "paper-stale-ack", "paper-2-2-2-0")

    broken, holds = json.loads("\n".join(said))
    assert (code, errors) == (0, [])
    for answer in (broken, holds):
        assert list(answer) == [
            "model",
            "spec",
            "bounds",
            "verdict",
            "property",
            "worlds",
            "steps",
            "depth",
            "seconds",
            "peak_mb",
            "rows",
            "collision_odds",
            "jobs",
            "symmetry",
            "stopped",
            "script",
        ]
    assert (broken["verdict"], holds["verdict"]) == ("broken", "holds")
    assert broken["property"] == "what is committed is durable on a quorum"
    assert broken["script"][0] == "zabspec script 1"
    assert (holds["property"], holds["script"]) == (None, [])
    assert (holds["worlds"], holds["steps"], holds["depth"]) == (9_068, 13_722, 33)
    assert holds["bounds"]["lost_links"] == 2


@pytest.fixture
def wrong_expectation(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model that expects a seeded bug to keep its promise."""
    seeded = load_models()["paper-stale-ack"]
    wrong = Model(
        "wrong", "?", seeded.spec, seeded.bounds, Holds(1, 1, 1), promises=(committed_is_durable,)
    )
    monkeypatch.setattr("zabspec.cli_input.load_models", lambda: {"wrong": wrong})
    return "wrong"


def test_an_unexpected_answer_is_told_with_its_script(run: Run, wrong_expectation: str) -> None:
    code, said, _ = run("check", wrong_expectation)

    assert code == 1
    assert any("unexpected: broke" in line for line in said)
    assert "zabspec script 1" in said


def test_an_unexpected_answer_leaves_json_whole(run: Run, wrong_expectation: str) -> None:
    code, said, errors = run("check", "--json", wrong_expectation)

    assert code == 1
    assert json.loads("\n".join(said))[0]["verdict"] == "broken"
    assert len(errors) == 1


def test_an_interrupted_check_says_what_was_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(model: Model, report: Report, settings: Settings) -> models.Answer:
        if model.name == "paper-stale-ack":
            return models.ask(model, report, settings)

        def interrupt(progress: Progress) -> None:
            if progress.depth == 11:
                raise KeyboardInterrupt

        return models.ask(model, interrupt, settings)

    monkeypatch.setattr(cli_check, "ask", ask)

    code, said, errors = run("check", "paper-stale-ack", "paper-2-2-2-0", "paper-3-1-1-0")

    assert code == 130
    assert errors == ["zabspec: interrupted; 1 models had answered, paper-2-2-2-0 was at depth 11"]
    assert any(line.startswith("paper-stale-ack") and "broken" in line for line in said)
    assert any(line.startswith("paper-2-2-2-0") and "incomplete" in line for line in said)


# models, rules


def test_models_lists_each_with_its_question(run: Run) -> None:
    code, said, _ = run("models")

    assert code == 0
    for model in load_models().values():
        assert any(line.startswith(f"{model.name} ") for line in said)


def test_rules_tells_rule_decision_and_source(run: Run) -> None:
    code, said, _ = run("rules")

    text = " ".join(" ".join(said).split())
    assert code == 0
    assert "LeaderInfo: follower_promises_epoch" in text
    assert "ClientRequest: ignore, because it has no leader" in text
    assert "never, because a follower is brought up to date once" in text
    assert "Step f.1.2." in text
    assert "Differs: " in text


def test_rules_of_a_seeded_bug_name_what_was_replaced(run: Run) -> None:
    _, said, _ = run("rules", "paper-stale-ack")

    assert any("Replaced by models.paper_broadcast.counts_stale_ack." in line for line in said)


@pytest.mark.parametrize("command", [("models",), ("rules",), ("trace", str(RECORDINGS))])
def test_no_table_is_wider_than_80_columns(run: Run, command: tuple[str, ...]) -> None:
    _, said, _ = run(*command)

    # A line of a recording holds the path as it was given.
    assert max(len(line.replace(f"{RECORDINGS}/", "")) for line in said) <= 80


# walk, replay


def test_a_walk_is_a_script_that_replays(run: Run, tmp_path: Path) -> None:
    code, said, _ = run("walk", "paper-3-2-1-0", "--seed", 7, "--steps", 30)
    script = tmp_path / "walk.txt"
    script.write_text("\n".join(said), encoding="utf-8")

    assert code == 0
    assert run("replay", script)[0] == 0


def test_a_walk_into_the_expected_promise_is_as_expected(run: Run) -> None:
    code, said, errors = run("walk", "paper-promise-after-answer", "--seed", 0)

    assert code == 0
    assert said[-1] == "    broken: what is acknowledged is durable"
    assert any("as the model expects" in line for line in errors)


def test_the_same_seed_gives_the_same_bytes_under_any_hash_seed() -> None:
    arguments = ("walk", "paper-3-2-1-0", "--seed", "11", "--steps", "60")

    first = apart(*arguments, PYTHONHASHSEED="0")
    second = apart(*arguments, PYTHONHASHSEED="4321")

    assert first.returncode == 0
    assert first.stdout == second.stdout


def test_the_script_of_a_finding_breaks_its_promise_again(run: Run, stale_ack: Path) -> None:
    code, said, errors = run("replay", stale_ack)

    assert (code, errors) == (1, [])
    assert said[-2].endswith('breaks "what is committed is durable on a quorum"')


def test_replay_shows_where_an_output_is_not_as_written(run: Run, stale_ack: Path) -> None:
    lines = stale_ack.read_text(encoding="utf-8").splitlines()
    number = lines.index("deliver 2 -> 1 Ack zxid=1.1") + 1
    lines[number] = "    1 applies 1.1:r2"
    stale_ack.write_text("\n".join(lines), encoding="utf-8")

    code, said, _ = run("replay", stale_ack)

    assert code == 1
    assert (f'{stale_ack}:{number}: expected "1 applies 1.1:r2", seen "1 applies 1.1:r1"') in said


def test_a_finding_is_edited_into_a_run_that_passes(run: Run, stale_ack: Path) -> None:
    text = stale_ack.read_text(encoding="utf-8")
    header = text.splitlines()[1]
    kept = [line for line in text.replace(header, "spec paper").splitlines() if line[:1] != " "]
    stale_ack.write_text("\n".join(kept), encoding="utf-8")

    assert run("replay", stale_ack)[0] == 0


def test_a_script_of_another_version_of_the_spec_says_so(run: Run, stale_ack: Path) -> None:
    lines = stale_ack.read_text(encoding="utf-8").splitlines()
    lines[1] = "spec paper-stale-ack 00000000"
    stale_ack.write_text("\n".join(lines), encoding="utf-8")

    _, _, errors = run("replay", stale_ack)

    assert errors[0].startswith("written under another version of the spec paper-stale-ack")


def test_replay_reads_standard_input(stale_ack: Path) -> None:
    with stale_ack.open("rb") as script:
        done = subprocess.run(
            [*ZABSPEC, "replay", "-"], stdin=script, check=False, capture_output=True
        )

    assert done.returncode == 1
    assert b"standard input:" in done.stdout


# trace


def test_recorded_runs_of_a_folder_are_accepted(run: Run) -> None:
    code, said, errors = run("trace", RECORDINGS)

    assert (code, errors) == (0, [])
    accepted = [line for line in said if line.startswith("accepted ")]
    assert len(accepted) == len(list(RECORDINGS.rglob("*.jsonl")))
    assert len([line for line in said if line.startswith("  explained by ")]) == len(accepted)


def test_a_recording_is_held_against_the_release_that_is_asked_for(run: Run) -> None:
    file = RECORDINGS / "3.8.0" / "i_writes_between_newleader_and_uptodate.jsonl"

    code, said, errors = run("trace", "--release", "3.9.4", file)

    assert (code, errors) == (1, [])
    assert said[1].startswith("refused ")


def test_a_release_that_is_none_is_one_line_and_names_those_there_are(run: Run) -> None:
    code, said, errors = run("trace", "--release", "3.7.9", RECORDINGS)

    assert (code, said) == (2, [])
    assert len(errors) == 1
    assert "3.9.4" in errors[0]


@pytest.fixture
def refused(tmp_path: Path) -> tuple[Path, int]:
    """A recording whose first COMMIT comes before its PROPOSAL was acknowledged, and the line."""
    lines = RECORDING.read_text(encoding="utf-8").splitlines()
    types = [json.loads(line)["type"] for line in lines]
    commit = types.index("COMMIT")
    proposal = types.index("PROPOSAL")
    lines.insert(proposal + 1, lines.pop(commit))
    path = tmp_path / "refused.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, proposal + 2


def test_a_refused_run_says_where_to_look(run: Run, refused: tuple[Path, int]) -> None:
    path, line = refused

    code, said, errors = run("trace", path)

    assert (code, errors) == (1, [])
    assert f"  {path}:{line}" in said


def test_trace_as_json_says_what_the_results_say_and_nothing_else(
    run: Run, refused: tuple[Path, int]
) -> None:
    path, line = refused

    code, said, errors = run("trace", "--json", RECORDING, path)

    first, second = json.loads("\n".join(said))
    assert (code, errors) == (1, [])
    assert first == check_trace(RECORDING).to_json()
    assert second == check_trace(path).to_json()
    assert (first["verdict"], first["line"]) == ("accepted", None)
    assert (second["verdict"], second["line"], second["file"]) == ("refused", line, str(path))


# Bad input: one line, exit code 2, never a traceback.


BAD_INPUTS = {
    "an unknown command": (["chek"], "chek"),
    "an unknown option": (["check", "--jsn"], "--jsn"),
    "a system and a model": (["check", "--system", "a:b", "paper-2-2-2-0"], "--system goes"),
    "a system nowhere": (["check", "--system", "no.such.module:Name"], "no.such.module"),
    "an unknown model": (["check", "paper-stale-akc"], "near: paper-stale-ack"),
    "a model like none": (["check", "xyzzy"], "zabspec models lists them"),
    "all and some": (["check", "--all", "paper-2-2-2-0"], "--all"),
    "a file as folder": (["check", "--scripts", str(RECORDING), "paper-stale-ack"], "--scripts"),
    "a folder nowhere": (["check", "--scripts", "/dev/null/x", "paper-stale-ack"], "/dev/null"),
    "a walk of nothing": (["walk"], "MODEL"),
    "a walk of an unknown model": (["walk", "paper-2-2-2"], "near: paper-2-2-2-0"),
    "a seed that is no number": (["walk", "paper-2-2-2-0", "--seed", "x"], "--seed"),
    "steps below none": (["walk", "paper-2-2-2-0", "--steps", "-1"], "--steps"),
    "no script": (["replay"], "SCRIPT"),
    "a script that is not there": (["replay", "/nowhere"], "/nowhere"),
    "a folder as script": (["replay", str(RECORDINGS)], "directory"),
    "a recording as script": (["replay", str(RECORDING)], "expected zabspec script 1"),
    "no recording": (["trace"], "FILE"),
    "a recording that is not there": (["trace", "/nowhere"], "/nowhere:0"),
    "a program as recording": (["trace", sys.executable], "expected UTF-8"),
    "a folder without recordings": (["trace", str(Path(models.__file__).parent)], "no recording"),
    "rules of nothing known": (["rules", "papre"], "near: paper"),
    "a word too many": (["models", "x"], "x"),
    "a control character": (["check", "\x1b[31m\nred"], "\\n"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, case: str) -> None:
    arguments, told = BAD_INPUTS[case]

    code, said, errors = run(*arguments)

    assert (code, said, len(errors)) == (2, [], 1)
    assert errors[0].startswith("zabspec: ")
    assert told in errors[0]


BAD_SCRIPTS = {
    "an empty one": ("", "1: read"),
    "no such spec": ("zabspec script 1\nspec papers\nservers 3\n", "near: paper"),
    "another notation": ("zabspec script 2\nspec paper\nservers 3\n", ":1:"),
    "one server": ("zabspec script 1\nspec paper\nservers 1\n", ":3:"),
    "a million servers": ("zabspec script 1\nspec paper\nservers 1000000\n", ":3:"),
    "no action": ("zabspec script 1\nspec paper\nservers 3\nelects 1\n", ':4: read "elects 1"'),
    "a huge number": (f"zabspec script 1\nspec paper\nservers 3\nask {'1' * 9999}\n", ":4:"),
    "no packet": ("zabspec script 1\nspec paper\nservers 3\ndeliver 1 -> 2 Akc\n", "Ack"),
    "impossible": ("zabspec script 1\nspec paper\nservers 3\nask 1\n", ":4:"),
    "an escape": ("zabspec script 1\nspec paper\nservers 3\n\x1b[31mred\n", "\\x1b[31mred"),
}


@pytest.mark.parametrize("case", BAD_SCRIPTS)
def test_a_bad_script_is_one_line_and_exit_code_2(run: Run, tmp_path: Path, case: str) -> None:
    text, told = BAD_SCRIPTS[case]
    path = tmp_path / "script.txt"
    path.write_text(text, encoding="utf-8")

    code, said, errors = run("replay", path)

    assert (code, said, len(errors)) == (2, [], 1)
    assert told in errors[0]


def _mutated(change: Callable[[list[str]], object]) -> str:
    lines = RECORDING.read_text(encoding="utf-8").splitlines(keepends=True)
    change(lines)
    return "".join(lines)


BAD_RECORDINGS = {
    "empty": ("", ":0:"),
    "cut": (_mutated(lambda lines: lines.append('{"t": 1')), "a line that is cut"),
    "not JSON": (_mutated(lambda lines: lines.insert(1, "hello\n")), ":2: read 'hello"),
    "not an object": (_mutated(lambda lines: lines.insert(1, "[]\n")), ":2: read JSON"),
    "an unknown packet": (
        _mutated(lambda lines: lines.__setitem__(1, lines[1].replace("OPEN", "OPNE"))),
        "near: OPEN",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDINGS)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_bad_recording_is_one_line_and_exit_code_2(
    run: Run, tmp_path: Path, case: str, options: tuple[str, ...]
) -> None:
    text, told = BAD_RECORDINGS[case]
    path = tmp_path / "recording.jsonl"
    path.write_text(text, encoding="utf-8")

    code, said, errors = run("trace", *options, path)

    assert (code, said, len(errors)) == (2, [], 1)
    assert told in errors[0]


# Pipes.


def test_nothing_is_coloured_or_cut_in_a_pipe() -> None:
    done = apart("models", COLUMNS="20")

    assert b"\x1b" not in done.stdout
    assert b"..." not in done.stdout
    assert "…" not in done.stdout.decode()


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen(
        [*ZABSPEC, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as piped:
        assert piped.stdout is not None
        assert piped.stderr is not None
        piped.stdout.close()
        errors = piped.stderr.read()

    assert errors == b""
    assert piped.returncode == 141


# explorations


def test_other_bounds_are_asked_and_nothing_is_expected(run: Run) -> None:
    code, said, _ = run("check", "paper-3-1-1-0", "--servers", "2", "--restarts", "1", "--json")

    (answer,) = json.loads("\n".join(said))
    assert code == 0
    assert (answer["bounds"]["servers"], answer["bounds"]["crashes"]) == (2, 1)
    assert answer["verdict"] == "holds"


def test_a_bug_within_other_bounds_is_a_finding(run: Run) -> None:
    code, said, _ = run("check", "paper-stale-ack", "--txns", "2", "--jobs", "2", "--wide")

    assert code == 1
    assert any(line.startswith("paper-stale-ack") and "broken" in line for line in said)
    assert any("128 bits" in line for line in said)


def test_an_exploration_that_memory_ends_says_what_it_covered(run: Run) -> None:
    code, said, _ = run("check", "paper-3-1-1-0", "--memory", "1")

    assert code == 1
    assert "  stopped: the 1 MiB of memory are used up; every world up to depth 0 was met" in said


def test_symmetry_says_what_its_worlds_stand_for(run: Run) -> None:
    code, said, _ = run("check", "paper-3-1-1-0", "--symmetry")

    assert code == 0
    assert "stand for 26,962 worlds and 62,169 steps" in " ".join(" ".join(said).split())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["baseline-3-1-1-0", "--symmetry"], "no symmetry: the election of baseline prefers"),
        (["--resume", "paper-3-1-1-0"], "--resume goes with --checkpoint DIR"),
        (["--checkpoint", "kept"], "bounds and --checkpoint go with one MODEL"),
        (["--txns", "2"], "bounds and --checkpoint go with one MODEL"),
        (["paper-3-1-1-0", "--servers", "1"], "Invalid value for '--servers'"),
        (["paper-3-1-1-0", "--jobs", "0"], "Invalid value for '--jobs'"),
    ],
)
def test_what_cannot_be_explored_is_refused_in_one_line(
    run: Run, arguments: list[str], line: str
) -> None:
    code, _, errors = run("check", *arguments)

    assert code == 2
    assert len(errors) == 1
    assert line in errors[0]


def test_a_kept_exploration_is_resumed_by_the_command_line(run: Run, tmp_path: Path) -> None:
    kept = ["check", "paper-3-1-1-0", "--json", "--checkpoint", str(tmp_path / "kept")]
    first = run(*kept)
    refused = run(*kept)
    again = run(*kept, "--resume")

    assert (first[0], refused[0], again[0]) == (0, 2, 0)
    assert "it holds a checkpoint" in refused[2][0]
    answers = [json.loads("\n".join(said))[0] for _, said, _ in (first, again)]
    assert answers[0]["worlds"] == answers[1]["worlds"] == 26_962
