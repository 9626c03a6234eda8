"""What became of the mutants, as Markdown."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen
from mutants_kept import Record, Saying

KILLED, SURVIVED, EQUIVALENT, OUTSIDE = "killed", "survived", "equivalent", "outside"


@frozen
class Classed:
    """A record, what it counts as, and why where that is said."""

    record: Record
    kind: str
    because: str


def classed(records: Iterable[Record], said: Sequence[Saying], folder: Path) -> Iterator[Classed]:
    """What each counts as.

    What is outside counts for nothing, killed or not; one that is killed is not equivalent.
    """
    for one in records:
        function = function_at(folder / one.file, one.line)
        found = [saying for saying in said if saying.is_of(one, function)]
        outside = [saying for saying in found if saying.kind == OUTSIDE]
        if outside:
            yield Classed(one, OUTSIDE, outside[0].because)
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
    """Whose mutants, what became of them, what is said of them, and where their files are."""

    of: str
    records: Sequence[Record]
    said: Sequence[Saying]
    folder: Path

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
            all=len(found),
            what=_WHAT[self.of],
            killed=total[KILLED],
            counted=total[KILLED] + total[SURVIVED],
            score=f"{_score(total):.1%}",
            ways=", ".join(f"{count:,} by {way}" for way, count in by.most_common()),
            seconds=f"{sum(one.record.verdict.seconds for one in found):,.0f}",
            outside=sum(bool(one.record.verdict.by) for one in found if one.kind == OUTSIDE),
            all_outside=total[OUTSIDE],
        )
        return "\n".join([first, *_table(found), ""])

    def _found(self) -> list[Classed]:
        return list(classed(self.records, self.said, self.folder))


_WHAT = {
    "impl": "the files of `impl` that are Zab; the `ci` profile (rows, lockstep, free runs)",
    "protocol": "the rules of the baseline; what small models count, rows and lockstep beside impl",
}

_FIRST = """\
# Mutants of {of}

Drawn by `benchmarks/mutants.py`: {all:,} changes of one place each, made by cosmic-ray's operators
and one that leaves out a call, in {what}
killed {killed:,} of {counted:,} that count, {score}: {ways}; in {seconds} s of CPU.

Equivalent and outside are what the committed table `mutants_said.toml` calls so. What is outside
counts for nothing, killed or not ({outside} of {all_outside} are killed all the same). A mutant
that is killed is not equivalent, whatever is said there.

| file | killed | survived | score | equivalent | outside |
|---|--:|--:|--:|--:|--:|"""


def _score(counts: Counter[str]) -> float:
    counted = counts[KILLED] + counts[SURVIVED]
    return counts[KILLED] / counted if counted else 1.0


def _table(found: Sequence[Classed]) -> Iterator[str]:
    files = dict.fromkeys(one.record.file for one in found)
    for name in files:
        yield _row(name, Counter(one.kind for one in found if one.record.file == name))
    yield _row("all", Counter(one.kind for one in found))


def _row(name: str, counts: Counter[str]) -> str:
    killed, survived, score = counts[KILLED], counts[SURVIVED], _score(counts)
    return (
        f"| {name} | {killed:,} | {survived:,} | {score:.1%} | {counts[EQUIVALENT]:,}"
        f" | {counts[OUTSIDE]:,} |"
    )


def _lists(found: Sequence[Classed]) -> Iterator[str]:
    found = [one for one in found if one.kind != OUTSIDE or not one.record.verdict.by]
    for kind, title in (
        (SURVIVED, "Those that survive"),
        (EQUIVALENT, "Those that are the same program for Zab"),
        (OUTSIDE, "Those that survive outside of what is compared"),
    ):
        ones = [one for one in found if one.kind == kind]
        yield f"## {title}: {len(ones):,}\n"
        for one in ones:
            record = one.record
            yield f"- {record.file}:{record.line} `{record.was}` -> `{record.now}`"
            yield f"  ({record.operator}): {one.because or 'not explained'}"
        yield ""
