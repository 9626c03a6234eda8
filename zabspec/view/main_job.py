"""What the main job came to: one table, and below it what is to be known of each line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.text import Text

from zabspec.conform.exhaust import Replayed
from zabspec.conform.findings import show_divergence, show_event, show_failure
from zabspec.conform.lockstep import Task
from zabspec.conform.main_job import Held, MainJob
from zabspec.conform.rounds import Round
from zabspec.view.answers import answer_to_json, script_of, show_coverage
from zabspec.view.terminal import Terminal

_INDENT = 30
_SHOWN = 3
"""So many rows on which a system differs are told in full."""


def show_main_job(terminal: Terminal, job: MainJob, system: str | None) -> None:
    """The table, then every finding, then what "holds" does not say."""
    terminal.say(f"{'held':<11}{'result':<10}{'seconds':>7}  what", style="bold")
    for part, good, seconds, what in _parts(job, system):
        first, *more = textwrap.wrap(what, terminal.width - _INDENT)
        row = Text(f"{part:<11}")
        row.append(f"{_VERDICTS[part][not good]:<10}", style="green" if good else "bold red")
        row.append(f"{seconds:>7.1f}  ")
        terminal.say(row.append(first))
        for line in more:
            terminal.say(" " * _INDENT + line)
    if job.held is not None:
        _show_findings(terminal, job.held, Task(job.answer.model.spec))
    if job.answer.found.finding is not None:
        terminal.say()
        terminal.say(script_of(job.answer).rstrip())
    show_coverage(terminal, [job.answer])


_VERDICTS = {
    "model": ("holds", "BROKEN"),
    "rows": ("same", "DIFFERS"),
    "lockstep": ("same", "DIFFERS"),
    "recordings": ("accepted", "REFUSED"),
}


def _parts(job: MainJob, system: str | None) -> Iterator[tuple[str, bool, float, str]]:
    found, model = job.answer.found, job.answer.model
    what = f"{model.name}: {found.worlds:,} worlds within {model.bounds}"
    yield "model", job.answer.as_expected, found.seconds, what
    if job.held is not None:
        rows, lockstep = job.held.rows, job.held.lockstep
        yield "rows", not rows.divergences, rows.seconds, f"{_rows(rows)}, on {system}"
        yield "lockstep", lockstep.failure is None, lockstep.seconds, _round(lockstep)
    refused = sum(1 for one in job.recordings if one.verdict == "refused")
    runs = f"{len(job.recordings)} runs of ZooKeeper; {refused or 'none'} refused"
    yield "recordings", not refused, job.seconds, runs


def _rows(rows: Replayed) -> str:
    """How many, and where not all, that it is a sample."""
    if rows.replayed == rows.rows:
        return f"all {rows.rows:,} rows, {rows.again:,} of them in two ways"
    done = max(rows.replayed, rows.again)
    return f"{done:,} of {rows.rows:,} rows, a sample: the time ended there"


def _round(lockstep: Round) -> str:
    return f"{lockstep.runs:,} runs, {lockstep.events:,} events"


def _show_findings(terminal: Terminal, held: Held, task: Task) -> None:
    for one in held.rows.divergences[:_SHOWN]:
        terminal.say()
        for event in one.history:
            terminal.say(f"server {one.sid} {show_event(event)}")
        for line in show_divergence(one.divergence):
            terminal.say(line)
    left = len(held.rows.divergences) - _SHOWN
    if left > 0:
        terminal.say()
        terminal.say(f"and {left:,} more rows")
    if held.lockstep.failure is not None:
        terminal.say()
        terminal.say(show_failure(held.lockstep.failure, task.spec, task.bounds))


def main_job_to_json(job: MainJob, system: str | None) -> dict[str, object]:
    """As one JSON object, with exactly these keys; rows and lockstep are null without a system."""
    rows = lockstep = None
    if job.held is not None:
        replayed, played = job.held.rows, job.held.lockstep
        rows = {
            "rows": replayed.rows,
            "replayed": replayed.replayed,
            "again": replayed.again,
            "events": replayed.events,
            "differing": len(replayed.divergences),
            "seconds": round(replayed.seconds, 3),
        }
        lockstep = {
            "runs": played.runs,
            "events": played.events,
            "differs": played.failure is not None,
            "seconds": round(played.seconds, 3),
        }
    return {
        "as_expected": job.as_expected,
        "model": answer_to_json(job.answer),
        "system": system,
        "rows": rows,
        "lockstep": lockstep,
        "recordings": [one.to_json() for one in job.recordings],
    }
