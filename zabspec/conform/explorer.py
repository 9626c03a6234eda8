"""What a test asks of a system: lockstep, the rows of a model, a saved script. `Diverged` says no.

A test may be run in several shares, each with its part of the runs, or of the servers whose rows
are replayed; which runs these are depends on the seed and the share, and on nothing else.
"""

from __future__ import annotations

from contextlib import closing
from hashlib import blake2b
from math import ceil
from pathlib import Path
from time import perf_counter

import hypothesis
from attrs import evolve, frozen
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from zabspec.check.bounds import Bounds
from zabspec.check.exploration import Progress
from zabspec.check.explore import Explorer
from zabspec.check.model import Holds, Model, load_specs
from zabspec.check.play import unbounded
from zabspec.check.script import ScriptError, read_script, show_action
from zabspec.check.world import Worlds
from zabspec.conform.accounting import (
    ASKED,
    WITNESSES,
    AccountingLockstep,
    AccountingMachine,
    AccountingRulebook,
    Met,
)
from zabspec.conform.exhaust import Budget, exhaust
from zabspec.conform.figures import Figures, RowNumbers, mark
from zabspec.conform.findings import Diverged, script_of, show_failure
from zabspec.conform.local_graph import LocalGraph, local_graph
from zabspec.conform.lockstep import RUN, Taken
from zabspec.conform.machine import PROFILES, Task
from zabspec.conform.row_findings import rows_diverged
from zabspec.conform.system import System
from zabspec.conform.user_settings import runs_of, with_users

_LIMITS = 2
_SAMPLES = {"smoke": 300, "dev": 5_000}
"""How many rows a profile replays; those that are not here: all."""
_COUNTED = 250_000
"""Up to so many worlds a model's rows are counted for lockstep alone."""


@frozen
class Plan:
    """How much is tried, and which part of it.

    profile: a name of PROFILES. is_asked: somebody asked for it, so that it decides how many runs
    there are even where the Hypothesis profile says a number. share: which of how many, from 1.
    seed: that is asked for; drawn: of the session, for runs that are new each time. name: of the
    test.
    """

    profile: str = "dev"
    is_asked: bool = False
    share: tuple[int, int] = (1, 1)
    seed: int | None = None
    drawn: int = 0
    name: str = ""

    def seed_of(self, *, fixed: bool) -> int:
        """The seed of the session; fixed: where runs are the same each time, if none is asked."""
        if self.seed is not None:
            return self.seed
        return 0 if fixed else self.drawn

    def own_seed(self, *, fixed: bool) -> int:
        """The seed of this share of this test."""
        said = f"{self.seed_of(fixed=fixed)} {self.name} {self.share}".encode()
        return int.from_bytes(blake2b(said, digest_size=8).digest(), "big")


