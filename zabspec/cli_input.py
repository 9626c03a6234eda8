"""What the command line is given: names, scripts, recordings; and the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import click

from zabspec.check.model import Model, load_models, load_specs
from zabspec.check.script import Script, ScriptError, parse_script, read_script
from zabspec.conform.trace import TraceResult, check_trace
from zabspec.protocol.rules import Spec
from zabspec.view.terminal import ProgressLine

Named = TypeVar("Named")


class Exit(IntEnum):
    """What a command ends with."""

    AS_EXPECTED = 0
    FINDING = 1
    BAD_INPUT = 2
    INTERRUPTED = 130
    NOBODY_READS = 141


def models_called(names: Iterable[str]) -> list[Model]:
    """The models of these names, each once, in this order."""
    models = load_models()
    return [_called(name, models, "model", "zabspec models") for name in dict.fromkeys(names)]


def spec_called(name: str) -> Spec:
    """The spec of this name."""
    return _called(name, load_specs(), "spec", "zabspec models")


def _called(name: str, known: Mapping[str, Named], what: str, listed_by: str) -> Named:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"near: {', '.join(near)}" if near else f"{listed_by} lists them"
    raise click.ClickException(f"no {what} is called {name!a}; {hint}")


def script_at(path: str) -> Script:
    """The script in a file, or, with `-`, on standard input. Raises ScriptError."""
    if path != "-":
        return read_script(Path(path))
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScriptError("standard input", f"byte {error.start}", "UTF-8 text") from error
    return parse_script(text, "standard input")


def recordings_in(paths: Iterable[Path]) -> list[Path]:
    """These files, and of each folder the recordings below it."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(path.rglob("*.jsonl"))
            if not below:
                raise click.ClickException(f"no recording (*.jsonl) below {str(path)!a}")
            files += below
        else:
            files.append(path)
    return files


def hold(files: Sequence[Path], release_of: Callable[[Path], str | None]) -> list[TraceResult]:
    """What each recording came to, by the spec of this release, or of any (None).

    Raises RecordingError at the first file that is none.
    """
    results: list[TraceResult] = []
    with ProgressLine() as line:
        for number, file in enumerate(files, start=1):
            line.show(f"{file} ({number} of {len(files)})")
            results.append(check_trace(file, release_of(file)))
    return results
