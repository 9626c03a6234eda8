"""The table and the picture of what `published.py` measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apart import Run
from attrs import frozen
from pictures import write_picture
from records import Record

from zabspec.check.model import Broken, load_models

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY = 86_400


@frozen
class Published:
    """A run of TLC: how deep, how many generated states, in how many seconds, to the end or not."""

    depth: int
    states: int
    seconds: int
    complete: bool = True


TLC_AGAIN = (
    ("Zab.tla, 3 servers: 1 lost link, 1 txn, 2 epochs, 1 restart", 295_975, 36, "37.8 s", 7_800),
    ("the same with symmetry", 49_364, 36, "10.5 s", 4_700),
    ("Zab.tla, 2 servers: 3, 2, 3, 2 of these", 741_849, 42, "46.6 s", 15_900),
    ("Zab.tla, 3 servers: 2, 2, 2, 2 of these, stopped", 1_636_698, 23, "121 s", 13_500),
    ("Zab.tla, 3 servers: L 2, T 1, R 0", 1_507_798, None, "", None),
    ("the same with symmetry", 251_332, 43, "", None),
)
"""TLC measured again, on a quiet machine of 2 cores, both used: distinct states, depth, time and
distinct states a second, start of 2.5 to 3.3 s included; the last two only counted."""


def write_report(results: Path, records: Sequence[Record], tlc: Mapping[str, Published]) -> None:
    """Write published.md and published.svg. tlc: the published runs, by bounds."""
    (results / "published.md").write_text(report(records, tlc), encoding="utf-8")
    ours = {what: one for what in tlc if (one := _quickest(records, what))}
    write_picture(results / "published.svg", lambda panel: _draw(panel, tlc, ours))


def report(records: Sequence[Record], tlc: Mapping[str, Published]) -> str:
    """All of published.md."""
    parts = [_FIRST, *_table(records, tlc), "", *_notes(records, tlc), _AGAIN, *_again()]
    bugs = list(_bugs(records))
    if bugs:
        parts += [_BUGS, *bugs, "", _in_the_middle(records)]
    machines = dict.fromkeys(str(one.machine) for one in records)
    parts += ["\n## Machine\n", *(f"- {one}" for one in machines)]
    return "\n".join(parts) + "\n"


_FIRST = """\
# Zab within the bounds of the published TLC runs

Drawn by `benchmarks/published.py` from `published.json`. N servers, L transactions, T lost links,
R crashes, and T + R + 1 elections: an election is only ever needed at the start and after a fault.
TLC's columns are those that the authors of `Zab.tla` published (Disalg-ICS-NJU/zookeeper-tla-spec:
TLC 1.7.0, 6 cores at 3 GHz, symmetry; states are generated ones). The specs differ in grain, so
their counts and depths are not to be compared; their bounds and times are. Ours asks every promise
of every world and step; seconds are of the exploration, and CPU seconds of all its threads: where
those are fewer than seconds times jobs, other programs were busy or threads waited.

| N,L,T,R | TLC depth | TLC states | TLC time | worlds | steps | depth | seconds | CPU s \
| worlds/s | rows | peak MiB | bytes kept a world | jobs | loops | symmetry |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|"""

_AGAIN = """
## TLC measured again

On a quiet machine of 2 cores, both used, start of 2.5 to 3.3 s included: distinct states.

| spec and bounds | distinct | depth | time | distinct/s |
|---|--:|--:|--:|--:|"""

_BUGS = """
## To each seeded bug

The plain search (worlds as values) against the tables, each in a process of its own; both find the
same promise broken at the same depth. The tables look at whole chunks of worlds before they stop.

