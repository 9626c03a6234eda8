"""Modules with another source than that on disk: one that notes its lines, or a mutant.

Whoever imports such a module, or a name of it, is imported again, so that all see the same.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

Line = tuple[str, int]
"""A file's name, and a line of it."""

_PASSED = "lines_passed"
passed: set[Line] = set()
"""The lines that noting code has passed over; whoever reads them empties it."""


class Served(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives modules, by name, these sources; the names of their files stay."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of those that it has."""
        if fullname not in self._sources:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def get_source(self, fullname: str) -> str:
        """What is served."""
        return self._sources[fullname]


def replace(sources: Mapping[str, str]) -> None:
    """Serve these sources, from the next import on; who imported such modules is forgotten."""
    sys.meta_path.insert(0, Served(sources))
    for name in dependents(sources):
        sys.modules.pop(name, None)


def note_lines(folder: Path, files: Iterable[str]) -> None:
    """Have the code of these files add each statement that it passes over to `passed`."""
    vars(builtins)[_PASSED] = passed
    replace(
        {
            f"{folder.name}.{Path(file).stem}": noting((folder / file).read_text("utf-8"), file)
            for file in files
        }
    )


def noting(source: str, file: str) -> str:
    """The source with a note before each statement of each function."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _note_in(node, file)
    return ast.unparse(ast.fix_missing_locations(tree))


def dependents(names: Iterable[str]) -> set[str]:
    """These modules, and those of their packages that import one that is in it."""
    names = set(names)
    packages = {name.partition(".")[0] for name in names}
    loaded = [name for name in sys.modules if name.partition(".")[0] in packages and "." in name]
    found: set[str] = set()
    waiting = names
    while waiting:
        found |= waiting
        waiting = {name for name in loaded if _imports(name) & waiting} - found
    return found


@cache
def _imports(name: str) -> frozenset[str]:
    """What a module imports anywhere in it."""
    path = importlib.util.find_spec(name.partition(".")[0])
    folder = Path(path.origin or "").parent if path is not None else Path()
    inside = folder.joinpath(*name.split(".")[1:])
    file = inside / "__init__.py" if inside.is_dir() else inside.with_suffix(".py")
    return frozenset(_named(ast.parse(file.read_text("utf-8"))))


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def _note_in(function: ast.FunctionDef | ast.AsyncFunctionDef, file: str) -> None:
    """Notes in front of every statement, those of inner blocks too; a docstring stays first."""
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, list(_noted(block, file)))


def _noted(block: list[ast.stmt], file: str) -> Iterator[ast.stmt]:
    for statement in block:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_text and not _is_note(statement):
            yield ast.parse(f"{_PASSED}.add(({file!r}, {statement.lineno}))").body[0]
        yield statement


def _is_note(statement: ast.stmt) -> bool:
    return ast.unparse(statement).startswith(f"{_PASSED}.add(")
