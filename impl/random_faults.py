"""The faults of a free run: they come in bursts, each of a few kinds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from impl import simulated_events as events
from impl.ensemble import Ensemble

FAULTS = (
    "kill",
    "power",
    "down",
    "cut",
    "leave",
    "disk",
    "early",
    "anyone",
    "slow disk",
    "slow link",
    "reorder",
)
"""What a burst can be of: see `RandomFaults`."""


def one_in(random: Random, number: int) -> bool:
    """True once in so many times; never for 0."""
    return number > 0 and random.random() * number < 1


class RandomFaults:
    """What a burst is of, and the faults in it. kinds: empty between bursts.

    kill, power: a process is killed, or its power fails; often it is the leader's, and the power
    everybody's. down: who is down stays so until the burst is over, unless there is no quorum then.
    cut: a connection is lost. leave: a server leaves its role. disk: a write or an fsync fails.
    early: a timer fires before its time. anyone: whoever is elected has any history. slow disk,
    slow link: fsyncs of some servers, the victims, take long; what they are sent waits until the
    burst is over. reorder: tasks run in any order.
    """

    def __init__(self, ensemble: Ensemble, random: Random) -> None:
        self.kinds: frozenset[str] = frozenset()
        self.victims: frozenset[int] = frozenset()
        self._ensemble = ensemble
        self._random = random
        self._strikes: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "power": self._lose_power,
            "cut": self._cut,
            "leave": self._leave,
            "disk": self._fail_disk,
            "early": self._fire_any,
        }

    def begin(self) -> None:
        """A burst of one to four kinds begins."""
        kinds = self._random.sample(FAULTS, self._random.randint(1, 4))
        servers = list(self._ensemble.servers)
        victims = self._random.sample(servers, self._random.randint(1, len(servers)))
        self.kinds, self.victims = frozenset(kinds), frozenset(victims)

    def end(self) -> None:
        """The burst is over."""
        self.kinds, self.victims = frozenset(), frozenset()

    def strike(self) -> None:
        """One fault, of a kind of this burst that is no condition."""
        kinds = [kind for kind in self._strikes if kind in self.kinds]
        if kinds:
            self._strikes[self._random.choice(kinds)]()

    def slow(self, kind: str) -> frozenset[int]:
        """Whose disks, or connections, are slow now. kind: slow disk, slow link."""
        return self.victims if kind in self.kinds else frozenset()

    def _any_up(self) -> int | None:
        up = [sid for sid, server in self._ensemble.servers.items() if server.is_up]
        return self._random.choice(up) if up else None

    def _any_down(self) -> int | None:
        """Who goes down next."""
        leader = self._ensemble.reigning() if one_in(self._random, 2) else None
        return self._any_up() if leader is None else leader

    def _kill(self) -> None:
        sid = self._any_down()
        if sid is not None:
            self._ensemble.kill(sid)

    def _lose_power(self) -> None:
        sid = self._any_down()
        everybody = [one for one, server in self._ensemble.servers.items() if server.is_up]
        for one in everybody if one_in(self._random, 3) else [] if sid is None else [sid]:
            self._lose_power_of(one)

    def _lose_power_of(self, sid: int) -> None:
        files, random = self._ensemble.servers[sid].files, self._random
        most = 0 if one_in(self._random, 2) else 1
        survives = {name: random.randint(0, most * n) for name, n in files.unsynced().items()}
        names = random.randint(0, most * len(files.renamings))
        self._ensemble.lose_power(sid, survives, names, random.randint(0, 3))

    def _cut(self) -> None:
        links = list(self._ensemble.links)
        if links:
            random = self._random
            survives = random.randint(0, 3), random.randint(0, 3)
            self._ensemble.cut(random.choice(links), survives, random.randint(0, 8))

    def _leave(self) -> None:
        sid = self._any_up()
        if sid is not None:
            self._ensemble.happen(sid, events.RoleLeft())

    def _fail_disk(self) -> None:
        sid = self._any_up()
        if sid is None:
            return
        random, server = self._random, self._ensemble.servers[sid]
        if server.syncs and one_in(self._random, 2):
            self._ensemble.happen(sid, events.SyncFailed(random.choice(server.syncs)))
        else:
            error = random.choice(("EIO", "ENOSPC"))
            fault = events.DiskFails(random.randint(0, 5), error, random.choice((0, 0, 7)))
            self._ensemble.happen(sid, fault)

    def _fire_any(self) -> None:
        sid = self._any_up()
        timers = self._ensemble.servers[sid].timers if sid is not None else ()
        if sid is not None and timers:
            self._ensemble.happen(sid, events.TimerFired(self._random.choice(timers).name))
