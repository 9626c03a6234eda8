"""One simulated server, up or down: events in, observations out, nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from impl.simulated_clock import PendingTimer
from impl.simulated_events import Event, Killed, PowerLost, Restarted
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulationError, Unhandled
from impl.simulated_machine import MILLISECOND, Machine, Process, Running
from impl.simulated_observations import Observation, ProcessEnded
from impl.simulated_steps import HAPPENINGS


class SimulatedServer:
    """One server, up or down.

    make_process: makes what runs on a machine, at each start. files: its disk. now: its clock.
    unhandled: what nobody handled in processes that have ended.
    """

    def __init__(
        self,
        sid: int,
        make_process: Callable[[Machine], Process],
        files: SimulatedFiles | None = None,
        now: float = 0.0,
    ) -> None:
        self.sid = sid
        self.files = SimulatedFiles() if files is None else files
        self.unhandled: list[Unhandled] = []
        self._make_process = make_process
        self._now = now
        self._seen: list[Observation] = []
        self._running: Running | None = None
        self._start()

    # What happens to it.

    def step(self, event: Event) -> tuple[Observation, ...]:
        """Let this happen; what was seen of it. A delivery only makes a task able to run.

        Raises SimulationError for what cannot happen now.
        """
        happen = HAPPENINGS.get(type(event))
        if happen is not None:
            happen(self._up(), event)
        elif isinstance(event, Killed):
            self._stop()
        elif isinstance(event, PowerLost):
            self._stop()
            self.files.lose_power(dict(event.survives), event.names)
        elif isinstance(event, Restarted):
            self._restart()
        else:
            raise SimulationError(f"read {event!r}, expected an event of impl.simulated_events")
        return self._observed()

    def settle(
        self, held: Container[str] = (), choose: Callable[[list[str]], str] | None = None
    ) -> tuple[Observation, ...]:
        """Run everything that can run, in the default order; what was seen of it.

        No timer fires, no fsync completes, nothing is delivered. held, choose: as in
        `SimulatedLoop.settle`.
        """
        self._up().machine.loop.settle(held=held, choose=choose)
        return self._observed()

    def close(self) -> None:
        """End the simulation of it, up or down: nothing is left that waits."""
        if self._running is not None:
            self._stop()

    def copy(self) -> None:
        """Not possible: tasks cannot be copied. A run is repeated from its events instead."""

    # What can be chosen, and seen.

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return self._running is not None

    @property
    def runnable(self) -> tuple[str, ...]:
        """The tasks that could run; who could first comes first."""
        return () if self._running is None else self._running.machine.loop.runnable()

    @property
    def timers(self) -> tuple[PendingTimer, ...]:
        """The timers that could fire, the earliest first."""
        return () if self._running is None else self._running.machine.clock.pending()

    @property
    def syncs(self) -> tuple[str, ...]:
        """The fsyncs that could complete, the oldest first."""
        return () if self._running is None else self._running.machine.disk.syncs

    @property
    def connections(self) -> tuple[str, ...]:
        """Those open at this end, the oldest first."""
        return () if self._running is None else tuple(self._running.machine.network.connections)

    @property
    def asked(self) -> Mapping[int, int]:
        """Its attempts to connect that wait for an answer, and to whom they are."""
        return {} if self._running is None else self._running.machine.network.asked

    @property
    def is_listening(self) -> bool:
        """Whether its port is open."""
        return self._running is not None and self._running.machine.network.is_listening

    @property
    def is_looking(self) -> bool:
        """Whether it waits for an election."""
        return self._running is not None and self._running.machine.election is not None

    @property
    def now(self) -> float:
        """Its clock, which goes on over a crash."""
        return self._now if self._running is None else self._running.machine.loop.now

    def problems(self) -> list[Unhandled]:
        """What nobody handled, since it was started first."""
        running = self._running.machine.loop.unhandled if self._running else []
        return [*self.unhandled, *running]

    def observe(self) -> Mapping[str, object]:
        """What a person could see in a debugger; what is missing is not shown, or it is down."""
        return {"is_up": self.is_up, **(self._running.process.observe() if self._running else {})}

    # How.

    def _start(self) -> None:
        machine = Machine(self.files, self._now, self._seen.append)
        self._running = Running(machine, self._make_process(machine))

    def _stop(self) -> None:
        running = self._up()
        self._now = running.machine.loop.now
        running.machine.loop.kill()
        self.unhandled += running.machine.loop.unhandled
        self._running = None

    def _up(self) -> Running:
        if self._running is None:
            raise SimulationError(f"server {self.sid} is down, only Restarted can happen")
        return self._running

    def _observed(self) -> tuple[Observation, ...]:
        if self._running is not None and self._running.main.done():
            error = self._running.main.exception()
            why = "it returned" if error is None else f"{type(error).__name__}: {error}"
            self._seen.append(ProcessEnded(why))
            self._stop()
        observed = tuple(self._seen)
        self._seen.clear()
        return observed

    def _restart(self) -> None:
        if self._running is not None:
            raise SimulationError(f"server {self.sid} is up, it cannot be started")
        self._now += MILLISECOND
        self._start()
