"""Every promise asked of a release: those that break by their shortest runs, and those that hold.

An exploration ends at its first finding. So a promise that is broken is noted and left out, and the
worlds are explored again, until nothing more is broken within the bounds.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from importlib import import_module

from attrs import evolve, frozen

from zabspec.check.bounds import Bounds
from zabspec.check.exploration import Exploration
from zabspec.check.explore import Explorer, Report
from zabspec.check.model import load_models
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property
from zabspec.check.settings import Settings
from zabspec.check.world import Worlds
from zabspec.protocol.rules import Spec


@frozen
class Mistake:
    """What explains a broken promise.

    name: for the command line. issue: its number, or what stands for it where it has none. says:
    what goes wrong, in a sentence.
    """

    name: str
    issue: str
    says: str


@frozen
class Breaks:
    """Expected: a promise is broken, by a shortest run of so many steps that shows this mistake."""

    promise: Property
    depth: int
    mistake: Mistake


@frozen
class Within:
    """What is asked within some bounds, and the answer expected.

    whole: every promise is asked that did not break before; those that `breaks` does not name hold.
    Else only those are asked that it names, and nothing is said of the others.
    slow: asked with --all only.
    """

    bounds: Bounds
    breaks: tuple[Breaks, ...] = ()
    whole: bool = True
    slow: bool = False


@frozen
class Release:
    """A release line, and what is asked of it.

    version: as the command line says it. stands_for: the releases that are like it. asked: in this
    order; what breaks in one of them is no longer asked in a later one that is whole.
    """

    version: str
    stands_for: str
    spec: Spec
    asked: tuple[Within, ...]


@frozen
class PromiseAnswer:
    """What came of one promise.

    bounds: within which it broke, or holds. broke: the exploration that ends with its shortest run;
    None if it holds. cases: met in which its premise was true. expected: None if it is to hold.
    """

    promise: Property
    bounds: tuple[Bounds, ...]
    broke: Exploration | None
    expected: Breaks | None = None
    cases: int = 0

    @property
    def mistake(self) -> Mistake | None:
        """What explains the run, if it is as long as the one that was looked at."""
        expected = self.expected if self.broke and not self.surprise else None
        return expected.mistake if expected else None

    @property
    def surprise(self) -> str:
        """How the answer differs from the expected one; "" if it does not."""
        depth = self.broke.depth if self.broke else None
        if self.expected is None:
            return "" if depth is None else f"expected to hold, broke at depth {depth}"
        if depth is None:
            return f"expected to break at depth {self.expected.depth}, and it holds"
        if depth != self.expected.depth:
            return f"expected to break at depth {self.expected.depth}, broke at {depth}"
        return ""


@frozen
class ReleaseAnswer:
    """What a release answered. stopped: why it is not complete; its answers are worth nothing then.

    answers: the broken promises in the order in which they broke, then those that hold.
    """

    release: Release
    answers: tuple[PromiseAnswer, ...]
    seconds: float
    stopped: str | None = None

    @property
    def surprises(self) -> tuple[str, ...]:
        """Each way in which it is not what was expected."""
        return tuple(
            f'"{one.promise.sentence}": {one.surprise}' for one in self.answers if one.surprise
        )


def ask_release(
    release: Release,
    report: Report = lambda _: None,
    settings: Settings | None = None,
    *,
    also_slow: bool = False,
) -> ReleaseAnswer:
    """Ask a release every promise, within each of its bounds."""
    answers: list[PromiseAnswer] = []
    seconds = 0.0
    for within in release.asked:
        if within.slow and not also_slow:
            continue
        for promises in _together(within, {one.promise for one in answers if one.broke}):
            worlds = Worlds(release.spec, within.bounds)
            explored = list(break_every(worlds, promises, report, settings))
            seconds += sum(found.seconds for found in explored)
            if explored[-1].stopped:
                return ReleaseAnswer(release, (), seconds, explored[-1].stopped)
            answers += _answers(within, promises, explored)
    return ReleaseAnswer(release, tuple(_joined(answers)), seconds)


def break_every(
    worlds: Worlds,
    promises: Iterable[Property],
    report: Report = lambda _: None,
    settings: Settings | None = None,
) -> Iterator[Exploration]:
    """Explore until a promise is broken, and again without it, until the others hold.

    The last exploration has met every world, or was stopped, or had nothing more to ask.
    """
    left = list(promises)
    while left:
        found = Explorer(worlds, left, settings).run(report)
        yield found
        if found.finding is None:
            return
        left.remove(found.finding.promise)


def load_releases() -> dict[str, Release]:
    """Every release of `models/releases.py`, by version, in its order."""
    load_models()
    values = vars(import_module("zabspec_models.releases")).values()
    found = [one for value in values if isinstance(value, tuple) for one in value]
    return {one.version: one for one in found if isinstance(one, Release)}


def _together(within: Within, broken: Container[Property]) -> Iterator[tuple[Property, ...]]:
    """The promises that are asked in one go: all that did not break before, or one at a time."""
    if within.whole:
        yield tuple(one for one in PROMISES if one not in broken)
    else:
        yield from ((one.promise,) for one in within.breaks)


def _answers(
    within: Within, promises: Iterable[Property], explored: Sequence[Exploration]
) -> Iterator[PromiseAnswer]:
    broke = {found.finding.promise: found for found in explored if found.finding}
    expected = {one.promise: one for one in within.breaks}
    for promise in (*broke, *(one for one in promises if one not in broke)):
        cases = explored[-1].premises.get(promise, 0)
        yield PromiseAnswer(
            promise, (within.bounds,), broke.get(promise), expected.get(promise), cases
        )


def _joined(answers: Iterable[PromiseAnswer]) -> Iterator[PromiseAnswer]:
    """What is broken or unexpected, then, each once with all its bounds, what holds."""
    told = [one for one in answers if one.broke or one.surprise]
    yield from told
    known = {one.promise for one in told}
    holding: dict[Property, PromiseAnswer] = {}
    for one in answers:
        if one.promise not in known:
            before = holding.setdefault(one.promise, evolve(one, bounds=(), cases=0))
            holding[one.promise] = evolve(
                before, bounds=before.bounds + one.bounds, cases=before.cases + one.cases
            )
    yield from holding.values()
