"""`zabspec releases`: every promise asked of every release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from zabspec.check.every_promise import Release, ReleaseAnswer, ask_release, load_releases
from zabspec.check.exploration import Progress
from zabspec.check.explore import Report
from zabspec.check.settings import Settings
from zabspec.cli_input import Exit
from zabspec.view.releases import release_to_json, scripts_of, show_releases, summary_of
from zabspec.view.terminal import ProgressLine, Terminal


@click.command(short_help="Ask each of ZooKeeper's releases every promise.")
@click.argument("versions", metavar="[RELEASE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option("--all", "also_slow", is_flag=True, help="Ask within the large bounds too.")
@click.option(
    "--scripts",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the shortest run to each broken promise to a file in DIR.",
)
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1, 64), default=1, help="Threads that share it."
)
def releases(
    versions: tuple[str, ...], folder: Path | None, jobs: int, *, as_json: bool, also_slow: bool
) -> int:
    """Ask ZooKeeper's releases: which promises hold, and which are broken, by which mistake?

    RELEASE is a version that stands for a release line; all are asked if none is named. Each
    promise is asked within small bounds; one that breaks is told with the length of its shortest
    run, and with the issue that this run shows, as models/releases.py has it. What is broken is
    left out, and the worlds are explored again, until the rest holds.

    JSON: a list with one object for each release. A script can be shown with zabspec replay.

    \b
    Examples:
      zabspec releases
      zabspec releases 3.8.6 3.9.4
      zabspec releases 3.5.3 --scripts found
      zabspec releases --json 3.9.4

    \b
    Exit codes: 0 every answer as expected, 1 one that is not, 2 bad input,
      130 interrupted.
    """
    chosen = _called(versions)
    answers = _ask_all(chosen, Settings(jobs=jobs), also_slow=also_slow)
    done = [answer for answer in answers if not answer.stopped]
    _tell(done, folder, as_json=as_json)
    if len(done) < len(chosen):
        stopped = answers[-1]
        raise click.Abort(
            f"{stopped.stopped}; {len(done)} releases had answered,"
            f" {stopped.release.version} had not"
        )
    surprised = any(answer.surprises for answer in done)
    return Exit.FINDING if surprised else Exit.AS_EXPECTED


def _called(versions: Sequence[str]) -> list[Release]:
    known = load_releases()
    for version in versions:
        if version not in known:
            raise click.ClickException(
                f"no release line is called {version!a}; there are {', '.join(known)}"
            )
    return [known[version] for version in dict.fromkeys(versions or known)]


def _ask_all(
    chosen: Sequence[Release], settings: Settings, *, also_slow: bool
) -> list[ReleaseAnswer]:
    """The answers, up to one that was stopped, which is the last."""
    answers: list[ReleaseAnswer] = []
    with ProgressLine() as line:
        for number, release in enumerate(chosen, start=1):
            title = f"{release.version} ({number} of {len(chosen)})"
            line.show(title)
            report = _reporter(title, line)
            answers.append(ask_release(release, report, settings, also_slow=also_slow))
            if answers[-1].stopped:
                break
    return answers


def _reporter(title: str, line: ProgressLine) -> Report:
    def report(progress: Progress) -> None:
        line.show(f"{title}: {progress.worlds:,} worlds, depth {progress.depth}")

    return report


def _tell(answers: Sequence[ReleaseAnswer], folder: Path | None, *, as_json: bool) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for answer in answers:
            for name, script in scripts_of(answer).items():
                (folder / name).write_text(script, encoding="utf-8")
    if as_json:
        click.echo(json.dumps([release_to_json(answer) for answer in answers], indent=2))
        _tell_surprises(answers)
        return
    terminal = Terminal()
    if answers:
        show_releases(terminal, answers)
        terminal.say()
        terminal.tell(summary_of(answers))


def _tell_surprises(answers: Sequence[ReleaseAnswer]) -> None:
    errors = Terminal(stderr=True)
    for answer in answers:
        for surprise in answer.surprises:
            errors.say(f"zabspec: {answer.release.version}: {surprise}")