| model | depth | plain: worlds | seconds | tables: worlds | seconds | times as fast |
|---|--:|--:|--:|--:|--:|--:|"""


def _table(records: Sequence[Record], tlc: Mapping[str, Published]) -> Iterator[str]:
    for what, published in tlc.items():
        reached = "" if published.complete else " reached"
        time = said_time(published.seconds) if published.complete else "gave up after 24 h"
        theirs = f"| {what} | {published.depth}{reached} | {published.states:,} | {time} |"
        ours = [_cells(one) for one in records if one.task.what == what]
        for cells in ours or ["not run" + " |" * 12]:
            yield f"{theirs} {cells}"


def _cells(record: Record) -> str:
    run, task = record.run, record.task
    part = "" if run.complete else " (part)"
    symmetry = f"stands for {run.weighed[0]:,}" if task.symmetry else "no"
    cells = (
        f"{run.worlds:,}{part}",
        f"{run.steps:,}",
        f"{run.depth}",
        f"{run.seconds:,.1f}",
        f"{run.cpu_seconds:,.1f}",
        f"{run.rate:,.0f}",
        f"{run.rows:,}",
        f"{run.peak_mb:,.0f}",
        f"{run.kept_bytes / run.worlds:.1f}",
        f"{task.jobs}",
        run.loops,
        symmetry,
    )
    return " | ".join(cells) + " |"


def _notes(records: Sequence[Record], tlc: Mapping[str, Published]) -> Iterator[str]:
    for record in records:
        run, what = record.run, record.task.what
        if what not in tlc:
            continue
        if run.broken:
            yield f'- {what}: **broke "{run.broken}"** at depth {run.depth}'
        if run.stopped:
            yield (
                f"- {what}: not exhausted, {run.stopped}; after {run.seconds:,.0f} s at depth"
                f" {run.depth}, {run.rate:,.0f} worlds/s, {run.left:,} worlds of that depth were"
                " still to be left"
            )
        if run.refused:
            yield f"- {what}: {run.refused}"


def _again() -> Iterator[str]:
    for what, distinct, depth, time, rate in TLC_AGAIN:
        yield f"| {what} | {distinct:,} | {depth or ''} | {time} | {f'{rate:,}' if rate else ''} |"


def _bugs(records: Sequence[Record]) -> Iterator[str]:
    models = load_models()
    for plain, tables in _pairs(records):
        expected = models[tables.task.what].expected if tables.task.what in models else None
        if isinstance(expected, Broken):
            yield (
                f"| {tables.task.what} | {expected.depth} | {_ended(plain.run)}"
                f" | {_ended(tables.run)} | {_times(plain.run, tables.run)} |"
            )


def _pairs(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    plain = {one.task.what: one for one in records if one.task.plain}
    for record in records:
        if not record.task.plain and record.task.what in plain:
            yield plain[record.task.what], record


def _ended(run: Run) -> str:
    part = " (stopped)" if run.stopped else ""
    return f"{run.worlds:,}{part} | {run.seconds:,.2f}"


def _times(plain: Run, tables: Run) -> str:
    """How many times as fast; at least so many, where the plain search was stopped."""
    if tables.stopped:
        return ""
    return f"{'> ' if plain.stopped else ''}{plain.seconds / tables.seconds:.1f}"


def _in_the_middle(records: Sequence[Record]) -> str:
    ended = [(a.run, b.run) for a, b in _pairs(records) if not (a.run.stopped or b.run.stopped)]
    if not ended:
        return "None of them ended."
    median = statistics.median(plain.seconds / tables.seconds for plain, tables in ended)
    plainly = sum(plain.seconds for plain, _ in ended)
    by_tables = sum(tables.seconds for _, tables in ended)
    return (
        f"In the middle {median:.1f} times as fast; all {len(ended)} together {plainly:,.0f} s"
        f" against {by_tables:,.0f} s."
    )


def said_time(seconds: float) -> str:
    """Seconds as hours, minutes and seconds, as far as they matter."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _quickest(records: Sequence[Record], what: str) -> Run | None:
    """Of the runs within these bounds the one drawn: to the end if one is, and the quickest."""
    runs = [one.run for one in records if one.task.what == what]
    return min(runs, key=lambda one: (not one.complete, one.process_seconds), default=None)


def _draw(panel: Axes, tlc: Mapping[str, Published], ours: Mapping[str, Run]) -> None:
    names = list(tlc)
    width = 0.38
    theirs = [tlc[name].seconds for name in names]
    panel.bar(
        [at - width / 2 for at in range(len(names))],
        theirs,
        width,
        color=["tab:gray" if tlc[name].complete else "lightgray" for name in names],
        label="TLC, as published (6 cores)",
    )
    run = [name for name in names if name in ours]
    bars = panel.bar(
        [names.index(name) + width / 2 for name in run],
        [ours[name].process_seconds for name in run],
        width,
        color=["tab:blue" if ours[name].complete else "lightblue" for name in run],
        label="zabspec, start included",
    )
    said = [said_time(ours[name].process_seconds) for name in run]
    ends = ["" if ours[name].complete else "\nstopped" for name in run]
    labels = [f"{one}{end}" for one, end in zip(said, ends, strict=True)]
    panel.bar_label(bars, labels, fontsize=7)
    panel.axhline(DAY, color="tab:red", linewidth=0.8, linestyle="--")
    panel.text(0, DAY * 1.15, "24 h: TLC gave up (light bars)", color="tab:red", fontsize=8)
    panel.set_yscale("log")
    panel.set_ylim(0.5, DAY * 4)
    panel.set_xticks(range(len(names)), names, rotation=45, ha="right")
    panel.set_xlabel("servers, transactions, lost links, crashes")
    panel.set_ylabel("seconds")
    panel.set_title("Every world within the bounds of the published TLC runs")
    panel.legend(loc="upper left", bbox_to_anchor=(0, 0.9), fontsize=8)
