"""The pytest plugin, in projects of its own: what it offers, says, keeps and refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[1] / "examples" / "pytest" / "test_my_zab.py"

FEW = """
from hypothesis import settings

settings.register_profile("few", max_examples=4, derandomize=True)
settings.load_profile("few")
"""

TINY = (
    FEW
    + """
import pytest
from zabspec.check.bounds import Bounds
from zabspec.check.model import Model
from zabspec.protocol.zab import BASELINE

@pytest.fixture
def zab_model():
    bounds = Bounds(servers=2, txns=1, elections=1)
    return Model("tiny", "Is it quick?", BASELINE, bounds, None)
"""
)

SYSTEMS = """
from impl.under_test import ServersUnderTest

class Good(ServersUnderTest):
    pass

class Wrapped:
    def __init__(self, inner):
        self.inner = inner

    def step(self, event, stop_after=None, order=0):
        return self.inner.step(event, stop_after, order)

    def observe(self):
        return self.inner.observe()

    def copy(self):
        return None

    def close(self):
        self.inner.close()

class MuteServer(Wrapped):
    def step(self, event, stop_after=None, order=0):
        told = super().step(event, stop_after, order)
        return [one for one in told if one.get("packet", {}).get("type") != "UpToDate"]

class Mute(ServersUnderTest):
    def start(self, sid, ensemble, held):
        return MuteServer(super().start(sid, ensemble, held))

class AngryServer(Wrapped):
    def step(self, event, stop_after=None, order=0):
        if event["type"] == "ClientRequest":
            raise RuntimeError("no more ink")
        return super().step(event, stop_after, order)

class Angry(ServersUnderTest):
    def start(self, sid, ensemble, held):
        return AngryServer(super().start(sid, ensemble, held))

class Absent(ServersUnderTest):
    def start(self, sid, ensemble, held):
        from zabspec.conform.system import SystemFailed
        raise SystemFailed("nobody at home")
"""

LOCKSTEP = """
def test_lockstep(zab_explorer):
    zab_explorer.lockstep()
"""

MORE_LOCKSTEP = LOCKSTEP.replace("lockstep()", "lockstep(portion=4)")

ROWS = """
def test_rows(zab_explorer):
    zab_explorer.rows()
"""

MUTE_TEXT = """
server 2 reads from 1 Ack zxid=1.0
               expected  seen
    sent to 1  UpToDate  nothing
"""


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with systems, and with a model and a Hypothesis profile that are soon done."""
    pytester.makeconftest(TINY)
    pytester.makepyfile(systems=SYSTEMS)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *options)


def told(result: pytest.RunResult) -> str:
    """What was printed of the failure: between its heading and the next."""
    text = result.stdout.str()
    (found,) = re.findall(r"^_+ .* _+\n(.*?)\n(?======)", text, re.MULTILINE | re.DOTALL)
    return found


def test_what_was_covered_is_said_at_the_end(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP + ROWS)

    result = run(project, "--zab-system", "systems:Good", "-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*== zabspec ==*",
            "profile *, seed 0",
            "tiny: * runs of lockstep, * events",
            "tiny: rows 20/20: ELECTION 2/2, DISCOVERY 3/3, SYNCHRONIZATION 4/4, BROADCAST 11/11",
            "  met in lockstep [1-9]*/20: ELECTION 2/2, *",
            "promises: * asked, * with a premise that held",
            "witnesses: * of * seen in lockstep",
            "slowest: test_zab.py::test_*",
        ]
    )
    assert not (project.path / ".zabspec").exists()


def test_a_failure_is_its_script_and_nothing_around_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    result = run(project, "--zab-system", "systems:Mute")

    result.assert_outcomes(failed=1)
    (saved,) = (project.path / ".zabspec").glob("*.txt")
    script = saved.read_text(encoding="utf-8")
    assert script.startswith("zabspec script 1\nspec baseline ")
    command = f"zabspec replay --system systems:Mute .zabspec/{saved.name}"
    assert told(result) == f"{script}{MUTE_TEXT}\nreplay it: {command}"


def test_rows_that_differ_are_told_by_a_run_of_the_model(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=ROWS)

    result = run(project, "--zab-system", "systems:Mute")

    result.assert_outcomes(failed=1)
    (saved,) = (project.path / ".zabspec").glob("*.txt")
    assert told(result).startswith(saved.read_text(encoding="utf-8") + MUTE_TEXT)
    assert "Traceback" not in result.stdout.str()


