"""What became of mutants, kept one a line; and what is said of those that survive."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import asdict, frozen
from mutants_judged import Verdict
from mutants_made import Mutant

TABLE = Path(__file__).parent / "mutants_said.toml"


class TableError(Exception):
    """The table of what is said cannot be read. The text says why."""


@frozen
class Record:
    """A mutant, but for its source, and what became of it."""

    key: str
    file: str
    operator: str
    line: int
    was: str
    now: str
    verdict: Verdict

    @classmethod
    def of(cls, mutant: Mutant, verdict: Verdict) -> Record:
        """What is kept."""
        one = mutant
        return cls(one.key, one.file, one.operator, one.line, one.was, one.now, verdict)


@frozen
class Saying:
    """What is said of mutants that survive. kind: equivalent, outside or survives.

    was: the line that is changed, or the name of the function that it is in, with (). now: what it
    becomes, or with * what becomes of it; operator: likewise. because: why.
    """

    kind: str
    file: str
    because: str
    was: str
    now: str = "*"
    operator: str = "*"

    def is_of(self, record: Record | Mutant, function: str) -> bool:
        """Whether it is said of this mutant. function: that the mutant is in."""
        if not fnmatchcase(record.file, self.file):
            return False
        named = fnmatchcase(f"{function}()", self.was) or _fits(record.was, self.was)
        fits = _fits(record.now, self.now) and _fits(record.operator, self.operator)
        return named and fits


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def load(path: Path) -> dict[str, Record]:
    """What was kept, by key; of two, the later. A last line that was cut short is left out."""
    found: dict[str, Record] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                told = json.loads(line)
            except json.JSONDecodeError:
                continue
            record = Record(**{**told, "verdict": Verdict(**told["verdict"])})
            found[record.key] = record
    return found


def keep(path: Path, record: Record) -> None:
    """Add one, as one write: several processes may do so."""
    line = json.dumps(asdict(record)) + "\n"
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(out, line.encode())
    finally:
        os.close(out)


def write_whole(path: Path, records: Iterable[Record]) -> None:
    """Keep these, in the order of files and lines, in the place of what is there."""
    written = path.with_name(path.name + ".new")
    ordered = sorted(records, key=lambda one: (one.file, one.line, one.operator, one.now))
    text = "".join(json.dumps(asdict(one)) + "\n" for one in ordered)
    written.write_text(text, encoding="utf-8")
    written.replace(path)


def sayings(path: Path = TABLE) -> list[Saying]:
    """The table. Raises TableError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return list(_sayings(told))
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise TableError(f"{path}: {error}") from error


def _sayings(told: dict[str, list[dict[str, str]]]) -> Iterator[Saying]:
    for kind, entries in told.items():
        if kind not in ("equivalent", "outside", "survives"):
            raise TypeError(f'read "{kind}", expected equivalent, outside or survives')
        yield from (Saying(kind, **entry) for entry in entries)
