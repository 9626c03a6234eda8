"""The four ways to find a bug of the zoo: two in its broken spec, two in its broken code.

exhaustive: every world of the broken spec, the shortest run. walk: random runs of the broken spec.
lockstep: the broken code beside a spec done right. rows: the rows of such a spec, on that code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

from attrs import frozen

from zabspec.check.model import Model, ask
from zabspec.check.play import retell
from zabspec.check.promises import PROMISES
from zabspec.check.settings import Settings
from zabspec.check.walk import hunt
from zabspec.check.world import Worlds
from zabspec.conform.beside import Rulebook
from zabspec.conform.exhaust import Budget, exhaust
from zabspec.conform.findings import Diverged, show_divergence, show_event
from zabspec.conform.local_graph import local_graph
from zabspec.conform.lockstep import Task
from zabspec.conform.system import System
from zabspec.conform.zoo import Bug, ZooError, patched

MakeSystem = Callable[[], System]
Say = Callable[[str], None]


@frozen
class Effort:
    """How much a strategy spends. walk: seconds of the processor; lockstep: a profile of runs."""

    walk: float
    lockstep: str


EFFORTS = {"ci": Effort(10.0, "ci"), "nightly": Effort(1_800.0, "nightly")}


@frozen
class Found:
    """A bug, found. worlds: or steps, or events, that it took; length: of the run that shows it.

    text: that run: a script, or for rows the events of one server.
    """

    seconds: float
    worlds: int
    length: int
    text: str


@frozen
class Search:
    """One bug, one strategy. make_system: the code, not yet broken; None for strategies on specs.

    say: hears how far it is.
    """

    bug: Bug
    effort: Effort
    make_system: MakeSystem | None = None
    say: Say = lambda _: None

    @property
    def system(self) -> MakeSystem:
        """The code. Raises ZooError where there is none."""
        if self.make_system is None:
            raise ZooError(f"{self.bug.name}: there is no code to break")
        return self.make_system


def exhaustive(search: Search) -> Found | None:
    """The worlds of the broken spec, to the shortest run; None if it is not as long as pinned."""
    model = search.bug.model
    answer = ask(model, lambda so_far: search.say(f"{so_far.worlds:,} worlds"), Settings())
    finding = answer.found.finding
    if finding is None or not answer.as_expected:
        return None
    text = retell(
        finding.run, model.spec, model.bounds, dict.fromkeys((*PROMISES, finding.promise))
    )
    return Found(answer.found.seconds, answer.found.worlds, answer.found.depth, text)


def walk(search: Search) -> Found | None:
    """Random runs of the broken spec, until one breaks what it is expected to break."""
    model = search.bug.model
    found = hunt(Worlds(model.spec, model.bounds), model.promises, search.effort.walk)
    if found.caught is None:
        return None
    run = found.caught.run
    told = dict.fromkeys((*PROMISES, *model.promises))
    text = retell(run, model.spec, model.bounds, told)
    return Found(found.seconds, found.steps, len(run), text)


def lockstep(search: Search) -> Found | None:
    """The broken code beside a good spec, in runs drawn by Hypothesis."""
    from zabspec.conform.machine import PROFILES, conform  # noqa: PLC0415 - needs hypothesis

    good, start = search.bug.against.lockstep, perf_counter()
    with patched(search.bug.code):
        try:
            task = Task(good.spec, good.bounds)
            conform(search.system, task, PROFILES[search.effort.lockstep])
        except Diverged as error:
            seconds = perf_counter() - start
            return Found(seconds, error.events, error.actions, error.script)
    return None


def rows(search: Search) -> Found | None:
    """The rows of a good spec within small bounds, on the broken code."""
    against, start = search.bug.against, perf_counter()
    good = against.rows
    model = Model(f"{search.bug.name}: rows", "", good.spec, good.bounds, None)
    graph = local_graph(model, with_cuts=against.with_cuts)
    with patched(search.bug.code):
        rulebook = Rulebook(good.spec, good.bounds.ensemble, search.system())
        replayed = exhaust(graph, rulebook, Budget(first=True))
    if not replayed.divergences:
        return None
    first = replayed.divergences[0]
    history = [f"server {first.sid} {show_event(event)}" for event in first.history]
    text = "\n".join((*history, *show_divergence(first.divergence), ""))
    return Found(perf_counter() - start, replayed.events, len(history) + 1, text)


STRATEGIES: Mapping[str, Callable[[Search], Found | None]] = {
    "exhaustive": exhaustive,
    "walk": walk,
    "lockstep": lockstep,
    "rows": rows,
}
ON_CODE = ("lockstep", "rows")
"""Those that need the code."""