def test_a_system_that_raises_is_told_as_one_that_differs(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    result = run(project, "--zab-system", "systems:Angry")

    result.assert_outcomes(failed=1)
    assert "\nask " in told(result)
    assert re.search(r"RuntimeError: no more ink \(systems\.py:\d+ in step\)", told(result))
    assert "Traceback" not in result.stdout.str()


def test_a_system_that_does_not_start_is_one_line(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    result = run(project, "--zab-system", "systems:Absent")

    result.assert_outcomes(failed=1)
    assert told(result) == "the system does not do its part: nobody at home"


def test_a_saved_script_is_played_and_no_other_test(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP, test_other="def test_other():\n    assert False\n")
    run(project, "--zab-system", "systems:Mute", "-k", "lockstep")
    (saved,) = (project.path / ".zabspec").glob("*.txt")

    again = run(project, "--zab-system", "systems:Mute", "--zab-replay", str(saved))
    mended = run(project, "--zab-system", "systems:Good", "--zab-replay", str(saved))

    again.assert_outcomes(failed=1, deselected=2)
    assert told(again) == saved.read_text(encoding="utf-8") + MUTE_TEXT.removesuffix("\n")
    mended.assert_outcomes(passed=1, deselected=2)


def test_a_script_is_played_on_the_system_of_a_fixture(project: pytest.Pytester) -> None:
    fixture = (
        "import pytest, systems\n\n@pytest.fixture\ndef zab_system():\n    return systems.{}()\n"
    )
    project.makepyfile(test_zab=fixture.format("Mute") + LOCKSTEP)

    failed = run(project)
    (saved,) = (project.path / ".zabspec").glob("*.txt")
    again = run(project, "--zab-replay", str(saved))

    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines([f"replay it: pytest --zab-replay .zabspec/{saved.name}"])
    again.assert_outcomes(failed=1, deselected=1)


def test_an_action_that_cannot_happen_is_one_line(project: pytest.Pytester) -> None:
    project.path.joinpath("x.txt").write_text(
        "zabspec script 1\nspec baseline\nservers 2\ndeliver 1 -> 2\n", encoding="utf-8"
    )

    result = run(project, "--zab-system", "systems:Good", "--zab-replay", "x.txt")

    result.assert_outcomes(failed=1)
    assert re.fullmatch(
        r'.*x\.txt:4: read "deliver 1 -> 2", expected what can happen here', told(result)
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--zab-profile", "huge"],
            '--zab-profile: read "huge", expected one of smoke, dev, ci, nightly',
        ),
        (["--zab-seed", "x"], '--zab-seed: read "x", expected a number, 0 or more'),
        (
            ["--zab-model", "baseline-3"],
            '--zab-model: read "baseline-3", expected a model, such as baseline-3-*',
        ),
        (["--zab-replay", "none.txt"], '--zab-replay: *none.txt: read "No such file*'),
        (["--zab-report", "systems.py"], '--zab-report: read "*systems.py", expected a folder'),
        (["--zab-system", "nothing"], "--zab-system: read 'nothing', expected a system: *"),
        (["--zab-system", "systems:None_"], "--zab-system: systems:None_ cannot be imported: *"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    project: pytest.Pytester, options: list[str], line: str
) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    result = run(project, *options)

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {line}"])
    assert len(result.stderr.lines) <= 2
    assert not result.stdout.str()


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (LOCKSTEP, "zabspec: no system is named: say --zab-system, *"),
        ("import pytest\n\n@pytest.mark.zab(shares=0)" + LOCKSTEP, '*zab(shares=...): read "0"*'),
        ("import pytest\n\n@pytest.mark.zab(speed=1)" + LOCKSTEP, '*zab(...): read "speed"*'),
    ],
)
def test_a_test_that_cannot_be_run_says_why_in_one_line(
    pytester: pytest.Pytester, test: str, line: str
) -> None:
    pytester.makepyfile(test_zab=test)

    result = run(pytester)

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([line])
    assert "Traceback" not in result.stdout.str()


def test_a_mark_may_only_name_a_model_that_is_there(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(systems=SYSTEMS)
    pytester.makepyfile(test_zab="import pytest\n\n@pytest.mark.zab(model='none')" + LOCKSTEP)

    result = run(pytester, "--zab-system", "systems:Good")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["zabspec: no model is called 'none': see zabspec models"])


@pytest.mark.slow
def test_shares_are_the_same_runs_however_many_processes_take_them(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        test_zab="import pytest\n\npytestmark = pytest.mark.zab(shares=2)" + LOCKSTEP + ROWS
    )
    options = ("--zab-system", "systems:Good", "--zab-seed", "7", "-v")

    alone = run(project, *options)
    beside = run(project, *options, "-n2")

    for result in (alone, beside):
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(["profile *, seed 7", "tiny: rows 20/20: *"])
    lines = [
        {line for line in one.stdout.lines if re.match(r"tiny: | +met in|promises: | +\d+ ", line)}
        for one in (alone, beside)
    ]
    assert lines[0] == lines[1]
    assert len(lines[0]) > 10


@pytest.mark.slow
def test_two_shares_are_not_the_same_runs(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab="import pytest\n\n@pytest.mark.zab(shares=2)" + MORE_LOCKSTEP)

    run(project, "--zab-system", "systems:Good", "--junitxml", "junit.xml")

    events = [one["zab_events"] for one in properties(project.path / "junit.xml")]
    assert len(set(events)) == 2


