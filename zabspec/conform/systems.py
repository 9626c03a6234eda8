"""A system as the command line names it: something to import, or a command to run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from zabspec.conform.lines import LIMIT, LinesSystem, words_in
from zabspec.conform.system import System, SystemFailed

_IMPORT = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_NEEDED = ("start", "takes", "shows")


def system_called(
    text: str, timeout: float = LIMIT, *, one_each: bool = False
) -> Callable[[], System]:
    """What makes the system that a text names. Raises SystemFailed, and so does making it.

    text: `package.module:Name`, which is imported (from the folder one is in, too) and called; or a
    command, which has a space or a path in it, and is started. timeout, one_each: of a command, as
    in `LinesSystem`.
    """
    found = _IMPORT.fullmatch(text.strip())
    if found is not None:
        named = _imported(*found.groups())
        return lambda: _called(text.strip(), named)
    if not re.search(r"[\s/\\]", text.strip()):
        expected = "package.module:Name, or a command with a space or a path in it"
        raise SystemFailed(f"read {text!a}, expected a system: {expected}")
    words = words_in(text)
    return lambda: LinesSystem(words, timeout, one_each=one_each)


def _imported(module: str, name: str) -> Any:  # noqa: ANN401 - whatever has this name
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise SystemFailed(f"{module}:{name} cannot be imported: {_line(error)}") from error
    return found


def _called(text: str, make: Any) -> System:  # noqa: ANN401 - as above
    try:
        made = make()
    except SystemFailed:
        raise
    except Exception as error:
        raise SystemFailed(f"{text}() raised {_line(error)}") from error
    missing = [name for name in _NEEDED if not hasattr(made, name)]
    if missing:
        expected = "a system with start, takes and shows"
        raise SystemFailed(f"{text}() is a {type(made).__name__}, expected {expected}")
    return cast("System", made)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
