"""Seeded random runs, where the bounds are too large to exhaust.

`walk` takes each step from all that are possible. `hunt` looks for a broken promise: each of its
runs decides beforehand when faults come, so that they are not all spent at once, and prefers some
links and threads to others, so that a few of them lag far behind.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import count
from time import process_time

from attrs import define, field, frozen

from zabspec.check.actions import FAULTS, Action, Deliver, LoseLink
from zabspec.check.audit import Audit
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.world import Choice, Step, World, Worlds

_HORIZONS = (10, 20, 40, 60, 90)
"""Within so many steps the faults of a run come."""
_SPREADS = (1, 4, 30)
"""How much more often than another one a link or thread may get its turn."""
_LONGEST = 400
_CUT = 0.6
"""How often a crash cuts a step, where it can."""


@frozen
class Walk:
    """A random run. broken: at its end; ended: nothing more can happen."""

    run: tuple[Step, ...]
    broken: tuple[Property, ...]
    ended: bool


def walk(worlds: Worlds, properties: Iterable[Property], seed: int, steps: int) -> Walk:
    """Take up to `steps` steps, each chosen from all possible; the same seed takes the same."""
    choose = random.Random(seed)  # noqa: S311  a schedule is no secret
    audit = Audit(properties, worlds.ensemble)
    world, run = worlds.start(), list[Step]()
    while len(run) < steps:
        possible = list(worlds.steps(world))
        stuck = _stuck(worlds, audit, world, possible)
        if stuck or not possible:
            return Walk(tuple(run), stuck, ended=not possible)
        step = choose.choice(possible)
        run.append(step)
        broken = audit.step(world, step) + audit.world(step.world, world, step)
        if broken:
            return Walk(tuple(run), broken, ended=False)
        world = step.world
    return Walk(tuple(run), (), ended=False)


def _stuck(
    worlds: Worlds, audit: Audit, world: World, possible: Sequence[Step]
) -> tuple[Property, ...]:
    goes_on = any(not isinstance(step.action, FAULTS) for step in possible)
    if goes_on or NOT_STUCK not in audit.properties or worlds.is_cut(world):
        return ()
    return (NOT_STUCK,)


@frozen
class Hunt:
    """What came of many walks. caught: the last one, if it broke a promise; steps: of all.

    seconds: of the processor.
    """

    caught: Walk | None
    walks: int
    steps: int
    seconds: float


def hunt(
    worlds: Worlds, properties: Iterable[Property], seconds: float, first_seed: int = 0
) -> Hunt:
    """Walk from seed to seed, until a walk breaks a promise, or so many seconds are over.

    The seconds are those of the processor: on a busy machine too, as much is tried.
    """
    start, audit, steps = process_time(), Audit(properties, worlds.ensemble), 0
    for seed in count(first_seed):
        found = _Wanderer(worlds, audit, random.Random(seed)).walk()  # noqa: S311  as above
        steps += len(found.run)
        spent = process_time() - start
        if found.broken or spent > seconds:
            return Hunt(found if found.broken else None, seed + 1 - first_seed, steps, spent)
    raise AssertionError("seeds never end")


@define
class _Wanderer:
    """One walk of a hunt. faults: the steps before which one comes, in order."""

    worlds: Worlds
    audit: Audit
    draw: random.Random
    faults: list[int] = field(init=False)
    spread: int = field(init=False)
    weights: dict[object, float] = field(factory=dict)
    run: list[Step] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        bounds, horizon = self.worlds.bounds, self.draw.choice(_HORIZONS)
        number = bounds.crashes + bounds.lost_links + bounds.limits
        self.faults = sorted(self.draw.randrange(1, horizon) for _ in range(number))
        self.spread = self.draw.choice(_SPREADS)

    def walk(self) -> Walk:
        world = self.worlds.start()
        while len(self.run) < _LONGEST:
            progress = list(self.worlds.progress(world, cut=False))
            choice = self._fault(world, progress) or self._progress(progress)
            if choice is None:
                stuck = _stuck(self.worlds, self.audit, world, ())
                return Walk(tuple(self.run), stuck, ended=True)
            step = self.worlds.take(choice)
            self.run.append(step)
            broken = self.audit.step(world, step) + self.audit.world(step.world, world, step)
            if broken:
                return Walk(tuple(self.run), broken, ended=False)
            world = step.world
        return Walk(tuple(self.run), (), ended=False)

    def _fault(self, world: World, progress: Sequence[Choice]) -> Choice | None:
        """The next fault, if its time has come, or nothing else can happen."""
        if not self.faults or (progress and len(self.run) < self.faults[0]):
            return None
        self.faults.pop(0)
        crashes = world.environment.crashes
        cuts = [one for whole in progress for one in self.worlds.cuts(whole)] if crashes else []
        whole = () if cuts and self.draw.random() < _CUT else self.worlds.faults(world)
        possible: dict[object, list[Choice]] = {}
        for one in list(whole) or cuts:
            possible.setdefault(_struck(one.action), []).append(one)
        return self.draw.choice(self.draw.choice(list(possible.values()))) if possible else None

    def _progress(self, possible: Sequence[Choice]) -> Choice | None:
        if not possible:
            return None
        weights = [self._weight(_driver(one.action)) for one in possible]
        return self.draw.choices(possible, weights)[0]

    def _weight(self, driver: object) -> float:
        """As it was drawn when it was first asked for, over orders of magnitude."""
        if driver not in self.weights:
            self.weights[driver] = self.spread ** self.draw.random()
        return self.weights[driver]


def _struck(action: Action) -> object:
    """What a fault strikes: a link, or a server."""
    if isinstance(action, LoseLink):
        return action.one, action.other
    return action.receiver if isinstance(action, Deliver) else _actor(action)


def _driver(action: Action) -> object:
    """What brings about a step that is no fault: a link, a thread of a server, an election."""
    return (action.sender, action.receiver) if isinstance(action, Deliver) else _actor(action)


def _actor(action: Action) -> object:
    return type(action), getattr(action, "members", None) or getattr(action, "server", None)
