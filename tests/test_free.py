"""Records of free runs are judged, by zabspec alone; and what `zabspec free` says of bad input."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from zabspec.cli import main
from zabspec.conform.client_history import (
    NO_NODE,
    OK,
    Create,
    Delete,
    Node,
    Operation,
    Read,
    SetData,
    Sync,
)
from zabspec.conform.free import Finding, judge, read_record, record_of
from zabspec.conform.recording import RecordingError
from zabspec.conform.told import Held, read_told

RECORDINGS = Path(__file__).parent / "recordings"
CREATED = {
    "client": 7,
    "call": 1,
    "returned": 2.5,
    "request": "create",
    "path": "/a",
    "content": "7731",
    "result": 0,
    "zxid": 101,
}


def _mark(**told: object) -> str:
    return json.dumps({"t": 0, "conn": None, "type": "MARK", "text": "told", **told})


def _operation(**changed: object) -> str:
    return _mark(operation={**CREATED, **changed})


def _held(sid: int, zxid: int, digest: str) -> str:
    return _mark(content={"sid": sid, "zxid": zxid, "digest": digest})


def test_what_is_told_is_read() -> None:
    node = {"content": "77", "version": 3}
    lines = [
        _operation(),
        _operation(request="set", version=2, returned=None, result=None, zxid=None),
        _operation(request="delete", result=NO_NODE),
        _operation(request="read", result=node),
        _operation(request="read", result={"content": None, "version": 3}),
        _operation(request="sync", path=None),
        _held(1, 5, "x"),
        _mark(finding="a server ended"),
        json.dumps({"t": 0, "conn": "q1", "from": 1, "to": 2, "type": "OPEN", "finding": 1}),
    ]
    told = read_told("\n".join(lines), Path("record"))

    assert told.operations == [
        Operation(7, 1, 2.5, Create("/a", b"w1"), OK, 101),
        Operation(7, 1, None, SetData("/a", b"w1", 2), None),
        Operation(7, 1, 2.5, Delete("/a"), NO_NODE, 101),
        Operation(7, 1, 2.5, Read("/a"), Node(b"w", 3), 101),
        Operation(7, 1, 2.5, Read("/a"), Node(None, 3), 101),
        Operation(7, 1, 2.5, Sync(), OK, 101),
    ]
    assert (told.held, told.findings) == ([Held(1, 5, "x")], ["a server ended"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (_mark(operation=3), "read 'operation' that is a number, expected an object"),
        (_operation(client="x"), "read 'client' that is a string, expected a number"),
        (_operation(request="creat"), "read request 'creat', expected one of create"),
        (_operation(path=None), "read 'path' that is null, expected the path of a node"),
        (_operation(content="7"), "read content '7', expected hex digits or null"),
        (_operation(call=None), "read no 'call', expected a time"),
        (_operation(returned=None), "read one of 'returned' and 'result' that is null"),
        (_operation(returned=0.5), "read 'returned' before 'call'"),
        (_operation(result="ok"), "read 'result' that is a string, expected a number"),
        (_operation(result={"content": None}), "read no key 'version', expected a number"),
        (_held(1, 5, "x").replace('"x"', "1"), "read 'digest' that is a number"),
        (_mark(finding=[]), "read 'finding' that is an array, expected a text"),
    ],
)
def test_what_is_told_wrongly_is_an_error_at_its_line(line: str, problem: str) -> None:
    with pytest.raises(RecordingError) as raised:
        record_of([_mark(), line])

    assert str(raised.value).startswith(f"record:2: {problem}")


def test_each_part_finds_what_is_wrong() -> None:
    lines = [
        _mark(finding="server 2 ended: a gap at 0x200000003"),
        _held(1, 5, "x"),
        _held(2, 6, "y"),
        _held(3, 5, "z"),
        _operation(),
        _operation(client=8, call=3, returned=4, content="7732", zxid=102),
        _operation(client=8, call=5, returned=6, request="read", result=NO_NODE, zxid=99),
    ]
    found = list(judge(record_of(lines)))

    assert [(one.part, one.kind) for one in found] == [
        ("system", "server # ended: a gap at #"),
        ("content", "servers differ"),
        ("clients", "not linearizable"),
        ("clients", "a session goes back"),
    ]
    assert str(found[1]) == "content: servers 1 and 3 differ at zxid 0x5"
    assert found[0].is_like(Finding("system", "server # ended: a gap at #", "server 1 ended ..."))
    assert [one.part for one in judge(record_of(lines), ["content"])] == ["content"]


def test_a_real_run_is_right_and_one_that_is_changed_is_not() -> None:
    path = RECORDINGS / "3.9.4" / "a_clean_start.jsonl"
    text = path.read_text()
    assert list(judge(read_record(path))) == []
    commit = next(line for line in text.splitlines() if '"COMMIT"' in line)

    early = commit.replace("COMMIT", "UPTODATE")
    found = list(judge(record_of(text.replace(commit, early))))

    assert {one.part for one in found} <= {"wire", "follow"}
    assert found


def _command(tmp_path: Path, code: str) -> str:
    script = tmp_path / "system.py"
    script.write_text(f"import sys\nout = sys.argv[sys.argv.index('--out') + 1]\n{code}\n")
    return shlex.join([sys.executable, str(script)])


WRITES = f"""
lines = open(sys.argv[sys.argv.index('--replay') + 1]).read().split() if '--replay' in sys.argv \\
    else ['{{"seed":' + sys.argv[2] + '}}', '{{"a":1}}', '{{"a":2}}', '{{"a":3}}']
