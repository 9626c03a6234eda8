"""One exploration in a process of its own, so that its peak of memory is its own too.

The process is this file, told a task as JSON; it answers with the run as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from attrs import asdict, define, evolve, field, frozen

from zabspec.check.bounds import Bounds
from zabspec.check.exploration import Exploration, Progress
from zabspec.check.explore import INTERRUPTED, Explorer
from zabspec.check.kernels import NUMPY, best
from zabspec.check.memory import peak_mb, resident_mb
from zabspec.check.model import load_models
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property
from zabspec.check.search import Search
from zabspec.check.settings import Settings
from zabspec.check.world import Worlds
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import SpecError

SAMPLED_AT = tuple(first * 10**power for power in range(5, 10) for first in (1, 2, 5))
"""Numbers of worlds at which a run tells how far it is."""


@frozen
class Task:
    """What to explore, and how.

    what: bounds of the paper's protocol, as "3,2,1,1", or the name of a model. plain: by the plain
    search. numpy: without the compiled loops. memory: where to stop, in MiB; limit: after so many
    seconds; most: after so many worlds. None: nowhere.
    """

    what: str
    plain: bool = False
    numpy: bool = False
    jobs: int = 1
    symmetry: bool = False
    memory: int | None = None
    limit: float | None = None
    most: int | None = None


@frozen
class Sample:
    """How far a run was. memory_mb: of the process, then."""

    worlds: int
    seconds: float
    memory_mb: float


@frozen
class Run:
    """What came of a task.

    seconds: of the exploration; process_seconds: of its process, start and imports included;
    cpu_seconds: of all its threads. broken: the promise, in a sentence. stopped: why it is not
    complete. left: met at the depth reached and not left, where it stopped. start_mb: before it.
    rows, kept_bytes, weighed: as `Reach` has them; 0 of a plain search. refused: why no symmetry.
    """

    worlds: int
    steps: int
    depth: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    start_mb: float
    complete: bool
    broken: str | None = None
    stopped: str | None = None
    left: int = 0
    rows: int = 0
    kept_bytes: int = 0
    weighed: tuple[int, int] = (0, 0)
    loops: str = ""
    samples: tuple[Sample, ...] = ()
    process_seconds: float = 0.0
    refused: str | None = None

    @property
    def rate(self) -> float:
        """Worlds a second."""
        return self.worlds / self.seconds


class RunFailed(Exception):
    """The process of a run ended without an answer: killed, most often, because memory ended."""


def run_apart(task: Task) -> Run:
    """Carry a task out in a fresh process. Raises SpecError where no symmetry is allowed."""
    start = time.perf_counter()
    command = [sys.executable, __file__, json.dumps(asdict(task))]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RunFailed(f"{task.what}: its process ended with {done.returncode}")
    told = json.loads(done.stdout)
    if "spec_error" in told:
        raise SpecError(told["spec_error"])
    return evolve(run_from(told), process_seconds=seconds)


def run_from(told: dict[str, Any]) -> Run:
    """A run, from its JSON."""
    samples = tuple(Sample(**sample) for sample in told["samples"])
    return Run(**{**told, "samples": samples, "weighed": tuple(told["weighed"])})


def bounds_of(what: str) -> Bounds:
    """Bounds from servers, transactions, lost links and crashes.

    One election at the start and one for each fault: there is no other occasion that needs one.
    """
    servers, txns, lost_links, crashes = map(int, what.split(","))
    return Bounds(servers, txns, lost_links, crashes, elections=lost_links + crashes + 1)


@define
class _Watch:
    """Hears how far a run is, keeps some of that, and ends it when it has to."""

    task: Task
    last: Progress | None = None
    samples: list[Sample] = field(factory=list)
    passed: int = 0

    def __call__(self, progress: Progress) -> None:
        self.last = progress
        task, worlds = self.task, progress.worlds
        passed = sum(worlds >= at for at in SAMPLED_AT)
        ends = task.most is not None and worlds >= task.most
        if ends or passed > self.passed:
            self.passed = passed
            self.samples.append(Sample(worlds, progress.seconds, progress.memory_mb))
        if ends or (task.limit is not None and progress.seconds >= task.limit):
            raise KeyboardInterrupt


def _main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    try:
        told = asdict(_carried_out(task))
    except SpecError as error:
        told = {"spec_error": str(error)}
    print(json.dumps(told))


def _carried_out(task: Task) -> Run:
    worlds, properties = _question(task.what)
    watch = _Watch(task)
    settings = _settings(task)
    start_mb, start = resident_mb(), time.process_time()
    if task.plain:
        found = _plainly(Search(worlds, properties), watch)
    else:
        found = Explorer(worlds, properties, settings).run(watch)
    cpu_seconds = time.process_time() - start
    run = Run(
        found.worlds,
        found.steps,
        found.depth,
        found.seconds,
        cpu_seconds,
        found.peak_mb,
        start_mb,
        found.complete,
        broken=found.finding.promise.sentence if found.finding else None,
        stopped=found.stopped,
        left=watch.last.frontier if watch.last and found.stopped else 0,
        samples=tuple(watch.samples),
    )
    if found.reach is None:
        return run
    reach = found.reach
    return evolve(
        run,
        rows=reach.rows,
        kept_bytes=reach.kept_bytes,
        weighed=reach.weighed,
        loops=settings.kernels.name,
    )


def _question(what: str) -> tuple[Worlds, tuple[Property, ...]]:
    if "," in what:
        return Worlds(PAPER, bounds_of(what)), PROMISES
    model = load_models()[what]
    return Worlds(model.spec, model.bounds), (*model.promises, *model.witnesses)


def _settings(task: Task) -> Settings:
    # Whoever does without the compiled loops does not import numba either: it takes memory.
    kernels = NUMPY if task.numpy or task.plain else best()
    return Settings(task.jobs, task.memory, symmetry=task.symmetry, kernels=kernels)


def _plainly(search: Search, watch: _Watch) -> Exploration:
    try:
        return search.run(watch)
    except KeyboardInterrupt:
        last = watch.last or Progress(0, 0, 0, 0, 0.0, 0.0)
        return Exploration(
            last.worlds,
            last.steps,
            last.depth,
            last.seconds,
            peak_mb(),
            complete=False,
            finding=None,
            stopped=INTERRUPTED,
        )


if __name__ == "__main__":
    _main()
