"""What a reader may rely on everywhere, and no formatter can hold."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from zabspec.check.model import load_models

ROOT = Path(__file__).parents[1]
LAYERS = ("protocol", "check", "conform", "view", "cli")
"""Lowest first: imports run from the later to the earlier."""

SOURCES = sorted(
    path for folder in ("zabspec", "impl", "models") for path in (ROOT / folder).rglob("*.py")
)
ZABSPEC = [path for path in SOURCES if path.is_relative_to(ROOT / "zabspec")]
HOSTS = (
    "pypi" + ".org",
    "python" + "hosted",
    "registry." + "npm",
    "crates" + ".io",
    "anaconda" + ".org",
)
MACHINE_PATHS = tuple(f"/{top}" + "/" for top in ("work", "home", "Users", "root", "mnt", "opt"))
TEXTS = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".cfg", ".sh", ".jsonl", ".json"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_imports_run_one_way() -> None:
    backward = [
        f"{_said(path)} imports {name}"
        for path in ZABSPEC
        for name in _imported(path)
        if name.startswith("zabspec.") and _layer(name.split(".")) > _layer_of_file(path)
    ]

    assert backward == []


def test_zabspec_imports_neither_what_it_checks_nor_its_models() -> None:
    wrong = {"impl", "models", "tests", "zabspec_models"}

    assert [_said(path) for path in ZABSPEC if not wrong.isdisjoint(_packages(path))] == []


def test_the_protocol_needs_attrs_and_python_alone() -> None:
    protocol = [path for path in ZABSPEC if path.parent.name == "protocol"]
    enough = {"attrs", "zabspec", *sys.stdlib_module_names}

    assert protocol
    assert [_said(path) for path in protocol if not _packages(path) <= enough] == []


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {_said(path): len(_text(path).splitlines()) for path in SOURCES}

    assert {said: length for said, length in lengths.items() if length > 300} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    lengths = {
        f"{_said(path)} {one.name}": 1 + (one.end_lineno or 0) - one.lineno
        for path in SOURCES
        for one in ast.walk(_tree(path))
        if isinstance(one, Function)
    }

    assert {said: length for said, length in lengths.items() if length > 40} == {}


def test_what_is_public_says_what_it_does_and_begins_with_a_sentence() -> None:
    silent = [
        f"{_said(path)} {name}"
        for path in ZABSPEC
        for name, node in _public(_tree(path))
        if not re.match(r"\S.*[.:?]($|\s)", ast.get_docstring(node) or "")
    ]

    assert silent == []


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in _texts()
        for found in (*HOSTS, *MACHINE_PATHS)
        if found in _text(path)
    ]

    assert named == []


def test_the_files_that_are_read_for_that_are_those_of_the_project() -> None:
    read = {str(path.relative_to(ROOT)) for path in _texts()}

    assert {"pyproject.toml", "zabspec/protocol/paper.py", "tests/test_tidy.py"} <= read


def test_a_file_of_models_says_what_it_asks_and_holds_models() -> None:
    for path in (ROOT / "models").glob("*.py"):
        calls = [node.func for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]
        models = sum(isinstance(called, ast.Name) and called.id == "Model" for called in calls)

        assert ast.get_docstring(_tree(path)), path
        assert models or path.name == "__init__.py", path


def test_a_model_has_a_name_for_the_command_line_and_a_question() -> None:
    for name, model in load_models().items():
        assert name == model.name
        assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", name)
        assert re.fullmatch(r"[A-Z].*[.?]", model.question)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


def _said(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _layer_of_file(path: Path) -> int:
    return _layer(path.relative_to(ROOT).with_suffix("").parts)


def _layer(parts: Sequence[str]) -> int:
    """The layer of zabspec.<part>.<more>: the package itself belongs to the lowest."""
    name = parts[1] if len(parts) > 1 else "__init__"
    if name.startswith("cli") or name == "__main__":
        return LAYERS.index("cli")
    return LAYERS.index(name) if name in LAYERS else 0


def _packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in _imported(path)}


def _imported(path: Path) -> Iterator[str]:
    """What a module imports, wherever in it the import stands."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.Module | ast.ClassDef | Function]]:
    yield "the module", tree
    yield from _public_in(tree, "")


def _public_in(
    scope: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public_in(node, f"{node.name}.")


def _texts() -> Iterator[Path]:
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in inside)
        built = {"__pycache__", "build", "dist", "node_modules"}.intersection(inside)
        wanted = path.suffix in TEXTS or ".ci" in inside
        if wanted and path.is_file() and not hidden and not built:
            yield path
