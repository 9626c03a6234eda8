from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
from attrs import evolve

from zabspec import cli_diff
from zabspec.check import difference as difference_module
from zabspec.check.actions import Action, Elect, Join, LoseLink, Restart
from zabspec.check.bounds import Bounds
from zabspec.check.difference import Comparison, compare
from zabspec.check.exploration import Progress
from zabspec.check.model import load_models, load_specs
from zabspec.check.outcomes import Outcome
from zabspec.check.pairing import Pairing, paired, seen
from zabspec.check.play import play
from zabspec.check.promises import PROMISES
from zabspec.check.script import parse_script, show_action
from zabspec.check.walk import walk
from zabspec.check.world import Step, World, Worlds
from zabspec.cli import main
from zabspec.protocol import effects
from zabspec.protocol.disk import AcceptedEpoch, Append, CurrentEpoch
from zabspec.protocol.effects import Close, CloseAll, Effect, Impossible, Send, Write
from zabspec.protocol.events import ClientRequest, Elected, Event, LogSynced, Received
from zabspec.protocol.messages import Ack, LeaderInfo, Proposal
from zabspec.protocol.paper import (
    PAPER,
    follower_accepts_proposal,
    follower_promises_epoch,
    server_takes_its_role,
)
from zabspec.protocol.rules import Rule, Spec, anyone
from zabspec.protocol.state import (
    Connection,
    Ensemble,
    Follower,
    Leader,
    Looking,
    Role,
    Server,
    Zxid,
    new_server,
)
from zabspec.protocol.zab import BASELINE, FINE, threads
from zabspec.view.differences import script_of_difference, verdict_of

SPECS = load_specs()
SMALL = Bounds(servers=3, txns=1, lost_links=1, elections=2)
CRASHING = Bounds(servers=3, txns=1, crashes=1, elections=2)
LIMITED = Bounds(servers=2, txns=1, limits=1, observers=1, elections=2)

Run = Callable[..., tuple[int, list[str], list[str]]]


def difference(first: Spec, second: Spec, bounds: Bounds) -> Comparison:
    """The comparison, whose run has been checked to be a run of each spec."""
    found = compare(first, second, bounds)
    if found.parting is not None:
        for spec, run in zip((first, second), found.parting.runs, strict=True):
            assert _is_run(spec, bounds, run)
    return found


def _is_run(spec: Spec, bounds: Bounds, run: Iterable[Step]) -> bool:
    worlds = Worlds(spec, bounds)
    world = worlds.start()
    for step in run:
        if (step.action, step.world) not in [
            (one.action, one.world) for one in worlds.steps(world)
        ]:
            return False
        world = step.world
    return True


def _last_actions(found: Comparison) -> tuple[Action, bool, bool]:
    assert found.parting is not None
    one, other = found.parting.steps
    return found.parting.action, one is not None, other is not None


# A spec and itself.


@pytest.mark.parametrize(
    ("spec", "bounds"),
    [(PAPER, SMALL), (PAPER, CRASHING), (BASELINE, CRASHING), (BASELINE, LIMITED), (FINE, LIMITED)],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_a_spec_does_not_differ_from_itself(spec: Spec, bounds: Bounds) -> None:
    found = compare(spec, spec, bounds)

    assert found.same
    assert found.left_out == 0
    plain = Worlds(spec, bounds)
    assert (found.worlds, found.depth) == _met_plainly(plain)


def _met_plainly(worlds: Worlds) -> tuple[int, int]:
    """How many worlds there are, the monitor aside, and how deep."""
    level = [worlds.start()]
    met = {level[0][:3]}
    depth = -1
    while level:
        depth += 1
        ahead: list[World] = []
        for world in level:
            for step in worlds.steps(world):
                if step.world[:3] not in met:
                    met.add(step.world[:3])
                    ahead.append(step.world)
        level = ahead
    return len(met), depth


@pytest.mark.slow
def test_the_baseline_does_not_differ_from_itself_where_links_and_servers_fail() -> None:
    bounds = Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3)

    found = compare(BASELINE, BASELINE, bounds)

    assert found.same
    assert (found.worlds, found.depth) == (1_458_102, 63)


# Seeded bugs.

