"""What an exploration over tables adds to the plain search: checkpoints, symmetry, recovery."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest
from attrs import evolve

from zabspec.check import checkpoint as checkpoints
from zabspec.check.bounds import Bounds
from zabspec.check.checkpoint import CheckpointError
from zabspec.check.coverage import reach_of
from zabspec.check.exploration import Exploration
from zabspec.check.explore import Explorer
from zabspec.check.graph import state_graph
from zabspec.check.model import Broken, Model, load_models
from zabspec.check.promises import PROMISES, quorum_is_led
from zabspec.check.search import Search
from zabspec.check.settings import Settings
from zabspec.check.symmetry import renamed
from zabspec.check.world import World, Worlds
from zabspec.protocol import paper
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import Spec, SpecError
from zabspec.protocol.state import Connection, Leader, Learner, Outstanding, Server, Txn, Zxid
from zabspec.protocol.zab import BASELINE

SMALL = Bounds(servers=3, txns=1, lost_links=1, elections=2)
MODELS = load_models()


def explore(
    spec: Spec = PAPER, bounds: Bounds = SMALL, settings: Settings | None = None
) -> Exploration:
    return Explorer(Worlds(spec, bounds), PROMISES, settings).run()


def counted(found: Exploration) -> tuple[object, ...]:
    assert found.reach is not None
    reach = found.reach
    premises = sorted((one.sentence, cases) for one, cases in found.premises.items())
    return found.worlds, found.steps, found.depth, reach.rows, reach.calls, premises


# checkpoints

KEPT = """
import sys
from pathlib import Path
from zabspec.check.bounds import Bounds
from zabspec.check.explore import Explorer
from zabspec.check.promises import PROMISES
from zabspec.check.search import Search
from zabspec.check.settings import Settings
from zabspec.check.world import Worlds
from zabspec.protocol import paper
from zabspec.protocol.paper import PAPER

bounds = Bounds(servers=3, txns=2, lost_links=1, elections=2)
settings = Settings(checkpoint=Path(sys.argv[1]), resume=True, every=0.0)
found = Explorer(Worlds(PAPER, bounds), PROMISES, settings).run()
print(found.worlds, found.steps, found.depth, found.reach.rows, found.reach.calls)
print(sum(found.premises.values()), sorted(found.reach.branches.values()))
"""


def run_until(folder: Path, seconds: float | None) -> str | None:
    """What an exploration in a process of its own says; None if it was killed before."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEPT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return None
    return told


@pytest.mark.slow
def test_a_killed_exploration_resumes_to_the_same_counts(tmp_path: Path) -> None:
    whole = run_until(tmp_path / "whole", None)
    moments = random.Random(1)  # noqa: S311  a schedule is no secret
    kills = 0
    for run in range(20):
        told = None
        while told is None:
            told = run_until(tmp_path / str(run), moments.uniform(0.4, 3.0))
            kills += told is None

        assert told == whole

    assert kills >= 20


def test_an_exploration_is_resumed_where_it_was_interrupted(tmp_path: Path) -> None:
    settings = Settings(checkpoint=tmp_path / "kept", every=0.0)

    def interrupt(at: int) -> Exploration:
        def report(progress: object) -> None:
            if getattr(progress, "depth", 0) == at:
                raise KeyboardInterrupt

        again = evolve(settings, resume=at > 5)
        return Explorer(Worlds(PAPER, SMALL), PROMISES, again).run(report)

    stopped = [interrupt(at) for at in (5, 6, 20)]
    resumed = explore(settings=evolve(settings, resume=True))

    assert [one.stopped for one in stopped] == ["interrupted"] * 3
    assert [one.depth for one in stopped] == [5, 6, 20]
    assert counted(resumed) == counted(explore())


def test_a_finished_exploration_is_told_again(tmp_path: Path) -> None:
    first = explore(settings=Settings(checkpoint=tmp_path))

    again = explore(settings=Settings(checkpoint=tmp_path, resume=True))

    assert counted(again) == counted(first)


def test_a_resumed_exploration_finds_the_same_run(tmp_path: Path) -> None:
    bug = MODELS["paper-newest-first"]
    settings = Settings(checkpoint=tmp_path, every=0.0)

    def report(progress: object) -> None:
        if getattr(progress, "depth", 0) == 12:
            raise KeyboardInterrupt

    Explorer(Worlds(bug.spec, bug.bounds), bug.promises, settings).run(report)
    again = evolve(settings, resume=True)
    resumed = Explorer(Worlds(bug.spec, bug.bounds), bug.promises, again).run()
    whole = Explorer(Worlds(bug.spec, bug.bounds), bug.promises).run()

    assert resumed.finding is not None
    assert whole.finding is not None
    assert [one.action for one in resumed.finding.run] == [one.action for one in whole.finding.run]


