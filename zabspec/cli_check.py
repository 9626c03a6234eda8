"""`zabspec check`: the models asked, the shipped recordings held, and what is said of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from zabspec.check.exploration import Progress
from zabspec.check.explore import INTERRUPTED, Report
from zabspec.check.model import Answer, Model, ask, load_models, shipped
from zabspec.check.settings import Settings
from zabspec.cli_bounds import bounds_options
from zabspec.cli_explore import exploring_options
from zabspec.cli_input import Exit, hold, models_called, recordings_in
from zabspec.cli_main_job import run_main_job
from zabspec.view.answers import (
    answer_to_json,
    script_file_of,
    script_of,
    show_answers,
    show_coverage,
)
from zabspec.view.reach import show_reach, show_reach_of_all
from zabspec.view.terminal import ProgressLine, Terminal
from zabspec.view.traces import show_traces


@click.command(short_help="Ask the models whether the promises hold.")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option("--models", "every", is_flag=True, help="Ask all models that are not slow.")
@click.option("--all", "also_slow", is_flag=True, help="Ask all models, the slow ones too.")
@click.option(
    "--system",
    metavar="IMPORT_OR_COMMAND",
    help="What is held against the model, as package.module:Name or as a command; else impl.",
)
@click.option(
    "--scripts",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the script of each finding to DIR/MODEL.txt.",
)
@bounds_options
@exploring_options
def check(  # noqa: PLR0913  one for each option
    names: tuple[str, ...],
    folder: Path | None,
    bounds: dict[str, int],
    settings: Settings,
    *,
    as_json: bool,
    every: bool,
    also_slow: bool,
    system: str | None,
) -> int:
    """Ask models: does the protocol keep its promises, in every interleaving?

    Without MODEL, the main job, in two minutes at most: exhaust the default model, replay its rows
    on the implementation, run both side by side, follow the recorded runs. With MODEL: ask those,
    and tell the shortest run to each broken promise. With other bounds nothing is expected.

    \b
    Examples:
      zabspec check
      zabspec check --system "node server.js"
      zabspec check --scripts found paper-stale-ack
      zabspec check paper-3-1-1-0 --txns 2 --lost-links 2 --elections 3 --jobs 2

    \b
    Exit codes: 0 all as expected, 1 something unexpected (its script is told),
      2 bad input, 130 interrupted (what was asked until then is said).
    """
    if not (names or every or also_slow or folder or bounds or settings.checkpoint):
        return run_main_job(system, settings, as_json=as_json)
    if system is not None:
        raise click.UsageError("--system goes without MODEL, --models and --all")
    answers = _answers(names, bounds, settings, also_slow=also_slow)
    _tell(answers, folder, as_json=as_json, with_scripts=bool(names))
    if answers[-1].found.stopped == INTERRUPTED:
        raise click.Abort(_so_far(answers))
    as_expected = all(answer.as_expected for answer in answers)
    if not names and not as_json:
        as_expected &= _hold_recordings(left_out=[] if also_slow else _slow_models())
    return Exit.AS_EXPECTED if as_expected else Exit.FINDING


def _answers(
    names: Sequence[str], bounds: Mapping[str, int], settings: Settings, *, also_slow: bool
) -> list[Answer]:
    if names and also_slow:
        raise click.UsageError("--all goes without MODEL: a model that is named is asked anyway")
    models = models_called(names) if names else _models(also_slow=also_slow)
    if (bounds or settings.checkpoint) and len(models) != 1:
        raise click.UsageError("bounds and --checkpoint go with one MODEL")
    return _ask_all([_within(model, bounds) for model in models], settings)


def _models(*, also_slow: bool) -> list[Model]:
    return [model for model in load_models().values() if also_slow or not model.slow]


def _slow_models() -> list[str]:
    return [model.name for model in load_models().values() if model.slow]


def _within(model: Model, bounds: Mapping[str, Any]) -> Model:
    """The model within other bounds, where any are given; nothing is expected of it then."""
    if not bounds:
        return model
    return evolve(model, bounds=evolve(model.bounds, **bounds), expected=None)


def _ask_all(models: Sequence[Model], settings: Settings) -> list[Answer]:
    """The answers, up to one that was interrupted: that is incomplete, and the last."""
    answers: list[Answer] = []
    with ProgressLine() as line:
        for number, model in enumerate(models, start=1):
            title = f"{model.name} ({number} of {len(models)})"
            line.show(title)
            answers.append(ask(model, _reporter(title, line), settings))
            if answers[-1].found.stopped == INTERRUPTED:
                break
    return answers


def _reporter(title: str, line: ProgressLine) -> Report:
    def report(progress: Progress) -> None:
        rate = progress.worlds / progress.seconds
        line.show(
            f"{title}: {progress.worlds:,} worlds, depth {progress.depth}, frontier"
            f" {progress.frontier:,}, {rate:,.0f} worlds/s, {progress.memory_mb:,.0f} MiB"
        )

    return report


def _tell(
    answers: Sequence[Answer], folder: Path | None, *, as_json: bool, with_scripts: bool
) -> None:
    if folder is not None:
        _write_scripts(folder, answers)
    if as_json:
        _say_json(answers)
    else:
        _say(answers, with_scripts=with_scripts)


def _so_far(answers: Sequence[Answer]) -> str:
    last = answers[-1]
    return (
        f"interrupted; {len(answers) - 1} models had answered, {last.model.name} was at depth"
        f" {last.found.depth}"
    )


def _write_scripts(folder: Path, answers: Sequence[Answer]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for answer in answers:
        if answer.found.finding:
            path = folder / f"{answer.model.name}.txt"
            path.write_text(script_file_of(answer), encoding="utf-8")


def _say_json(answers: Sequence[Answer]) -> None:
    click.echo(json.dumps([answer_to_json(answer) for answer in answers], indent=2))
    errors = Terminal(stderr=True)
    for answer in answers:
        for surprise in answer.surprises:
            errors.say(f"zabspec: {answer.model.name}: {surprise}")


def _say(answers: Sequence[Answer], *, with_scripts: bool) -> None:
    terminal = Terminal()
    show_answers(terminal, answers)
    show_coverage(terminal, answers)
    if with_scripts:
        for answer in answers:
            show_reach(terminal, answer)
    else:
        show_reach_of_all(terminal, answers)
    for answer in answers:
        if answer.found.finding and (with_scripts or answer.surprises):
            terminal.say()
            terminal.tell(f"{answer.model.name}: {answer.model.question} The shortest run to that:")
            terminal.say()
            terminal.say(script_of(answer).rstrip())
    terminal.say()
    terminal.tell(_summary(answers))


def _summary(answers: Sequence[Answer]) -> str:
    verdicts = [answer.verdict for answer in answers]
    unexpected = sum(1 for answer in answers if answer.surprises)
    seconds = sum(answer.found.seconds for answer in answers)
    left = verdicts.count("incomplete")
    stopped = f", {left} stopped before the end" if left else ""
    return (
        f"{len(answers)} asked in {seconds:.1f} s: {verdicts.count('holds')} hold,"
        f" {verdicts.count('broken')} broken{stopped}; {unexpected or 'none'} unexpected."
    )


def _hold_recordings(left_out: Sequence[str]) -> bool:
    """Hold the recorded runs that are shipped; whether all were accepted."""
    terminal = Terminal()
    if left_out:
        terminal.tell(f"Slow, and asked by name or with --all only: {', '.join(left_out)}.")
    folder = shipped("recordings", "tests/recordings")
    results = hold(recordings_in([folder]), lambda file: file.parent.name)
    terminal.say()
    show_traces(terminal, results, below=f"{folder}/")
    refused = sum(1 for result in results if result.verdict == "refused")
    terminal.say()
    terminal.tell(f"{len(results)} recorded runs of ZooKeeper held; {refused or 'none'} refused.")
    return not refused