SEEDED = (
    "paper-commits-alone",
    "paper-commit-overtakes",
    "paper-stale-ack",
    "paper-newest-first",
    "paper-history-later",
    "paper-promise-after-answer-crash",
    "paper-epoch-offered-twice",
    "paper-promise-counted-twice",
    "paper-any-epoch",
    "paper-waits-for-ever",
    "paper-own-history",
    "paper-renumbered-history",
    "paper-serves-undelivered",
    "zab-commits-alone",
    "zab-ack-before-sync",
    "zab-stale-request",
    "zab-promise-in-memory",
    "zab-observer-counted",
    "zab-diff-for-trunc",
    "zab-claims-unapplied",
    "zab-keeps-acks",
)


def _good_and_seeded(name: str) -> tuple[Spec, Spec, Bounds, int]:
    model = load_models()[name]
    good = PAPER if name.startswith("paper") else BASELINE
    return good, model.spec, model.bounds, model.expected.depth


@pytest.mark.parametrize("name", SEEDED)
def test_a_seeded_bug_shows_no_later_than_it_breaks_its_promise(name: str) -> None:
    good, seeded, bounds, depth = _good_and_seeded(name)

    found = difference(good, seeded, bounds)

    assert not found.same
    assert found.depth <= depth


@pytest.mark.parametrize("name", SEEDED)
def test_the_other_way_round_the_difference_is_at_the_same_depth(name: str) -> None:
    good, seeded, bounds, _ = _good_and_seeded(name)

    one, other = difference(good, seeded, bounds), difference(seeded, good, bounds)

    assert one.depth == other.depth


@pytest.mark.parametrize("name", SEEDED)
def test_the_script_of_a_difference_replays_under_the_first_spec(name: str) -> None:
    good, seeded, bounds, _ = _good_and_seeded(name)
    found = difference(seeded, good, bounds)

    script = parse_script(script_of_difference(found))

    assert script.spec == seeded.name
    played = list(play(script, seeded, PROMISES))
    assert found.parting is not None
    assert [one.step.action for one in played] == [one.action for one in found.parting.runs[0]]
    assert all(one.outputs == one.line.outputs for one in played)


def test_what_is_only_inside_a_server_is_no_difference_until_it_shows() -> None:
    seeded = load_models()["zab-acknowledges-unlogged"]

    found = difference(BASELINE, seeded.spec, seeded.bounds)

    # Its promise is about disks; a later sync is what shows that there is less on one.
    assert found.depth > seeded.expected.depth


# Releases.


def test_a_follower_of_3_8_0_that_left_its_role_stands_behind_one_of_3_9_4() -> None:
    first, second = SPECS["zookeeper-3-8-0-fine"], SPECS["zookeeper-3-9-4-fine"]

    found = difference(first, second, evolve(SMALL, crashes=1))

    # It logged a proposal, and kept the memory in which that is not; so it may lose an election.
    assert _last_actions(found) == (Elect(2, (1, 2)), True, False)
    assert found.depth == 12
    lines = script_of_difference(found).splitlines()
    assert "ask 2 / crash after 2" in lines
    assert lines[-2:] == [
        "# B: cannot happen",
        "# B can do what A does here, where its crash falls elsewhere unseen.",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [("3-5-2", "3-5-8"), ("3-5-8", "3-8-0"), ("3-8-0", "3-8-6"), ("3-8-6", "3-9-4")],
)
def test_each_release_differs_from_the_next(first: str, second: str) -> None:
    one, other = SPECS[f"zookeeper-{first}-fine"], SPECS[f"zookeeper-{second}-fine"]

    assert not difference(one, other, evolve(SMALL, crashes=1)).same


# Crashes.


def test_writes_in_another_order_differ_after_a_crash_only() -> None:
    first, second = SPECS["paper-history-then-epoch"], SPECS["paper-epoch-then-history"]
    both = Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3)

    assert compare(first, second, evolve(both, crashes=0, elections=2)).same
    found = difference(first, second, both)

    assert found.parting is not None
    actions = [step.action for run in found.parting.runs for step in run]
    assert any(_is_crash(action) for action in actions)


def _is_crash(action: Action) -> bool:
    return isinstance(action, Restart) or getattr(action, "crash_after", None) is not None