@pytest.mark.parametrize(
    ("spec", "bounds", "settings", "what"),
    [
        (BASELINE, SMALL, Settings(), "another spec, paper"),
        (PAPER, evolve(SMALL, txns=2), Settings(), "another bounds"),
        (PAPER, SMALL, Settings(words=2), "another words, 1; expected 2"),
        (PAPER, SMALL, Settings(symmetry=True), "another symmetry, False; expected True"),
    ],
)
def test_a_checkpoint_of_another_exploration_is_refused_and_left_alone(
    tmp_path: Path, spec: Spec, bounds: Bounds, settings: Settings, what: str
) -> None:
    explore(settings=Settings(checkpoint=tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(CheckpointError, match=what):
        explore(spec, bounds, evolve(settings, checkpoint=tmp_path, resume=True))

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explore(settings=Settings(checkpoint=tmp_path))
    monkeypatch.setattr(checkpoints, "_code", lambda: "000000000000")

    with pytest.raises(CheckpointError, match=r"another zabspec, [0-9a-f]{12}; expected 0{12}"):
        explore(settings=Settings(checkpoint=tmp_path, resume=True))


def test_a_folder_that_holds_a_checkpoint_is_not_written_over(tmp_path: Path) -> None:
    explore(settings=Settings(checkpoint=tmp_path))

    with pytest.raises(CheckpointError, match="it holds a checkpoint"):
        explore(settings=Settings(checkpoint=tmp_path))


@pytest.mark.parametrize("name", ["checkpoint.json", "level-3.npz", "tables-*", "frontier-*"])
@pytest.mark.parametrize("text", [b"", b"nothing of the kind"])
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: bytes) -> None:
    explore(settings=Settings(checkpoint=tmp_path))
    next(tmp_path.glob(name)).write_bytes(text)

    with pytest.raises(CheckpointError, match="read"):
        explore(settings=Settings(checkpoint=tmp_path, resume=True))


@pytest.mark.parametrize("name", ["checkpoint.json", "level-3.npz", "tables-*", "frontier-*"])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str) -> None:
    explore(settings=Settings(checkpoint=tmp_path))
    path = next(tmp_path.glob(name))
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(CheckpointError, match="read"):
        explore(settings=Settings(checkpoint=tmp_path, resume=True))


