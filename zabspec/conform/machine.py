"""Lockstep under Hypothesis: which runs are tried, and what is said of the first that fails."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import ClassVar

from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from zabspec.check.world import Worlds
from zabspec.conform.beside import Rulebook
from zabspec.conform.findings import Diverged, script_of, show_failure
from zabspec.conform.lockstep import Failure, Lockstep, Taken, Task, replay
from zabspec.conform.shrink import shrunk
from zabspec.conform.system import System

__all__ = [
    "PROFILES",
    "Conformed",
    "LockstepMachine",
    "Profile",
    "Task",
    "conform",
    "shortest",
]

_NUMBER = 2
"""A choice is drawn as so many bytes."""


@frozen
class Profile:
    """How much is tried. runs: how many; bursts: of choices, at most, in each.

    is_fixed: the same runs each time.
    """

    runs: int
    bursts: int = 8
    is_fixed: bool = True

    @property
    def settings(self) -> settings:
        """As Hypothesis has them. Runs are shrunk here, as scripts, and not by Hypothesis."""
        return settings(
            max_examples=self.runs,
            stateful_step_count=self.bursts,
            derandomize=self.is_fixed,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )


PROFILES = {
    "smoke": Profile(30),
    "dev": Profile(150, is_fixed=False),
    "ci": Profile(400),
    "nightly": Profile(10_000, is_fixed=False),
}
"""By name, from a few seconds to hours."""


@frozen
class Conformed:
    """What was tried without a difference."""

    runs: int
    events: int
    seconds: float


class LockstepMachine(RuleBasedStateMachine):
    """Model and system side by side: subclass it, say `make_system`, and take its `TestCase`.

    task: what it is held against. shrinks: whether a failing run is shortened before it is told.
    runs, events: counted over all runs.
    """

    task: ClassVar[Task] = Task()
    shrinks: ClassVar[bool] = True
    runs: ClassVar[int] = 0
    events: ClassVar[int] = 0
    _worlds: ClassVar[Worlds | None] = None
    _rulebook: ClassVar[Rulebook | None] = None
    _told: ClassVar[dict[tuple[Taken, ...], Diverged]] = {}

    @classmethod
    def make_system(cls) -> System:
        """The system under test. Made once; its servers are started anew for each run."""
        raise NotImplementedError(f"{cls.__name__} has to say what its system is: make_system")

    def __init__(self) -> None:
        super().__init__()
        self.lockstep = self._new()

    @rule(numbers=st.binary(min_size=16 * _NUMBER, max_size=48 * _NUMBER))
    def happen(self, numbers: bytes) -> None:
        """A burst of choices, each taken modulo what can happen."""
        for at in range(0, len(numbers) - 1, _NUMBER):
            number = int.from_bytes(numbers[at : at + _NUMBER], "big")
            failure = self.lockstep.choose(number)
            if failure is not None:
                raise self._diverged(failure) from None

    def teardown(self) -> None:
        """The run is over."""
        kind = type(self)
        kind.runs, kind.events = kind.runs + 1, kind.events + self.lockstep.events
        self.lockstep.close()

    @classmethod
    def _new(cls) -> Lockstep:
        if cls._worlds is None or cls._rulebook is None:
            task = cls.task
            cls._worlds = Worlds(task.spec, task.bounds)
            system, ensemble = cls.make_system(), task.bounds.ensemble
            cls._rulebook = Rulebook(task.spec, ensemble, system, cls._worlds.uncut)
            cls._told = {}
        return Lockstep(cls._worlds, cls._rulebook, cls.task.properties)

    @classmethod
    def _diverged(cls, failure: Failure) -> Diverged:
        known = cls._told.get(failure.run)
        if known is None:
            least = shortest(failure, cls._new) if cls.shrinks else failure
            spec, bounds = cls.task.spec, cls.task.bounds
            text = show_failure(least, spec, bounds)
            known = Diverged(text, script_of(least, spec, bounds), len(least.run))
            cls._told[failure.run] = known
        return Diverged(str(known), known.script, known.actions)


def shortest(failure: Failure, new: Callable[[], Lockstep]) -> Failure:
    """The failure at the end of the same run with as much left out as can be.

    What is left still fails, if perhaps in another way; the usual order of tasks is preferred.
    """
    found = {failure.run: failure}

    def fails(run: tuple[Taken, ...]) -> bool:
        again = replay(new(), run)
        if again is not None:
            found[run] = again
        return again is not None

    plain = tuple(evolve(one, order=0) for one in failure.run)
    run = plain if fails(plain) else failure.run
    return found[shrunk(run, fails)]


def conform(
    make_system: Callable[[], System], task: Task | None = None, profile: Profile | None = None
) -> Conformed:
    """Hold a system against the model, run by run. Raises Diverged at the first difference.

    Raises SystemFailed where the system does not do its part.
    """

    class Machine(LockstepMachine):
        pass

    Machine.task = task or Task()
    Machine.make_system = make_system  # type: ignore[method-assign]
    start = perf_counter()
    try:
        run_state_machine_as_test(Machine, settings=(profile or PROFILES["ci"]).settings)
    except Diverged as error:
        told = Diverged(str(error), error.script, error.actions)
        told.events = Machine.events
        raise told from None
    return Conformed(Machine.runs, Machine.events, perf_counter() - start)
