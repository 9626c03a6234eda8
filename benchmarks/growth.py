"""How time and memory grow with the worlds of one exploration, in numpy and compiled.

    python benchmarks/growth.py [--most WORLDS]

The paper's protocol with 3 servers, 2 transactions, 2 lost links and 1 crash, stopped at so many
worlds. Each exploration is a process of its own. It writes growth.md and growth.svg.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from apart import Run, RunFailed, Sample, Task, run_apart
from arguments import at_least_1, parser
from machine import this_machine
from pictures import write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOUNDS = "3,2,2,1"
MOST = 20_000_000
MANY = 10_000_000
"""From so many worlds on, what is kept of each is held to `MOST_KEPT`."""
MOST_KEPT = 12
"""Bytes: a fingerprint in a table that was just enlarged takes 10, and how it came about 2."""
SLOWEST = {"numpy": 200_000, "numba": 400_000}
"""Worlds a second, below which these loops may not fall over all of a large exploration."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 where it grows worse than it may."""
    made = parser(__doc__)
    made.add_argument(
        "--most", type=at_least_1, default=MOST, metavar="WORLDS", help=f"stop there ({MOST:,})"
    )
    asked = made.parse_args(arguments)
    try:
        asked.results.mkdir(parents=True, exist_ok=True)
        runs = [_measured(loops, asked.most) for loops in _loops()]
    except OSError as error:
        made.error(str(error))
    except RunFailed as failed:
        print(f"growth.py: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("growth.py: interrupted; nothing is written", file=sys.stderr)
        return 130
    write(asked.results, runs)
    wrong = [complaint for run in runs for complaint in complaints(run)]
    for complaint in wrong:
        print(f"growth.py: {complaint}", file=sys.stderr)
    return 1 if wrong else 0


def complaints(run: Run) -> Iterator[str]:
    """Each way in which an exploration grew worse than it may."""
    kept = run.kept_bytes / run.worlds
    if run.worlds >= MANY and kept > MOST_KEPT:
        yield f"{run.loops}: {kept:.1f} bytes kept of each of {run.worlds:,} worlds"
    rate = run.worlds / run.seconds
    if run.worlds >= MANY and rate < SLOWEST[run.loops]:
        yield f"{run.loops}: {rate:,.0f} worlds a second over {run.worlds:,} worlds"


def write(results: Path, runs: Sequence[Run]) -> None:
    """The table and the picture."""
    (results / "growth.md").write_text(report(runs), encoding="utf-8")
    write_picture(
        results / "growth.svg",
        lambda panel: _draw(panel, runs, "seconds"),
        lambda panel: _draw(panel, runs, "memory_mb"),
    )


def report(runs: Sequence[Run]) -> str:
    """All of growth.md."""
    parts = [_FIRST, *(row for run in runs for row in _rows(run)), ""]
    parts += [_said(run) for run in runs]
    if len(runs) > 1:
        ratio = runs[0].seconds / runs[1].seconds * (runs[1].worlds / runs[0].worlds)
        parts.append(f"- {runs[1].loops} is {ratio:.2f} times as fast as {runs[0].loops}.")
    return "\n".join([*parts, "\n## Machine\n", f"- {this_machine()}"]) + "\n"


_FIRST = """\
# How time and memory grow with the worlds

Drawn by `benchmarks/growth.py`: the paper's protocol, 3 servers, 2 transactions, 2 lost links,
1 crash, 4 elections, every promise asked; stopped at so many worlds. Seconds a million worlds are
of the stretch from the row before. Bytes a world are all that the process holds beyond its start:
visited worlds, frontier, tables.

| loops | worlds | seconds | seconds a million | MiB | bytes a world |
|---|--:|--:|--:|--:|--:|"""


def _rows(run: Run) -> Iterator[str]:
    start = Sample(0, 0.0, run.start_mb)
    for before, at in pairwise((start, *run.samples)):
        pace = (at.seconds - before.seconds) / (at.worlds - before.worlds) * 1_000_000
        held = (at.memory_mb - run.start_mb) * (1 << 20) / at.worlds
        yield (
            f"| {run.loops} | {at.worlds:,} | {at.seconds:,.1f} | {pace:,.2f}"
            f" | {at.memory_mb:,.0f} | {held:,.0f} |"
        )


def _said(run: Run) -> str:
    return (
        f"- {run.loops}: {run.worlds:,} worlds in {run.seconds:,.1f} s ({run.cpu_seconds:,.1f} s of"
        f" CPU), {run.rate:,.0f} worlds/s, peak {run.peak_mb:,.0f} MiB; beside the frontier"
        f" {run.kept_bytes / run.worlds:.1f} bytes kept of each visited world."
    )


def _loops() -> list[bool]:
    """Whether to do without the compiled loops: first so, then with them, where numba is."""
    return [True, False] if find_spec("numba") else [True]


def _measured(numpy: bool, most: int) -> Run:
    if not numpy:
        run_apart(Task("2,1,0,0"))  # so that no run that is measured compiles the loops
    run = run_apart(Task(BOUNDS, numpy=numpy, most=most))
    print(_said(run)[2:], flush=True)
    return run


def _draw(panel: Axes, runs: Sequence[Run], what: str) -> None:
    for run in runs:
        worlds = [one.worlds for one in run.samples]
        panel.plot(worlds, [getattr(one, what) for one in run.samples], "o-", label=run.loops)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("worlds")
    panel.set_ylabel("seconds" if what == "seconds" else "MiB that the process holds")
    panel.set_title("Time" if what == "seconds" else "Memory")
    panel.grid(visible=True, which="both", linewidth=0.3)
    panel.legend()


if __name__ == "__main__":
    sys.exit(main())