def test_a_checkpoint_runs_nothing(tmp_path: Path) -> None:
    explore(settings=Settings(checkpoint=tmp_path))
    next(tmp_path.glob("tables-*")).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")

    with pytest.raises(CheckpointError, match=r"os.system does not belong in a checkpoint"):
        explore(settings=Settings(checkpoint=tmp_path, resume=True))


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from zabspec.check import checkpoint
from zabspec.cli import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
sys.argv = ["zabspec", "check", "paper-3-2-1-0", "--checkpoint", sys.argv[1], *sys.argv[3:]]
sys.exit(main())
"""


def test_a_full_disk_is_one_line_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    folder = tmp_path / "kept"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FULL_DISK, str(folder), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    full = run("600000")
    there = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    whole = run("-1", "--resume", "--json")

    assert full.returncode == 2
    assert full.stderr.strip() == (
        f"zabspec: {folder}: no checkpoint could be written (File too large); the one before it,"
        " if any, is whole"
    )
    assert there["number"] >= 1
    assert not list(folder.glob("*.tmp"))
    assert json.loads(whole.stdout)[0]["worlds"] == 132_025


# symmetry


@pytest.mark.parametrize(
    ("spec", "bounds"),
    [
        (PAPER, SMALL),
        (PAPER, Bounds(servers=3, txns=2, lost_links=1, elections=2)),
        (PAPER, Bounds(servers=2, txns=2, lost_links=2, elections=3)),
        (PAPER, Bounds(servers=4, txns=1, lost_links=0, elections=1)),
        (MODELS["baseline-anyone"].spec, MODELS["baseline-anyone"].bounds),
    ],
)
def test_orbits_weigh_what_all_worlds_do(spec: Spec, bounds: Bounds) -> None:
    whole = explore(spec, bounds)
    reduced = explore(spec, bounds, Settings(symmetry=True))

    assert reduced.reach is not None
    assert reduced.reach.weighed == (whole.worlds, whole.steps)
    assert reduced.depth == whole.depth
    assert reduced.worlds < whole.worlds


@pytest.mark.parametrize(
    "bug",
    [
        model
        for model in MODELS.values()
        if isinstance(model.expected, Broken)
        and model.name.startswith("paper-")
        and not model.bounds.crashes
    ],
    ids=lambda model: model.name,
)
def test_symmetry_finds_each_bug_at_the_same_depth(bug: Model) -> None:
    settings = Settings(symmetry=True)

    found = Explorer(Worlds(bug.spec, bug.bounds), bug.promises, settings).run()

    assert isinstance(bug.expected, Broken)
    assert found.finding is not None
    assert (found.finding.promise, found.depth) == (bug.expected.promise, bug.expected.depth)
    world = Worlds(bug.spec, bug.bounds).start()
    for step in found.finding.run:
        assert any(one.world == step.world for one in Worlds(bug.spec, bug.bounds).steps(world))
        world = step.world


@pytest.mark.parametrize(
    ("spec", "bounds", "reason"),
    [
        (BASELINE, SMALL, "the election of baseline prefers some servers"),
        (PAPER, evolve(SMALL, crashes=1), "a crash may cut what leader_\\w+ of paper sends"),
    ],
)
def test_symmetry_is_refused_with_the_reason(spec: Spec, bounds: Bounds, reason: str) -> None:
    with pytest.raises(SpecError, match=f"no symmetry: {reason}"):
        explore(spec, bounds, Settings(symmetry=True))


def test_symmetry_is_refused_where_a_rule_prefers_a_sid() -> None:
    def leader_proposes(server: Server[Leader], event: object, ensemble: object) -> object:
        told = paper.leader_proposes(server, event, ensemble)  # type: ignore[arg-type]
        return evolve(told, effects=told.effects[:-1]) if server.sid == 1 else told

    bent = PAPER.but("prefers-one", leader_proposes=leader_proposes)  # type: ignore[arg-type]

    with pytest.raises(SpecError, match="rule leader_proposes of prefers-one treats servers"):
        explore(bent, SMALL, Settings(symmetry=True))


def test_every_part_of_a_leader_is_renamed() -> None:
    txn = Txn(Zxid(1, 1), 1)
    leader = Leader(
        learners=(Learner(Connection(2)), Learner(Connection(3))),
        outstanding=(Outstanding(txn, (1, 3)),),
    )

    other = renamed(leader, {1: 3, 2: 2, 3: 1})

    assert [one.connection.peer for one in other.learners] == [1, 2]
    assert other.outstanding[0].acks == (1, 3)


# recovery


def naive_lost(spec: Spec, bounds: Bounds) -> Iterator[World]:
    """The worlds that cannot recover, by the tools of networkx."""
    graph = state_graph(Worlds(spec, bounds))
    voters = bounds.ensemble.voters
    goals = []
    for node, world in graph.nodes(data="world"):
        waits = not world.environment.elections and sum(
            one.role.phase.value == 0 for one in world.servers
        ) * 2 > len(voters)
        if waits or quorum_is_led.function(world.servers, bounds.ensemble):
            goals.append(node)
    calm = nx.DiGraph()
    calm.add_nodes_from(graph.nodes)
    calm.add_edges_from(
        (to, start)
        for start, to, edge in graph.edges(data=True)
        if not edge["fault"] and "crash after" not in edge["action"]
    )
    reached = set(goals)
    for goal in goals:
        reached.update(nx.descendants(calm, goal) if goal in calm else ())
    return (world for node, world in graph.nodes(data="world") if node not in reached)


@pytest.mark.parametrize(
    "name", ["paper-refuses-who-comes-back", "paper-waits-for-ever", "paper-2-2-2-0"]
)
def test_recovery_agrees_with_networkx(name: str) -> None:
    model = MODELS[name]
    bounds = evolve(model.bounds, servers=2, txns=1, lost_links=1, elections=2)

    found = Explorer(Worlds(model.spec, bounds), (quorum_is_led,)).run()
    lost = list(itertools.islice(naive_lost(model.spec, bounds), 1))

    assert (found.finding is None) == (not lost)


def test_a_plain_search_does_not_answer_for_recovery() -> None:
    with pytest.raises(SpecError, match="a plain search cannot tell"):
        Search(Worlds(PAPER, SMALL), (quorum_is_led,))


def test_what_asks_for_recovery_is_not_kept(tmp_path: Path) -> None:
    settings = Settings(checkpoint=tmp_path)

    with pytest.raises(CheckpointError, match="recovery cannot be kept"):
        Explorer(Worlds(PAPER, SMALL), (quorum_is_led,), settings).run()

    assert list(tmp_path.iterdir()) == []


# coverage


def test_every_return_of_every_rule_is_a_branch_that_can_be_counted() -> None:
    found = explore(PAPER, Bounds(servers=3, txns=1, crashes=1, elections=2))

    assert found.reach is not None
    rules = reach_of(PAPER, found.reach.branches)
    decided = sum(rows for one, rows in found.reach.branches.items() if one.rule.because)
    assert sum(one.rows for one in rules) + decided == found.reach.rows
    assert {one.rule.name: one.missed for one in rules}["leader_selects_history"] != []
    assert all(len(one.branches) >= 1 for one in rules)


def test_a_rule_that_never_fires_is_named() -> None:
    found = explore(PAPER, Bounds(servers=3, txns=0, elections=1))

    assert found.reach is not None
    never = {one.rule.name for one in reach_of(PAPER, found.reach.branches) if not one.rows}
    assert {"leader_proposes", "server_restarts", "follower_commits"} <= never
    assert "server_takes_its_role" not in never
