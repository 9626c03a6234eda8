"""A system over standard input and output: its document, impl through it, and one in JavaScript."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from impl.system_lines import SystemOverLines
from impl.under_test import ServersUnderTest
from zabspec.check.bounds import Bounds
from zabspec.check.model import Model
from zabspec.check.world import Worlds
from zabspec.cli import main
from zabspec.conform.answers import declared_keys, effects_of, shown_of
from zabspec.conform.beside import Rulebook
from zabspec.conform.exhaust import Budget, Replayed, exhaust
from zabspec.conform.expected import Expected
from zabspec.conform.findings import script_of
from zabspec.conform.lines import LinesSystem
from zabspec.conform.local_graph import local_graph
from zabspec.conform.lockstep import RUN, Failure, Lockstep
from zabspec.conform.machine import PROFILES, Profile, Task, conform, shortest
from zabspec.conform.plain import plain_ensemble, plain_event, plain_packet, plain_server
from zabspec.conform.system import SHOWS, TAKES, System, SystemServer
from zabspec.protocol import disk, events, messages
from zabspec.protocol.effects import Open, Send, Write
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import (
    Connection,
    Database,
    Disk,
    Ensemble,
    Failed,
    Follower,
    Memory,
    Phase,
    Server,
    Txn,
    Zxid,
    new_server,
)
from zabspec.protocol.zab import BASELINE, COARSE

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "system.md").read_text(encoding="utf-8")
NODE = ROOT / "examples" / "node" / "server.js"
IMPL = shlex.join([sys.executable, "-m", "impl", "system"])

ONE, TWO = Txn(Zxid(1, 1), 1), Txn(Zxid(1, 2), 2)
LEADER = Connection(2)
WRITTEN = Disk(1, 1, (ONE,))
EVENTS = (
    events.Elected(2),
    events.Received(LEADER, messages.LeaderInfo(1)),
    events.LinkLost(LEADER),
    events.ClientRequest(1),
    events.LogSynced(1),
    events.TxnApplied(),
    events.LimitExpired(),
    events.Crash(),
)
PACKETS = (
    messages.FollowerInfo(0),
    messages.ObserverInfo(0),
    messages.LeaderInfo(1),
    messages.AckEpoch(0, Zxid(0, 0)),
    messages.AckEpoch(None, Zxid(1, 2)),
    messages.Diff(Zxid(1, 2)),
    messages.Trunc(Zxid(1, 1)),
    messages.Snap(Zxid(1, 2), (ONE, TWO)),
    messages.NewLeader(1),
    messages.Ack(Zxid(1, 0)),
    messages.UpToDate(),
    messages.Proposal(ONE),
    messages.Commit(ONE.zxid),
    messages.Inform(ONE),
)
SHOWN: tuple[Server[Any], ...] = (
    Server(
        3,
        WRITTEN,
        Memory((), Database((ONE,), ONE.zxid, (ONE,))),
        Follower(LEADER, Phase.BROADCAST),
    ),
    new_server(3),
    Server(3, Disk(0, 1), Memory(), Failed("accepted epoch 0 below current epoch 1")),
)


def told(name: str) -> list[str]:
    """The lines of a block of the document."""
    found = re.findall(rf"^```{name}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return [line for line in found[0].splitlines() if line]


def read(name: str) -> list[Any]:
    """The values in a block of the document."""
    return [json.loads(line) for line in told(name)]


def as_json(values: Iterable[object]) -> list[Any]:
    """These values, as JSON has them."""
    found: list[Any] = json.loads(json.dumps(list(values)))
    return found


def test_the_document_tells_every_event_and_packet_as_a_system_is_told_it() -> None:
    assert read("events") == as_json(map(plain_event, EVENTS))
    assert read("packets") == as_json(map(plain_packet, PACKETS))
    assert {type(one) for one in PACKETS} == set(messages.PACKETS)
    kinds = {getattr(one, "__origin__", one) for one in get_args(events.Event)}
    assert {type(one) for one in EVENTS} == kinds - {events.RoleEnded}


def test_the_document_tells_what_is_shown_and_the_ensemble_as_they_are_compared() -> None:
    assert read("shows") == as_json(map(plain_server, SHOWN))
    assert read("ensemble") == as_json([plain_ensemble(Ensemble((1, 2, 3), (4,)))])
    for shown in read("shows"):
        assert shown_of({"shows": frozen(shown)}, declared_keys(SHOWS))


def test_the_document_tells_effects_as_they_are_compared() -> None:
    send, opened, _, write = read("effects")
    done = (
        Write(disk.AcceptedEpoch(1)),
        Write(disk.CurrentEpoch(1)),
        Write(disk.AppendSynced((ONE,))),
        Open(LEADER),
        Send(LEADER, messages.Ack(ONE.zxid)),
    )
    expected = Expected.of(Disk(), done, SHOWN[0])

    assert [{"type": "Send", "peer": 2, **one} for one in as_json(expected.sends[2])] == [send]
    assert {opened["peer"]} == expected.opens
    assert {**write, "type": "Send"}.items() <= {**send, "type": "Send"}.items()
    assert len(effects_of({"effects": frozen(read("effects"))})) == 4


def test_the_conversation_in_the_document_is_one_with_impl() -> None:
    system, lines = SystemOverLines(), told("dialog")

    assert [line[:2] for line in lines] == ["> ", "< "] * (len(lines) // 2)
    for request, answer in zip(lines[::2], lines[1::2], strict=True):
        assert as_json([system.answer(request[2:])]) == [json.loads(answer[2:])]
    asked = [json.loads(line[2:])["do"] for line in lines[::2]]
    table = DOCUMENT[DOCUMENT.index("| do |") : DOCUMENT.index("What a server cannot")]
    assert set(asked) == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_the_document_explains_whatever_can_be_taken_or_shown() -> None:
    taken = DOCUMENT[DOCUMENT.index("## What is taken") :]

    assert re.findall(r"^\| `(\w+)` \|", taken, re.MULTILINE) == list(TAKES)
    for word, keys in SHOWS.items():
        assert f"| `{word}` |" in DOCUMENT
        assert all(f"`{key}`" in DOCUMENT for key in keys)


def frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A value as it is when it has been read from a line."""
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return {key: frozen(one) for key, one in value.items()} if isinstance(value, dict) else value