def test_sent_before_it_is_written_differs_after_a_crash_only() -> None:
    seeded = SPECS["paper-promise-after-answer"]

    assert compare(PAPER, seeded, SMALL).same
    found = difference(PAPER, seeded, evolve(SMALL, crashes=1))

    assert _last_actions(found) == (Join(2, 1), True, True)
    assert [line for line in script_of_difference(found).splitlines() if line[:2] == "# "] == [
        "# The shortest run that tells paper (A) and paper-promise-after-answer (B) apart.",
        '# Where A has "deliver 1 -> 2 LeaderInfo epoch=1 / crash after 1", B has "restart 2".',
        "# They part at: join 2 to 1",
        "# A: 2 -> 1 FollowerInfo accepted_epoch=1",
        "# B: 2 -> 1 FollowerInfo accepted_epoch=0",
        "# A can do what B does here, where its crash falls elsewhere unseen.",
    ]


def test_one_write_or_the_same_in_two_differ_only_where_a_crash_falls_between() -> None:
    amended = SPECS["paper-history-then-epoch"]

    assert compare(PAPER, amended, SMALL).same
    found = difference(PAPER, amended, evolve(SMALL, crashes=1))

    # Between the two writes it has the history and not the epoch; else both, or none.
    assert found.parting is not None
    assert found.parting.hidden == (True, False)
    assert script_of_difference(found).splitlines()[-1] == (
        "# B can do what A does here, where its crash falls elsewhere unseen."
    )


def test_a_write_done_twice_makes_no_difference_although_it_makes_a_cut_more() -> None:
    def promises_again(
        server: Server[Follower], event: Received[LeaderInfo], ensemble: Ensemble
    ) -> effects.Step:
        step = follower_promises_epoch(server, event, ensemble)
        twice = tuple(one for one in step.effects for _ in range(1 + isinstance(one, Write)))
        return effects.Step(step.server, twice)

    repeating = PAPER.but("paper-repeats", follower_promises_epoch=promises_again)

    found = compare(PAPER, repeating, CRASHING)

    assert found.same
    assert found.worlds == compare(PAPER, PAPER, CRASHING).worlds


# Which events can happen.


def test_another_oracle_is_a_difference() -> None:
    found = difference(BASELINE, evolve(BASELINE, name="other", oracle=anyone), SMALL)

    assert _last_actions(found) == (Elect(1, (1, 2)), False, True)
    assert (found.depth, script_of_difference(found).count("elect")) == (1, 1)


def test_other_threads_are_a_difference() -> None:
    def syncs_all_at_once(server: Server[Role]) -> Iterator[Event]:
        unsynced = server.disk.unsynced
        yield from (
            event
            for event in threads(server)
            if not isinstance(event, LogSynced) or event.upto == unsynced
        )

    hasty = evolve(FINE, name="hasty", threads=syncs_all_at_once)
    two = evolve(SMALL, txns=2, lost_links=0, elections=1)

    assert compare(FINE, hasty, evolve(two, txns=1)).same
    found = difference(FINE, hasty, two)

    action, in_first, in_second = _last_actions(found)
    assert (show_action(action).startswith("sync"), in_first, in_second) == (True, True, False)


def test_another_grain_is_a_difference() -> None:
    action, in_first, in_second = _last_actions(difference(FINE, BASELINE, SMALL))

    assert (show_action(action)[:4], in_first, in_second) == ("sync", True, True)


def test_a_request_that_only_one_takes_is_a_difference() -> None:
    table = {
        row: Rule("ignore", rule.function, "it is closed") if row[2] is ClientRequest else rule
        for row, rule in PAPER.table.items()
    }
    closed = evolve(PAPER, name="closed", table=table)

    action, in_first, in_second = _last_actions(difference(PAPER, closed, SMALL))

    assert (show_action(action)[:3], in_first, in_second) == ("ask", True, False)
    assert compare(PAPER, closed, evolve(SMALL, txns=0)).same


