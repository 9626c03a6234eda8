"""The command line of the implementation. A user's error is one line, and exit code 2."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from impl.choice_files import ChoicesError, read_choices
from impl.exits import Exit
from impl.random_run import STORM, Rates
from impl.schedules import DEPTH, ROUND, Pct
from impl.simulate import Free, Outputs
from impl.simulate import simulate as simulation_of
from impl.simulated_run import SimulatedRun, Size
from impl.system_lines import SystemOverLines

_COUNT = click.IntRange(min=0)
_FILE = click.Path(path_type=Path, dir_okay=False)


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
@click.option("--events", type=_COUNT, default=20_000, show_default=True, help="How long.")
@click.option("--quiet", type=_COUNT, default=0, help="So many more, without faults.")
@click.option("--calm", is_flag=True, help="No faults.")
@click.option("--storm", is_flag=True, help="One burst of faults after the other.")
@click.option("--varied", is_flag=True, help="Short windows and logs, as the seed says.")
@click.option(
    "--schedule",
    type=click.Choice(["uniform", "pct"]),
    default="uniform",
    show_default=True,
    help="Whose turn it is: anybody's, or by random priorities.",
)
@click.option("--depth", type=click.IntRange(1, 99), help="Of pct: d - 1 priorities change. [3]")
@click.option("--steps", type=click.IntRange(min=1), help="Of pct: in so many steps. [1000]")
@click.option("--out", type=_FILE, help="Write the run to this file, as a transcript.")
@click.option("--choices", type=_FILE, help="Write what was chosen to this file.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Let these choices happen instead; those that cannot are passed over.",
)
def simulate(**options: Any) -> int:  # noqa: ANN401 - by click, as declared above
    """Run a simulated ensemble: real bytes and files, and every choice by a seeded driver.

    Processes are killed, power fails in the middle of writes, connections break, disks are slow or
    fail, timers fire early, tasks run in any order, in bursts, and between them the ensemble
    serves; clients create, set, delete and get meanwhile. The same options make the same run, and
    the same files. With --schedule pct, whoever has the greatest of random priorities takes its
    turn, and d - 1 times in each round of steps it falls below all others.

    \b
    Examples:
      python -m impl simulate --servers 3 --seed 7 --events 20000
      python -m impl simulate --seed 7 --events 4000 --out run.jsonl; zabspec trace run.jsonl
      python -m impl simulate --seed 7 --schedule pct --depth 3 --choices run.choices
      python -m impl simulate --replay run.choices --out again.jsonl
      zabspec free --command "python -m impl simulate --events 8000" --seeds 1-20

    \b
    Exit codes: 0 as expected, 1 a server ended for no reason, or raised what nobody handled,
      2 bad input, 130 interrupted (what was written until then stays).
    """  # noqa: D301 - as above
    _refuse_pct(options)
    started = time.monotonic()
    asked = read_choices(options["replay"]) if options["replay"] else _free(options)
    run, passed_over = simulation_of(asked, Outputs(options["out"], options["choices"]))
    if passed_over:
        click.echo(f"{passed_over} choices could not happen, and were passed over")
    return _tell(run, asked.seed, time.monotonic() - started)


@commands.command(short_help="Be driven event by event, over standard input and output.")
def system() -> int:
    """Be a system under test: a request a line on standard input, an answer a line on the output.

    docs/system.md says what the lines are. It ends with its input.

    \b
    Examples:
      zabspec conform --system "python -m impl system"

    \b
    Exit codes: 0 the input has ended, 130 interrupted.
    """  # noqa: D301 - as above
    SystemOverLines().serve(sys.stdin, sys.stdout)
    return Exit.AS_EXPECTED


def _refuse_pct(options: Mapping[str, Any]) -> None:
    for name in ("depth", "steps"):
        if options["schedule"] != "pct" and options[name] is not None:
            raise click.UsageError(f"--{name} is of --schedule pct", click.get_current_context())


def _free(options: Mapping[str, Any]) -> Free:
    size = Size(options["servers"], options["observers"], is_varied=options["varied"])
    rates = STORM if options["storm"] else Rates(burst=0) if options["calm"] else Rates()
    if options["schedule"] == "pct":
        rates = evolve(rates, pct=Pct(options["depth"] or DEPTH, options["steps"] or ROUND))
    return Free(size, options["seed"], rates, options["events"], options["quiet"])


def _tell(run: SimulatedRun, seed: int, seconds: float) -> Exit:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    logging.disable(logging.CRITICAL)
    try:
        code = commands.main(arguments, prog_name="python -m impl", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "python -m impl"
        return _end(f"{error.format_message()} (see {asked} --help)", Exit.BAD_INPUT)
    except (click.ClickException, ChoicesError) as error:
        return _end(_message(error), Exit.BAD_INPUT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.NOBODY_READS
    except OSError as error:
        return _end(f"{error.filename or 'output'}: {error.strerror}", Exit.BAD_INPUT)
    except click.Abort:
        return _end("interrupted", Exit.INTERRUPTED)
    return int(code or Exit.AS_EXPECTED)


def _message(error: click.ClickException | ChoicesError) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


def _end(message: str, code: Exit) -> int:
    click.echo(f"impl: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
