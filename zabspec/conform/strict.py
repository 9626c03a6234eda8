"""Lockstep that ends at once where the system fails: Hypothesis is not to try that again."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import ClassVar

from hypothesis.stateful import run_state_machine_as_test

from zabspec.check.world import Choice, Worlds
from zabspec.conform.beside import Rulebook
from zabspec.conform.findings import Diverged
from zabspec.conform.lockstep import Failure, Lockstep
from zabspec.conform.machine import PROFILES, Conformed, LockstepMachine, Task
from zabspec.conform.system import System, SystemFailed

__all__ = ["Task", "hold"]
Report = Callable[[int, int], None]


class _Ended(BaseException):
    """Carries a SystemFailed past what catches and repeats errors."""


class _Lockstep(Lockstep):
    def take(self, choice: Choice, order: int = 0) -> Failure | None:
        try:
            return super().take(choice, order)
        except SystemFailed as error:
            raise _Ended from error


class _Machine(LockstepMachine):
    system: ClassVar[System]
    report: ClassVar[Report]

    def teardown(self) -> None:
        super().teardown()
        type(self).report(self.runs, self.events)

    @classmethod
    def _new(cls) -> Lockstep:
        if cls._worlds is None or cls._rulebook is None:
            cls._worlds = Worlds(cls.task.spec, cls.task.bounds)
            ensemble = cls.task.bounds.ensemble
            cls._rulebook = Rulebook(cls.task.spec, ensemble, cls.system, cls._worlds.uncut)
            cls._told = {}
        try:
            return _Lockstep(cls._worlds, cls._rulebook, cls.task.properties)
        except SystemFailed as error:
            raise _Ended from error

    @classmethod
    def _diverged(cls, failure: Failure) -> Diverged:
        """Shortened, unless the system fails at one of the shorter runs."""
        try:
            return super()._diverged(failure)
        except _Ended:
            cls.shrinks = False
            return super()._diverged(failure)


def hold(system: System, task: Task, profile: str, report: Report) -> Conformed:
    """Hold a system against the model. Raises Diverged, or SystemFailed, at the first of them.

    report: hears how many runs and events there were, after each run.
    """

    class Machine(_Machine):
        pass

    Machine.task, Machine.system = task, system
    Machine.report = staticmethod(report)
    start = perf_counter()
    try:
        run_state_machine_as_test(Machine, settings=PROFILES[profile].settings)
    except Diverged as error:
        raise Diverged(str(error), error.script, error.actions) from None
    except _Ended as error:
        raise error.__cause__ or error from None
    return Conformed(Machine.runs, Machine.events, perf_counter() - start)
