"""A free run of a simulated ensemble, from its settings to its end."""

from __future__ import annotations

from impl.ensemble import Watch
from impl.random_run import RandomRun, Rates
from impl.simulated_run import SimulatedRun, Size

__all__ = ["FreeRun", "Size"]


class FreeRun(SimulatedRun):
    """One run. The same size, seed and rates make the same run, whatever watches it."""

    def __init__(
        self, size: Size, seed: int, rates: Rates | None = None, watch: Watch | None = None
    ) -> None:
        super().__init__(size, seed, watch)
        self._run = RandomRun(self.ensemble, self.clients, self.noticed, seed, rates or Rates())

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