class Watched:
    """A system, and all that its servers were told and answered."""

    def __init__(self, system: System) -> None:
        self.takes, self.shows, self.heard = system.takes, system.shows, list[Any]()
        self._system = system

    def start(self, sid: int, ensemble: Mapping[str, Any], held: Iterable[str]) -> SystemServer:
        return WatchedServer(self._system.start(sid, ensemble, held), self.heard)


class WatchedServer:
    """A server of it."""

    def __init__(self, server: SystemServer, heard: list[Any]) -> None:
        self._server, self._heard = server, heard
        self.observe, self.copy, self.close = server.observe, server.copy, server.close

    def step(
        self, event: Mapping[str, Any], stop_after: int | None = None, order: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        effects = self._server.step(event, stop_after, order)
        heard = (event, stop_after, order, tuple(effects), self._server.observe())
        self._heard.append(heard)
        return effects


def run(system: System, seeds: Iterable[int], spec: Spec = COARSE) -> Iterator[Failure | None]:
    """Runs of lockstep, each told how it ended."""
    worlds = Worlds(spec, RUN)
    rulebook = Rulebook(spec, RUN.ensemble, system, worlds.uncut)
    for seed in seeds:
        random = Random(seed)  # noqa: S311 - which run
        lockstep = Lockstep(worlds, rulebook)
        failures = (lockstep.choose(random.randrange(1 << 16)) for _ in range(120))
        yield next(filter(None, failures), None)
        lockstep.close()


def test_impl_over_lines_is_impl() -> None:
    here, there = Watched(ServersUnderTest()), Watched(LinesSystem(IMPL))

    assert not any(run(here, range(6), BASELINE))
    assert not any(run(there, range(6), BASELINE))

    assert len(here.heard) > 300
    assert any(stop_after for _, stop_after, *_ in here.heard)
    assert any(order for _, _, order, *_ in here.heard)
    assert here.heard == there.heard


def test_impl_decides_votes_over_lines() -> None:
    system = LinesSystem(IMPL)
    votes = [{"sid": sid, "epoch": 1, "zxid": (1, sid % 3)} for sid in (1, 2, 3)]

    assert system.elects(votes) == ServersUnderTest().elects(votes) == 2
    assert not hasattr(LinesSystem(node()), "elects")


def node(path: Path = NODE) -> str:
    """The command of the example."""
    assert shutil.which("node"), "Node.js is needed: it runs the example in another language"
    return shlex.join(["node", str(path)])


def test_the_example_does_what_a_server_can_be_asked_within_bounds() -> None:
    bounds = Bounds(servers=3, txns=1, lost_links=1, elections=2)
    replayed = rows(bounds, Budget(sample=300))

    assert replayed.divergences == ()
    assert (replayed.rows, replayed.replayed) == (300, 300)


def rows(bounds: Bounds, budget: Budget | None = None) -> Replayed:
    """What comes of the rows of the example."""
    graph = local_graph(Model("coarse", "", COARSE, bounds, None))
    return exhaust(graph, Rulebook(COARSE, bounds.ensemble, LinesSystem(node())), budget)


@pytest.mark.nightly
def test_the_example_conforms() -> None:
    few = rows(Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=2))

    assert (few.rows, few.is_complete, few.divergences) == (7579, True, ())
    assert conform(lambda: LinesSystem(node()), Task(COARSE), PROFILES["ci"]).runs >= 400
    assert conform(lambda: LinesSystem(node()), Task(BASELINE), PROFILES["ci"]).runs >= 400


