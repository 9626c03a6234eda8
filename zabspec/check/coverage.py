"""How much of a spec an exploration reached: by rule, and by each place where a rule returns."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

from attrs import frozen

from zabspec.check.rows import Branch
from zabspec.protocol.rules import Rule, RuleFunction, Spec


@frozen
class RuleReach:
    """One rule. branches: by line of each of its returns, counted from its first line, the rows."""

    rule: Rule
    branches: Mapping[int, int]

    @property
    def rows(self) -> int:
        """All rows that it answered."""
        return sum(self.branches.values())

    @property
    def missed(self) -> list[int]:
        """The lines of the returns that no row reached."""
        return [line for line, rows in self.branches.items() if not rows]


def reach_of(spec: Spec, branches: Mapping[Branch, int]) -> list[RuleReach]:
    """Each rule of a spec, in the order of the protocol, with the rows it answered.

    Decisions to do nothing have no branch. branches: of an exploration, or of several added up.
    """
    by_function: dict[RuleFunction, Counter[int]] = {}
    for branch, rows in branches.items():
        by_function.setdefault(branch.rule.function, Counter())[branch.line] += rows
    return [
        RuleReach(
            rule, dict.fromkeys(_returns(rule.function), 0) | by_function.get(rule.function, {})
        )
        for rule, _ in spec.rules()
        if rule.because is None
    ]


@cache
def _returns(function: RuleFunction) -> tuple[int, ...]:
    """The lines of a function's own returns, the first line being 1."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    outer = next(one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.Lambda))
    first = min([outer.lineno, *(one.lineno for one in getattr(outer, "decorator_list", []))])
    if isinstance(outer, ast.Lambda):
        return (1,)
    return tuple(one.lineno - first + 1 for one in _own(outer) if isinstance(one, ast.Return))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from _own(child)
