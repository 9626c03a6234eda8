from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import evolve

from impl.under_test import ServersUnderTest
from zabspec.check.model import Model
from zabspec.check.script import parse_script
from zabspec.check.walk import hunt
from zabspec.check.world import Worlds
from zabspec.cli import main
from zabspec.conform.beside import Rulebook
from zabspec.conform.exhaust import exhaust
from zabspec.conform.local_graph import local_graph
from zabspec.conform.scoreboard import play
from zabspec.conform.zoo import Good, ZooError, load_bugs, patched
from zabspec.conform.zoo_strategies import EFFORTS, STRATEGIES, Effort, Found, Search

BUGS = load_bugs()
SLOW_IN_ROWS = {"zk-1419"}
SLOW_IN_LOCKSTEP = {"zk-1419", "zk-1549", "zk-2033", "zk-2846", "zk-5094"}
BEYOND_WALKS = {
    "zk-1282",
    "zk-1549",
    "zk-2832",
    "zk-2846",
    "zk-3642",
    "zk-3911",
    "zk-4643",
    "zk-4646",
    "zk-4785",
    "zk-4925",
    "zk-5094",
}
"""Which no walk of a plain `zabspec zoo` finds; docs/zoo.md has a dash for each."""


def _params(slow: Iterable[str]) -> Iterator[object]:
    for name in BUGS:
        yield pytest.param(name, marks=[pytest.mark.slow] if name in slow else [])


def _distinct_rows() -> Iterator[object]:
    """What code is held against, each once; quick ones are those of two servers."""
    asked = ((bug.against.rows, bug.against.with_cuts) for bug in BUGS.values())
    for rows, with_cuts in dict.fromkeys(asked):
        slow = rows.bounds.servers + rows.bounds.observers > 2 or with_cuts
        marks = [pytest.mark.slow] if slow else []
        yield pytest.param(rows, with_cuts, id=f"{rows.spec.name}: {rows.bounds}", marks=marks)


def _sought(name: str, strategy: str) -> Found | None:
    return STRATEGIES[strategy](Search(BUGS[name], EFFORTS["ci"], ServersUnderTest))


@pytest.mark.parametrize("name", list(_params(SLOW_IN_ROWS)))
def test_rows_find_the_mistake_in_the_code(name: str) -> None:
    found = _sought(name, "rows")

    assert found is not None
    assert found.text


@pytest.mark.parametrize(("rows", "with_cuts"), list(_distinct_rows()))
def test_without_the_mistake_the_code_does_as_the_same_rows_say(
    rows: Good, *, with_cuts: bool
) -> None:
    graph = local_graph(Model("rows", "", rows.spec, rows.bounds, None), with_cuts=with_cuts)
    rulebook = Rulebook(rows.spec, rows.bounds.ensemble, ServersUnderTest())

    replayed = exhaust(graph, rulebook)

    assert replayed.divergences == ()
    assert replayed.is_complete


@pytest.mark.parametrize("name", list(_params(SLOW_IN_LOCKSTEP)))
def test_lockstep_finds_the_mistake_in_the_code_and_tells_a_short_script(name: str) -> None:
    found = _sought(name, "lockstep")

    assert found is not None
    assert len(parse_script(found.text, name).lines) == found.length
    assert found.length <= 1.5 * BUGS[name].broken.depth


@pytest.mark.parametrize("name", [name for name in BUGS if name not in BEYOND_WALKS])
def test_walks_find_what_breaks_in_the_spec(name: str) -> None:
    model = BUGS[name].model

    found = hunt(Worlds(model.spec, model.bounds), model.promises, seconds=60)

    assert found.caught is not None
    assert set(found.caught.broken) == set(model.promises)


def test_a_hunt_takes_the_same_walks_again() -> None:
    model = BUGS["zk-1653"].model

    first, again = (hunt(Worlds(model.spec, model.bounds), model.promises, 60) for _ in range(2))

    assert first.caught is not None
    assert again.caught is not None
    assert [one.action for one in first.caught.run] == [one.action for one in again.caught.run]
    assert first.steps == again.steps


def test_a_hunt_ends_when_its_time_is_over() -> None:
    model = BUGS["zk-2846"].model

    found = hunt(Worlds(model.spec, model.bounds), model.promises, 0)

    assert found.caught is None
    assert found.walks == 1


def test_every_file_of_the_zoo_is_a_bug_and_begins_with_its_issue() -> None:
    files = sorted(path.stem for path in (Path(__file__).parents[1] / "models").glob("zk_*.py"))

    assert [f"zk_{bug.number}" for bug in BUGS.values()] == files
    for bug in BUGS.values():
        assert bug.title.startswith(f"ZOOKEEPER-{bug.number.lstrip('0')}: ")
        assert bug.code
        assert bug.broken.depth