@pytest.mark.slow
def test_runs_that_are_fixed_are_the_same_again(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    for name in ("one.xml", "two.xml"):
        run(project, "--zab-system", "systems:Good", "--junitxml", name)

    one, two = (properties(project.path / name)[0] for name in ("one.xml", "two.xml"))
    assert one["zab_events"] == two["zab_events"]


def properties(path: Path) -> list[dict[str, str]]:
    """Those of each test that has some."""
    cases = ET.parse(path).iter("testcase")  # noqa: S314 - it was written just now
    return [
        {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")} for case in cases
    ]


def test_junit_has_what_was_held_and_how_much(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    run(project, "--zab-system", "systems:Mute", "--junitxml", "junit.xml")

    (found,) = properties(project.path / "junit.xml")
    assert found["zab_model"] == "tiny"
    assert found["zab_share"] == "1 of 1"
    assert int(found["zab_runs"]) >= 1
    assert int(found["zab_events"]) >= 1
    assert (project.path / found["zab_script"]).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "least", "most"), [([], 4, 6), (["--zab-profile", "smoke"], 30, 40)]
)
def test_the_users_own_number_of_runs_counts_unless_a_profile_is_asked_for(
    project: pytest.Pytester, options: list[str], least: int, most: int
) -> None:
    project.makepyfile(test_zab=LOCKSTEP)

    run(project, "--zab-system", "systems:Good", "--junitxml", "junit.xml", *options)

    (found,) = properties(project.path / "junit.xml")
    assert least <= int(found["zab_runs"]) <= most


@pytest.mark.slow
def test_settings_of_pytest_name_a_system_a_model_and_a_profile(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(FEW)
    pytester.makepyfile(systems=SYSTEMS)
    pytester.makepyfile(test_zab=LOCKSTEP)
    pytester.makeini(
        "[pytest]\nzab_system = systems:Good\nzab_model = snap-log\nzab_profile = smoke\n"
    )

    result = run(pytester, "--junitxml", "junit.xml")

    result.assert_outcomes(passed=1)
    (found,) = properties(pytester.path / "junit.xml")
    assert (found["zab_model"], found["zab_profile"]) == ("snap-log", "smoke")


def test_a_report_is_written_where_it_is_asked_for(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP + ROWS)

    run(project, "--zab-system", "systems:Mute", "--zab-report", "kept/here")

    folder = project.path / "kept" / "here"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert {one["zab_model"] for one in report["tests"].values()} == {"tiny"}
    assert any(line.startswith("tiny: rows ") for line in report["said"])
    assert len(list(folder.glob("*.txt"))) == 2
    assert not (project.path / ".zabspec").exists()


def test_a_system_alone_brings_its_tests(project: pytest.Pytester) -> None:
    project.makepyfile(test_other="def test_other():\n    pass\n")

    alone = run(
        project, "--zab-system", "systems:Good", "--zab-model", "snap-log", "--collect-only"
    )
    named = run(project, "--zab-system", "systems:Good", "test_other.py")

    alone.stdout.fnmatch_lines(["*zab lockstep*", "*zab rows*"])
    named.assert_outcomes(passed=1)


def test_tests_of_a_system_can_be_left_out(project: pytest.Pytester) -> None:
    project.makepyfile(test_zab=LOCKSTEP + "\n\ndef test_other():\n    pass\n")

    run(project, "-m", "not zab").assert_outcomes(passed=1, deselected=1)


@pytest.mark.slow
def test_a_machine_of_the_users_own_is_told_the_same_way(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_zab="import systems\nfrom zabspec.conform.machine import LockstepMachine\n\n"
        "class Machine(LockstepMachine):\n"
        "    @classmethod\n    def make_system(cls):\n        return systems.Mute()\n\n"
        "TestMachine = Machine.TestCase\n"
    )

    result = run(project)

    result.assert_outcomes(failed=1)
    assert told(result).startswith("zabspec script 1\nspec baseline ")
    assert "pytest --zab-replay .zabspec/" in told(result)
    assert "Falsifying" not in result.stdout.str()


def test_a_project_that_does_not_use_it_notices_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="import sys\n\ndef test_it():\n"
        "    heavy = {'numpy', 'numba', 'attrs', 'hypothesis.stateful', 'zabspec.check'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )

    result = run(pytester)

    result.assert_outcomes(passed=1)
    assert "zab" not in result.stdout.str().replace(str(pytester.path), "").split("collected")[1]


def test_the_example_tests_an_implementation_in_ten_lines(pytester: pytest.Pytester) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    shutil.copy(EXAMPLE, pytester.path)
    pytester.makeconftest(FEW)

    result = run(pytester, "-n2", "--zab-profile", "smoke")

    assert len([line for line in text.splitlines() if line.strip()]) <= 12
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["baseline-3-1-1-0: * runs of lockstep*", "observer-2-1: rows *"])