if '--choices' in sys.argv:
    open(sys.argv[sys.argv.index('--choices') + 1], 'w').write('\\n'.join(lines))
mark = {_mark()!r}
if lines[0] == '{{"seed":3}}' and '{{"a":2}}' in lines:
    mark = {_mark(finding="two were seen")!r}
open(out, 'w').write(mark + '\\n')
sys.exit('finding' in mark)
"""


def test_a_seed_that_fails_is_shrunk_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "found"
    arguments = ["--command", _command(tmp_path, WRITES), "--seeds", "1-5"]

    assert main(["free", *arguments, "--report", str(report)]) == 1
    told = capsys.readouterr().out
    assert "seed 3 fails: 3 choices, shrunk to 1 in " in told
    assert "  system: two were seen\n" in told
    assert told.endswith("3 of 5 seeds run; 1 failed\n")
    assert (report / "seed-3.choices").read_text() == '{"seed":3}\n{"a":2}\n'
    assert (report / "seed-3.txt").read_text() == "system: two were seen\n"
    assert next(judge(read_record(report / "seed-3.jsonl"))).text == "two were seen"


def test_seeds_that_do_not_fail_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--command", _command(tmp_path, WRITES), "--seeds", "1,4-5,4"]

    assert main(["free", *arguments]) == 0
    assert capsys.readouterr().out == "3 of 3 seeds run; none failed\n"


def test_a_run_that_failed_need_not_be_shrunk_nor_be_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--command", _command(tmp_path, WRITES), "--seeds", "2-4", "--tries", "0"]

    assert main(["free", *arguments, "--all", "--report", str(tmp_path)]) == 1
    assert "seed 3 fails: 3 choices, not shrunk\n" in (told := capsys.readouterr().out)
    assert told.endswith("3 of 3 seeds run; 1 failed\n")
    assert len((tmp_path / "seed-3.choices").read_text().splitlines()) == 4
    assert "two were seen" in (tmp_path / "seed-3.jsonl").read_text()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("sys.exit('no such option')", "wrote no record: no such option"),
        (
            "sys.stderr.write('a\\nno such option\\n'); sys.exit(2)",
            "expected 0 or 1: no such option",
        ),
        ("sys.exit(2)", "ended with 2, expected 0 or 1: it said nothing"),
        ("", "wrote no record: it said nothing"),
        ("open(out, 'w').write('x')", "record.jsonl:1: read a line that is cut"),
        (f"open(out, 'w').write({_mark()!r} + '\\n')", "seed 1 wrote no choices, expected lines"),
    ],
)
def test_a_command_that_does_not_do_what_it_has_to_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, problem: str
) -> None:
    assert main(["free", "--command", _command(tmp_path, code), "--seeds", "1"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert problem in told.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--command", "nowhere/such-command"], "'nowhere/such-command' cannot be run"),
        (["--command", "'"], "No closing quotation"),
        (["--command", ""], "--command is empty"),
        (["--command", "x", "--seeds", "a"], "--seeds 'a', expected such as 3, 1-20, or 1,5,7-9"),
        (["--command", "x", "--seeds", "5-3"], "--seeds 5-3, expected up to 1,000,000"),
        (["--command", "x", "--tries", "-1"], "-1 is not in the range x>=0."),
        ([], "Missing option '--command'."),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert main(["free", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert problem in told.err
