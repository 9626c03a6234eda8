"""Choices of free runs that once showed a defect: they still happen, and show it no longer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from mistaken import MISTAKES

from impl.__main__ import main
from zabspec.conform.free import Finding, judge, read_record

RECORDED = Path(__file__).parent / "recorded"
DEFECTS = {
    "an_epoch_read_before_its_folder_was_synced": (
        "unsynced-names",
        "an accepted epoch is never forgotten",
    ),
}
"""The mistake that each file shows, and what breaks then."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


def _replayed(name: str, folder: Path) -> list[Finding]:
    out = folder / "run.jsonl"
    assert main(["simulate", "--replay", str(RECORDED / f"{name}.choices"), "--out", str(out)]) == 0
    return list(judge(read_record(out)))


def test_each_file_of_choices_has_a_defect() -> None:
    assert {one.stem for one in RECORDED.iterdir()} == set(DEFECTS)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_that_was_found_is_found_again_and_only_while_it_is_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake, broken = DEFECTS[name]

    assert _replayed(name, tmp_path) == []
    assert "passed over" not in capsys.readouterr().out

    monkeypatch.setattr(*MISTAKES[mistake])
    assert broken in {one.kind for one in _replayed(name, tmp_path)}
