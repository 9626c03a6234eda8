"""Files of choices: what a run is of, and then one choice a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from impl.choices import Choice, from_json
from impl.simulated_run import Size
from impl.zxids import COUNTER_MASK

_SIZE = {
    "voters": int,
    "observers": int,
    "clients": int,
    "paths": int,
    "is_varied": bool,
    "last_counter": int,
}
_MOST = 99


class ChoicesError(ValueError):
    """A file holds no choices: where, what was read there, and what was expected, in one line."""

    def __init__(self, path: Path, line: int, problem: object) -> None:
        super().__init__(f"{path}:{line}: {problem}")


@frozen
class Choices:
    """What a run is of, and all that is chosen in it."""

    size: Size
    seed: int
    choices: tuple[Choice, ...]


def first_line(size: Size, seed: int) -> str:
    """The line that says what a run is of, without its end."""
    return json.dumps({"run": {**asdict(size), "seed": seed}})


def read_choices(path: Path) -> Choices:
    """The choices in a file. Raises ChoicesError at the first line that is none."""
    lines = _lines(path)
    number, first = next(lines, (1, {}))
    try:
        size, seed = _run(first)
    except ValueError as error:
        raise ChoicesError(path, number, error) from None
    return Choices(size, seed, tuple(_choices(path, lines)))


def _choices(path: Path, lines: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Choice]:
    for number, line in lines:
        try:
            yield from_json(line)
        except ValueError as error:
            raise ChoicesError(path, number, error) from None


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ChoicesError(path, 0, "read bytes, expected UTF-8 text") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise ChoicesError(path, number, f"read {line[:40]!a}, expected a JSON object")
        yield number, read


def _run(line: dict[str, Any]) -> tuple[Size, int]:
    """Raises ValueError."""
    run = line.get("run")
    expected = '{"run": {"voters": 3, ..., "seed": 0}} first'
    if not isinstance(run, dict) or set(run) != {*_SIZE, "seed"} or type(run["seed"]) is not int:
        raise ValueError(f"read {json.dumps(line)[:40]!a}, expected {expected}")
    for name, kind in _SIZE.items():
        least = 1 if name in ("voters", "last_counter") else 0
        most = COUNTER_MASK if name == "last_counter" else _MOST
        if type(run[name]) is not kind or not least <= run[name] <= most:
            raise ValueError(f"read {name} {str(run[name])[:40]!a}, expected one that can be")
    return Size(**{name: run[name] for name in _SIZE}), run["seed"]
