"""What became of the mutants, as Markdown."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen
from mutants_kept import Record, Saying
from mutants_made import Mutant

KILLED, SURVIVED, EQUIVALENT, OUTSIDE = "killed", "survived", "equivalent", "outside"


@frozen
class Classed:
    """A record, what it counts as, and why where that is said."""

    record: Record
    kind: str
    because: str


def is_outside(one: Mutant, said: Sequence[Saying], folder: Path) -> bool:
    """Whether nothing is compared of what this mutant changes; it is not judged."""
    function = function_at(folder / one.file, one.line)
    return any(saying.kind == OUTSIDE and saying.is_of(one, function) for saying in said)


def classed(records: Iterable[Record], said: Sequence[Saying], folder: Path) -> Iterator[Classed]:
    """What each counts as.

    What is outside counts for nothing, if it was judged at all; one that is killed is not
    equivalent, whatever is said of it.
    """
    for one in records:
        function = function_at(folder / one.file, one.line)
        found = [saying for saying in said if saying.is_of(one, function)]
        outside = next((saying for saying in found if saying.kind == OUTSIDE), None)
        if outside is not None:
            yield Classed(one, OUTSIDE, outside.because)
        elif one.verdict.by:
            yield Classed(one, KILLED, one.verdict.why)
        elif found:
            kind = EQUIVALENT if found[0].kind == EQUIVALENT else SURVIVED
            yield Classed(one, kind, found[0].because)
        else:
            yield Classed(one, SURVIVED, "")


@cache
def _functions(path: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(_in(ast.parse(path.read_text(encoding="utf-8")), ""))


def _in(node: ast.AST, prefix: str) -> Iterator[tuple[str, int, int]]:
    for inner in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{inner.name}".lstrip(".")
            if not isinstance(inner, ast.ClassDef):
                yield name, inner.lineno, inner.end_lineno or 0
        yield from _in(inner, name)


def function_at(path: Path, line: int) -> str:
    """The innermost function that a line is in, with its class; empty where it is in none."""
    inside = [one for one in _functions(path) if one[1] <= line <= one[2]]
    return max(inside, key=lambda one: one[1])[0] if inside else ""


@frozen
class Report:
    """Whose mutants, what became of them, what is said of them, and where their files are.

    outside: how many are and were not judged, by file. asked: with which arguments.
    """

    of: str
    records: Sequence[Record]
    said: Sequence[Saying]
    folder: Path
    outside: Mapping[str, int]
    asked: str = ""

    @property
    def score(self) -> float:
        """How many are killed of those that count."""
        return _score(Counter(one.kind for one in self._found()))

    def text(self) -> str:
        """All of it."""
        return "\n".join([self.head(), *_lists(self._found())]) + "\n"

    def head(self) -> str:
        """How many, and the table."""
        found = self._found()
        total = Counter(one.kind for one in found)
        by = Counter(one.record.verdict.by for one in found if one.kind == KILLED)
        first = _FIRST.format(
            of=self.of,
            all=total[KILLED] + total[SURVIVED] + total[EQUIVALENT],
            what=_WHAT[self.of],
            killed=total[KILLED],
            counted=total[KILLED] + total[SURVIVED],
            score=f"{_score(total):.1%}",
            ways=", ".join(f"{count:,} by {way}" for way, count in by.most_common()),
            seconds=f"{sum(one.record.verdict.seconds for one in found):,.0f}",
            outside=sum(self.outside.values()) + total[OUTSIDE],
            asked=f"mutants.py {self.asked}".strip(),
        )
        return "\n".join([first, *_table(found, self.outside), ""])

    def _found(self) -> list[Classed]:
        return list(classed(self.records, self.said, self.folder))


_WHAT = {
    "impl": "the files of `impl` that are Zab; what that profile holds them against",
    "protocol": "the rules of the baseline; what small models count, rows and lockstep beside impl",
}

_FIRST = """\
# Mutants of {of}

Drawn by `{asked}`: {all:,} changes of one place each, made by cosmic-ray's operators
and one that leaves out a call, in {what}
killed {killed:,} of {counted:,} that count, {score}: {ways}; in {seconds} s of CPU.

Equivalent and outside are what the committed table `mutants_said.toml` calls so. {outside:,} more
are outside, and count for nothing. A mutant that is killed is not equivalent, whatever is said.

| file | killed | survived | score | equivalent | outside |
|---|--:|--:|--:|--:|--:|"""


def _score(counts: Counter[str]) -> float:
    counted = counts[KILLED] + counts[SURVIVED]
    return counts[KILLED] / counted if counted else 1.0


def _table(found: Sequence[Classed], outside: Mapping[str, int]) -> Iterator[str]:
    for name in outside:
        kinds = Counter(one.kind for one in found if one.record.file == name)
        yield _row(name, kinds, outside[name] + kinds[OUTSIDE])
    kinds = Counter(one.kind for one in found)
    yield _row("all", kinds, sum(outside.values()) + kinds[OUTSIDE])


def _row(name: str, counts: Counter[str], outside: int) -> str:
    killed, survived, score = counts[KILLED], counts[SURVIVED], _score(counts)
    counted = f"{killed:,} | {survived:,} | {score:.1%} | {counts[EQUIVALENT]:,}"
    return f"| {name} | {counted} | {outside:,} |"


def _lists(found: Sequence[Classed]) -> Iterator[str]:
    for kind, title in (
        (SURVIVED, "Those that survive"),
        (EQUIVALENT, "Those that are the same program for Zab"),
    ):
        ones = [one for one in found if one.kind == kind]
        yield f"## {title}: {len(ones):,}\n"
        for one in ones:
            record = one.record
            yield f"- {record.file}:{record.line} `{record.was}` -> `{record.now}`"
            yield f"  ({record.operator}): {one.because or 'not explained'}"
        yield ""