def test_a_leader_that_only_one_follows_is_a_difference() -> None:
    def never_leads(server: Server[Looking], event: Elected, ensemble: Ensemble) -> effects.Step:
        if event.leader == server.sid:
            return effects.Step(server)
        return server_takes_its_role(server, event, ensemble)

    shy = PAPER.but("shy", server_takes_its_role=never_leads)

    found = difference(PAPER, shy, Bounds(servers=3, txns=0, elections=2))

    assert found.depth == 2
    assert found.parting is not None
    (elected,) = found.parting.runs[0][:1]
    assert isinstance(elected.action, Elect)


def test_a_leader_that_only_one_can_join_is_a_difference() -> None:
    def leads_alone(server: Server[Looking], event: Elected, _: Ensemble) -> effects.Step:
        return effects.Step(server.playing(Leader()) if event.leader == server.sid else server)

    def looks_on(server: Server[Looking], _event: Elected, _: Ensemble) -> effects.Step:
        return effects.Step(server)

    lonely = PAPER.but("lonely", server_takes_its_role=leads_alone)
    idle = PAPER.but("idle", server_takes_its_role=looks_on)
    bounds = Bounds(servers=3, txns=0, elections=1)

    found = difference(lonely, idle, bounds)

    assert found.depth == 2
    assert _last_actions(found) == (Join(2, 1), True, False)
    again = _last_actions(difference(lonely, idle, evolve(bounds, elections=2)))
    assert again in {(Join(2, 1), True, False), (Elect(1, (1, 3)), False, True)}


def test_what_a_crash_may_leave_in_one_only_is_a_difference() -> None:
    def logs_unsynced(
        server: Server[Follower], event: Received[Proposal], ensemble: Ensemble
    ) -> effects.Step:
        step = follower_accepts_proposal(server, event, ensemble)
        append = Write(Append((event.packet.txn,)))
        return evolve(step, effects=(append, *step.effects[1:]))

    lazy = PAPER.but("lazy", follower_accepts_proposal=logs_unsynced)

    assert compare(PAPER, lazy, SMALL).same
    action, in_first, in_second = _last_actions(difference(PAPER, lazy, CRASHING))

    assert isinstance(action, Restart)
    assert (action.survives, in_first, in_second) == (1, False, True)


# What others see.


def _seen(*done: Effect) -> object:
    server = new_server(1)
    return seen(Outcome(server, ClientRequest(1), server, done), (1, 2, 3))


def test_others_see_packets_in_order_on_each_connection_only() -> None:
    to_2, to_3 = Connection(2), Connection(3)
    first, second = Ack(Zxid(1, 1)), Ack(Zxid(1, 2))

    assert _seen(Send(to_2, first), Send(to_3, second)) == _seen(
        Send(to_3, second), Send(to_2, first)
    )
    assert _seen(Send(to_2, first), Send(to_2, second)) != _seen(
        Send(to_2, second), Send(to_2, first)
    )
    assert _seen(Send(to_2, first)) != _seen(Send(to_3, first))


def test_others_see_connections_end_and_no_write() -> None:
    write = Write(AcceptedEpoch(1))
    sent = Send(Connection(2), Ack(Zxid(1, 1)))

    assert _seen(write, sent) == _seen(sent, Write(CurrentEpoch(2)))
    assert _seen(CloseAll()) == _seen(Close(Connection(3)), Close(Connection(2)))
    assert _seen(CloseAll(), sent) != _seen(sent, CloseAll())
    assert _seen(Impossible("one")) == _seen(Impossible("other"))
    assert _seen(Impossible("one")) != _seen()


def test_a_cut_that_nothing_goes_with_is_left_out_and_counted() -> None:
    ensemble = Ensemble((1, 2, 3))

    def sends(*peers: int) -> Callable[[object, object, Ensemble], effects.Step]:
        def step(server: object, _event: object, _ensemble: Ensemble) -> effects.Step:
            packets = (Send(Connection(peer), Ack(Zxid(1, 1))) for peer in peers)
            return effects.Step(server, tuple(packets))  # type: ignore[arg-type]

        return step

    specs = tuple(PAPER.but("sends", server_takes_its_role=sends(*at)) for at in ((2, 3), (3, 2)))
    pairing = Pairing((specs[0], specs[1]), ensemble)
    pair = paired(new_server(1), new_server(1))

    assert list(pairing.cuts(pairing.sides(pair, Elected(1)))) == []
    assert pairing.left_out == 2


