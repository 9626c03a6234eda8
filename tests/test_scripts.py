from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import pytest
from retelling import FOLDER, SCRIPTS, claim, played, spec_of, told_anew

from zabspec.check.actions import Action
from zabspec.check.model import Holds, load_models
from zabspec.protocol import paper
from zabspec.protocol.effects import Effect
from zabspec.protocol.paper import PAPER
from zabspec.protocol.zab import BASELINE, COARSE, FINE

PAPERS = [path for path in SCRIPTS if path.is_relative_to(FOLDER / "paper")]
_played = cache(played)

AT_ONCE = {"server_leaves_role"}
"""Told as part of the step that ends the role: no script has a line for it."""

NO_RUN_REACHES = {
    ("follower_accepts_history", "return _look_again(server)"),
    (
        "follower_accepts_proposal",
        'return Step(server, (Impossible(f"proposal {txn.zxid} behind {end}"),))',
    ),
    (
        "follower_commits",
        'return Step(server, (Impossible(f"commit {event.packet.zxid} before its turn"),))',
    ),
}
"""What connections in order rule out, whatever the paper says of it; see tests/test_paper.py."""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_script_leads_to_what_it_says(path: Path, pytestconfig: pytest.Config) -> None:
    told = path.read_text(encoding="utf-8")

    now = told_anew(told, str(path))
    if pytestconfig.getoption("update_scripts"):
        path.write_text(now, encoding="utf-8")
        return

    if _with_fingerprint(now, "") != _with_fingerprint(told, ""):
        diff = difflib.unified_diff(told.splitlines(), now.splitlines(), "told", "now", lineterm="")
        pytest.fail("\n".join([f"{path}: --update-scripts would change", *diff]), pytrace=False)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_script_begins_with_its_claim(path: Path) -> None:
    assert re.fullmatch(r"[A-Z].{20,}\.", claim(path)), "line 4 should be `# ` and a sentence"


def test_no_two_scripts_claim_the_same() -> None:
    assert len({claim(path) for path in SCRIPTS}) == len(SCRIPTS)


def test_a_script_of_a_spec_that_holds_breaks_nothing_and_one_of_a_seeded_bug_does() -> None:
    breaking = {path for path in SCRIPTS if any(one.broken for one in _played(path))}
    good = {
        model.spec.name for model in load_models().values() if isinstance(model.expected, Holds)
    }

    assert [path for path in breaking if spec_of(path).name in good] == []
    assert breaking >= {path for path in SCRIPTS if path.parent.name == "seeded_bugs"}


def test_updating_a_script_changes_its_outputs_and_fingerprint_and_nothing_else() -> None:
    path = FOLDER / "paper" / "discovery" / "follower_refuses_lower_epoch.txt"
    told = path.read_text(encoding="utf-8")
    remark = "\n# Another remark.\n"
    spoilt = told.replace("writes", "forgets").replace("closes its connections", "")
    spoilt = _with_fingerprint(spoilt, "00000000")
    spoilt = spoilt.replace("join 3 to 1\n", f"{remark}join 3 to 1\n")

    updated = told_anew(spoilt)

    assert remark in updated
    assert updated.replace(remark, "") == _with_fingerprint(told, PAPER.fingerprint())


def test_every_rule_of_the_paper_is_told_by_a_script() -> None:
    told = {
        PAPER.rule(outcome.before, outcome.event).name
        for path in SCRIPTS
        if spec_of(path) is PAPER
        for one in _played(path)
        for outcome in one.step.outcomes
    }

    assert told == {rule.name for rule, _ in PAPER.rules() if rule.because is None}


def test_every_rule_of_zookeepers_grain_is_told_by_a_script() -> None:
    told = {
        spec.rule(outcome.before, outcome.event).name
        for path in SCRIPTS
        if (spec := spec_of(path)) in (FINE, BASELINE, COARSE)
        for one in _played(path)
        for outcome in one.step.outcomes
    }

    assert {rule.name for rule, _ in FINE.rules() if rule.because is None} - told == AT_ONCE


def test_every_answer_that_a_rule_of_the_paper_can_give_is_told_by_a_script() -> None:
    file = inspect.getsourcefile(paper)
    assert file is not None

    told = _lines_run(file, lambda: [played(path) for path in PAPERS])

    untold = {
        (function, source)
        for function, source, lines in _returns(Path(file).read_text(encoding="utf-8"))
        if told.isdisjoint(lines)
    }
    assert untold == NO_RUN_REACHES


def test_every_kind_of_effect_is_told_by_a_script() -> None:
    outcomes = [out for path in SCRIPTS for one in _played(path) for out in one.step.outcomes]

    told = {type(effect) for outcome in outcomes for effect in outcome.effects}

    assert set(get_args(Effect)) - told == set()


def test_every_kind_of_action_is_told_by_a_script() -> None:
    told = {type(one.step.action) for path in SCRIPTS for one in _played(path)}

    assert set(get_args(Action)) - told == set()


def _with_fingerprint(text: str, fingerprint: str) -> str:
    return re.sub(r"(?m)^(spec [\w-]+).*$", rf"\1 {fingerprint}", text)


def _lines_run(file: str, work: Callable[[], object]) -> set[int]:
    """The numbers of the lines of this file that `work` runs."""
    lines: set[int] = set()

    def in_frame(frame: FrameType, what: str, _argument: Any) -> Any:  # noqa: ANN401  as sys has it
        if what == "line":
            lines.add(frame.f_lineno)
        return in_frame

    def on_call(frame: FrameType, _what: str, _argument: Any) -> Any:  # noqa: ANN401  as sys has it
        return in_frame if frame.f_code.co_filename == file else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def _returns(source: str) -> list[tuple[str, str, range]]:
    """Each `return` of a module: its function, how it begins, and its lines."""
    texts = source.splitlines()
    return [
        (function.name, texts[one.lineno - 1].strip(), range(one.lineno, one.end_lineno + 1))
        for function in ast.parse(source).body
        if isinstance(function, ast.FunctionDef)
        for one in ast.walk(function)
        if isinstance(one, ast.Return) and one.end_lineno is not None
    ]
