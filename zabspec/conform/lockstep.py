"""A world of the model beside a system: every server of both is given the same events.

What may happen next is what the model says; each choice is a number, taken modulo how many there
are, so that any numbers are a run. Compared after each event: what was sent on each connection, in
order, what was durable when each packet left, and all that the system shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from attrs import evolve, frozen

from zabspec.check.actions import FAULTS, Action, Deliver, Elect
from zabspec.check.audit import Audit
from zabspec.check.bounds import Bounds
from zabspec.check.outcomes import Outcome
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property
from zabspec.check.world import Choice, Worlds
from zabspec.conform.beside import Cut, Divergence, Rulebook
from zabspec.conform.expected import Expected
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import BASELINE

RUN = Bounds(servers=3, txns=6, lost_links=3, crashes=3, elections=8)
"""How much may happen in a run of lockstep: more than can be exhausted."""
_KINDS, _ORDER, _FAULT = 8, 6, 7
"""Of the numbers, one in so many is a fault, and one has tasks run in another order."""


@frozen
class Task:
    """What is held against what: a spec within bounds, and the promises asked on the way."""

    spec: Spec = BASELINE
    bounds: Bounds = RUN
    properties: tuple[Property, ...] = PROMISES


@frozen
class Taken:
    """An action that was taken. order: the seed of the order in which tasks ran, 0 = the usual."""

    action: Action
    order: int = 0


@frozen(eq=False)
class Failure:
    """Where a run of lockstep ended, and why.

    divergence: of the system from the model; broken: promises that both broke, together. run: the
    actions up to it, the last one included.
    """

    run: tuple[Taken, ...]
    divergence: Divergence | None
    broken: tuple[Property, ...] = ()


class Lockstep:
    """One run. taken: so far. events: that servers were given."""

    def __init__(
        self, worlds: Worlds, rulebook: Rulebook, properties: Iterable[Property] = ()
    ) -> None:
        self.taken: list[Taken] = []
        self.events = 0
        self._worlds = worlds
        self._world = worlds.start()
        self._audit = Audit(properties, worlds.ensemble)
        self._rulebook = rulebook
        self._sides = {sid: rulebook.start(sid) for sid in worlds.ensemble.servers}

    def choose(self, number: int) -> Failure | None:
        """Take the choice that this number stands for, if anything can happen at all."""
        kind, rest = number % _KINDS, number // _KINDS
        progress = list(self._worlds.progress(self._world, cut=False))
        if kind == _FAULT:
            return self._fail(rest, progress)
        order = rest if kind == _ORDER else 0
        return self.take(progress[rest % len(progress)], order) if progress else None

    def _fail(self, number: int, progress: list[Choice]) -> Failure | None:
        """Take a fault; or progress, cut by a crash where one is left."""
        possible = [*self._worlds.faults(self._world), *progress]
        if not possible:
            return None
        number, at = divmod(number, len(possible))
        cuts = list(self._worlds.cuts(possible[at])) if self._world.environment.crashes else []
        return self.take(cuts[number % len(cuts)] if cuts else possible[at])

    def repeat(self, taken: Taken) -> Failure | None:
        """Take this action, if it can be taken here."""
        action = taken.action
        cut = getattr(action, "crash_after", None) is not None
        is_fault = isinstance(action, FAULTS)
        ask = self._worlds.faults if is_fault else partial(self._worlds.progress, cut=cut)
        for one in ask(self._world):
            if _same(one.action, action):
                return self.take(one, taken.order)
        return None

    def take(self, choice: Choice, order: int = 0) -> Failure | None:
        """Take this choice on both sides, and compare."""
        self.taken.append(Taken(choice.action, order))
        divergence = self._election(choice.action)
        if divergence is not None:
            return Failure(tuple(self.taken), divergence)
        seen: list[Outcome] = []
        for outcome in self._worlds.outcomes(choice):
            side = self._sides[outcome.before.sid]
            self.events += 1
            divergence = side.step(outcome.event, Cut.of(outcome), order)
            if divergence is not None:
                return Failure(tuple(self.taken), divergence)
            seen.append(outcome if side.is_sure else _as_explained(outcome, side.last))
        return self._go(choice, tuple(seen))

    def close(self) -> None:
        """It is over."""
        for side in self._sides.values():
            side.close()

    def _election(self, action: Action) -> Divergence | None:
        if not isinstance(action, Elect):
            return None
        members = [self._world.servers[sid - 1] for sid in action.members]
        return self._rulebook.election(members)

    def _go(self, choice: Choice, seen: tuple[Outcome, ...]) -> Failure | None:
        before, step = self._world, self._worlds.take(choice, seen)
        self._world = step.world
        if not self._audit.properties:
            return None
        broken = self._audit.step(before, step) + self._audit.world(step.world, before, step)
        return Failure(tuple(self.taken), None, broken) if broken else None


def replay(lockstep: Lockstep, run: Sequence[Taken]) -> Failure | None:
    """The first failure of a run, each action taken where it can be."""
    try:
        for taken in run:
            failure = lockstep.repeat(taken)
            if failure is not None:
                return failure
        return None
    finally:
        lockstep.close()


def _same(action: Action, told: Action) -> bool:
    """Whether it is the same, whatever it is that is delivered."""
    if isinstance(action, Deliver) and isinstance(told, Deliver):
        return evolve(action, item=None) == evolve(told, item=None)
    return action == told


def _as_explained(outcome: Outcome, explained: Expected) -> Outcome:
    """What the system did, where the model leaves it several ways: it was cut, or shows less."""
    return evolve(outcome, after=explained.after, effects=explained.effects)
