"""A free run of a simulated ensemble: seeded choices, with faults that come in bursts.

Whatever can happen is chosen from at random: a task runs, a write arrives, an fsync completes, a
server is elected, a client asks. Time passes slowly, and at once to the next timer where nothing
else can happen. The same seed makes the same choices; what follows from them is told to the
ensemble's `watch`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import Random

from attrs import define, evolve, field, frozen

from impl import simulated_events as events
from impl.ensemble import Ensemble
from impl.packets import PacketType
from impl.random_faults import RandomFaults, one_in
from impl.simulated_clients import SimulatedClients
from impl.simulated_events import Event
from impl.simulated_loop import SimulationError
from impl.simulated_observations import Observation, ProcessEnded, Sent
from impl.simulated_server import SimulatedServer

_STEP = 0.003
"""Seconds that pass at each choice."""
_LOOKS = 16
"""Choices between two looks at what is due."""
_SYNC = 3
"""An fsync can complete at one choice of so many."""
_SLOW_SYNC = 60
"""The same, of a slow disk."""
_NEW_LEADER = PacketType.NEWLEADER.to_bytes(4, "big")
"""What a NEWLEADER begins with."""
_ZXID = slice(4, 12)


@frozen
class Rates:
    """How often what happens: of so many choices, one. 0 = never.

    burst: a burst of faults begins. fault: in a burst, there is a fault. length: a burst is over.
    restart: a server that is down starts again. client: an idle client does something.
    """

    burst: int = 300
    fault: int = 60
    length: int = 300
    restart: int = 50
    client: int = 5


@define(eq=False)
class RandomRun:
    """Makes choices, one at a time.

    findings: what no run may show, as text: a process that ends though its disk did not fail (it
    stays down then), two leaders of one epoch, or what nobody handled.
    """

    ensemble: Ensemble
    clients: SimulatedClients
    seed: int
    rates: Rates = field(factory=Rates)
    findings: list[str] = field(factory=list)
    choices: int = 0
    _now: float = field(init=False, default=0.0)
    _random: Random = field(init=False)
    _faults: RandomFaults = field(init=False)
    _failing: dict[int, None] = field(init=False, factory=dict)
    _broken: dict[int, None] = field(init=False, factory=dict)
    _established: dict[bytes, int] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a run has to be repeatable
        self._faults = RandomFaults(self.ensemble, self._random)

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
            act, argument = possible[int(random.random() * len(possible))]
            act(argument)
        elif not self._is_syncing() and not self._fire_earliest():
            self._restart_any()

    def watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        """Notice processes that end by themselves, and who is established."""
        if isinstance(event, events.DiskFails | events.SyncFailed):
            self._failing[sid] = None
        elif isinstance(event, events.Restarted):
            self._failing.pop(sid, None)
        for one in seen:
            if isinstance(one, Sent):
                if one.written.startswith(_NEW_LEADER):
                    self._establish(sid, one.written[_ZXID])
            elif isinstance(one, ProcessEnded) and not self._has_failed(sid, one):
                self._broken[sid] = None
                self.findings.append(f"server {sid} ended: {one.why}")

    def calm_down(self) -> None:
        """No faults from now on."""
        self._faults.end()
        self.rates = evolve(self.rates, burst=0)

    def end(self) -> None:
        """The run is over: look at what nobody handled."""
        for sid, server in self.ensemble.servers.items():
            for one in server.problems():
                self.findings.append(f"server {sid}: {one.message}: {one.error!r}")

    def _has_failed(self, sid: int, ended: ProcessEnded) -> bool:
        return sid in self._failing and ended.why.startswith("OSError: ")

    def _establish(self, sid: int, zxid: bytes) -> None:
        other = self._established.setdefault(zxid, sid)
        if other != sid:
            epoch = int.from_bytes(zxid[:4], "big")
            self.findings.append(f"servers {other} and {sid} both lead epoch {epoch}")

    # What can happen.

    def _possible(self) -> list[tuple[Callable[..., object], object]]:
        ensemble = self.ensemble
        slow_disk, slow_link = self._faults.slow("slow disk"), self._faults.slow("slow link")
        possible: list[tuple[Callable[..., object], object]] = []
        for sid, server in ensemble.servers.items():
            if not server.is_up:
                if self._one_in(self.rates.restart) and self._may_restart(sid):
                    possible.append((ensemble.restart, sid))
                continue
            if server.runnable:
                possible.append((self._run, server))
            if server.syncs and self._one_in(_SLOW_SYNC if sid in slow_disk else _SYNC):
                possible.append((self._sync, server))
        arriving = (way for way in ensemble.links.busy if way.receiver not in slow_link)
        possible += [(ensemble.arrive, way) for way in arriving]
        possible += [(ensemble.answer, dial) for dial in ensemble.dials]
        if ensemble.votes:
            self._add_elections(possible)
        return possible

    def _is_syncing(self) -> bool:
        """Whether a disk that is not slow has something to do."""
        slow = self._faults.slow("slow disk")
        return any(one.syncs and sid not in slow for sid, one in self.ensemble.servers.items())

    def _add_elections(self, possible: list[tuple[Callable[..., object], object]]) -> None:
        looking = self.ensemble.looking()
        if self.ensemble.reigning() is not None:
            possible.extend((self.ensemble.join, sid) for sid in self.ensemble.votes)
        elif self.ensemble.verifier.contains_quorum(looking):
            possible.append((self._elect, looking))

    def _may_restart(self, sid: int) -> bool:
        if sid in self._broken:
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

    def _sync(self, server: SimulatedServer) -> None:
        self.ensemble.happen(server.sid, events.SyncCompleted(self._random.choice(server.syncs)))

    def _elect(self, looking: list[int]) -> None:
        electorate = list(looking)
        self._random.shuffle(electorate)
        while self._one_in(2) and self.ensemble.verifier.contains_quorum(electorate[1:]):
            electorate.pop(0)
        if "anyone" in self._faults.kinds:
            leader = self._random.choice(electorate)
        else:
            leader = self.ensemble.best(electorate)
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
        down = [sid for sid in down if sid not in self._broken]
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
