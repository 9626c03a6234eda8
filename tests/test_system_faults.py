"""A system that hangs, dies, prints garbage or lies gives a clear error, in time."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from zabspec.check.actions import Elect
from zabspec.check.bounds import Bounds
from zabspec.check.play import unbounded
from zabspec.cli import main
from zabspec.conform.beside import Rulebook
from zabspec.conform.expected import Difference
from zabspec.conform.lines import LinesServer, LinesSystem
from zabspec.conform.lockstep import Failure, Lockstep, Taken, replay
from zabspec.conform.system import System, SystemFailed
from zabspec.protocol.zab import COARSE

BOUNDS = Bounds()
ELECT = Taken(Elect(2, (1, 2)))
SCRIPT = "zabspec script 1\nspec coarse\nservers 3\nelect 2 among 1 2\n"
SERVER = """
import json, os, sys, time

SHOWN = {"role": "Looking", "phase": "ELECTION", "leader": None}

def answer(request, **more):
    print(json.dumps({"id": request["id"], **more}), flush=True)

def step(request):
    {step}

for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "hello":
        answer(request, version=1, takes=[], shows=["role"])
    elif request["do"] == "step":
        step(request)
    else:
        answer(request)
"""
FAULTS = {
    "time.sleep(60)": "no answer within 1 s",
    "time.sleep(1.5); answer(request, effects=[], shows=SHOWN)": "no answer within 1 s",
    "print('{\"id\":', end='', flush=True); time.sleep(60)": (
        "no answer within 1 s, but '{\"id\":'"
    ),
    "print('broken', file=sys.stderr); os._exit(3)": (
        "it died with exit code 3; its last line of errors: broken"
    ),
    "os.kill(os.getpid(), 9)": "it died with signal 9",
    "raise ValueError('no')": ("it died with exit code 1; its last line of errors: ValueError: no"),
    "sys.stdout.close(); os.close(1); time.sleep(60)": "it closed its standard output, and runs on",
    "print('Hello!', flush=True)": "read 'Hello!', expected one line of JSON",
    "sys.stdout.buffer.write(bytes([255, 10])); sys.stdout.flush()": (
        r"read '\xff', expected one line of JSON"
    ),
    "print('[]', flush=True)": "read '[]', expected an object",
    "print('[' * 100_000, flush=True)": "expected one line of JSON",
    "print('x' * (5 << 20), flush=True)": "more than 4,194,304 bytes",
    "answer({'id': 2}, effects=[], shows=SHOWN)": "expected the answer to request ",
    "answer({'id': True}, effects=[], shows=SHOWN)": "expected the answer to request ",
    "answer(request)": 'expected "effects" in it',
    "answer(request, effects={}, shows=SHOWN)": "read effects {}, expected an array",
    "answer(request, effects=[1], shows=SHOWN)": "read effects[0] 1, expected an object",
    "answer(request, effects=[{'type': 'Sent'}], shows=SHOWN)": "expected an object with a type of",
    "answer(request, effects=[{'type': 'Open'}], shows=SHOWN)": 'expected "peer" in it',
    "answer(request, effects=[{'type': 'Open', 'peer': '1'}], shows=SHOWN)": (
        'read effects[0].peer "1", expected a whole number'
    ),
    "answer(request, effects=[{'type': 'Open', 'peer': True}], shows=SHOWN)": (
        "read effects[0].peer true, expected a whole number"
    ),
    "answer(request, effects=[{'type': 'Open', 'peer': 1, 'pear': 1}], shows=SHOWN)": (
        'read effects[0] "pear", expected keys of peer, type'
    ),
    "answer(request, effects=[{'type': 'Send', 'peer': 1, 'packet': 7}], shows=SHOWN)": (
        "read effects[0].packet 7, expected an object with a type"
    ),
    "answer(request, effects=[])": 'expected "shows" in it',
    "answer(request, effects=[], shows={'role': 'Looking'})": (
        'read shows without "leader", which was declared'
    ),
    "answer(request, effects=[], shows={**SHOWN, 'last_zxid': [0, 0]})": (
        'read shows "last_zxid", expected what was declared: leader, phase, role'
    ),
    "answer(request, effects=[], shows={**SHOWN, 'roll': 1})": 'read shows "roll", expected keys',
    "answer(request, effects=[], shows={**SHOWN, 'role': 1})": "read shows.role 1, expected a text",
    "answer(request, error='I cannot')": 'it says: "I cannot"',
}
"""What a server does at a step, and what is said of it."""
LIE = "answer(request, effects=[], shows={**SHOWN, 'role': 'Leader'})"
HELLOS = {
    "pass": "no answer within 1 s",
    "print('Hello!', flush=True)": "read 'Hello!', expected one line of JSON",
    "answer(request, version=2, takes=[], shows=[])": "read version 2, expected 1",
    "answer(request, version=1, shows=[])": 'expected "takes" in it',
    "answer(request, version=1, takes=['time'], shows=[])": (
        'read takes "time", expected of apply, cut, fsync, order, votes'
    ),
    "answer(request, version=1, takes=[], shows=['mood'])": 'read shows "mood", expected of',
}


def written(folder: Path, step: str, hello: str | None = None) -> str:
    """The command of a system that does this at a step."""
    text = SERVER.replace("{step}", step)
    if hello is not None:
        text = text.replace('answer(request, version=1, takes=[], shows=["role"])', hello)
    path = folder / "system.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return shlex.join([sys.executable, "-S", str(path)])


def elected(system: System) -> Failure | None:
    """What comes of an election."""
    worlds = unbounded(COARSE, BOUNDS)
    return replay(Lockstep(worlds, Rulebook(COARSE, worlds.ensemble, system)), [ELECT])


@pytest.mark.parametrize(("step", "said"), FAULTS.items())
def test_what_is_no_answer_is_said_in_a_line_that_names_the_event(
    tmp_path: Path, step: str, said: str
) -> None:
    system = LinesSystem(written(tmp_path, step), timeout=1)
    began = time.monotonic()

    with pytest.raises(SystemFailed) as raised:
        elected(system)

    assert time.monotonic() - began < 3
    assert str(raised.value).startswith('server 2, told {"type": "Elected", "leader": 2}: ')
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
    system.close()


@pytest.mark.parametrize(("hello", "said"), HELLOS.items())
def test_a_system_that_does_not_say_hello_is_not_made(
    tmp_path: Path, hello: str, said: str
) -> None:
    with pytest.raises(SystemFailed, match="told hello: ") as raised:
        LinesSystem(written(tmp_path, "pass", hello), timeout=1)

    assert said in str(raised.value)


def test_a_child_that_reads_nothing_is_ended_in_time(tmp_path: Path) -> None:
    step = "answer(request, effects=[], shows=SHOWN); time.sleep(60)"
    system = LinesSystem(written(tmp_path, step), timeout=0.5)
    server = system.start(1, {}, ())
    server.step({"type": "Elected", "leader": 2})
    began = time.monotonic()

    with pytest.raises(SystemFailed, match=r"no answer within 0\.5 s"):
        server.step({"type": "large", "text": "x" * (1 << 20)})

    assert time.monotonic() - began < 2


def test_a_child_that_ends_its_input_and_one_that_says_too_much_are_told_apart(
    tmp_path: Path,
) -> None:
    closes = "answer(request, effects=[], shows=SHOWN); os.close(0); time.sleep(60)"
    with LinesOf(written(tmp_path, closes)) as server:
        server.step({"type": "one"})
        time.sleep(0.2)
        with pytest.raises(SystemFailed, match="closed its standard input, and runs on"):
            server.step({"type": "two"})

    twice = "[answer(request, effects=[], shows=SHOWN) for _ in range(2)]"
    with LinesOf(written(tmp_path, twice)) as server:
        server.step({"type": "one"})
        with pytest.raises(SystemFailed, match="expected the answer to request 4"):
            server.step({"type": "two"})


class LinesOf:
    """One server of a command."""

    def __init__(self, command: str) -> None:
        self.system = LinesSystem(command, timeout=1)

    def __enter__(self) -> LinesServer:
        return self.system.start(1, {}, ())

    def __exit__(self, *_: object) -> None:
        self.system.close()


def test_much_on_standard_error_stops_nobody(tmp_path: Path) -> None:
    step = "sys.stderr.write('x' * (1 << 20)); answer(request, effects=[], shows=SHOWN)"
    with LinesOf(written(tmp_path, step)) as server:
        assert server.step({"type": "one"}) == ()


def test_a_process_that_failed_is_ended_with_all_it_started_and_another_begins(
    tmp_path: Path,
) -> None:
    step = """
    import subprocess
    child = subprocess.Popen(["sleep", "60"])
    open("pids", "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(60)
    """.strip()
    command = written(tmp_path, step.replace("\n    ", "; "))
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        system = LinesSystem(command, timeout=0.5)
        first, second = system.start(1, {}, ()), system.start(2, {}, ())
        with pytest.raises(SystemFailed):
            first.step({"type": "one"})
    finally:
        os.chdir(here)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text(encoding="utf-8").split()]

    assert [is_running(pid) for pid in pids] == [False, False]
    with pytest.raises(SystemFailed, match="ended after an earlier error"):
        second.step({"type": "two"})
    first.close()
    system.start(3, {}, ()).close()
    system.close()


def is_running(pid: int) -> bool:
    """Whether a process runs, and is not just waited for by nobody."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return False
        if about.rpartition(")")[2].split()[0] == "Z" and pid != os.getpid():
            return False
        time.sleep(0.02)
    return True


def test_each_server_may_have_a_process_which_ends_with_it(tmp_path: Path) -> None:
    step = "answer(request, effects=[], shows={**SHOWN, 'leader': os.getpid()})"
    system = LinesSystem(written(tmp_path, step), timeout=2, one_each=True)
    servers = [system.start(sid, {}, ()) for sid in (1, 2)]
    for server in servers:
        server.step({"type": "one"})
    pids = [server.observe()["leader"] for server in servers]

    assert len(set(pids)) == 2
    servers[0].close()
    assert not is_running(pids[0])
    assert servers[1].step({"type": "two"}) == ()
    system.close()
    assert not is_running(pids[1])


def test_no_process_outlives_who_asks_nor_an_interrupt(tmp_path: Path) -> None:
    command = written(tmp_path, "open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
    asks = f"""
    from zabspec.conform.lines import LinesSystem
    LinesSystem({command!r}, timeout=60).start(1, {{}}, ()).step({{"type": "one"}})
    """
    words = [sys.executable, "-c", textwrap.dedent(asks)]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE) as asking:
        end = time.monotonic() + 10
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text(encoding="utf-8"):
            assert time.monotonic() < end
            assert asking.poll() is None
            time.sleep(0.02)
        asking.send_signal(signal.SIGINT)
        _, errors = asking.communicate(timeout=5)

    assert b"KeyboardInterrupt" in errors
    assert not is_running(int((tmp_path / "pid").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("step", "code"),
    [("time.sleep(60)", 2), ("os._exit(3)", 2), ("print('{')", 2), (LIE, 1)],
)
@pytest.mark.parametrize("with_script", [True, False])
def test_the_command_line_ends_with_2_for_a_failure_and_1_for_a_lie(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    step: str,
    code: int,
    with_script: bool,
) -> None:
    (tmp_path / "run.txt").write_text(SCRIPT, encoding="utf-8")
    command = written(tmp_path, step)
    asked = ["--system", command, "--timeout", "1"]
    arguments = ["replay", str(tmp_path / "run.txt")] if with_script else ["conform", "coarse"]
    profile = [] if with_script else ["--profile", "smoke"]
    began = time.monotonic()

    assert main([*arguments, *profile, *asked]) == code

    said = capsys.readouterr()
    assert time.monotonic() - began < 5
    if code == 2:
        assert said.err.count("\n") == 1
        assert said.err.startswith("zabspec: server ")
        assert '"Elected"' in said.err
    else:
        assert "is told of the election, leader=" in said.out
        assert "expected" in said.out


def test_a_disk_that_nobody_could_load_is_a_divergence(tmp_path: Path) -> None:
    right = "{'role': 'Leader', 'phase': 'DISCOVERY', 'leader': None"
    step = f"answer(request, effects=[], shows={right}, 'broken': 'a torn log'}})"
    system = LinesSystem(written(tmp_path, step), timeout=1)
    failure = elected(system)
    system.close()

    assert failure is not None
    assert failure.divergence is not None
    assert failure.divergence.differences == (Difference("broken", None, "a torn log"),)


class Raising:
    """A system in this process that raises."""

    takes = shows = frozenset[str]()

    def __init__(self, at: str) -> None:
        self.at = at

    def start(self, *_: object) -> Raising:
        self._raise("start")
        return self

    def step(self, *_: object) -> Iterable[Mapping[str, Any]]:
        self._raise("step")
        return [{}] if self.at == "answer" else []

    def observe(self) -> Mapping[str, Any]:
        self._raise("observe")
        return {}

    def close(self) -> None:
        pass

    def copy(self) -> None:
        pass

    def _raise(self, at: str) -> None:
        if self.at == at:
            raise RuntimeError("it cannot")


@pytest.mark.parametrize("at", ["start", "step", "observe"])
def test_what_a_system_in_this_process_raises_names_the_server_and_what_it_was_told(
    at: str,
) -> None:
    with pytest.raises(SystemFailed, match="RuntimeError: it cannot") as raised:
        elected(Raising(at))

    told = '"sid": 1' if at == "start" else '{"type": "Elected", "leader": 2}'
    assert str(raised.value).startswith("server ")
    assert told in str(raised.value)


def test_an_answer_in_this_process_that_is_none_names_the_server_too() -> None:
    with pytest.raises(SystemFailed, match=r"server 2, told .*KeyError: 'type'"):
        elected(Raising("answer"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "expected a system: package.module:Name, or a command"),
        ("no_such.module:Name", "cannot be imported: ModuleNotFoundError"),
        ("os:getcwd", "os:getcwd() is a str, expected a system with start, takes and shows"),
        ("os:no_such", "cannot be imported: AttributeError"),
        ("json:loads", "json:loads() raised TypeError"),
        ("./no_such_file", "'./no_such_file' cannot be run: No such file or directory"),
        ("node 'unclosed", "is no command: No closing quotation"),
        ("  ", "read ' ', expected a system"),
    ],
)
def test_what_is_no_system_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert main(["conform", "--system", text]) == 2

    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def test_a_script_of_the_paper_is_played_beside_no_system(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "run.txt"
    path.write_text(SCRIPT.replace("coarse", "paper"), encoding="utf-8")

    assert main(["replay", str(path), "--system", "os:getcwd"]) == 2
    assert "spec paper has the paper's packets" in capsys.readouterr().err
    assert main(["conform", "paper", "--system", "os:getcwd"]) == 2
    assert main(["conform", "--sample", "3", "--system", "os:getcwd"]) == 2
