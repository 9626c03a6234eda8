"""A free run of a simulated ensemble: seeded choices, with faults that come in bursts.

Whatever can happen is chosen from, at random or by random priorities: a task runs, a write arrives,
an fsync completes, a server is elected, a client asks. Time passes slowly, and at once to the next
timer where nothing else can happen. The same seed makes the same choices; what follows from them is
told to the ensemble's `watch`.
"""

from __future__ import annotations

from math import inf
from random import Random

from attrs import define, evolve, field, frozen

from impl import simulated_events as events
from impl.ensemble import Ensemble
from impl.random_faults import RandomFaults, one_in
from impl.run_findings import RunFindings
from impl.schedules import Pct, Possible, Priorities, Schedule, Uniform
from impl.simulated_clients import SimulatedClients
from impl.simulated_events import Event
from impl.simulated_loop import SimulationError
from impl.simulated_server import SimulatedServer

_STEP = 0.003
"""Seconds that pass at each choice."""
_LOOKS = 16
"""Choices between two looks at what is due."""
_SYNC = 3
"""An fsync can complete at one choice of so many."""
_SLOW_SYNC = 60
"""The same, of a slow disk."""


@frozen
class Rates:
    """How often what happens: of so many choices, one. 0 = never.

    burst: a burst of faults begins. fault: in a burst, there is a fault. length: a burst is over.
    restart: a server that is down starts again. client: an idle client does something. pct: whose
    turn it is else, by random priorities; None = anybody's.
    """

    burst: int = 900
    fault: int = 60
    length: int = 300
    restart: int = 50
    client: int = 5
    pct: Pct | None = None


STORM = Rates(burst=20, fault=25, length=400)
"""One burst after the other."""


