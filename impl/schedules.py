"""How a free run chooses among what can happen: at random, or by random priorities (PCT)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from random import Random
from typing import Protocol

from attrs import frozen

Possible = tuple[Hashable, Callable[..., object], object]
"""Whose turn it would be: a name that stays the same; what happens, and its argument."""

DEPTH, ROUND = 3, 1000
"""d, and the choices after which priorities are drawn anew, unless something else is asked for."""

_PRIORITIES = 1 << 32
"""What tells the seed of the priorities from the seed of the other choices."""


class Schedule(Protocol):
    """Chooses among what is possible, of which there is always something.

    is_fine: it wants all tasks and fsyncs told apart, and always; else one of each server will do.
    """

    is_fine: bool

    def pick(self, possible: Sequence[Possible]) -> Possible:
        """What happens next."""
        ...


class Uniform:
    """All that can happen is equally likely."""

    is_fine = False

    def __init__(self, random: Random) -> None:
        self._random = random

    def pick(self, possible: Sequence[Possible]) -> Possible:
        """Any of them."""
        return possible[int(self._random.random() * len(possible))]


@frozen
class Pct:
    """Settings of `Priorities`. depth: d. steps: k, the choices of a round."""

    depth: int = DEPTH
    steps: int = ROUND


class Priorities:
    """Random priorities: of whoever can take a turn, the one with the greatest takes it.

    As in Burckhardt, Kothari, Musuvathi and Nagarakatti, "A randomized scheduler with probabilistic
    guarantees of finding bugs" (ASPLOS 2010): who is met first draws a priority at random, and at
    d - 1 steps of the k of a round, chosen at random, whoever would take its turn falls below all
    that were drawn. Among n that take turns a round meets a bug that d orderings of their steps
    make with a probability of 1 / (n * k^(d-1)) at least. A long run is many rounds: each draws
    anew, so that nobody starves for longer than one. Those who take turns here are each task of a
    server, each of its fsyncs, each direction of a connection, each dial, and elections.
    """

    is_fine = True

    def __init__(self, settings: Pct, seed: int) -> None:
        self._settings = settings
        self._random = Random(seed + _PRIORITIES)  # noqa: S311 - a run has to be repeatable
        self._step = 0
        self._drawn: dict[Hashable, float] = {}
        self._changes: dict[int, float] = {}

    def pick(self, possible: Sequence[Possible]) -> Possible:
        """The one of the greatest priority, after the change of this step, if there is one."""
        if self._step % self._settings.steps == 0:
            self._begin()
        lowered = self._changes.get(self._step)
        if lowered is not None:
            self._drawn[self._greatest(possible)[0]] = lowered
        self._step += 1
        return self._greatest(possible)

    def _begin(self) -> None:
        self._step = 0
        self._drawn.clear()
        changes = min(self._settings.depth - 1, self._settings.steps)
        steps = self._random.sample(range(self._settings.steps), changes)
        self._changes = {step: -float(number) for number, step in enumerate(steps, start=1)}

    def _greatest(self, possible: Sequence[Possible]) -> Possible:
        drawn, random = self._drawn, self._random
        for one in possible:
            if one[0] not in drawn:
                drawn[one[0]] = random.random()
        return max(possible, key=lambda one: drawn[one[0]])
