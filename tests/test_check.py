from __future__ import annotations

import networkx as nx
import pytest
from attrs import evolve

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.actions import Deliver, Elect
from zabspec.check.bounds import Bounds
from zabspec.check.exploration import Progress
from zabspec.check.graph import TooLargeError, cycles, dead_ends, goes_on, state_graph
from zabspec.check.model import Answer, Holds, Model, load_models
from zabspec.check.outcomes import outcomes
from zabspec.check.play import play, retell
from zabspec.check.promises import PROMISES, no_impossibility
from zabspec.check.properties import NOT_STUCK, Property, always, every_step, sometimes
from zabspec.check.script import parse_script
from zabspec.check.search import Search
from zabspec.check.walk import walk
from zabspec.check.world import World, Worlds
from zabspec.protocol import paper
from zabspec.protocol.disk import Append, LoseUnsynced
from zabspec.protocol.effects import Ready, Send, Step, Write
from zabspec.protocol.events import ClientRequest, Crash, Elected, Received
from zabspec.protocol.messages import Proposal
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import (
    Connection,
    Disk,
    Ensemble,
    Follower,
    Leader,
    Learner,
    Looking,
    Memory,
    Phase,
    Role,
    Server,
    Stage,
    Txn,
    Zxid,
    new_server,
)

SMALL = Bounds(servers=2, txns=1, lost_links=1, elections=2)
CRASHING = Bounds(servers=2, txns=1, crashes=1, elections=2)
THREE = Bounds(servers=3, txns=1, elections=1)


def raises(_server: Server[Leader], _event: ClientRequest, _ensemble: Ensemble) -> Step:
    raise ValueError("no more ink")