@define(eq=False)
class RandomRun:
    """Makes choices, one at a time. findings: who is broken does not start again."""

    ensemble: Ensemble
    clients: SimulatedClients
    findings: RunFindings
    seed: int
    rates: Rates = field(factory=Rates)
    choices: int = 0
    _now: float = field(init=False, default=0.0)
    _random: Random = field(init=False)
    _faults: RandomFaults = field(init=False)
    _schedule: Schedule = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a run has to be repeatable
        self._faults = RandomFaults(self.ensemble, self._random)
        pct = self.rates.pct
        uniform = Uniform(self._random)
        self._schedule = uniform if pct is None else Priorities(pct, self.seed)

    @property
    def is_in_burst(self) -> bool:
        """Whether a burst of faults has begun, and is not over."""
        return bool(self._faults.kinds)

    def choose(self) -> None:
        """Make one choice."""
        self.choices += 1
        rates, random = self.rates, self._random
        if self._faults.kinds:
            if self._one_in(rates.length):
                self._faults.end()
            elif self._one_in(rates.fault):
                self._faults.strike()
                return
        elif self._one_in(rates.burst):
            self._faults.begin()
        idle = self.clients.idle if self._one_in(rates.client) else ()
        up = [sid for sid, server in self.ensemble.servers.items() if server.is_up] if idle else ()
        if idle and up:
            self.clients.act(random.choice(idle), up, random)
            return
        self._now += _STEP
        if self.choices % _LOOKS == 0 and self._fire_earliest(self._now):
            return
        possible = self._possible()
        if possible:
            _, act, argument = self._schedule.pick(possible)
            act(argument)
        elif not self._is_syncing() and not self._fire_earliest():
            self._restart_any()

    def calm_down(self) -> None:
        """No faults from now on."""
        self._faults.end()
        self.rates = evolve(self.rates, burst=0)

    # What can happen.

    def _possible(self) -> list[Possible]:
        ensemble = self.ensemble
        slow_disk, slow_link = self._faults.slow("slow disk"), self._faults.slow("slow link")
        possible: list[Possible] = []
        for sid, server in ensemble.servers.items():
            if not server.is_up:
                if self._one_in(self.rates.restart) and self._may_restart(sid):
                    possible.append((("restart", sid), ensemble.restart, sid))
                continue
            if server.runnable:
                possible += self._tasks(server)
            if server.syncs:
                possible += self._syncs(server, is_slow=sid in slow_disk)
        arriving = (way for way in ensemble.links.busy if way.receiver not in slow_link)
        possible += [((way.name, way.receiver), ensemble.arrive, way) for way in arriving]
        possible += [(dial, ensemble.answer, dial) for dial in ensemble.dials]
        if ensemble.votes:
            self._add_elections(possible)
        return possible

    def _tasks(self, server: SimulatedServer) -> list[Possible]:
        if not self._schedule.is_fine:
            return [(server.sid, self._run, server)]
        return [
            ((server.sid, "task", task), self._happen, (server.sid, events.TaskRun(task)))
            for task in server.runnable
        ]

    def _syncs(self, server: SimulatedServer, *, is_slow: bool) -> list[Possible]:
        is_fine = self._schedule.is_fine
        rare = _SLOW_SYNC if is_slow else 1 if is_fine else _SYNC
        if not self._one_in(rare):
            return []
        if not is_fine:
            return [(server.sid, self._sync, server)]
        return [
            ((server.sid, "fsync", sync), self._happen, (server.sid, events.SyncCompleted(sync)))
            for sync in server.syncs
        ]

    def _is_syncing(self) -> bool:
        """Whether a disk that is not slow has something to do."""
        slow = self._faults.slow("slow disk")
        return any(one.syncs and sid not in slow for sid, one in self.ensemble.servers.items())

    def _add_elections(self, possible: list[Possible]) -> None:
        looking = self.ensemble.looking()
        if self.ensemble.reigning() is not None:
            join = self.ensemble.join
            possible.extend((("join", sid), join, sid) for sid in self.ensemble.votes)
        elif self.ensemble.verifier.contains_quorum(looking):
            if self.ensemble.best(looking) is not None:
                possible.append(("elect", self._elect, looking))
            elif len(looking) == len(self.ensemble.verifier.voting_members):
                self._note(f"servers {sorted(looking)} agree on no leader")

    def _note(self, finding: str) -> None:
        if finding not in self.findings.found:
            self.findings.found.append(finding)

    def _may_restart(self, sid: int) -> bool:
        if sid in self.findings.broken:
            return False
        servers, verifier = self.ensemble.servers, self.ensemble.verifier
        up = [other for other, server in servers.items() if server.is_up]
        return "down" not in self._faults.kinds or not verifier.contains_quorum(up)

    def _run(self, server: SimulatedServer) -> None:
        runnable = server.runnable
        task = self._random.choice(runnable) if self._picks_any() else runnable[0]
        self.ensemble.happen(server.sid, events.TaskRun(task))

    def _picks_any(self) -> bool:
        return "reorder" in self._faults.kinds or self._one_in(8)

    def _happen(self, what: tuple[int, Event]) -> None:
        self.ensemble.happen(*what)

    def _sync(self, server: SimulatedServer) -> None:
        self.ensemble.happen(server.sid, events.SyncCompleted(self._random.choice(server.syncs)))

    def _elect(self, looking: list[int]) -> None:
        electorate = list(looking)
        self._random.shuffle(electorate)
        while self._one_in(2) and self.ensemble.verifier.contains_quorum(electorate[1:]):
            electorate.pop(0)
        if "anyone" in self._faults.kinds:
            leader: int | None = self._random.choice(electorate)
        else:
            leader = self.ensemble.best(electorate)
        if leader is not None:
            self.ensemble.elect(leader, electorate)

    def _fire_earliest(self, until: float = inf) -> bool:
        """Whether there was a timer that is due until then."""
        pending = [
            (server.timers[0].due, sid)
            for sid, server in self.ensemble.servers.items()
            if server.timers
        ]
        due, sid = min(pending, default=(inf, 0))
        if not pending or due > until:
            return False
        self._now = max(self._now, due)
        timer = self.ensemble.servers[sid].timers[0]
        self.ensemble.happen(sid, events.TimerFired(timer.name))
        self._pass_time(due)
        return True

    def _restart_any(self) -> None:
        down = [sid for sid, server in self.ensemble.servers.items() if not server.is_up]
        down = [sid for sid in down if sid not in self.findings.broken]
        if down:
            self.ensemble.restart(self._random.choice(down))
        elif not self._faults.kinds:
            raise SimulationError("nothing can happen any more: no task, no timer, nothing to read")
        else:
            self._faults.end()

    def _pass_time(self, now: float) -> None:
        for sid, server in self.ensemble.servers.items():
            if server.is_up and server.now < now:
                self.ensemble.happen(sid, events.TimePassed(now))

    def _one_in(self, number: int) -> bool:
        return one_in(self._random, number)
