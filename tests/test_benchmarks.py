"""The benchmarks: what they say of what was measured, and a small run of each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import growth  # noqa: E402  beside the scripts, as when one of them is run
import published  # noqa: E402
import published_report  # noqa: E402
import records  # noqa: E402
from apart import Run, Sample, Task, bounds_of  # noqa: E402
from machine import this_machine  # noqa: E402

MACHINE = this_machine()
WORLDS, STEPS, DEPTH = published.PINNED["3,2,1,1"]
WHOLE = Run(
    WORLDS,
    STEPS,
    DEPTH,
    seconds=10.0,
    cpu_seconds=9.0,
    peak_mb=300.0,
    start_mb=60.0,
    complete=True,
    rows=900,
    kept_bytes=10 * WORLDS,
    weighed=(WORLDS, STEPS),
    loops="numba",
    process_seconds=12.0,
)
RECORD = records.Record(Task("3,2,1,1"), WHOLE, MACHINE)


def test_an_election_is_allowed_at_the_start_and_after_each_fault() -> None:
    bounds = bounds_of("3,2,1,2")

    assert (bounds.servers, bounds.txns, bounds.lost_links, bounds.crashes) == (3, 2, 1, 2)
    assert bounds.elections == 4


def test_what_is_counted_as_pinned_surprises_nobody() -> None:
    assert list(published.surprises(RECORD)) == []


def test_each_count_that_is_not_as_pinned_is_a_surprise() -> None:
    other = evolve(WHOLE, weighed=(WORLDS + 1, STEPS - 1), depth=DEPTH + 1)

    assert list(published.surprises(evolve(RECORD, run=other))) == [
        "3,2,1,1: pinned are 4,383,126 worlds, counted 4,383,127",
        "3,2,1,1: pinned are 11,595,276 steps, counted 11,595,275",
        "3,2,1,1: pinned are 45 depth, counted 46",
    ]


def test_with_symmetry_it_is_what_worlds_stand_for_that_is_pinned() -> None:
    fewer = evolve(WHOLE, worlds=WORLDS // 6, steps=STEPS // 6)

    assert list(published.surprises(evolve(RECORD, run=fewer))) == []


def test_a_run_that_was_stopped_is_not_held_to_the_counts_but_to_the_promises() -> None:
    stopped = evolve(WHOLE, weighed=(5, 5), complete=False, stopped="interrupted")

    assert list(published.surprises(evolve(RECORD, run=stopped))) == []
    broken = evolve(RECORD, run=evolve(stopped, broken="it holds"))
    assert list(published.surprises(broken)) == ['3,2,1,1: broke "it holds" at depth 45']


def test_a_bug_that_is_found_at_another_depth_is_a_surprise() -> None:
    expected = "a leader holds every committed transaction of earlier epochs before it serves"
    found = evolve(WHOLE, broken=expected, depth=18, complete=False)
    record = records.Record(Task("paper-own-history"), found, MACHINE)

    assert list(published.surprises(record)) == []
    deeper = evolve(record, run=evolve(found, depth=19))
    assert list(published.surprises(deeper)) == [
        f'paper-own-history: the tables broke "{expected}" at depth 19, not "{expected}" at 18'
    ]


def test_a_later_run_takes_the_place_of_one_of_its_kind_and_of_no_other() -> None:
    two_jobs = evolve(RECORD, task=evolve(RECORD.task, jobs=2))
    again = evolve(RECORD, task=evolve(RECORD.task, limit=60.0), run=evolve(WHOLE, seconds=1.0))

    merged = records.merged(records.merged([RECORD], two_jobs), again)

    assert merged == [again, two_jobs]


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    sampled = evolve(WHOLE, samples=(Sample(1, 2.0, 3.0),))
    kept = [RECORD, evolve(RECORD, task=Task("paper-own-history", plain=True), run=sampled)]

    records.save(tmp_path, kept)

    assert records.load(tmp_path) == kept


def test_the_table_lays_ours_beside_theirs() -> None:
    told = published_report.report([RECORD], published.TLC).splitlines()

    assert (
        "| 3,2,1,1 | 61 | 84,543,312 | 1 h | 4,383,126 | 11,595,276 | 45 | 10.0 | 9.0 | 438,313"
        " | 900 | 300 | 10.0 | 1 | numba | no |"
    ) in told
    assert any(
        line.startswith("| 3,2,0,2 | 68 | 245,606,642 | 3 h 41 min | not run |") for line in told
    )
    assert any("| 50 reached | 1,721,643,089 | gave up after 24 h |" in line for line in told)
    assert f"- {MACHINE}" in told


def test_every_row_of_the_table_has_a_cell_for_each_of_its_columns() -> None:
    told = published_report.report([RECORD], published.TLC)

    tables = [
        [line.count("|") for line in part.splitlines() if line.startswith("|")]
        for part in told.split("\n## ")
    ]
    assert [len(set(cells)) for cells in tables if cells] == [1, 1]


def test_a_run_that_was_stopped_says_how_far_it_came() -> None:
    stopped = evolve(WHOLE, complete=False, stopped="interrupted", left=1_234, depth=20)
    told = published_report.report([evolve(RECORD, run=stopped)], published.TLC)

    assert "| 4,383,126 (part) |" in told
    assert "- 3,2,1,1: not exhausted, interrupted; after 10 s at depth 20, 438,313 worlds/s" in told
    assert "1,234 worlds of that depth" in told


def test_a_bug_is_timed_by_both_and_the_ratio_told() -> None:
    task = Task("paper-own-history")
    tables = records.Record(task, evolve(WHOLE, seconds=2.0, worlds=300), MACHINE)
    plain = records.Record(
        evolve(task, plain=True), evolve(WHOLE, seconds=5.0, worlds=200), MACHINE
    )

    told = published_report.report([plain, tables], published.TLC)

    assert "| paper-own-history | 18 | 200 | 5.00 | 300 | 2.00 | 2.5 |" in told
    late = evolve(plain, run=evolve(plain.run, stopped="interrupted"))
    told = published_report.report([late, tables], published.TLC)
    assert "| 200 (stopped) | 5.00 | 300 | 2.00 | > 2.5 |" in told


def test_growth_complains_of_bytes_only_where_worlds_are_many() -> None:
    run = evolve(WHOLE, worlds=growth.MANY, seconds=1.0, kept_bytes=13 * growth.MANY)

    assert list(growth.complaints(run)) == ["numba: 13.0 bytes kept of each of 10,000,000 worlds"]
    assert list(growth.complaints(evolve(run, kept_bytes=12 * growth.MANY))) == []
    few = evolve(run, worlds=growth.MANY - 1)
    assert list(growth.complaints(few)) == []


def test_growth_complains_where_a_large_exploration_is_slow() -> None:
    run = evolve(WHOLE, worlds=20_000_000, kept_bytes=0)

    assert list(growth.complaints(evolve(run, seconds=50.0))) == []
    assert list(growth.complaints(evolve(run, seconds=80.0))) == [
        "numba: 250,000 worlds a second over 20,000,000 worlds"
    ]
    assert list(growth.complaints(evolve(run, seconds=80.0, loops="numpy"))) == []


def test_a_small_run_within_published_bounds_is_as_pinned_and_is_written(tmp_path: Path) -> None:
    done = _script("published.py", "--only", "2,2,2,0", "--numpy", "--results", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "2,2,2,0: 9,068 worlds, 13,722 steps, depth 33" in done.stdout
    kept = json.loads((tmp_path / "published.json").read_text(encoding="utf-8"))
    assert [one["task"]["what"] for one in kept] == ["2,2,2,0"]
    table = (tmp_path / "published.md").read_text(encoding="utf-8")
    assert "| 2,2,2,0 | 38 | 19,980 | 3 s | 9,068 | 13,722 | 33 |" in table


def test_a_small_growth_is_measured_and_is_written(tmp_path: Path) -> None:
    done = _script("growth.py", "--most", "100000", "--results", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "| numpy | 10" in (tmp_path / "growth.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("published.py", ["--only", "3,2"], "--only 3,2: no bounds of a published run; those"),
        (
            "published.py",
            ["--bugs", "--only", "none"],
            "--only none: no model of a seeded bug; `zabspec models`",
        ),
        ("published.py", ["--jobs", "none"], "--jobs: none: not a whole number from 1"),
        ("published.py", ["--results", __file__], "test_benchmarks.py: not a folder"),
        ("growth.py", ["--most", "0"], "--most: 0: not a whole number from 1"),
        ("growth.py", ["--least", "0"], "unrecognized arguments: --least 0"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    script: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = {"published.py": published.main, "growth.py": growth.main}[script]

    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    told = capsys.readouterr().err
    assert (stopped.value.code, told.count("\n")) == (2, 1)
    assert said in told


def test_a_file_of_results_that_cannot_be_read_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "published.json").write_text("[{}]", encoding="utf-8")

    with pytest.raises(SystemExit) as stopped:
        published.main(["--redraw", "--results", str(tmp_path)])

    assert stopped.value.code == 2
    assert "published.json: cannot be read" in capsys.readouterr().err


def _script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / name), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)
