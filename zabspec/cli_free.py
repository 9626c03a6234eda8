"""`zabspec free`: free runs of a system that owns its ensemble, judged; what fails is shrunk."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from attrs import define, frozen

from zabspec.cli_input import Exit
from zabspec.conform.free import Finding, FreeRecord, judge, read_record
from zabspec.conform.free_shrink import shrink_run
from zabspec.conform.recording import RecordingError
from zabspec.conform.trace import SPECS
from zabspec.view.terminal import ProgressLine, Terminal

_FINE = (Exit.AS_EXPECTED, Exit.FINDING)
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_MOST_SEEDS = 1_000_000
_LIMIT = 600
"""Seconds that one run may take."""


@frozen
class System:
    """A system that owns its ensemble, as a command. folder: for what it writes."""

    words: tuple[str, ...]
    folder: Path
    release: str

    def run(self, seed: int) -> tuple[FreeRecord, tuple[str, ...]]:
        """A free run of this seed: its record, and its choices."""
        choices = self.folder / "choices"
        arguments = "--seed", str(seed), "--choices", str(choices)
        record = self._run(*arguments)
        try:
            lines = choices.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        if not lines or not all(map(_is_object, lines)):
            problem = f"wrote no choices, expected lines of JSON from --choices {choices.name}"
            raise click.ClickException(f"{self.words[0]}: seed {seed} {problem}")
        return record, tuple(lines)

    def replay(self, choices: Sequence[str]) -> FreeRecord:
        """The record of a run of these choices."""
        asked = self.folder / "asked"
        asked.write_text("".join(f"{line}\n" for line in choices), encoding="utf-8")
        return self._run("--replay", str(asked))

    @property
    def record(self) -> Path:
        """The file of the last record."""
        return self.folder / "record.jsonl"

    def _run(self, *arguments: str) -> FreeRecord:
        self.record.unlink(missing_ok=True)
        words = [*self.words, *arguments, "--out", str(self.record)]
        try:
            ended = subprocess.run(  # noqa: S603 - what the user asked for
                words, check=False, capture_output=True, text=True, errors="replace", timeout=_LIMIT
            )
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{self.words[0]!a} cannot be run: {error}") from None
        except subprocess.TimeoutExpired:
            raise click.ClickException(f"{_said(words)} did not end in {_LIMIT} s") from None
        last = (ended.stderr.strip() or "it said nothing").splitlines()[-1]
        if ended.returncode not in _FINE:
            problem = f"ended with {ended.returncode}, expected 0 or 1: {last}"
            raise click.ClickException(f"{_said(words)} {problem}")
        if not self.record.exists():
            raise click.ClickException(f"{_said(words)} wrote no record: {last}")
        return read_record(self.record, SPECS[self.release])


@define
class _Shows:
    """Asks whether choices still show a finding, so many times, and then says no."""

    system: System
    finding: Finding
    tries: int
    progress: ProgressLine
    asked: int = 0

    def __call__(self, choices: Sequence[str]) -> bool:
        if self.asked >= self.tries:
            return False
        self.asked += 1
        self.progress.show(f"shrinking: try {self.asked}, {len(choices)} choices")
        try:
            record = self.system.replay(choices)
        except (RecordingError, click.ClickException):
            return False
        return any(one.is_like(self.finding) for one in judge(record, [self.finding.part]))


@click.command(short_help="Judge free runs of a system that owns its ensemble.")
@click.option("--command", required=True, help="What writes the record of a run: see above.")
@click.option("--seeds", default="1-10", show_default=True, help="Such as 3, 1-20, or 1,5,7-9.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), help="For what failed.")
@click.option(
    "--release",
    type=click.Choice(list(SPECS)),
    default="baseline",
    show_default=True,
    help="Whose spec each server is to keep.",
)
@click.option(
    "--tries",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="How many runs to shrink one that failed; 0 = not at all.",
)
@click.option("--all", "goes_on", is_flag=True, help="Go on behind the first seed that fails.")
def free(  # noqa: PLR0913 - one for each option
    *, command: str, seeds: str, report: Path | None, release: str, tries: int, goes_on: bool
) -> int:
    """Run a system at random, judge each run by its record, and shrink what fails.

    The command is run once for each seed, with --seed N --out RECORD --choices CHOICES behind it,
    and has to write a recording to RECORD, as zabspec trace takes it, with what clients saw in its
    MARKs, and one line of JSON for each of its choices to CHOICES. With --replay CHOICES --out
    RECORD it makes these choices again, and passes over those that are not possible. It ends
    with 0, or 1 if it found something itself, which then stands in a MARK.

    Judged are: what the system itself calls wrong, what servers hold that have come equally far,
    what clients saw (writes linearizable, no session going back), the wire, and each server, by
    the spec. What failed is shrunk as long as it still fails in the same way, and written to the
    folder of --report: seed-N.choices, seed-N.jsonl (its record), and seed-N.txt (what is wrong).

    \b
    Examples:
      zabspec free --command "python -m impl simulate --events 8000" --seeds 1-20
      zabspec free --command "python -m impl simulate --schedule pct" --report found

    \b
    Exit codes: 0 nothing found, 1 something is wrong, 2 bad input (the command cannot be run,
      or does not write what it has to).
    """
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
    numbers = _numbers(seeds)
    with TemporaryDirectory() as folder:
        search = _Search(System(_words(command), Path(folder), release), report, tries)
        failed = search.run(numbers, goes_on=goes_on)
    return Exit.FINDING if failed else Exit.AS_EXPECTED


@frozen
class _Search:
    """What each seed is run with. report: None = nothing is written."""

    system: System
    report: Path | None
    tries: int

    def run(self, seeds: Sequence[int], *, goes_on: bool) -> int:
        """How many seeds failed; the first is the last unless it goes on."""
        terminal, failed, run = Terminal(), 0, 0
        with ProgressLine() as progress:
            for run, seed in enumerate(seeds, start=1):
                progress.show(f"seed {seed} ({run} of {len(seeds)})")
                record, choices = self.system.run(seed)
                found = next(judge(record), None)
                if found is not None:
                    failed += 1
                    self._tell(terminal, seed, self._shrunk(found, choices, progress))
                    if not goes_on:
                        break
        terminal.say(f"{run} of {len(seeds)} seeds run; {failed or 'none'} failed")
        return failed

    def _shrunk(
        self, found: Finding, choices: tuple[str, ...], progress: ProgressLine
    ) -> tuple[Finding, tuple[str, ...], str]:
        """What is still wrong with how many choices, and how that was found."""
        shows = _Shows(self.system, found, self.tries, progress)
        if not self.tries:
            return found, choices, f"{len(choices) - 1} choices, not shrunk"
        if not shows(choices):
            return found, choices, f"{len(choices) - 1} choices, which do not show it again"
        shrunk = shrink_run(choices, shows)
        again = next(filter(found.is_like, judge(self.system.replay(shrunk), [found.part])), found)
        gave_up = ", and gave up" if shows.asked >= self.tries else ""
        counted = f"{len(choices) - 1} choices, shrunk to {len(shrunk) - 1}"
        return again, shrunk, f"{counted} in {shows.asked} runs{gave_up}"

    def _tell(
        self, terminal: Terminal, seed: int, shrunk: tuple[Finding, tuple[str, ...], str]
    ) -> None:
        found, choices, how = shrunk
        terminal.say(f"seed {seed} fails: {how}", style="bold red")
        terminal.tell(str(found), indent=2, hang=2)
        if self.report is None:
            return
        named = self.report / f"seed-{seed}"
        record = named.with_suffix(".jsonl")
        if not how.endswith("not shrunk"):
            self.system.replay(choices)
        record.write_bytes(self.system.record.read_bytes())
        lines = "".join(f"{line}\n" for line in choices)
        named.with_suffix(".choices").write_text(lines, encoding="utf-8")
        named.with_suffix(".txt").write_text(f"{found}\n", encoding="utf-8")
        terminal.say(f"  {named}.choices, its record {record}")


def _words(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise click.ClickException(f"--command {command!a}: {error}") from None
    if not words:
        raise click.ClickException("--command is empty, expected what writes the record of a run")
    return words


def _numbers(seeds: str) -> list[int]:
    """The seeds that are asked for, each once."""
    numbers: list[int] = []
    for part in seeds.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise click.ClickException(f"--seeds {seeds!a}, expected such as 3, 1-20, or 1,5,7-9")
        first, last = int(found[1]), int(found[2] or found[1])
        if not 0 <= last - first < _MOST_SEEDS:
            raise click.ClickException(f"--seeds {part.strip()}, expected up to {_MOST_SEEDS:,}")
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))


def _said(words: Sequence[str]) -> str:
    """The command, as far as it is the same whenever it is run."""
    return shlex.join(words[: words.index("--out")])


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
