"""`zabspec conform`: a system held against a spec, run by run, or row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from attrs import evolve, frozen

from zabspec.check.bounds import Bounds
from zabspec.check.model import Model, load_models
from zabspec.cli_input import Exit, spec_called
from zabspec.cli_system import Asked, failures_told, refuse_other_grains, system_options
from zabspec.conform.beside import Rulebook
from zabspec.conform.exhaust import Budget, Replayed, RowDivergence, exhaust
from zabspec.conform.findings import Diverged, show_divergence, show_event
from zabspec.conform.local_graph import local_graph
from zabspec.conform.lockstep import RUN
from zabspec.conform.system import System
from zabspec.view.terminal import ProgressLine, Terminal

PROFILES = ("smoke", "dev", "ci", "nightly")
_ROWS = Bounds(servers=3, txns=1, lost_links=1, elections=2)
"""Where no model says how far rows reach."""
_TOLD = 3
"""So many rows that differ are told."""


@frozen
class Held:
    """What came of it. runs: what was tried; None: none, or a run differs."""

    runs: dict[str, Any] | None = None
    diverged: Diverged | None = None
    rows: Replayed | None = None

    @property
    def differs(self) -> bool:
        """Whether the system does what no server of the model does."""
        return self.diverged is not None or bool(self.rows and self.rows.divergences)


@click.command(short_help="Hold a system against a spec, event by event.")
@click.argument("model", default="baseline")
@system_options(required=True)
@click.option("--profile", type=click.Choice(PROFILES), help="How many runs.  [default: ci]")
@click.option("--rows", is_flag=True, help="The rows of the model; runs with --profile only.")
@click.option("--sample", metavar="N", type=click.IntRange(min=1), help="So many of the rows.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
def conform(  # noqa: PLR0913 - one for each option
    model: str,
    system: Asked,
    profile: str | None,
    sample: int | None,
    seed: int,
    *,
    rows: bool,
    as_json: bool,
) -> int:
    """Hold a system against a spec: the same events to both, and everything compared.

    MODEL is a model, or a spec in ZooKeeper's grain. SYSTEM is package.module:Name, which is
    called, or a command, which speaks JSON lines (docs/system.md). Runs are drawn at random, with
    faults; the first that differs is told as a script. With --rows, everything that one server can
    be asked within the model's bounds is.

    \b
    Examples:
      zabspec conform --system impl.under_test:ServersUnderTest --profile smoke
      zabspec conform coarse --system "node examples/node/server.js" --rows --sample 500

    \b
    Exit codes: 0 nothing differs, 1 something does, 2 bad input or a system that failed, 130 ended.
    """
    if sample is not None and not rows:
        raise click.UsageError("--sample is of --rows")
    asked = _model_called(model)
    with failures_told(), ProgressLine() as line:
        made = system.make()
        held = Held()
        if profile or not rows:
            held = _runs(asked, made, profile or "ci", line)
        if rows:
            held = evolve(held, rows=_rows(asked, made, Budget(sample, seed), line))
    if as_json:
        click.echo(json.dumps(_to_json(held, asked, system.text), indent=2))
    else:
        _tell(held, asked)
    return Exit.FINDING if held.differs else Exit.AS_EXPECTED


def _model_called(name: str) -> Model:
    models = load_models()
    model = models.get(name) or Model(name, "", spec_called(name), _ROWS, None)
    refuse_other_grains(model.spec)
    return model


def _runs(model: Model, system: System, profile: str, line: ProgressLine) -> Held:
    try:
        from zabspec.conform.strict import Task, hold  # noqa: PLC0415 - loads Hypothesis
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise click.ClickException(f"runs need {missing}, which is not installed") from None
    usual = model.bounds
    bounds = evolve(
        RUN,
        servers=usual.servers,
        observers=usual.observers,
        window=usual.window,
        force_snapshot=usual.force_snapshot,
        last_counter=usual.last_counter,
    )

    def report(runs: int, events: int) -> None:
        line.show(f"{model.spec.name}: {runs:,} runs, {events:,} events")

    try:
        done = hold(system, Task(model.spec, bounds), profile, report)
    except Diverged as diverged:
        return Held(diverged=diverged)
    return Held({"runs": done.runs, "events": done.events, "seconds": done.seconds})


def _rows(model: Model, system: System, budget: Budget, line: ProgressLine) -> Replayed:
    line.show(f"{model.name}: finding the rows")
    graph = local_graph(model)

    def report(done: int, count: int) -> None:
        line.show(f"{model.name}: {done:,} of {count:,} ways to a row")

    rulebook = Rulebook(model.spec, model.bounds.ensemble, system)
    return exhaust(graph, rulebook, budget, report)


def _tell(held: Held, model: Model) -> None:
    terminal = Terminal()
    if held.diverged is not None:
        terminal.say(str(held.diverged))
        terminal.say()
        terminal.tell(f"Differs from {model.spec.name}, in a run of {held.diverged.actions}.")
    if held.runs is not None:
        counted = "{runs:,} runs, {events:,} events in {seconds:.1f} s".format(**held.runs)
        terminal.tell(f"{counted}: it does as {model.spec.name} says.")
    if held.rows is not None:
        _tell_rows(terminal, held.rows, model)


def _tell_rows(terminal: Terminal, rows: Replayed, model: Model) -> None:
    for row in rows.divergences[:_TOLD]:
        for text in _told_row(row):
            terminal.say(text)
        terminal.say()
    differ = len(rows.divergences)
    behind = f", {rows.behind:,} lie behind those" if rows.behind else ""
    terminal.tell(
        f"{rows.replayed:,} of {rows.rows:,} rows of {model.name} replayed, {rows.again:,} of them"
        f" behind another history too, {rows.events:,} events in {rows.seconds:.1f} s:"
        f" {f'{differ:,}' if differ else 'none'} differ{behind}."
    )


def _told_row(row: RowDivergence) -> Iterator[str]:
    yield from (f"server {row.sid} {show_event(event)}" for event in row.history)
    yield from show_divergence(row.divergence)


def _to_json(held: Held, model: Model, system: str) -> dict[str, Any]:
    told: dict[str, Any] = {"model": model.name, "spec": model.spec.name, "system": system}
    told["differs"] = held.differs
    if held.runs is not None:
        told["runs"] = held.runs
    if held.diverged is not None:
        told["divergence"] = {"text": str(held.diverged), "script": held.diverged.script}
    if (rows := held.rows) is not None:
        names = ("rows", "replayed", "again", "alone", "behind", "events", "seconds")
        told["rows"] = {name: getattr(rows, name) for name in names}
        told["rows"]["is_complete"] = rows.is_complete
        told["rows"]["divergences"] = ["\n".join(_told_row(one)) for one in rows.divergences]
    return told