# A naive search.


def _naive_depth(first: Spec, second: Spec, bounds: Bounds) -> int | None:
    """Of the first difference, over plain worlds; crashes that cut are matched by their place."""
    sides = Worlds(first, bounds), Worlds(second, bounds)
    level = [(sides[0].start(), sides[1].start())]
    met = {_key(level[0])}
    depth = 0
    while level:
        depth += 1
        ahead = []
        for worlds in level:
            steps = [
                {step.action: step for step in these.steps(world)}
                for these, world in zip(sides, worlds, strict=True)
            ]
            if any(_tells(action, steps, bounds) for action in {**steps[0], **steps[1]}):
                return depth
            for action in steps[0].keys() & steps[1].keys():
                following = steps[0][action].world, steps[1][action].world
                if _key(following) not in met:
                    met.add(_key(following))
                    ahead.append(following)
        level = ahead
    return None


def _key(worlds: tuple[World, World]) -> tuple[object, ...]:
    return tuple(world[:3] for world in worlds)


def _tells(action: Action, steps: list[dict[Action, Step]], bounds: Bounds) -> bool:
    if isinstance(action, LoseLink) or getattr(action, "crash_after", None) is not None:
        return False
    one, other = (these.get(action) for these in steps)
    if one is None or other is None:
        return True
    servers = bounds.ensemble.servers
    return any(
        mine is None or its is None or seen(mine, servers) != seen(its, servers)
        for mine, its in zip_longest(one.outcomes, other.outcomes)
    )


@pytest.mark.parametrize(
    "name",
    [
        "paper-commit-overtakes",
        "paper-stale-ack",
        "paper-promise-counted-twice",
        "paper-renumbered-history",
        "paper-own-history",
        "zab-commits-alone",
        "zab-no-promise-counted",
        "zab-observer-counted",
        "zab-serves-at-once",
        "zab-refuses-later-log",
        "zookeeper-3-9-4-stale-ack",
    ],
)
def test_a_naive_search_finds_the_difference_at_the_same_depth(name: str) -> None:
    good, seeded, bounds, _ = _good_and_seeded(name)

    assert compare(good, seeded, bounds).depth == (
        _naive_depth(good, seeded, bounds) or _met_plainly(Worlds(good, bounds))[1]
    )


def test_no_random_run_shorter_than_the_difference_tells_the_two_apart() -> None:
    first, second = SPECS["zookeeper-3-8-6-fine"], SPECS["zookeeper-3-9-4-fine"]
    bounds = evolve(SMALL, txns=2)
    depth = compare(first, second, bounds).depth
    sides = Worlds(first, bounds), Worlds(second, bounds)

    for seed in range(100):
        other = sides[1].start()
        for step in walk(sides[0], (), seed, depth - 1).run:
            follows = {one.action: one for one in sides[1].steps(other)}
            assert not _tells(step.action, [{step.action: step}, follows], bounds)
            other = follows[step.action].world


# Ends, and what is said.


def _interrupt(_: Progress) -> None:
    raise KeyboardInterrupt


def test_a_comparison_that_is_interrupted_says_how_far_it_came() -> None:
    found = compare(PAPER, PAPER, SMALL, _interrupt)

    assert (found.complete, found.same, found.parting, found.depth) == (False, False, None, 0)


def test_the_same_run_is_told_every_time() -> None:
    first, second = SPECS["fine"], SPECS["zookeeper-3-8-0-fine"]

    told = {script_of_difference(compare(first, second, SMALL)) for _ in range(2)}

    assert len(told) == 1


def test_the_run_does_not_depend_on_how_many_worlds_are_left_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good, seeded, bounds, _ = _good_and_seeded("paper-own-history")
    told = script_of_difference(difference(good, seeded, bounds))

    monkeypatch.setattr(difference_module, "CHUNK", 7)

    assert script_of_difference(difference(good, seeded, bounds)) == told


def test_what_was_compared_is_said_with_its_bounds() -> None:
    found = compare(PAPER, PAPER, evolve(SMALL, lost_links=0))

    assert verdict_of(found).startswith(
        "paper and paper: no difference within these bounds, 3 servers, 1 transaction, 0 lost"
        " links, 0 crashes, 2 elections: 703 worlds, 1,416 steps, "
    )