@pytest.fixture
def code() -> Iterator[str]:
    """A module with a class; what a patch finds there."""

    class Server:
        def serve(self) -> str:
            return "good"

        @staticmethod
        def rest() -> str:
            return "good"

    sys.modules["zoo_code"] = SimpleNamespace(Server=Server)  # type: ignore[assignment]
    yield "zoo_code"
    del sys.modules["zoo_code"]


def _answers(code: str) -> tuple[str, str]:
    server = sys.modules[code].Server()
    return server.serve(), server.rest()


def test_a_patch_is_there_in_its_block_and_nowhere_else(code: str) -> None:
    bad = {f"{code}:Server.serve": lambda _: "bad", f"{code}:Server.rest": lambda *_: "bad"}

    with patched(bad):
        inside = _answers(code)

    assert inside == ("bad", "bad")
    assert _answers(code) == ("good", "good")


def test_a_patch_is_taken_back_when_its_block_fails(code: str) -> None:
    with pytest.raises(KeyError), patched({f"{code}:Server.serve": lambda _: "bad"}):
        raise KeyError

    assert _answers(code) == ("good", "good")


@pytest.mark.parametrize("name", ["no_such:f", "zoo_code:Server.no", "zoo_code:No.f", "zoo_code"])
def test_a_name_that_leads_nowhere_is_told_and_nothing_is_patched(code: str, name: str) -> None:
    bad = {f"{code}:Server.serve": lambda _: "bad", name: lambda: None}

    with pytest.raises(ZooError, match="leads nowhere"), patched(bad):
        pass

    assert _answers(code) == ("good", "good")


def test_code_without_the_mistake_is_told_as_not_found() -> None:
    good = evolve(BUGS["zk-1291"], code={})

    (score,) = play([good], ["rows"], EFFORTS["ci"], ServersUnderTest, lambda _: None)

    assert score.missed == ["rows"]


def test_another_depth_than_pinned_is_told_as_not_found() -> None:
    bug = BUGS["zk-1291"]
    deeper = evolve(bug.model, expected=evolve(bug.broken, depth=3))

    (score,) = play(
        [evolve(bug, models=(deeper,))], ["exhaustive"], EFFORTS["ci"], None, lambda _: None
    )

    assert score.missed == ["exhaustive"]


def test_the_scoreboard_says_what_was_found_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["zoo", "1291", "ZOOKEEPER-4394", "--json", "--strategy", "exhaustive"])

    first, second = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (first["bug"], first["depth"]) == ("zk-1291", 2)
    assert first["property"] == BUGS["zk-1291"].broken.promise.sentence
    assert set(first["found"]["exhaustive"]) == {"seconds", "worlds"}
    assert second["bug"] == "zk-4394"


def test_the_scoreboard_is_a_table_of_80_columns_and_markdown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["zoo", "335", "--strategy", "rows", "--strategy", "exhaustive", "--strategy", "walk"]

    table = main([*asked, "--scripts", str(tmp_path)]), capsys.readouterr().out
    markdown = main([*asked, "--markdown"]), capsys.readouterr().out

    assert (table[0], markdown[0]) == (0, 0)
    assert max(map(len, table[1].splitlines())) <= 80
    assert "| zk-0335 | an epoch has at most one established leader | 16 |" in markdown[1]
    names = [f"zk-0335-{one}.txt" for one in ("exhaustive", "rows", "walk")]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    found = tmp_path / "zk-0335-exhaustive.txt"
    assert len(parse_script(found.read_text(encoding="utf-8"), str(found)).lines) == 16


def test_what_is_not_found_is_told_and_exits_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORTS, "ci", Effort(0.0, "ci"))

    code = main(["zoo", "zk-2846", "--strategy", "walk"])

    assert code == 1
    assert "not found: walk" in capsys.readouterr().out
    assert main(["zoo", "zk-2846", "--strategy", "walk", "--markdown"]) == 1
    assert " | 59 | - |\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["zk-1"], "no bug is called 'zk-1'; there are zk-0335, "),
        (["--json", "--markdown"], "--json goes without --markdown"),
        (["--strategy", "guess"], "'guess' is not one of"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], asked: list[str], said: str
) -> None:
    code = main(["zoo", *asked])

    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(("strategy", "code"), [("rows", 2), ("exhaustive", 0)])
def test_without_code_to_break_only_specs_are_searched(strategy: str, code: int) -> None:
    program = (
        "import sys; sys.modules['impl'] = None; from zabspec.cli import main;"
        f" sys.exit(main(['zoo', '1291', '--strategy', '{strategy}']))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == code
    assert len(ended.stderr.splitlines()) == (code == 2)