class ZabExplorer:
    """Holds one system against one model, and counts what it met.

    told: what a test report can say of it, by name.
    """

    def __init__(self, system: System, model: Model, plan: Plan, figures: Figures) -> None:
        self.system, self.model, self.plan = system, model, plan
        self.told: dict[str, object] = {
            "zab_model": model.name,
            "zab_profile": plan.profile,
            "zab_seed": plan.seed_of(fixed=with_users(PROFILES[plan.profile]).derandomize),
            "zab_share": "{} of {}".format(*plan.share),
        }
        self._figures = figures

    def lockstep(self, bounds: Bounds | None = None, portion: float = 1.0) -> None:
        """Run model and system side by side, as often as the profile says. Raises Diverged.

        bounds: how much may happen in a run; not said: as in `RUN`, with a few limits that expire,
        and the servers of the model. portion: of the runs of the profile.
        """
        met, model, system = Met(), self.model, self.system

        class Machine(AccountingMachine):
            pass

        Machine.met, Machine.task = met, Task(model.spec, bounds or run_bounds(model.bounds))
        Machine.make_system = lambda: system  # type: ignore[method-assign]
        chosen, start = self._settings(portion), perf_counter()
        seeded = hypothesis.seed(self.plan.own_seed(fixed=chosen.derandomize))
        try:
            run_state_machine_as_test(seeded(Machine), settings=chosen)
        except Diverged as error:
            raise Diverged(str(error), error.script, error.actions) from None
        finally:
            self._count(met, Machine.runs, Machine.events)
            self._tell("zab_seconds", perf_counter() - start)

    def rows(self, sample: int | None = None) -> None:
        """Replay the rows of the model. Raises Diverged, with a run of the model if one shows it.

        sample: how many rows; not said: as the profile does.
        """
        met, numbers = Met(), _numbers_of(self.model)
        worlds = Worlds(self.model.spec, self.model.bounds)
        rulebook = AccountingRulebook.of(worlds, self.system, met)
        budget = Budget(sample or _SAMPLES.get(self.plan.profile), self.plan.own_seed(fixed=True))
        replayed = exhaust(self._part_of(numbers.graph), rulebook, budget)
        covered = self._figures.of(self.model.name)
        covered.phases = numbers.phases
        mark(covered.replayed, numbers.marked(met.rows))
        self.told |= {"zab_rows": replayed.rows, "zab_rows_replayed": replayed.replayed}
        self._tell("zab_events", replayed.events)
        self._tell("zab_seconds", replayed.seconds)
        if replayed.divergences:
            raise rows_diverged(replayed, self.model, self.system)

    def replay(self, path: Path) -> None:
        """Play a saved script on model and system. Raises Diverged, ScriptError."""
        script = read_script(path)
        spec = {**load_specs(), self.model.spec.name: self.model.spec}.get(script.spec)
        if spec is None:
            raise ScriptError(str(path), f"spec {script.spec}", "one that a model uses")
        worlds = unbounded(spec, script.bounds)
        rulebook = AccountingRulebook.of(worlds, self.system, Met())
        with closing(AccountingLockstep(worlds, rulebook)) as lockstep:
            for line in script.lines:
                before = len(lockstep.taken)
                failure = lockstep.repeat(Taken(line.action, line.order))
                if failure is not None:
                    text = show_failure(failure, spec, script.bounds)
                    raise Diverged(text, script_of(failure, spec, script.bounds), before + 1)
                if len(lockstep.taken) == before:
                    where, read = f"{path}:{line.number}", show_action(line.action)
                    raise ScriptError(where, read, "what can happen here")
            self._tell("zab_events", lockstep.events)

    def _settings(self, portion: float) -> settings:
        plan = self.plan
        profile = PROFILES[plan.profile]
        runs = ceil(runs_of(profile, is_asked=plan.is_asked) * portion / plan.share[1])
        return with_users(evolve(profile, runs=max(1, runs)))

    def _part_of(self, graph: LocalGraph) -> LocalGraph:
        """The servers of this share: each with all its histories."""
        number, of = self.plan.share
        roots = [root for at, root in enumerate(graph.roots) if at % of == number - 1]
        sids = {root.server.sid for root in roots}
        edges = {node: graph.edges[node] for node in graph if node.server.sid in sids}
        quorums = graph.quorums[number - 1 :: of]
        return LocalGraph(roots, edges, graph.parent, quorums)

    def _count(self, met: Met, runs: int, events: int) -> None:
        covered = self._figures.of(self.model.name)
        covered.runs, covered.events = covered.runs + runs, covered.events + events
        if _is_small(self.model):
            numbers = _numbers_of(self.model)
            covered.phases = numbers.phases
            mark(covered.exercised, numbers.marked(met.rows))
        premises = dict.fromkeys((one.sentence for one in ASKED), 0)
        premises |= {one.sentence: count for one, count in met.premises.items()}
        seen = {one.sentence: one in met.witnessed for one in WITNESSES}
        self._figures.ask(premises, seen)
        self._tell("zab_runs", runs)
        self._tell("zab_events", events)

    def _tell(self, name: str, count: float) -> None:
        before = self.told.get(name, 0)
        self.told[name] = before + count if isinstance(before, int | float) else count


def run_bounds(bounds: Bounds) -> Bounds:
    """How much may happen in a run of lockstep, with the servers of these bounds."""
    return evolve(
        RUN,
        limits=_LIMITS,
        servers=bounds.servers,
        observers=bounds.observers,
        window=bounds.window,
        force_snapshot=bounds.force_snapshot,
        last_counter=bounds.last_counter,
    )


class _ManyWorldsError(Exception):
    pass


def _is_small(model: Model) -> bool:
    """Whether counting its rows takes no longer than it tells; or they are counted already."""
    if model.name in _numbers:
        return True
    if isinstance(model.expected, Holds):
        return model.expected.worlds <= _COUNTED

    def report(progress: Progress) -> None:
        if progress.worlds > _COUNTED:
            raise _ManyWorldsError

    try:
        Explorer(Worlds(model.spec, model.bounds), ()).run(report)
    except _ManyWorldsError:
        return False
    return True


_numbers: dict[str, RowNumbers] = {}


def _numbers_of(model: Model) -> RowNumbers:
    if model.name not in _numbers:
        _numbers[model.name] = RowNumbers(local_graph(model, with_cuts=True))
    return _numbers[model.name]
