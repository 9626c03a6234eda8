"""The mutants of the benchmark: what is changed, what is not, and what counts as what."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import mutants
from mutants_imported import noting
from mutants_judged import Verdict, lines_of
from mutants_kept import Record, Saying, TableError, load, sayings
from mutants_made import Mutant, mutants_of
from mutants_report import classed, is_outside

SOURCE = '''\
"""A module."""

from __future__ import annotations

LIMIT = 3


def add(first: int | None, second: int = 1) -> int | None:
    """Their sum."""
    if first is None:
        raise ValueError(f"no first of {1 + 1}", 2)
    LOG.info("adds %d", first + second)
    note(first)
    return (
        first
        + second
    )
'''
LINE = "if count == 1:"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "adding.py"
    found.write_text(SOURCE)
    return found


def mutant(line: int) -> Mutant:
    return Mutant("adding.py", "Any", line, "", "", "")


def record(by: str = "", was: str = LINE) -> Record:
    return Record("0", "adding.py", "Any", 13, was, "if count != 1:", Verdict(by, "", 1, 0.1))


def test_what_only_people_read_is_not_changed(path: Path) -> None:
    lines = {one.line for one in mutants_of(path)}

    assert lines == {5, 8, 10, 13, 16}


def test_a_call_for_its_effect_is_left_out(path: Path) -> None:
    left_out = [one for one in mutants_of(path) if one.operator == "RemoveCall"]

    assert [(one.was, one.now) for one in left_out] == [("note(first)", "pass")]


def test_a_sample_is_drawn_from_all_and_is_always_the_same(path: Path) -> None:
    some = mutants_of(path, 5, seed=3)

    assert len(some) == 5
    assert some == mutants_of(path, 5, seed=3)
    assert {one.key for one in some} < {one.key for one in mutants_of(path)}


def test_the_lines_of_a_change_are_those_of_its_statement() -> None:
    assert lines_of(mutant(16), SOURCE) == {14, 15, 16, 17}
    assert lines_of(mutant(10), SOURCE) == {10}


def test_what_runs_at_import_has_no_lines() -> None:
    assert lines_of(mutant(5), SOURCE) is None
    assert lines_of(mutant(8), SOURCE) is None


def test_code_that_notes_its_lines_does_the_same() -> None:
    passed: set[tuple[str, int]] = set()
    names = {"lines_passed": passed, "note": list[int]().append, "LOG": logging.getLogger()}
    exec(noting(SOURCE, "adding.py"), names)  # noqa: S102 - of this file

    assert names["add"](1) == 2  # type: ignore[operator]
    assert passed == {("adding.py", line) for line in (10, 12, 13, 14)}


def test_a_mutant_that_is_killed_is_not_equivalent_whatever_is_said(path: Path) -> None:
    said = [Saying("equivalent", "adding.py", "why", LINE)]

    kinds = [one.kind for one in classed([record(), record("hang")], said, path.parent)]

    assert kinds == ["equivalent", "killed"]


def test_what_is_said_of_a_function_is_said_of_all_its_lines(path: Path) -> None:
    said = [Saying("outside", "adding.py", "why", "add()")]

    assert is_outside(mutant(13), said, path.parent)
    assert not is_outside(mutant(5), said, path.parent)


def test_what_nothing_is_said_of_survives(path: Path) -> None:
    said = [Saying("equivalent", "adding.py", "why", "another line")]

    assert [one.kind for one in classed([record()], said, path.parent)] == ["survived"]


def test_the_table_can_be_read_and_each_entry_says_why() -> None:
    assert all(one.because for one in sayings())
    assert {one.file for one in sayings()} <= {"*", *mutants.IMPL, *mutants.PROTOCOL}


def test_a_table_with_a_word_it_does_not_know_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "said.toml"
    table.write_text('[[alike]]\nfile = "a.py"\nwas = "x"\nbecause = "y"\n')

    with pytest.raises(TableError, match='read "alike"'):
        sayings(table)


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    kept = tmp_path / "mutants-impl.jsonl"
    mutants.keep(kept, record())
    kept.write_text(kept.read_text() + '{"key": "1", "fi')

    assert list(load(kept)) == ["0"]


def test_a_file_that_is_none_of_these_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        mutants.main(["--only", "nowhere.py"])

    assert capsys.readouterr().err.count("\n") == 1
