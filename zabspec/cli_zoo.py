"""`zabspec zoo`: every historical bug, found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from zabspec.cli_input import Exit
from zabspec.conform.scoreboard import Score, play
from zabspec.conform.system import SystemFailed
from zabspec.conform.systems import system_called
from zabspec.conform.zoo import Bug, ZooError, load_bugs
from zabspec.conform.zoo_strategies import EFFORTS, ON_CODE, STRATEGIES, MakeSystem
from zabspec.view.terminal import ProgressLine, Terminal
from zabspec.view.zoo import score_to_json, scores_as_markdown, scripts_of, show_scores, summary_of

_CODE = "impl.under_test:ServersUnderTest"
_USUAL = {"ci": ("exhaustive", "lockstep", "rows"), "nightly": tuple(STRATEGIES)}


@click.command(short_help="Find each historical bug of ZooKeeper again.")
@click.argument("names", metavar="[BUG]...", nargs=-1)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice(list(STRATEGIES)),
    help="Which way to find it; may be said again.  [default: all, walk in nightly only]",
)
@click.option(
    "--profile",
    type=click.Choice(list(EFFORTS)),
    default="ci",
    show_default=True,
    help="How much is tried by walk and by lockstep.",
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Say it as Markdown.")
@click.option(
    "--scripts",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the runs that were found to DIR/BUG-STRATEGY.txt.",
)
def zoo(  # noqa: PLR0913 - one for each option
    names: tuple[str, ...],
    strategies: tuple[str, ...],
    profile: str,
    folder: Path | None,
    *,
    as_json: bool,
    as_markdown: bool,
) -> int:
    """Find historical bugs again: in a spec with the mistake in it, and in code with it.

    BUG is a number of ZooKeeper's issues, as zk-3911 or 3911; all are sought if none is named.
    exhaustive and walk look for a broken property of the spec; lockstep and rows hold the code,
    impl with the same mistake, against a spec done right.

    JSON: a list with one object for each bug; of found, worlds are steps for walk, events for
    lockstep and rows. A strategy that did not find the bug is not in found.

    \b
    Examples:
      zabspec zoo
      zabspec zoo 3911 4646 --strategy rows
      zabspec zoo --json --strategy exhaustive
      zabspec zoo --profile nightly --scripts found

    \b
    Exit codes: 0 all are found, 1 one is not, 2 bad input (an unknown bug, no code to
      break), 130 interrupted.
    """
    if as_json and as_markdown:
        raise click.UsageError("--json goes without --markdown")
    chosen = list(dict.fromkeys(strategies)) or list(_USUAL[profile])
    scores = _scores(_called(names), chosen, profile)
    if folder is not None:
        _write_scripts(folder, scores)
    if as_markdown:
        click.echo(scores_as_markdown(scores, profile), nl=False)
    else:
        _tell(scores, as_json=as_json)
    return Exit.FINDING if any(score.missed for score in scores) else Exit.AS_EXPECTED


def _called(names: Sequence[str]) -> list[Bug]:
    known = load_bugs()
    by_number = {bug.number.lstrip("0"): bug for bug in known.values()}
    found = []
    for name in names:
        number = name.lower().removeprefix("zookeeper-").removeprefix("zk-").lstrip("0")
        if number not in by_number:
            raise click.ClickException(f"no bug is called {name!a}; there are {', '.join(known)}")
        found.append(by_number[number])
    return list(dict.fromkeys(found)) if names else list(known.values())


def _scores(bugs: Sequence[Bug], strategies: Sequence[str], profile: str) -> list[Score]:
    make_system = _code() if set(strategies) & set(ON_CODE) else None
    try:
        with ProgressLine() as line:
            return list(play(bugs, strategies, EFFORTS[profile], make_system, line.show))
    except (SystemFailed, ZooError) as error:
        raise click.ClickException(str(error)) from error


def _code() -> MakeSystem:
    try:
        import hypothesis  # noqa: F401, PLC0415 - what lockstep needs, and nothing else here

        return system_called(_CODE)
    except (ImportError, SystemFailed) as error:
        raise click.ClickException(
            f"{' and '.join(ON_CODE)} break the code of a clone, and need hypothesis ({error});"
            " without them: --strategy exhaustive --strategy walk"
        ) from error


def _write_scripts(folder: Path, scores: Sequence[Score]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for score in scores:
        for name, script in scripts_of(score).items():
            (folder / name).write_text(script, encoding="utf-8")


def _tell(scores: Sequence[Score], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([score_to_json(score) for score in scores], indent=2))
    else:
        terminal = Terminal()
        show_scores(terminal, scores)
        terminal.say()
        terminal.tell(summary_of(scores))
