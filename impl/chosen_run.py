"""A run of choices that were written down: each happens again, and what cannot is passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

from impl import simulated_events as events
from impl.choices import (
    Answer,
    Arrive,
    Ask,
    Choice,
    Connect,
    Cut,
    Elect,
    Happens,
    Join,
    Kill,
    Look,
    LosePower,
    Restart,
    Settle,
    Touch,
)
from impl.simulated_events import Event
from impl.simulated_loop import SimulationError
from impl.simulated_run import SimulatedRun

_TOO_LONG = 100_000
"""Routine steps after which it is no routine."""

_COUNTED = re.compile(r"(?<=q)\d+|(?<=reopen-)\d+|(?<=\.)[0-9a-f]+|#\d+")
"""What names tell of connections, sessions, zxids and the number of their like; sids stay."""


class ChosenRun:
    """Lets choices happen to a run. passed_over: how many could not."""

    def __init__(self, run: SimulatedRun) -> None:
        self.passed_over = 0
        self._run = run
        self._ensemble = run.ensemble
        self._clients = clients = run.clients
        self._plays: Mapping[type, Callable[[Any], bool]] = {
            Happens: self._happens,
            Arrive: self._arrives,
            Answer: self._answers,
            Elect: self._elects,
            Join: self._joins,
            Cut: self._cuts,
            Kill: self._kills,
            LosePower: self._loses_power,
            Restart: self._restarts,
            Connect: self._connects,
            Touch: clients.play,
            Ask: clients.play,
            Settle: self._settles,
            Look: self._looks,
        }

    def go(self, choices: Iterable[Choice]) -> None:
        """Play them in order."""
        for choice in choices:
            self.passed_over += not self.play(choice)

    def play(self, choice: Choice) -> bool:
        """Let this happen. Whether it was possible; if not, nothing happened."""
        return self._plays[type(choice)](choice)

    # One server.

    def _happens(self, choice: Happens) -> bool:
        server = self._ensemble.servers.get(choice.sid)
        if server is None or not server.is_up:
            return False
        event = self._possible(choice)
        if event is None:
            return False
        self._ensemble.happen(choice.sid, event)
        return True

    def _possible(self, choice: Happens) -> Event | None:
        """The event, of the task, the timer or the fsync that is meant now; None: of none."""
        server, event = self._ensemble.servers[choice.sid], choice.event
        match event:
            case events.TaskRun():
                task = _nearest(event.task, server.runnable)
                return None if task is None else evolve(event, task=task)
            case events.TimerFired():
                timer = _nearest(event.timer, [one.name for one in server.timers])
                return None if timer is None else evolve(event, timer=timer)
            case events.SyncCompleted() | events.SyncFailed():
                sync = _nearest(event.sync, server.syncs)
                return None if sync is None else evolve(event, sync=sync)
            case _:
                return event

    def _kills(self, choice: Kill) -> bool:
        return self._with_server(choice.sid, self._ensemble.kill, is_up=True)

    def _loses_power(self, choice: LosePower) -> bool:
        def lose(sid: int) -> None:
            survives = dict(choice.survives)
            self._ensemble.lose_power(sid, survives, choice.names, choice.in_flight)

        return self._with_server(choice.sid, lose, is_up=True)

    def _restarts(self, choice: Restart) -> bool:
        return self._with_server(choice.sid, self._ensemble.restart, is_up=False)

    def _with_server(self, sid: int, act: Callable[[int], None], *, is_up: bool) -> bool:
        server = self._ensemble.servers.get(sid)
        if server is None or server.is_up is not is_up:
            return False
        act(sid)
        return True

    # Several.

    def _arrives(self, choice: Arrive) -> bool:
        ways = self._ensemble.links.between(choice.sender, choice.receiver)[choice.older :]
        for way in ways[:1]:
            self._ensemble.arrive(way)
        return bool(ways)

    def _answers(self, choice: Answer) -> bool:
        ends = choice.learner, choice.leader
        dials = [one for one in self._ensemble.dials if (one.learner, one.leader) == ends]
        for dial in dials[:1]:
            self._ensemble.answer(dial)
        return bool(dials)

    def _elects(self, choice: Elect) -> bool:
        looking = self._ensemble.looking()
        electorate = [sid for sid in choice.electorate if sid in looking]
        is_quorum = self._ensemble.verifier.contains_quorum(electorate)
        if choice.leader not in electorate or not is_quorum:
            return False
        self._ensemble.elect(choice.leader, electorate)
        return True

    def _joins(self, choice: Join) -> bool:
        if choice.sid not in self._ensemble.votes or self._ensemble.reigning() is None:
            return False
        self._ensemble.join(choice.sid)
        return True

    def _cuts(self, choice: Cut) -> bool:
        links = self._ensemble.links.of_both(choice.learner, choice.leader)[choice.older :]
        for link in links[:1]:
            self._ensemble.cut(link, (choice.to_leader, choice.to_learner), choice.torn)
        return bool(links)

    # Clients, and what is routine.

    def _connects(self, choice: Connect) -> bool:
        server = self._ensemble.servers.get(choice.server)
        return server is not None and server.is_up and self._clients.play(choice)

    def _looks(self, _choice: Look) -> bool:
        self._run.look()
        return True

    def _settles(self, _choice: Settle) -> bool:
        for _ in range(_TOO_LONG):
            if not self._takes_a_step():
                return True
        raise SimulationError(f"still something routine to do after {_TOO_LONG} steps of it")

    def _takes_a_step(self) -> bool:
        """Tasks before fsyncs before what is in flight before dials; the lower sid first."""
        ensemble = self._ensemble
        for sid, server in ensemble.servers.items():
            if server.runnable:
                ensemble.happen(sid, events.TaskRun(server.runnable[0]))
                return True
        for sid, server in ensemble.servers.items():
            if server.syncs:
                ensemble.happen(sid, events.SyncCompleted(server.syncs[0]))
                return True
        for way in ensemble.links.busy[:1]:
            ensemble.arrive(way)
            return True
        for dial in tuple(ensemble.dials)[:1]:
            ensemble.answer(dial)
            return True
        return False


def _nearest(name: str, names: Sequence[str]) -> str | None:
    """This name; else the first that differs in what is counted alone; None = there is none."""
    if name in names:
        return name
    like = _COUNTED.sub("", name)
    return next((one for one in names if _COUNTED.sub("", one) == like), None)
