"""What every run of a simulated ensemble is made of: servers, clients, and what is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from attrs import evolve, frozen

from impl.choices import Choice, Look
from impl.config import Config
from impl.ensemble import Ensemble, Watch
from impl.quorum import QuorumVerifier
from impl.run_findings import RunFindings
from impl.simulated_clients import Operation, SimulatedClients
from impl.simulated_events import Event
from impl.simulated_observations import Observation
from impl.simulation import configuration, start
from impl.zxids import COUNTER_MASK

_SNAP_COUNT = 100
"""So that a server that leaves its role has no long log to read again."""

_SETTINGS = 1 << 32
"""What tells the seed of the settings from the seed of the choices."""


@frozen
class Size:
    """Of an ensemble, and of what its clients use.

    is_varied: whether windows and logs are as short as the seed says, so that every kind of sync
    is met; else servers have their usual settings. last_counter: see `Config`.
    """

    voters: int = 3
    observers: int = 0
    clients: int = 6
    paths: int = 3
    is_varied: bool = False
    last_counter: int = COUNTER_MASK


@frozen
class Held:
    """What a server held when that was looked at. zxid: the last one that it had processed."""

    sid: int
    zxid: int
    content: object


class SimulatedRun:
    """Fresh servers and their clients, on which nothing has happened yet.

    events: how many have. looked: is told what servers hold whenever that is looked at; None =
    nobody is. The seed is that of varied settings.
    """

    def __init__(self, size: Size, seed: int, watch: Watch | None = None) -> None:
        self.events = 0
        self.noticed = RunFindings()
        self.looked: Callable[[Held], None] | None = None
        self._watch = watch
        sids = range(1, size.voters + size.observers + 1)
        verifier = configuration(sids[: size.voters], sids[size.voters :])
        servers = {
            sid: start(sid, config) for sid, config in _configs(verifier, size, seed).items()
        }
        self.ensemble = Ensemble(servers, verifier, self._happened)
        self.clients = SimulatedClients(size.clients, size.paths, self.ensemble.tell)

    @property
    def history(self) -> list[Operation]:
        """What the clients asked for, and were told."""
        return self.clients.history

    @property
    def findings(self) -> list[str]:
        """What no run may show."""
        return self.noticed.found

    def tell_choices(self, chosen: Callable[[Choice], None]) -> None:
        """Tell each choice from now on, before it is made."""
        self.ensemble.chosen = self.clients.chosen = chosen

    def look(self) -> None:
        """Look at what each server holds that is up, and how far it has come."""
        if self.ensemble.chosen is not None:
            self.ensemble.chosen(Look())
        for sid, server in self.ensemble.servers.items():
            if server.is_up and self.looked is not None:
                shown = server.observe()
                self.looked(Held(sid, int(str(shown["last_processed_zxid"])), shown["content"]))

    def end(self) -> None:
        """Look at what nobody handled, and end the simulation of all servers."""
        self.noticed.end(self.ensemble.servers)
        self.ensemble.close()

    def _happened(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        self.events += 1
        if self._watch is not None:
            self._watch(sid, event, seen)
        self.noticed.watch(sid, event, seen)
        self.clients.watch(sid, event, seen)


def _configs(verifier: QuorumVerifier, size: Size, seed: int) -> dict[int, Config]:
    """By server, its settings."""
    configs = {
        sid: Config(
            sid,
            verifier,
            snap_count=_SNAP_COUNT,
            pre_alloc_size=0,
            last_counter=size.last_counter,
        )
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