def says_nothing(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
    return Step(server)


def writes_past_the_disk(server: Server[Follower], _event: object, _ensemble: Ensemble) -> Step:
    return Step(evolve(server, disk=evolve(server.disk, accepted_epoch=9)))


RAISING = PAPER.but("paper-raises", leader_proposes=raises)
MUTE = PAPER.but("paper-mute", follower_promises_epoch=says_nothing)

# Searches.


def _worlds_found_naively(spec: Spec, bounds: Bounds) -> tuple[int, int, int]:
    """Worlds, steps and depth, level by level, with nothing remembered from world to world."""
    level: list[World] = [Worlds(spec, bounds).start()]
    met: list[World] = list(level)
    known = {repr(world) for world in met}
    steps = depth = 0
    while level:
        following: list[World] = []
        for world in level:
            for step in Worlds(spec, bounds).steps(world):
                steps += 1
                if repr(step.world) not in known:
                    known.add(repr(step.world))
                    following.append(step.world)
        met += following
        depth += bool(following)
        level = following
    return len(met), steps, depth


@pytest.mark.parametrize("bounds", [SMALL, CRASHING, THREE], ids=str)
def test_a_search_meets_the_worlds_that_a_naive_one_does(bounds: Bounds) -> None:
    found = Search(Worlds(PAPER, bounds), PROMISES).run()

    assert (found.worlds, found.steps, found.depth) == _worlds_found_naively(PAPER, bounds)
    assert found.complete


def test_a_search_finds_the_same_shortest_run_every_time() -> None:
    bug = load_models()["paper-commits-alone"]

    runs = [_told(bug.spec, bug.bounds, PROMISES) for _ in range(2)]

    assert runs[0] == runs[1]


def test_no_walk_breaks_a_promise_sooner_than_the_search_says() -> None:
    bug = load_models()["paper-stale-ack"]
    found = Search(Worlds(bug.spec, bug.bounds), bug.promises).run()
    worlds = Worlds(bug.spec, bug.bounds)

    walked = [walk(worlds, bug.promises, seed, 40) for seed in range(300)]

    breaking = [len(one.run) for one in walked if one.broken]
    assert breaking
    assert min(breaking) >= found.depth


def test_a_rule_that_raises_is_a_finding_with_a_script() -> None:
    script = _told(RAISING, SMALL, PROMISES)

    assert script.splitlines()[-3:] == [
        "ask 1",
        "    1 meets what cannot happen: leader_proposes raised ValueError: no more ink",
        "    broken: no rule meets what it calls impossible",
    ]


def test_a_dead_end_is_a_finding_with_a_script() -> None:
    script = _told(MUTE, Bounds(servers=2, elections=1), PROMISES)

    assert script.splitlines()[-2:] == [
        "deliver 1 -> 2 LeaderInfo epoch=1",
        "    broken: the protocol is never stuck",
    ]


def test_a_dead_end_is_one_although_a_fault_could_still_happen() -> None:
    bounds = Bounds(servers=2, lost_links=1, crashes=1, elections=3)

    found = Search(Worlds(MUTE, bounds), [NOT_STUCK]).run()

    assert found.finding is not None
    assert [type(step.action) for step in found.finding.run] == [Elect, Deliver, Deliver]


@pytest.mark.parametrize("bounds", [Bounds(2, txns=0), Bounds(2, elections=0)], ids=str)
def test_a_world_that_only_a_bound_stops_is_cut_and_no_dead_end(bounds: Bounds) -> None:
    found = Search(Worlds(PAPER, bounds), [NOT_STUCK]).run()

    assert found.finding is None
    assert found.complete
    assert found.premises[NOT_STUCK] >= 1


def test_a_search_that_may_leave_only_so_many_worlds_is_incomplete() -> None:
    found = Search(Worlds(PAPER, SMALL), PROMISES).run(most=10)

    assert not found.complete
    assert found.finding is None
    assert Answer(_model(PAPER, SMALL), found).verdict == "incomplete"


def test_a_search_that_may_leave_exactly_all_worlds_is_complete() -> None:
    worlds = Search(Worlds(PAPER, SMALL), PROMISES).run().worlds

    assert Search(Worlds(PAPER, SMALL), PROMISES).run(most=worlds).complete
    assert not Search(Worlds(PAPER, SMALL), PROMISES).run(most=worlds - 1).complete


def test_a_promise_that_the_first_world_breaks_is_broken_by_the_empty_run() -> None:
    @always("somebody leads")
    def somebody_leads(servers: tuple[Server[Role], ...], monitor: object) -> bool:
        del monitor
        return any(isinstance(one.role, Leader) for one in servers)

    found = Search(Worlds(PAPER, SMALL), [somebody_leads]).run()

    assert found.finding is not None
    assert (found.finding.promise, found.finding.run, found.depth) == (somebody_leads, (), 0)


def test_of_several_promises_broken_at_once_the_first_listed_is_told() -> None:
    @every_step("nobody ever leads")
    def nobody_leads(outcome: object) -> bool:
        return not isinstance(outcome.after.role, Leader)  # type: ignore[attr-defined]

    @always("everybody looks")
    def everybody_looks(server: Server[Role]) -> bool:
        return isinstance(server.role, Looking)

    one_way = Search(Worlds(PAPER, SMALL), [nobody_leads, everybody_looks]).run().finding
    other_way = Search(Worlds(PAPER, SMALL), [everybody_looks, nobody_leads]).run().finding

    assert one_way is not None
    assert other_way is not None
    assert (one_way.promise, other_way.promise) == (nobody_leads, everybody_looks)


def test_a_promise_whose_premise_never_holds_is_counted_as_not_checked() -> None:
    @always("unicorns are white")
    def unicorns(server: Server[Role]) -> None:
        del server

    found = Search(Worlds(PAPER, SMALL), [unicorns]).run()

    assert found.premises == {unicorns: 0}


def test_every_server_is_asked_about_anew_when_the_abstract_broadcast_has_changed() -> None:
    @always("nobody broadcasts while 2 looks on")
    def unseen(server: Server[Role], monitor: AtomicBroadcast) -> bool:
        return server.sid != 2 or not any(sid == 1 for _, sid in monitor.primaries)

    found = Search(Worlds(PAPER, SMALL), [unseen]).run()

    assert found.finding is not None
    last = found.finding.run[-1]
    assert [outcome.before.sid for outcome in last.outcomes] == [1]
    assert any(isinstance(effect, Ready) for effect in last.outcomes[0].effects)


def test_two_servers_are_asked_about_once_and_in_the_order_of_their_sids() -> None:
    asked: list[tuple[int, int]] = []

    @always("the first comes first")
    def ordered(server: Server[Role], other: Server[Role]) -> bool:
        asked.append((server.sid, other.sid))
        return True

    Search(Worlds(PAPER, THREE), [ordered]).run()

    assert set(asked) == {(1, 2), (1, 3), (2, 3)}


def test_what_is_seen_sometimes_is_witnessed_and_never_a_finding() -> None:
    @sometimes("a server leads")
    def leads(server: Server[Role]) -> bool:
        return isinstance(server.role, Leader)

    @sometimes("epoch 99 is promised")
    def promised(server: Server[Role]) -> bool:
        return server.disk.accepted_epoch == 99

    found = Search(Worlds(PAPER, SMALL), [leads, promised]).run()

    assert found.witnessed == (leads,)
    assert (found.finding, found.premises) == (None, {})


def test_progress_is_reported_while_a_search_goes_on() -> None:
    heard: list[Progress] = []

    found = Search(Worlds(PAPER, Bounds(3, txns=1, lost_links=1, elections=2)), ()).run(
        heard.append
    )

    assert heard
    assert all(one.worlds <= found.worlds and one.frontier > 0 for one in heard)
    assert [one.depth for one in heard] == sorted(one.depth for one in heard)


# Graphs.


@pytest.mark.parametrize("bounds", [SMALL, CRASHING], ids=str)
def test_a_graph_has_the_worlds_and_steps_of_a_search(bounds: Bounds) -> None:
    found = Search(Worlds(PAPER, bounds), ()).run()

    graph = state_graph(Worlds(PAPER, bounds))

    assert (graph.number_of_nodes(), graph.number_of_edges()) == (found.worlds, found.steps)
    lengths = nx.single_source_shortest_path_length(graph, 0)
    assert (len(lengths), max(lengths.values())) == (found.worlds, found.depth)
    assert dead_ends(graph) == []
    assert cycles(graph) == []


def test_a_graph_shows_where_it_was_cut_and_where_it_is_stuck() -> None:
    sound = state_graph(Worlds(PAPER, Bounds(2, txns=0)))
    stuck = state_graph(Worlds(MUTE, Bounds(2, txns=0)))

    ends = [node for node in sound if not goes_on(sound, node)]
    assert ends
    assert all(sound.nodes[node]["cut"] for node in ends)
    assert dead_ends(stuck) == [node for node in stuck if not goes_on(stuck, node)] != []


def test_a_graph_shows_in_what_a_run_can_go_round() -> None:
    def only_leads(server: Server[Looking], event: Elected, _: Ensemble) -> Step:
        return Step(server.playing(Leader()) if event.leader == server.sid else server)

    spec = PAPER.but("paper-joins-in-vain", server_takes_its_role=only_leads)

    graph = state_graph(Worlds(spec, Bounds(2, txns=0, elections=1)))

    assert cycles(graph) == [{1}, {2}]
    assert graph.get_edge_data(1, 1)[0] == {"action": "join 2 to 1", "fault": False}


def test_a_graph_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(TooLargeError, match="more than 50 worlds within 2 servers, 1 transaction"):
        state_graph(Worlds(PAPER, SMALL), most=50)


# Walks.


def test_a_seed_is_a_walk_and_another_seed_another() -> None:
    walks = [walk(Worlds(PAPER, SMALL), PROMISES, seed, 30) for seed in (7, 7, 8)]
    actions = [[step.action for step in one.run] for one in walks]

    assert actions[0] == actions[1] != actions[2]


def test_a_walk_ends_where_a_promise_is_broken_or_nothing_can_happen() -> None:
    broken = walk(Worlds(RAISING, Bounds(2, txns=1, elections=1)), PROMISES, 0, 100)
    stuck = walk(Worlds(MUTE, Bounds(2, elections=1)), PROMISES, 0, 100)
    ended = walk(Worlds(PAPER, Bounds(2, txns=0, elections=1)), PROMISES, 0, 100)

    assert (broken.broken, broken.ended) == ((no_impossibility,), False)
    assert (stuck.broken, stuck.ended) == ((NOT_STUCK,), True)
    assert (ended.broken, ended.ended) == ((), True)


# Crash cuts.


def test_a_crash_can_fall_between_effects_that_last_and_nowhere_else() -> None:
    leader = _leader_of_two()

    uncut, *cuts = outcomes(PAPER, Ensemble((1, 2, 3)), leader, ClientRequest(1))

    assert [type(effect).__name__ for effect in uncut.effects] == [
        "Broadcast",
        "Write",
        "Send",
        "Send",
    ]
    assert [cut.crash_after for cut in cuts] == [2, 3]
    assert all(cut.after.disk == uncut.after.disk for cut in cuts)
    assert all(cut.after.role == Looking() and cut.after.memory == Memory() for cut in cuts)


def test_a_crash_leaves_any_part_of_what_is_not_synced() -> None:
    def logs_lazily(server: Server[Follower], event: Received[Proposal], _: Ensemble) -> Step:
        write = Write(Append((event.packet.txn,)))
        return Step(server, (write, Send(event.connection, event.packet)))

    def loses_what_is_not_synced(server: Server[Role], event: Crash, _: Ensemble) -> Step:
        lost = paper.server_restarts(server, event, Ensemble(()))
        return Step(lost.server, (Write(LoseUnsynced(event.survives)), *lost.effects))

    spec = PAPER.but(
        "lazy", follower_accepts_proposal=logs_lazily, server_restarts=loses_what_is_not_synced
    )
    txn = Txn(Zxid(1, 1), 1)
    follower = Server(2, Disk(1, 1), Memory(), Follower(Connection(1), Phase.BROADCAST))
    event = Received(Connection(1), Proposal(txn))

    _, *cuts = outcomes(spec, Ensemble((1, 2)), follower, event)

    assert [(cut.crash_after, cut.survives) for cut in cuts] == [(1, 0), (1, 1)]
    assert [cut.after.disk.log for cut in cuts] == [(), (txn,)]


def test_elections_and_crashes_are_not_cut() -> None:
    worlds = Worlds(PAPER, Bounds(2, crashes=2, elections=1))

    first = [str(step.action) for step in worlds.steps(worlds.start())]

    assert not any("crash_after=1" in action for action in first)
    assert sum("Elect" in action for action in first) == 2


# Models.


def test_every_bound_is_a_number_that_makes_sense() -> None:
    with pytest.raises(ValueError, match="'servers' must be >= 2"):
        Bounds(servers=1)
    with pytest.raises(ValueError, match="'crashes' must be >= 0"):
        Bounds(crashes=-1)


def test_bounds_are_told_in_words() -> None:
    assert str(Bounds(3, txns=1, lost_links=0, crashes=1, elections=2)) == (
        "3 servers, 1 transaction, 0 lost links, 1 crash, 2 elections"
    )


def test_a_search_tells_what_it_cost() -> None:
    found = Search(Worlds(PAPER, SMALL), PROMISES).run()

    assert found.seconds > 0
    assert found.peak_mb > 1


def test_a_run_without_bounds_goes_where_one_within_bounds_did() -> None:
    run = walk(Worlds(PAPER, CRASHING), (), 3, 40).run

    script = parse_script(retell(run, PAPER, CRASHING, PROMISES))

    assert [one.step.action for one in play(script, PAPER, ())] == [step.action for step in run]


def _told(spec: Spec, bounds: Bounds, promises: tuple[Property, ...]) -> str:
    found = Search(Worlds(spec, bounds), promises).run()
    assert found.finding is not None
    return retell(found.finding.run, spec, bounds, [found.finding.promise])


def _model(spec: Spec, bounds: Bounds) -> Model:
    return Model("some-model", "?", spec, bounds, Holds(1, 1, 1))


def _leader_of_two() -> Server[Leader]:
    learners = tuple(Learner(Connection(sid), Stage.ACTIVE) for sid in (2, 3))
    return new_server(1).playing(Leader(Phase.BROADCAST, 1, learners))
