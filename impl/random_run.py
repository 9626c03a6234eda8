"""A free run of a simulated ensemble: seeded choices, with faults that come in bursts.

Whatever can happen is chosen from at random: a task runs, a write arrives, an fsync completes, a
server is elected, a client asks. Time passes where nothing else can happen. The same seed makes the
same choices; the events that follow from them are told to the ensemble's `watch`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from attrs import define, field, frozen

from impl import simulated_events as events
from impl.ensemble import Ensemble
from impl.packets import PacketType
from impl.simulated_clients import SimulatedClients
from impl.simulated_events import Event
from impl.simulated_loop import SimulationError
from impl.simulated_observations import Observation, ProcessEnded, Sent
from impl.simulated_server import SimulatedServer

FAULTS = (
    "kill",
    "power",
    "cut",
    "leave",
    "disk",
    "early",
    "anyone",
    "slow disk",
    "slow link",
    "reorder",
)
"""What a burst can be of: see `RandomRun`."""

_NEW_LEADER = PacketType.NEWLEADER.to_bytes(4, "big")
"""What a NEWLEADER begins with."""
_ZXID = slice(4, 12)


@frozen
class Rates:
    """How often what happens: of so many choices, one. 0 = never.

    burst: a burst of faults begins. fault: in a burst, there is a fault. length: a burst is over.
    restart: a server that is down starts again. client: an idle client does something.
    """

    burst: int = 600
    fault: int = 60
    length: int = 300
    restart: int = 50
    client: int = 15


@define
class Burst:
    """The faults of a while. victim: whose disk, or connections, are slow."""

    kinds: frozenset[str] = frozenset()
    victim: int = 0


@define(eq=False)
class RandomRun:
    """Makes choices, one at a time.

    kill, power: a process is killed, or its power fails. cut: a connection is lost. leave: a server
    leaves its role. disk: a write or an fsync fails. early: a timer fires before its time. anyone:
    whoever is elected has any history. slow disk, slow link: fsyncs of one server, or what it is
    sent, wait until the burst is over. reorder: tasks run in any order.

    findings: what no run may show, as text: a process that ends though its disk did not fail (it
    stays down then), two leaders of one epoch, or what nobody handled.
    """

    ensemble: Ensemble
    clients: SimulatedClients
    seed: int
    rates: Rates = field(factory=Rates)
    findings: list[str] = field(factory=list)
    choices: int = 0
    _random: Random = field(init=False)
    _burst: Burst = field(init=False, factory=Burst)
    _failing: dict[int, None] = field(init=False, factory=dict)
    _broken: dict[int, None] = field(init=False, factory=dict)
    _established: dict[bytes, int] = field(init=False, factory=dict)
    _faults: dict[str, Callable[[], None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a run has to be repeatable
        self._faults = {
            "kill": self._kill,
            "power": self._lose_power,
            "cut": self._cut,
            "leave": self._leave,
            "disk": self._fail_disk,
            "early": self._fire_any,
        }

    def choose(self) -> None:
        """Make one choice."""
        self.choices += 1
        rates, random = self.rates, self._random
        if self._burst.kinds:
            if self._one_in(rates.length):
                self._burst = Burst()
            elif self._one_in(rates.fault):
                self._fault()
                return
        elif self._one_in(rates.burst):
            self._begin_burst()
        idle = self.clients.idle if self._one_in(rates.client) else ()
        up = [sid for sid, server in self.ensemble.servers.items() if server.is_up] if idle else ()
        if idle and up:
            self.clients.act(random.choice(idle), up, random)
            return
        possible = self._possible()
        if possible:
            act, argument = possible[int(random.random() * len(possible))]
            act(argument)
        else:
            self._fire_earliest()

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
            elif isinstance(one, ProcessEnded) and sid not in self._failing:
                self._broken[sid] = None
                self.findings.append(f"server {sid} ended: {one.why}")

    def end(self) -> None:
        """The run is over: look at what nobody handled."""
        for sid, server in self.ensemble.servers.items():
            for one in server.problems():
                self.findings.append(f"server {sid}: {one.message}: {one.error!r}")

    def _establish(self, sid: int, zxid: bytes) -> None:
        other = self._established.setdefault(zxid, sid)
        if other != sid:
            epoch = int.from_bytes(zxid[:4], "big")
            self.findings.append(f"servers {other} and {sid} both lead epoch {epoch}")

    # What can happen.

    def _possible(self) -> list[tuple[Callable[..., object], object]]:
        ensemble, burst = self.ensemble, self._burst
        slow_disk = burst.victim if "slow disk" in burst.kinds else 0
        slow_link = burst.victim if "slow link" in burst.kinds else 0
        possible: list[tuple[Callable[..., object], object]] = []
        for sid, server in ensemble.servers.items():
            if not server.is_up:
                if sid not in self._broken and self._one_in(self.rates.restart):
                    possible.append((ensemble.restart, sid))
                continue
            if server.runnable:
                possible.append((self._run, server))
            if server.syncs and sid != slow_disk:
                possible.append((self._sync, server))
        arriving = (way for way in ensemble.links.busy if way.receiver != slow_link)
        possible += [(ensemble.arrive, way) for way in arriving]
        possible += [(ensemble.answer, dial) for dial in ensemble.dials]
        if ensemble.votes:
            self._add_elections(possible)
        return possible

    def _add_elections(self, possible: list[tuple[Callable[..., object], object]]) -> None:
        looking = self.ensemble.looking()
        if self.ensemble.reigning() is not None:
            possible.extend((self.ensemble.join, sid) for sid in self.ensemble.votes)
        elif self.ensemble.verifier.contains_quorum(looking):
            possible.append((self._elect, looking))

    def _run(self, server: SimulatedServer) -> None:
        runnable = server.runnable
        task = self._random.choice(runnable) if self._picks_any() else runnable[0]
        self.ensemble.happen(server.sid, events.TaskRun(task))

    def _picks_any(self) -> bool:
        return "reorder" in self._burst.kinds or self._one_in(8)

    def _sync(self, server: SimulatedServer) -> None:
        self.ensemble.happen(server.sid, events.SyncCompleted(self._random.choice(server.syncs)))

    def _elect(self, looking: list[int]) -> None:
        electorate = list(looking)
        self._random.shuffle(electorate)
        while self._one_in(2) and self.ensemble.verifier.contains_quorum(electorate[1:]):
            electorate.pop(0)
        if "anyone" in self._burst.kinds:
            leader = self._random.choice(electorate)
        else:
            leader = self.ensemble.best(electorate)
        self.ensemble.elect(leader, electorate)

    def _fire_earliest(self) -> None:
        pending = [
            (server.timers[0].due, sid)
            for sid, server in self.ensemble.servers.items()
            if server.timers
        ]
        if pending:
            due, sid = min(pending)
            timer = self.ensemble.servers[sid].timers[0]
            self.ensemble.happen(sid, events.TimerFired(timer.name))
            self._pass_time(due)
            return
        down = [sid for sid, server in self.ensemble.servers.items() if not server.is_up]
        down = [sid for sid in down if sid not in self._broken]
        if down:
            self.ensemble.restart(self._random.choice(down))
        elif not self._burst.kinds:
            raise SimulationError("nothing can happen any more: no task, no timer, nothing to read")
        else:
            self._burst = Burst()

    def _pass_time(self, now: float) -> None:
        for sid, server in self.ensemble.servers.items():
            if server.is_up and server.now < now:
                self.ensemble.happen(sid, events.TimePassed(now))

    # Faults.

    def _begin_burst(self) -> None:
        kinds = self._random.sample(FAULTS, self._random.randint(1, 4))
        self._burst = Burst(frozenset(kinds), self._random.choice(list(self.ensemble.servers)))

    def _fault(self) -> None:
        kinds = [kind for kind in self._faults if kind in self._burst.kinds]
        if kinds:
            self._faults[self._random.choice(kinds)]()

    def _any_up(self) -> int | None:
        up = [sid for sid, server in self.ensemble.servers.items() if server.is_up]
        return self._random.choice(up) if up else None

    def _kill(self) -> None:
        sid = self._any_up()
        if sid is not None:
            self.ensemble.kill(sid)

    def _lose_power(self) -> None:
        sid = self._any_up()
        if sid is None:
            return
        files, random = self.ensemble.servers[sid].files, self._random
        survives = {name: random.randint(0, count) for name, count in files.unsynced().items()}
        names = random.randint(0, len(files.renamings))
        self.ensemble.lose_power(sid, survives, names, random.randint(0, 3))

    def _cut(self) -> None:
        links = list(self.ensemble.links)
        if links:
            random = self._random
            survives = random.randint(0, 3), random.randint(0, 3)
            self.ensemble.cut(random.choice(links), survives, random.randint(0, 8))

    def _leave(self) -> None:
        sid = self._any_up()
        if sid is not None:
            self.ensemble.happen(sid, events.RoleLeft())

    def _fail_disk(self) -> None:
        sid = self._any_up()
        if sid is None:
            return
        random, server = self._random, self.ensemble.servers[sid]
        if server.syncs and self._one_in(2):
            self.ensemble.happen(sid, events.SyncFailed(random.choice(server.syncs)))
        else:
            error = random.choice(("EIO", "ENOSPC"))
            fault = events.DiskFails(random.randint(0, 5), error, random.choice((0, 0, 7)))
            self.ensemble.happen(sid, fault)

    def _fire_any(self) -> None:
        sid = self._any_up()
        timers = self.ensemble.servers[sid].timers if sid is not None else ()
        if sid is not None and timers:
            self.ensemble.happen(sid, events.TimerFired(self._random.choice(timers).name))

    def _one_in(self, number: int) -> bool:
        return number > 0 and self._random.random() * number < 1
