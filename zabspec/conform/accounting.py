"""Lockstep and rows, with an account of what was met: rows, promises, witnesses.

A system that does not answer, or raises, differs from the model as one that answers wrongly does:
so its run is a script too, and is shortened.
"""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import ClassVar

from attrs import define, field

from zabspec.check import sync_witnesses, witnesses
from zabspec.check.promises import PROMISES
from zabspec.check.properties import BEYOND_WORLDS, Property
from zabspec.check.world import Worlds
from zabspec.conform.beside import Beside, Cut, Divergence, Rulebook
from zabspec.conform.expected import Difference
from zabspec.conform.figures import Row
from zabspec.conform.findings import Diverged
from zabspec.conform.lockstep import Failure, Lockstep
from zabspec.conform.machine import LockstepMachine
from zabspec.conform.system import System, SystemFailed
from zabspec.protocol.events import Event

ASKED = tuple(one for one in PROMISES if one.reads and one.reads not in BEYOND_WORLDS)
"""The promises that can be asked along one run."""
WITNESSES = tuple(
    one
    for module in (witnesses, sync_witnesses)
    for one in vars(module).values()
    if isinstance(one, Property) and one.sometimes
)
_SLOW = 1.0
"""A system that fails only after so many seconds is not asked again and again."""


@define
class Met:
    """What was met so far.

    rows: those on which the system did as the model does. is_slow: it let the harness wait for an
    answer that did not come.
    """

    rows: set[Row] = field(factory=set)
    is_slow: bool = False
    premises: Counter[Property] = field(factory=Counter)
    witnessed: set[Property] = field(factory=set)


class AccountingRulebook(Rulebook):
    """A rulebook whose servers note the rows that they meet. met: where."""

    met: Met

    @classmethod
    def of(cls, worlds: Worlds, system: System, met: Met) -> AccountingRulebook:
        """The rulebook of these worlds."""
        found = cls(worlds.spec, worlds.ensemble, system, worlds.uncut)
        found.met = met
        return found

    def start(self, sid: int) -> Beside:
        """A new server of each."""
        return _Accounting(self, sid)


class _Accounting(Beside):
    def __init__(self, rulebook: AccountingRulebook, sid: int) -> None:
        super().__init__(rulebook, sid)
        self._met = rulebook.met

    def step(self, event: Event, cut: Cut | None = None, order: int = 0) -> Divergence | None:
        servers, start = self.explained, perf_counter()
        try:
            divergence = super().step(event, cut, order)
        except SystemFailed as error:
            self._met.is_slow = self._met.is_slow or perf_counter() - start > _SLOW
            failed = Difference("the system", "answers", f"fails: {error}{_place_of(error)}")
            return Divergence(self.sid, event, cut, (failed,))
        if divergence is None and cut is None:
            self._met.rows.update((server, event) for server in servers)
        return divergence


class AccountingLockstep(Lockstep):
    """A run of lockstep whose properties are counted when it is closed."""

    def __init__(self, worlds: Worlds, rulebook: AccountingRulebook) -> None:
        super().__init__(worlds, rulebook, (*ASKED, *WITNESSES))
        self._met = rulebook.met

    def close(self) -> None:
        """It is over."""
        super().close()
        self._met.premises.update(self._audit.premises)
        self._met.witnessed.update(self._audit.witnessed)


class AccountingMachine(LockstepMachine):
    """Lockstep under Hypothesis, with an account. met: where."""

    met: ClassVar[Met]
    _accounting: ClassVar[tuple[Worlds, AccountingRulebook] | None] = None

    @classmethod
    def _new(cls) -> Lockstep:
        if cls._accounting is None:
            worlds = Worlds(cls.task.spec, cls.task.bounds)
            cls._accounting = worlds, AccountingRulebook.of(worlds, cls.make_system(), cls.met)
            cls._told = {}
        return AccountingLockstep(*cls._accounting)

    @classmethod
    def _diverged(cls, failure: Failure) -> Diverged:
        """Shortened, unless the system no longer starts, or each try waits for an answer."""
        if cls.met.is_slow:
            cls.shrinks = False
        try:
            return super()._diverged(failure)
        except SystemFailed:
            cls.shrinks = False
            return super()._diverged(failure)


def _place_of(error: SystemFailed) -> str:
    """Where the system raised what made it fail, if it was in this process."""
    cause = error.__cause__
    frames = traceback.extract_tb(cause.__traceback__) if cause is not None else None
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})"
