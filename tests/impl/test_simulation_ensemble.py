"""A simulated ensemble of toys: connections, elections, crashes, random runs, replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from attrs import define, field
from toy_server import toy

from impl import simulated_events as events
from impl.ensemble import Ensemble, replay
from impl.simulated_events import Event
from impl.simulated_links import Way
from impl.simulated_loop import SimulationError
from impl.simulated_observations import Observation, RoleEnded
from impl.simulation import configuration

Seen = tuple[int, Event, tuple[Observation, ...]]


@define
class Stage:
    """Three toys, and all that happened."""

    seen: list[Seen] = field(factory=list)
    ensemble: Ensemble = field(init=False)

    def __attrs_post_init__(self) -> None:
        servers = {sid: toy(sid) for sid in (3, 1, 2)}
        self.ensemble = Ensemble(servers, configuration((1, 2, 3)), self._watch)
        self.run()

    def _watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        self.seen.append((sid, event, tuple(seen)))

    def run(self) -> None:
        """Run tasks until none can run."""
        for sid, server in self.ensemble.servers.items():
            while server.runnable:
                self.ensemble.happen(sid, events.TaskRun(server.runnable[0]))

    def quiet(self) -> None:
        """Let everything happen but timers."""
        busy = True
        while busy:
            self.run()
            busy = self._answered() or self._synced() or self._arrived()

    def _answered(self) -> bool:
        dials = list(self.ensemble.dials)
        for dial in dials:
            self.ensemble.answer(dial)
        return bool(dials)

    def _synced(self) -> bool:
        syncs = [(sid, one) for sid, at in self.ensemble.servers.items() for one in at.syncs]
        for sid, sync in syncs:
            self.ensemble.happen(sid, events.SyncCompleted(sync))
        return bool(syncs)

    def _arrived(self) -> bool:
        busy: list[Way] = self.ensemble.links.busy
        for way in busy[:1]:
            self.ensemble.arrive(way)
        return bool(busy)

    def ask(self, sid: int, number: int, word: bytes = b"w") -> None:
        self.ensemble.happen(sid, events.ClientAsked(number, 1, number, 1, word))

    def kept(self, sid: int) -> object:
        return self.ensemble.servers[sid].observe()["kept"]

    def ends(self, sid: int) -> list[str]:
        found = [one for at, _, seen in self.seen if at == sid for one in seen]
        return [one.why.split(":")[0] for one in found if isinstance(one, RoleEnded)]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.ensemble.close()


def test_servers_that_look_have_votes(stage: Stage) -> None:
    assert stage.ensemble.looking() == [1, 2, 3]
    assert list(stage.ensemble.servers) == [1, 2, 3]


def test_a_quorum_elects_and_its_words_are_kept(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 2, 3))
    stage.quiet()
    assert [(link.learner, link.leader) for link in stage.ensemble.links] == [(1, 3), (2, 3)]
    assert stage.ensemble.reigning() == 3

    stage.ask(1, 1)
    stage.quiet()

    assert stage.kept(3) == 1


def test_the_greatest_epoch_then_zxid_then_sid_is_best(stage: Stage) -> None:
    assert stage.ensemble.best((1, 2, 3)) == 3
    stage.ensemble.elect(2, (1, 2))
    stage.ask(2, 1)
    stage.quiet()
    stage.ensemble.kill(2)
    stage.ensemble.restart(2)
    stage.quiet()

    assert stage.ensemble.best((2, 3)) == 2


@pytest.mark.parametrize(
    ("leader", "electorate", "problem"),
    [
        (1, (1,), r"servers \[1\] are no quorum that has 1"),
        (3, (1, 2), r"servers \[1, 2\] are no quorum that has 3"),
        (1, (1, 4), r"servers \[4\] look for no leader, or have no vote"),
    ],
)
def test_an_election_without_a_quorum_is_refused(
    stage: Stage, leader: int, electorate: tuple[int, ...], problem: str
) -> None:
    with pytest.raises(SimulationError, match=problem):
        stage.ensemble.elect(leader, electorate)


def test_who_comes_late_joins_the_leader(stage: Stage) -> None:
    with pytest.raises(SimulationError, match="server 1 looks for no leader, or there is none"):
        stage.ensemble.join(1)
    stage.ensemble.elect(3, (2, 3))
    stage.quiet()

    stage.ensemble.join(1)
    stage.quiet()

    assert [link.learner for link in stage.ensemble.links] == [2, 1]


def test_a_leader_that_nobody_follows_does_not_reign(stage: Stage) -> None:
    stage.ensemble.elect(3, (2, 3))
    stage.quiet()
    assert stage.ensemble.reigning() == 3

    stage.ensemble.kill(2)

    assert stage.ensemble.reigning() is None


def test_who_does_not_listen_refuses(stage: Stage) -> None:
    stage.ensemble.elect(3, (2, 3))
    stage.ensemble.happen(2, events.TaskRun("main"))
    stage.ensemble.happen(2, events.TaskRun("role"))

    (dial,) = stage.ensemble.dials
    assert stage.ensemble.answer(dial) is None
    stage.run()

    assert stage.ends(2) == ["ConnectionRefusedError"]


def test_a_cut_ends_both_roles_in_order(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 3))
    stage.quiet()
    (link,) = stage.ensemble.links
    stage.ask(1, 1)
    stage.run()

    stage.ensemble.cut(link, (1, 0))
    stage.quiet()

    assert stage.kept(3) == 1
    assert stage.ends(1) == ["ConnectionResetError"]
    assert len(stage.ensemble.links) == 0


def test_what_a_killed_server_sent_still_arrives(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 3))
    stage.quiet()
    stage.ask(1, 1)
    stage.run()

    stage.ensemble.kill(1)
    stage.quiet()

    assert stage.kept(3) == 1
    assert len(stage.ensemble.links) == 0
    assert stage.ensemble.leaders == {3: 3}


def test_what_a_server_sent_before_its_power_failed_may_be_lost(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 3))
    stage.quiet()
    stage.ask(1, 1)
    stage.run()

    stage.ensemble.lose_power(1, {}, 0, in_flight=0)
    stage.quiet()

    assert stage.kept(3) == 0


def test_a_dial_of_a_killed_server_is_forgotten(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 3))
    stage.run()
    assert len(stage.ensemble.dials) == 1

    stage.ensemble.kill(1)

    assert not stage.ensemble.dials


def test_a_dial_that_is_given_up_is_forgotten(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 3))
    stage.run()

    stage.ensemble.happen(1, events.TimerFired("initLimit"))
    stage.run()

    assert not stage.ensemble.dials
    assert stage.ensemble.looking() == [2, 1]


def test_a_run_happens_again_from_its_events_alone(stage: Stage) -> None:
    stage.ensemble.elect(3, (1, 2, 3))
    stage.quiet()
    stage.ask(1, 1, b"abc")
    stage.quiet()
    stage.ensemble.lose_power(3, {"log": 2}, 1)
    stage.ensemble.restart(3)
    stage.quiet()
    again: list[Seen] = []
    servers = {sid: toy(sid) for sid in (1, 2, 3)}

    choices = [(sid, event) for sid, event, _ in stage.seen]
    replay(servers, choices, lambda sid, event, seen: again.append((sid, event, tuple(seen))))

    assert again == stage.seen
    assert any(isinstance(event, events.PowerLost) for _, event, _ in again)
    for server in servers.values():
        server.close()