# The command line.


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line: exit code, lines of output, lines of errors."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run


def test_diff_without_a_difference_says_within_which_bounds(run: Run) -> None:
    code, said, errors = run("diff", "paper", "paper", "--lost-links", 0, "--restarts", 0)

    assert (code, errors) == (0, [])
    assert said[0] == (
        "paper and paper: no difference within these bounds, 3 servers, 1 transaction, 0"
    )
    assert "  - runs with more of anything that is bounded" in said


def test_diff_tells_the_run_and_what_each_makes_of_its_end(run: Run) -> None:
    code, said, errors = run("diff", "paper", "paper-stale-ack", "--txns", 2, "--crashes", 0)

    assert (code, errors) == (1, [])
    assert said[0] == "zabspec script 1"
    assert said[said.index("# They part at: deliver 2 -> 1 Ack zxid=1.1") :][:4] == [
        "# They part at: deliver 2 -> 1 Ack zxid=1.1",
        "# A: nothing more",
        "# B: 1 applies 1.2:r2",
        "# B: 1 -> 2 Commit zxid=1.2",
    ]
    assert "paper (A) and paper-stale-ack (B) differ at depth 11: " in said[-2] + said[-1]


def test_diff_writes_a_script_that_replays(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.txt"

    code, said, _ = run("diff", "baseline", "baseline-anyone", "--script", file)

    assert code == 1
    assert file.read_text(encoding="utf-8").splitlines() == said[: said.index("")]
    assert run("replay", file)[0] == 0


def test_diff_writes_no_script_where_there_is_no_difference(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.txt"

    run("diff", "paper", "paper", "--servers", 2, "--script", file)

    assert not file.exists()


def test_diff_as_json_has_these_keys_and_nothing_else(run: Run) -> None:
    options = ("--txns", 0, "--crashes", 0, "--json")
    code, said, errors = run("diff", "baseline", "baseline-anyone", *options)

    told = json.loads("\n".join(said))
    assert (code, errors) == (1, [])
    assert list(told) == [
        "spec_a",
        "spec_b",
        "bounds",
        "same",
        "depth",
        "worlds",
        "steps",
        "seconds",
        "script",
        "a",
        "b",
    ]
    assert (told["same"], told["depth"], told["bounds"]["txns"]) == (False, 1, 0)
    assert (told["a"], told["b"][0]) == (None, "1 is Leader DISCOVERY")
    assert told["script"][0] == "zabspec script 1"


def test_diff_as_json_says_that_there_is_no_difference(run: Run) -> None:
    code, said, _ = run("diff", "paper", "paper", "--servers", 2, "--json")

    told = json.loads("\n".join(said))
    assert code == 0
    assert (told["same"], told["script"], told["a"], told["b"]) == (True, [], None, None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["paper", "papre"], "no spec is called 'papre'; near: paper"),
        (["paper"], "Missing argument 'SPEC_B'"),
        (["paper", "paper", "--servers", "1"], "Invalid value for '--servers'"),
        (["paper", "paper", "--txns", "many"], "Invalid value for '--txns'"),
        (["paper", "fine", "--script", "no/such/folder/run.txt"], "no/such/folder/run.txt"),
    ],
    ids=str,
)
def test_bad_input_to_diff_is_one_line_and_exit_code_2(
    run: Run, arguments: list[str], told: str
) -> None:
    code, said, errors = run("diff", *arguments)

    assert (code, said, len(errors)) == (2, [], 1)
    assert told in errors[0]


def test_diff_that_is_interrupted_says_how_far_it_came(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cli_diff, "compare", lambda one, other, bounds, _: compare(one, other, bounds, _interrupt)
    )

    code, said, errors = run("diff", "paper", "paper")

    assert (code, said) == (130, [])
    assert errors == ["zabspec: interrupted; no difference up to depth 0"]


def test_diff_tells_how_it_ends(run: Run) -> None:
    code, said, _ = run("diff", "--help")

    assert code == 0
    assert "Exit codes: 0 no difference within the bounds" in "\n".join(said)
