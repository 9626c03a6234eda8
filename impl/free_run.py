"""A free run of a simulated ensemble, from its settings to its end."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import evolve, frozen

from impl.config import Config
from impl.ensemble import Ensemble, Watch
from impl.quorum import QuorumVerifier
from impl.random_run import RandomRun, Rates
from impl.simulated_clients import Operation, SimulatedClients
from impl.simulated_events import Event
from impl.simulated_observations import Observation
from impl.simulation import configuration, start

_SNAP_COUNT = 100
"""So that a server that leaves its role has no long log to read again."""

_SETTINGS = 1 << 32
"""What tells the seed of the settings from the seed of the choices."""


@frozen
class Size:
    """Of an ensemble, and of what its clients use.

    is_varied: whether windows and logs are as short as the seed says, so that every kind of sync
    is met; else servers have their usual settings.
    """

    voters: int = 3
    observers: int = 0
    clients: int = 6
    paths: int = 3
    is_varied: bool = False


class FreeRun:
    """One run. The same size, seed and rates make the same run, whatever watches it."""

    def __init__(
        self, size: Size, seed: int, rates: Rates | None = None, watch: Watch | None = None
    ) -> None:
        self.events = 0
        self._watch = watch
        sids = range(1, size.voters + size.observers + 1)
        verifier = configuration(sids[: size.voters], sids[size.voters :])
        servers = {
            sid: start(sid, config) for sid, config in _configs(verifier, size, seed).items()
        }
        self.ensemble = Ensemble(servers, verifier, self._happened)
        self._clients = SimulatedClients(size.clients, size.paths, self.ensemble.happen)
        self._run = RandomRun(self.ensemble, self._clients, seed, rates or Rates())

    @property
    def history(self) -> list[Operation]:
        """What the clients asked for, and were told."""
        return self._clients.history

    @property
    def findings(self) -> list[str]:
        """What no run may show."""
        return self._run.findings

    def choose(self) -> None:
        """Make one choice; it may be of several events, or none."""
        self._run.choose()

    def go(self, events: int) -> None:
        """Make choices until so many events have happened in all."""
        while self.events < events:
            self._run.choose()

    def calm_down(self) -> None:
        """No faults from now on."""
        self._run.calm_down()

    def end(self) -> None:
        """Look at what nobody handled, and end the simulation of all servers."""
        self._run.end()
        self.ensemble.close()

    def _happened(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        self.events += 1
        if self._watch is not None:
            self._watch(sid, event, seen)
        self._run.watch(sid, event, seen)
        self._clients.watch(sid, event, seen)


def _configs(verifier: QuorumVerifier, size: Size, seed: int) -> dict[int, Config]:
    """By server, its settings."""
    configs = {
        sid: Config(sid, verifier, snap_count=_SNAP_COUNT, pre_alloc_size=0)
        for sid in verifier.all_members
    }
    if not size.is_varied:
        return configs
    random = Random(seed + _SETTINGS)  # noqa: S311 - a run has to be repeatable
    snap_count, window = random.choice((20, 100, 1000)), random.choice((3, 20, 500))
    factor = random.choice((-1.0, 0.33, 10.0))
    return {
        sid: evolve(
            config,
            snap_count=snap_count,
            commit_log_count=window,
            snapshot_size_factor=factor,
            pre_alloc_size=random.choice((0, 8192)),
        )
        for sid, config in configs.items()
    }
