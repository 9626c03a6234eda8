"""The command line of the implementation. A user's error is one line, and exit code 2."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from impl.free_run import FreeRun, Size
from impl.random_run import Rates
from impl.transcript import Transcript

_CHUNK = 500
"""Events between two looks at the clock."""


class Exit(IntEnum):
    """What a command ends with."""

    AS_EXPECTED = 0
    FINDING = 1
    BAD_INPUT = 2
    INTERRUPTED = 130
    NOBODY_READS = 141


class _Commands(click.Group):
    """The commands; an interrupt reaches `main` as such, with no empty line told before."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@click.group(cls=_Commands, invoke_without_command=True)
@click.pass_context
def commands(context: click.Context) -> int:
    """A Zab server with ZooKeeper's structure.

    \b
    Start here:
      python -m impl simulate --servers 3 --seed 1 --events 20000
    """  # noqa: D301 - the \b is for click: keep these lines
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return Exit.AS_EXPECTED


@commands.command(short_help="Run a simulated ensemble, with faults.")
@click.option("--servers", type=click.IntRange(1, 99), default=3, show_default=True, help="Voters.")
@click.option("--observers", type=click.IntRange(0, 99), default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Which run.")
@click.option(
    "--events", type=click.IntRange(min=0), default=20_000, show_default=True, help="How long."
)
@click.option("--calm", is_flag=True, help="No faults.")
@click.option("--varied", is_flag=True, help="Short windows and logs, as the seed says.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the run to this file, as a transcript.",
)
def simulate(  # noqa: PLR0913 - one for each option
    *,
    servers: int,
    observers: int,
    seed: int,
    events: int,
    calm: bool,
    varied: bool,
    out: Path | None,
) -> int:
    """Run a simulated ensemble: real bytes and files, and every choice by a seeded driver.

    Processes are killed, power fails in the middle of writes, connections break, disks are slow or
    fail, timers fire early, tasks run in any order; clients create, set, delete and get meanwhile.
    The same options make the same run, and the same file.

    \b
    Examples:
      python -m impl simulate --servers 3 --seed 7 --events 20000
      python -m impl simulate --seed 7 --events 4000 --out run.jsonl; zabspec trace run.jsonl

    \b
    Exit codes: 0 as expected, 1 a server ended for no reason, or raised what nobody handled,
      2 bad input, 130 interrupted (what was written until then stays).
    """  # noqa: D301 - as above
    size, rates = Size(servers, observers, is_varied=varied), Rates(burst=0) if calm else Rates()
    started = time.monotonic()
    with _transcript(out) as transcript:
        run = FreeRun(size, seed, rates, None if transcript is None else transcript.watch)
        if transcript is not None:
            transcript.mark(f"simulate servers {list(run.ensemble.servers)}", seed=seed)
        try:
            _go(run, events)
        finally:
            run.end()
    return _tell(run, seed, time.monotonic() - started)


def _tell(run: FreeRun, seed: int, seconds: float) -> Exit:
    for finding in run.findings:
        click.echo(finding)
    rate = run.events / max(seconds, 0.001)
    answered = sum(1 for one in run.history if one.returned is not None)
    click.echo(
        f"seed {seed}: {run.events:,} events in {seconds:.1f} s, {rate:,.0f} a second;"
        f" {answered} of {len(run.history)} requests answered;"
        f" {len(run.findings) or 'no'} findings"
    )
    return Exit.FINDING if run.findings else Exit.AS_EXPECTED


@contextmanager
def _transcript(out: Path | None) -> Iterator[Transcript | None]:
    if out is None:
        yield None
        return
    with out.open("w", encoding="utf-8") as file:
        yield Transcript(_writer(file.write))


def _writer(write: Callable[[str], object]) -> Callable[[str], None]:
    def line(text: str) -> None:
        write(f"{text}\n")

    return line


def _go(run: FreeRun, events: int) -> None:
    columns = (TextColumn("simulating"), *Progress.get_default_columns()[1:2])
    columns += (TaskProgressColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task, started = bar.add_task("", total=events, rate=""), time.monotonic()
        while run.events < events:
            run.go(min(run.events + _CHUNK, events))
            rate = run.events / (time.monotonic() - started)
            bar.update(task, completed=run.events, rate=f"{rate:,.0f} events/s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    logging.disable(logging.CRITICAL)
    try:
        code = commands.main(arguments, prog_name="python -m impl", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "python -m impl"
        return _end(f"{error.format_message()} (see {asked} --help)", Exit.BAD_INPUT)
    except click.ClickException as error:
        return _end(error.format_message(), Exit.BAD_INPUT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.NOBODY_READS
    except OSError as error:
        return _end(f"{error.filename or 'output'}: {error.strerror}", Exit.BAD_INPUT)
    except click.Abort:
        return _end("interrupted", Exit.INTERRUPTED)
    return int(code or Exit.AS_EXPECTED)


def _end(message: str, code: Exit) -> int:
    click.echo(f"impl: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
