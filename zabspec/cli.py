"""The command line. Every user error is one line on standard error and exit code 2, from here."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from zabspec.check.checkpoint import CheckpointError
from zabspec.check.model import load_models
from zabspec.check.script import ScriptError
from zabspec.cli_check import check
from zabspec.cli_conform import conform
from zabspec.cli_diff import diff
from zabspec.cli_free import free
from zabspec.cli_input import Exit, hold, recordings_in, spec_called
from zabspec.cli_releases import releases
from zabspec.cli_runs import replay, walk
from zabspec.cli_zoo import zoo
from zabspec.conform.recording import RecordingError
from zabspec.conform.trace import SPECS
from zabspec.protocol.rules import SpecError
from zabspec.view.catalog import show_models, show_rules
from zabspec.view.terminal import Terminal
from zabspec.view.traces import show_traces


class _Commands(click.Group):
    """The commands; what interrupts one of them reaches `main` as it is meant there."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise click.Abort("interrupted") from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.NOBODY_READS
        return code


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(package_name="zabspec", message="zabspec %(version)s")
@click.pass_context
def commands(context: click.Context) -> int:
    """Does this code still do what Zab promises, in every interleaving?

    \b
    Start here:
      zabspec check                   ask the models, hold the recorded runs
      zabspec models                  what is asked, and the answers expected
      zabspec check paper-stale-ack   find a seeded bug: the shortest run, as a script
      zabspec rules                   the protocol as a table
      zabspec diff fine coarse        the shortest run that tells two specs apart

    \b
    Exit codes: 0 as expected, 1 a finding that was not expected, 2 bad input,
      130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return Exit.AS_EXPECTED


@commands.command(short_help="List what can be asked, and the answers expected.")
def models() -> int:
    """List the models: name, spec, question, bounds and expected answer.

    Ask one with: zabspec check MODEL. Exit code 0.
    """
    show_models(Terminal(), load_models().values())
    return Exit.AS_EXPECTED


@commands.command(short_help="Show a protocol as a table, with its sources.")
@click.argument("spec", default="paper")
def rules(spec: str) -> int:
    """Show a spec as a table: who, in which phase, answers what, and how.

    Below each rule stands what it says of itself, with the steps of the paper that it cites, and
    where it differs. SPEC is one that a model uses (zabspec models), paper if not said.

    \b
    Examples:
      zabspec rules
      zabspec rules paper-stale-ack

    \b
    Exit codes: 0, or 2 if there is no such spec.
    """
    show_rules(Terminal(), spec_called(spec))
    return Exit.AS_EXPECTED


@commands.command(short_help="Hold recorded runs against the wire, and each server's spec.")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option(
    "--release",
    type=click.Choice(list(SPECS)),
    help="The release whose spec each server is to keep, or baseline; else all are tried.",
)
def trace(files: tuple[Path, ...], *, as_json: bool, release: str | None) -> int:
    """Hold recorded runs against what every run must show, and each server against a spec.

    FILE is a recording, one JSON object a line; of a folder, all *.jsonl below it are held. First
    what the wire shows of all servers; then each server is followed, and what the recording does
    not show of it (crashes, lost links, what its log thread did) is assumed, as little as will do,
    and told. A run that cannot be is refused at its first impossible record: who sent it, what it
    is, what would have been possible, and which check, or which rule, says no.

    \b
    Examples:
      zabspec trace tests/recordings
      zabspec trace --release 3.8.0 run.jsonl
      zabspec trace --json run.jsonl

    \b
    Exit codes: 0 all accepted, 1 one is refused, 2 one is no recording (cut, not JSON, an
      unknown packet, ...): one line says where.
    """
    results = hold(recordings_in(files), lambda _: release)
    if as_json:
        click.echo(json.dumps([result.to_json() for result in results], indent=2))
    else:
        show_traces(Terminal(), results)
    refused = any(result.verdict == "refused" for result in results)
    return Exit.FINDING if refused else Exit.AS_EXPECTED


commands.add_command(check)
commands.add_command(conform)
commands.add_command(diff)
commands.add_command(free)
commands.add_command(releases)
commands.add_command(walk)
commands.add_command(replay)
commands.add_command(zoo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = commands.main(arguments, prog_name="zabspec", standalone_mode=False)
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "zabspec"
        return _end(f"{error.format_message()} (see {asked} --help)", Exit.BAD_INPUT)
    except click.ClickException as error:
        return _end(error.format_message(), Exit.BAD_INPUT)
    except (ScriptError, RecordingError, SpecError, CheckpointError) as error:
        return _end(str(error), Exit.BAD_INPUT)
    except OSError as error:
        return _end(f"{error.filename or 'output'}: {error.strerror}", Exit.BAD_INPUT)
    except click.Abort as error:
        return _end(str(error) or "interrupted", Exit.INTERRUPTED)
    return int(code or Exit.AS_EXPECTED)


def _end(message: str, code: Exit) -> int:
    line = " ".join(message.split())
    printable = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)
    click.echo(f"zabspec: {printable}", err=True)
    return code
