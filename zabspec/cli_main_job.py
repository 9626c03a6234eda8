"""`zabspec check` without a model: the main job."""

from __future__ import annotations

import importlib.util
import json
from time import perf_counter

import click

from zabspec.check.exploration import Progress
from zabspec.check.explore import INTERRUPTED
from zabspec.check.model import load_models, shipped
from zabspec.check.settings import Settings
from zabspec.cli_input import Exit, hold, recordings_in
from zabspec.cli_system import failures_told
from zabspec.conform.main_job import Budgets, Held, MainJob, ask_with_rows, hold_system
from zabspec.conform.systems import system_called
from zabspec.view.main_job import main_job_to_json, show_main_job
from zabspec.view.terminal import ProgressLine, Terminal

DEFAULT_MODEL = "baseline-3-1-1-1"
"""What is exhausted: small enough for seconds, with a lost link, a crash and three elections."""
OWN_SYSTEM_MODULE, OWN_SYSTEM = "impl.under_test", "ServersUnderTest"
"""What is held against it where a clone is at hand."""
BUDGETS = Budgets()


def run_main_job(system: str | None, settings: Settings, *, as_json: bool) -> int:
    """Ask, hold, follow; then one table. system: None = the implementation beside the clone."""
    name = system or _own_system()
    with failures_told(), ProgressLine() as line:
        make = None if name is None else system_called(name)
        answer, graph = ask_with_rows(
            load_models()[DEFAULT_MODEL], settings, lambda progress: line.show(_told(progress))
        )
        if answer.found.stopped == INTERRUPTED:
            raise click.Abort(f"interrupted; {DEFAULT_MODEL} was at depth {answer.found.depth}")
        held: Held | None = None
        if make is not None:
            held = hold_system(graph, answer.model, make(), BUDGETS, line.show)
    start = perf_counter()
    folder = shipped("recordings", "tests/recordings")
    recordings = hold(recordings_in([folder]), lambda file: file.parent.name)
    job = MainJob(answer, held, tuple(recordings), perf_counter() - start)
    _say(job, name, as_json=as_json)
    return Exit.AS_EXPECTED if job.as_expected else Exit.FINDING


def _own_system() -> str | None:
    package = OWN_SYSTEM_MODULE.partition(".")[0]
    is_there = importlib.util.find_spec(package) is not None
    return f"{OWN_SYSTEM_MODULE}:{OWN_SYSTEM}" if is_there else None


def _told(progress: Progress) -> str:
    return f"{DEFAULT_MODEL}: {progress.worlds:,} worlds, depth {progress.depth}"


def _say(job: MainJob, system: str | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(main_job_to_json(job, system), indent=2))
        return
    terminal = Terminal()
    show_main_job(terminal, job, system)
    terminal.say()
    if job.held is None:
        terminal.tell("No system was held against it: name one with --system.")
    terminal.tell("More: zabspec check --models, zabspec zoo, zabspec releases, zabspec trace.")
