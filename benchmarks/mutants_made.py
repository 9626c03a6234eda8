"""Mutants of a file: one small change each, made by the operators of cosmic-ray.

Where a change can only be seen by people, or by a type checker, none is made: annotations, imports
and what stands under TYPE_CHECKING, docstrings, calls of LOG, what is said when something is
raised, texts with fields, and `__str__` and `__repr__`.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parso
from attrs import frozen
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

Position = tuple[int, int]
_IDENTITY = re.compile(r"ComparisonOperator_(Is|IsNot)_|ComparisonOperator_\w+_(Is|IsNot)$")
_OPPOSITES = ("ReplaceComparisonOperator_Is_IsNot", "ReplaceComparisonOperator_IsNot_Is")
_TEXTS = ("__str__", "__repr__")
_RAISED_BY_CALL = ("give_up", "leave_role")
"""What is given to these is why a role ends, in words."""


@frozen
class Mutant:
    """One change. line: where it begins. was, now: that line, or what is left of it."""

    file: str
    operator: str
    line: int
    was: str
    now: str
    source: str

    @property
    def name(self) -> str:
        """The same as long as its line is; a file may hold the same line twice, with one name."""
        return f"{self.file}: {self.operator}: {self.was} -> {self.now}"

    @property
    def key(self) -> str:
        """Of all of its source."""
        return hashlib.sha256(f"{self.file}\n{self.source}".encode()).hexdigest()[:16]


class CallRemover(Operator):  # type: ignore[misc]
    """Leaves out a call that is made for its effect. cosmic-ray has no operator that does."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:  # noqa: ANN401
        """Where such calls are."""
        if node.type == "simple_stmt" and _is_call(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ANN401
        """The same without it."""
        assert index == 0  # noqa: S101 - as the operators beside it do
        first = node.get_first_leaf()
        return parso.parse(f"{first.prefix}pass\n")

    @classmethod
    def examples(cls) -> tuple[()]:
        """None; these are for cosmic-ray's own tests."""
        return ()


def mutants_of(path: Path, sample: int | None = None, seed: int = 0) -> list[Mutant]:
    """Mutants of a file, in the order of lines: all that compile, no two the same program.

    sample: so many of them, drawn by seed; None = all.
    """
    source = path.read_text(encoding="utf-8")
    places = _places(source)
    if sample is not None:
        random.Random(f"{seed} {path.name}").shuffle(places)  # noqa: S311 - no secret
    found, met = list[Mutant](), {_parsed(source), None}
    for place in places:
        if len(found) == sample:
            break
        mutated = mutate_code(source, place.operator, place.number)
        parsed = None if mutated is None else _parsed(mutated)
        if mutated is not None and parsed not in met:
            met.add(parsed)
            was, now = _change(source.splitlines(), mutated)
            found.append(Mutant(path.name, place.name, place.line, was, now, mutated))
    return sorted(found, key=lambda one: (one.line, one.operator, one.now))


def places_of(path: Path) -> int:
    """How many places there are for mutants in a file, some of which do not compile."""
    return len(_places(path.read_text(encoding="utf-8")))


def operators() -> dict[str, Operator]:
    """Those that need no argument, by name, and `CallRemover`.

    No comparison of values becomes one of identity, which is the same or an accident; identity
    becomes only its opposite.
    """
    classes = {name.partition("/")[2]: get_operator(name) for name in operator_names()}
    usual = {
        name: made()
        for name, made in classes.items()
        if not made.arguments() and (_IDENTITY.search(name) is None or name in _OPPOSITES)
    }
    return {**usual, "RemoveCall": CallRemover()}


@frozen
class _Place:
    """Where an operator changes something. number: as cosmic-ray counts them."""

    name: str
    operator: Operator
    number: int
    line: int


def _places(source: str) -> list[_Place]:
    nodes, left_out = list(ast_nodes(get_ast(source))), _left_out(source)
    lines, found = source.splitlines(), list[_Place]()
    for name, operator in operators().items():
        starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for number, start in enumerate(starts):
            is_mark = lines[start[0] - 1][start[1] :].startswith("*, ")  # behind it, names only
            if not is_mark and not any(first <= start < last for first, last in left_out):
                found.append(_Place(name, operator, number, start[0]))
    return found


def _change(lines: list[str], mutated: str) -> tuple[str, str]:
    """The first line that changed, and what it became."""
    changed = mutated.splitlines()
    at = next((at for at, one in enumerate(changed) if lines[at : at + 1] != [one]), 0)
    return lines[at].strip(), changed[at].strip()


def _parsed(source: str) -> str | None:
    try:
        tree = ast.parse(source)
        compile(tree, "mutant", "exec", dont_inherit=True)
        return ast.dump(tree)
    except (SyntaxError, ValueError):
        return None


def _left_out(source: str) -> list[tuple[Position, Position]]:
    """From where to where nothing is changed."""
    found = [one for node in ast.walk(ast.parse(source)) for one in _without_effect(node)]
    return [
        ((one.lineno, one.col_offset), (one.end_lineno or 0, one.end_col_offset or 0))
        for one in found
    ]


def _without_effect(node: ast.AST) -> Iterator[Any]:
    """What of a node only people read."""
    if isinstance(node, ast.AnnAssign) or (
        isinstance(node, ast.arg) and node.annotation is not None
    ):
        yield node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (node,) if node.name in _TEXTS else ()
        yield from (node.returns,) if node.returns is not None else ()
    elif isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr) or (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ):
        yield node
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield from node.exc.args
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from _said(node.value)


def _said(call: ast.Call) -> Iterator[ast.expr]:
    called = call.func
    if isinstance(called, ast.Attribute):
        if isinstance(called.value, ast.Name) and called.value.id == "LOG":
            yield call
        elif called.attr in _RAISED_BY_CALL:
            yield from call.args


def _is_call(node: Any) -> bool:  # noqa: ANN401 - parso has no types
    """Whether this statement is a call, awaited or not."""
    if node.type not in ("atom_expr", "power"):
        return False
    last = node.children[-1]
    return bool(last.type == "trailer" and last.children[0].value == "(")