def test_what_the_example_does_not_show_is_followed_as_a_set() -> None:
    worlds = Worlds(BASELINE, RUN)
    rulebook = Rulebook(BASELINE, RUN.ensemble, LinesSystem(node()), worlds.uncut)
    most = 0
    for seed in range(8):
        random, lockstep = Random(seed), Lockstep(worlds, rulebook)  # noqa: S311 - as above
        for _ in range(120):
            assert lockstep.choose(random.randrange(1 << 16)) is None
            most = max(most, *(len(one.explained) for one in lockstep._sides.values()))  # noqa: SLF001
        lockstep.close()

    assert most > 1


def test_each_server_of_the_example_may_be_a_process() -> None:
    system = LinesSystem(node(), one_each=True)

    assert list(run(system, range(2))) == [None, None]


MISTAKES = {
    "an epoch above its own only": (
        "1 + Math.max(this.accepted, ...known.map((one) => one.accepted))",
        "1 + this.accepted",
    ),
    "a promise given twice": ("epoch > this.accepted ? this.current : null", "this.current"),
    "a lower epoch is accepted": ("if (epoch < this.accepted)", "if (false)"),
    "a learner that is ahead is not refused": ("if (isAhead)", "if (false)"),
    "one server is a quorum": ("2 * (1 + peers.length)", "2 * (2 + peers.length)"),
    "a snapshot is not kept": ("if (this.isSnap)", "if (false)"),
    "a leader forgets nobody": ("this.leave(); else this.forget(peer);", "this.leave();"),
    "memory outlives a role": (
        "    this.load();\n  }\n\n  isQuorum",
        "    if (!this.holds) this.load();\n  }\n\n  isQuorum",
    ),
    "a log is not cut": ("this.log = this.log.filter(isKept);", ""),
    "proposals in a sync are acknowledged and not logged": (
        "this.proposals.forEach((txn) => this.append(txn));",
        "this.proposals.forEach((txn) => this.send([this.leader], 'Ack', { zxid: zxidOf(txn) }));",
    ),
    "a counter goes on in the next epoch": ("zxid: [this.epoch, 0] }", "zxid: this.zxid }"),
}
"""By what is wrong: what is right, and what stands there instead."""


def with_mistake(name: str, folder: Path) -> str:
    """The command of the example with one of its mistakes."""
    right, wrong = MISTAKES[name]
    text = NODE.read_text(encoding="utf-8")
    assert text.count(right) == 1
    mistaken = folder / "server.js"
    mistaken.write_text(text.replace(right, wrong), encoding="utf-8")
    return node(mistaken)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_example_is_found(name: str, tmp_path: Path) -> None:
    failure = next(filter(None, run(LinesSystem(with_mistake(name, tmp_path)), range(40))))

    assert failure.divergence is not None
    assert failure.divergence.differences


def test_what_is_found_is_shortened_to_a_script_that_shows_it_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mistaken = with_mistake("a promise given twice", tmp_path)
    system = LinesSystem(mistaken)
    worlds = Worlds(COARSE, RUN)
    rulebook = Rulebook(COARSE, RUN.ensemble, system, worlds.uncut)
    failure = next(filter(None, run(system, range(40))))
    least = shortest(failure, lambda: Lockstep(worlds, rulebook))
    script = tmp_path / "found.txt"
    script.write_text(script_of(least, COARSE, RUN), encoding="utf-8")

    assert len(least.run) < len(failure.run)
    assert main(["replay", str(script), "--system", mistaken]) == 1
    said = capsys.readouterr().out
    assert f"{script}:{3 + len(least.run)}: {mistaken} does something else: deliver" in said
    assert "AckEpoch current_epoch=-" in said
    assert main(["replay", str(script), "--system", node()]) == 0
    assert f"{node()}: does the same" in capsys.readouterr().out


def test_the_command_line_holds_a_system_by_runs_and_by_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROFILES, "smoke", Profile(3))
    few = Bounds(servers=3, txns=0, lost_links=1, elections=1)
    monkeypatch.setattr("zabspec.cli_conform._ROWS", few)
    held = ["conform", "coarse", "--profile", "smoke", "--rows", "--sample", "50", "--json"]

    assert main([*held, "--system", node()]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["differs"], found["rows"]["rows"]) == (False, 50)
    assert found["rows"]["replayed"] == 50
    assert found["runs"]["runs"] >= 3

    mistaken = ["--system", with_mistake("a promise given twice", tmp_path)]
    assert main([*held[:4], "--json", *mistaken]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["divergence"]["script"].startswith("zabspec script 1\nspec coarse")
    assert main(["conform", "coarse", *held[4:-1], *mistaken]) == 1
    said = capsys.readouterr().out
    assert "reads from 3 LeaderInfo epoch=1" in said
    assert "of 50 rows of coarse replayed" in said
