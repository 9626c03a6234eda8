"""How fast the plain search is: worlds and steps a second, and bytes a world, on one core.

    python benchmarks/plain_search.py [--runs N] [MODEL]...

Each run is a process of its own, so that one does not warm the next. Absolute figures are those of
a machine; the ratio against a fixed loop (building, hashing and keeping attrs values, which is what
the search mostly does) can be laid beside another machine's.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

from attrs import frozen
from machine import processor

from zabspec.check.exploration import Exploration
from zabspec.check.model import load_models
from zabspec.check.search import Search
from zabspec.check.world import Worlds

REFERENCE_VALUES = 300_000


@frozen(cache_hash=True)
class Reference:
    """A value like those that worlds are made of."""

    number: int
    text: str
    others: tuple[int, ...]


@frozen
class Run:
    """One search in a process of its own. reference: values a second of the fixed loop there."""

    worlds: int
    steps: int
    depth: int
    seconds: float
    bytes_a_world: float
    reference: float


def main() -> None:
    """Measure the models named, and print the median of several runs of each."""
    models = load_models()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["paper-3-2-1-0"])
    parser.add_argument("--runs", type=int, default=5, help="of each model (5)")
    parser.add_argument("--one", choices=models, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(*one_run(asked.one))
        return
    for name in asked.models:
        if name not in models:
            parser.error(f"no model is called {name}; zabspec models lists them")
    if asked.runs < 1:
        parser.error("at least one run")
    print_machine()
    for name in asked.models:
        print_model(name, [run_apart(name) for _ in range(asked.runs)])


def one_run(name: str) -> tuple[float, ...]:
    """The figures of one run, as `Run` has them."""
    pin_to_one_core()
    before = peak_bytes()
    found = explore(name)
    grown = (peak_bytes() - before) / found.worlds
    return found.worlds, found.steps, found.depth, found.seconds, grown, reference_rate()


def explore(name: str) -> Exploration:
    """Every world of the model, with all its promises asked."""
    model = load_models()[name]
    worlds = Worlds(model.spec, model.bounds)
    return Search(worlds, (*model.promises, *model.witnesses)).run()


def reference_rate() -> float:
    """Values of the fixed loop a second; the values are gone afterwards."""
    gc.disable()
    start = time.perf_counter()
    kept: dict[Reference, int] = {}
    for number in range(REFERENCE_VALUES):
        value = Reference(number % 1_000, "reference", (number % 7, number % 11, number % 13))
        kept.setdefault(value, number)
    seconds = time.perf_counter() - start
    gc.enable()
    return REFERENCE_VALUES / seconds


def pin_to_one_core() -> None:
    """Keep this process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_apart(name: str) -> Run:
    """One run, in a fresh process."""
    command = [sys.executable, __file__, "--one", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  itself
    worlds, steps, depth, seconds, grown, reference = map(float, done.stdout.split())
    return Run(int(worlds), int(steps), int(depth), seconds, grown, reference)


def print_machine() -> None:
    """What the figures are figures of."""
    print(f"machine   {processor()}, one core of {os.cpu_count()}, {platform.platform()}")
    print(
        f"versions  Python {platform.python_version()} ({platform.python_implementation()}),"
        f" attrs {version('attrs')}, zabspec {version('zabspec')}"
    )


def print_model(name: str, runs: list[Run]) -> None:
    """The median over the runs, and how far they lie apart."""
    rates = [run.worlds / run.seconds for run in runs]
    steps = statistics.median(run.steps / run.seconds for run in runs)
    ratios = [rate / run.reference for rate, run in zip(rates, runs, strict=True)]
    first = runs[0]
    print(f"\n{name}: {first.worlds:,} worlds, {first.steps:,} steps, depth {first.depth}")
    print(f"  runs                {len(runs)}, each in a process of its own; medians:")
    print(f"  seconds             {statistics.median(run.seconds for run in runs):.2f}")
    print(
        f"  worlds a second     {statistics.median(rates):,.0f}"
        f"  (from {min(rates):,.0f} to {max(rates):,.0f})"
    )
    print(f"  steps a second      {steps:,.0f}")
    print(f"  bytes a world       {statistics.median(run.bytes_a_world for run in runs):,.0f}")
    print(
        f"  against the loop    {statistics.median(ratios):.4f} worlds a reference value"
        f"  ({statistics.median(run.reference for run in runs):,.0f} values a second)"
    )


if __name__ == "__main__":
    main()
