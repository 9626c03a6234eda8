"""Zab within the bounds of the published TLC runs, and the time to each seeded bug.

    python benchmarks/published.py [--only 3,2,1,1]... [--symmetry] [--jobs N] [--limit SECONDS]
    python benchmarks/published.py --bugs [--only MODEL]...

Each run is a process of its own. What it finds is merged into published.json, and published.md and
published.svg are drawn from that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from apart import Run, RunFailed, Task, run_apart
from arguments import at_least_1, parser
from attrs import evolve
from machine import Machine, this_machine
from published_report import DAY, Published, write_report
from records import Record, load, merged, save

from zabspec.check.model import Broken, Model, load_models
from zabspec.check.properties import BEYOND_WORLDS
from zabspec.protocol.rules import SpecError

TLC: Mapping[str, Published] = {
    "2,2,2,0": Published(38, 19_980, 3),
    "3,2,1,0": Published(43, 610_035, 28),
    "3,2,0,1": Published(50, 1_902_139, 2 * 60 + 36),
    "3,2,2,0": Published(54, 26_126_204, 17 * 60),
    "3,2,1,1": Published(61, 84_543_312, 60 * 60),
    "3,2,0,2": Published(68, 245_606_642, 3 * 3_600 + 41 * 60),
    "4,2,1,0": Published(64, 21_393_294, 23 * 60),
    "4,2,0,1": Published(71, 79_475_010, 97 * 60),
    "3,2,2,1": Published(50, 1_721_643_089, DAY, complete=False),
    "3,2,1,2": Published(46, 1_825_094_679, DAY, complete=False),
    "4,2,2,0": Published(57, 1_599_588_210, DAY, complete=False),
}
"""As its authors tell of `Zab.tla`, in the published repository Disalg-ICS-NJU/zookeeper-tla-spec:
TLC 1.7.0, 6 cores at 3 GHz, with symmetry. By servers N, transactions L, lost links T, crashes R.
"""

PINNED: Mapping[str, tuple[int, int, int]] = {
    "2,2,2,0": (9_068, 13_722, 33),
    "3,2,1,0": (132_025, 356_070, 34),
    "3,2,0,1": (114_983, 276_342, 36),
    "3,2,1,1": (4_383_126, 11_595_276, 45),
    "3,2,2,0": (2_769_688, 7_666_131, 43),
    "3,2,0,2": (2_510_655, 6_147_591, 45),
    "3,2,2,1": (92_498_465, 260_014_254, 54),
    "3,2,1,2": (87_711_346, 243_596_867, 53),
    "4,2,1,0": (2_184_808, 7_630_024, 51),
    "4,2,0,1": (1_954_348, 5_986_448, 53),
    "4,2,2,0": (61_662_156, 214_093_216, 67),
}
"""Worlds, steps and depth within each bounds. With symmetry it is what the worlds stand for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 1 where something else was counted than is pinned."""
    asked = _asked(arguments)
    records, complaints = _loaded(asked.results), []
    try:
        for task in () if asked.redraw else _tasks(asked):
            try:
                record = measured(task, this_machine())
            except RunFailed as failed:
                complaints.append(str(failed))
                continue
            complaints += surprises(record)
            records = merged(records, record)
            save(asked.results, records)
            _say(record)
    except KeyboardInterrupt:
        print("published.py: interrupted; what was measured is kept", file=sys.stderr)
        return 130
    write_report(asked.results, records, TLC)
    for complaint in complaints:
        print(f"published.py: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def measured(task: Task, machine: Machine) -> Record:
    """The record of a task. Where symmetry is refused, why, and the run without it."""
    try:
        return Record(task, run_apart(task), machine)
    except SpecError as error:
        print(f"{task.what}: {error}", file=sys.stderr)
        without = evolve(task, symmetry=False)
        return Record(without, evolve(run_apart(without), refused=str(error)), machine)


def surprises(record: Record) -> Iterator[str]:
    """Each way in which a run is not as it has to be."""
    task, run = record.task, record.run
    if "," in task.what:
        yield from _not_as_pinned(task, run)
        return
    expected = load_models()[task.what].expected
    if run.stopped or not isinstance(expected, Broken):
        return
    if (run.broken, run.depth) != (expected.promise.sentence, expected.depth):
        how = "the plain search" if task.plain else "the tables"
        yield (
            f'{task.what}: {how} broke "{run.broken}" at depth {run.depth}, not'
            f' "{expected.promise.sentence}" at {expected.depth}'
        )


def _not_as_pinned(task: Task, run: Run) -> Iterator[str]:
    if run.broken:
        yield f'{task.what}: broke "{run.broken}" at depth {run.depth}'
    pinned = PINNED.get(task.what)
    if pinned is None or not run.complete:
        return
    counted = (*run.weighed, run.depth)
    for name, expected, found in zip(("worlds", "steps", "depth"), pinned, counted, strict=True):
        if expected != found:
            yield f"{task.what}: pinned are {expected:,} {name}, counted {found:,}"


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--only",
        action="append",
        metavar="BOUNDS",
        help="only these bounds, as 3,2,1,1; with --bugs only this model (may be repeated)",
    )
    made.add_argument("--bugs", action="store_true", help="only the time to each seeded bug")
    made.add_argument("--redraw", action="store_true", help="run nothing, draw what is kept")
    made.add_argument("--jobs", type=at_least_1, default=1, metavar="N", help="threads (1)")
    made.add_argument("--symmetry", action="store_true", help="where the spec allows it")
    made.add_argument("--memory", type=at_least_1, metavar="MIB", help="end a run there")
    made.add_argument("--limit", type=at_least_1, metavar="SECONDS", help="end a run then")
    made.add_argument("--numpy", action="store_true", help="without the compiled loops")
    asked = made.parse_args(arguments)
    for what in asked.only or ():
        if asked.bugs and what not in _seeded():
            made.error(f"--only {what}: no model of a seeded bug; `zabspec models` lists them")
        if not asked.bugs and what not in TLC:
            made.error(f"--only {what}: no bounds of a published run; those are {'  '.join(TLC)}")
    return asked


def _seeded() -> dict[str, Model]:
    """The models that both can answer: what must be reachable is looked for by the tables alone."""
    return {
        name: model
        for name, model in load_models().items()
        if isinstance(model.expected, Broken) and model.expected.promise.reads not in BEYOND_WORLDS
    }


def _tasks(asked: argparse.Namespace) -> Iterator[Task]:
    how = Task(
        "2,1,0,0",
        numpy=asked.numpy,
        jobs=asked.jobs,
        memory=asked.memory,
        limit=asked.limit,
    )
    if not asked.numpy:
        run_apart(how)  # so that no run that is measured compiles the loops
    if not asked.bugs:
        for what in asked.only or TLC:
            yield evolve(how, what=what, symmetry=asked.symmetry)
    if asked.bugs or not asked.only:
        for what in asked.only or _seeded():
            yield Task(what, plain=True, limit=asked.limit)
            yield evolve(how, what=what)


def _loaded(results: Path) -> list[Record]:
    try:
        results.mkdir(parents=True, exist_ok=True)
        return load(results)
    except (OSError, ValueError, TypeError, KeyError) as error:
        parser(__doc__).error(f"{results / 'published.json'}: cannot be read: {error}")


def _say(record: Record) -> None:
    run, how = record.run, "plain" if record.task.plain else record.run.loops
    ended = f", stopped: {run.stopped}; {run.left:,} left at that depth" if run.stopped else ""
    print(
        f"{record.task.what}: {run.worlds:,} worlds, {run.steps:,} steps, depth {run.depth},"
        f" {run.seconds:.1f} s, {run.rate:,.0f} worlds/s, {run.peak_mb:,.0f} MiB, {how}{ended}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
