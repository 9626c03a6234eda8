"""Whether a mutant is told from the good code: in a process of its own, which has it instead."""

from __future__ import annotations

import ast
import builtins
import gc
import importlib
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from types import FrameType
from typing import NoReturn

from attrs import define, frozen
from cosmic_ray.exceptions import CosmicRayTestingException
from mutants_free import FreeRuns
from mutants_imported import replace
from mutants_made import Mutant
from mutants_played import History, Kept, first_divergence

from zabspec.conform.beside import Divergence
from zabspec.conform.findings import show_event
from zabspec.conform.system import System, SystemFailed

HANG = 10.0
"""Seconds of CPU after which a history that takes a moment does not end."""
_LONG = 60.0
_LONGEST = 300
_ROOM = 3 << 30
"""Bytes that a process may have in all."""


@frozen
class Verdict:
    """What became of a mutant. by: what killed it, empty where it survived. why: in words.

    given: how many histories it was given; seconds: of CPU.
    """

    by: str
    why: str
    given: int
    seconds: float


class Hangs(BaseException):
    """It does not end."""


def judge(mutant: Mutant, kept: Kept, system: str, free: FreeRuns | None = None) -> Verdict:
    """Have a mutant of the system judged. free: given to who survives."""
    one = _Judge(mutant, kept, free)
    return apart(lambda: (*one.judge(system), one.given))


def apart(judged: Callable[[], tuple[str, str, int]]) -> Verdict:
    """What a fork of this process finds: by what, why, and how much was given."""
    reading, writing = os.pipe()
    gc.freeze()
    child = os.fork()
    if not child:
        os.close(reading)
        _judge_here(judged, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read()
    _, ended = os.waitpid(child, 0)
    if not said:
        return Verdict("crash", f"its process ended with {ended}", 0, 0.0)
    return Verdict(**json.loads(said))


def lines_of(mutant: Mutant, source: str) -> set[int] | None:
    """The lines of the statement that is changed; None where it runs when it is imported."""
    tree = ast.parse(source)
    found, inside = None, False
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _first(node) <= mutant.line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if mutant.line < node.body[0].lineno:
                    return None
                inside = True
            last = body[0].lineno - 1 if body else (node.end_lineno or 0)
            found = set(range(_first(node), max(last, mutant.line) + 1))
    return found if inside else None


def _first(node: ast.stmt) -> int:
    marks = getattr(node, "decorator_list", ())
    return min([node.lineno, *(one.lineno for one in marks)])


def _judge_here(judged: Callable[[], tuple[str, str, int]], writing: int) -> NoReturn:
    start = process_time()
    by, why, given = "crash", "it ended its process", 0
    try:
        _limit()
        by, why, given = judged()
    finally:
        seconds = round(process_time() - start, 2)
        told = {"by": by, "why": why[:_LONGEST], "given": given, "seconds": seconds}
        os.write(writing, json.dumps(told).encode())
        os._exit(0)


@define
class _Judge:
    """Gives one mutant what may tell it from the good code. given: histories, so far."""

    mutant: Mutant
    kept: Kept
    free: FreeRuns | None
    given: int = 0

    def judge(self, system: str) -> tuple[str, str]:
        """What killed it, and in words; empty where nothing did."""
        try:
            make = _put_in_place(self.mutant, system)
        except Exception as error:  # noqa: BLE001 - whatever a mutant raises
            return "import", one_line(error)
        try:
            return self._beside(make) or self._freely() or ("", "")
        except Hangs:
            return "hang", "it does not end"
        except SystemFailed as error:
            return "failure", one_line(error.__cause__ or error)
        except Exception as error:  # noqa: BLE001 - as above
            return "failure", one_line(error)

    def _beside(self, make: Callable[[], System]) -> tuple[str, str] | None:
        histories = _passing(self.mutant, self.kept)
        for rulebook in {id(one.rulebook): one.rulebook for one in histories}.values():
            rulebook.system = make()
        for divergence in _watched(first_divergence(histories)):
            self.given += 1
            if divergence is not None:
                what = ", ".join(one.what for one in divergence.differences)
                return "divergence", f"{show_event(divergence.event)}: {what}"
        return None

    def _freely(self) -> tuple[str, str] | None:
        if self.free is None:
            return None
        with within(_LONG):
            told = self.free.tell(self.mutant.file, _changed(self.mutant, self.kept.folder))
        return None if told is None else ("free run", told)


def one_line(error: BaseException) -> str:
    """What was raised."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _changed(mutant: Mutant, folder: Path) -> set[int] | None:
    return lines_of(mutant, (folder / mutant.file).read_text(encoding="utf-8"))


def _passing(mutant: Mutant, kept: Kept) -> list[History]:
    """The histories that pass over what is changed; all, where it runs when it is imported."""
    lines = _changed(mutant, kept.folder)
    return kept.over(mutant.file, lines) if lines is not None else kept.all()


def _watched(steps: Iterator[Divergence | None]) -> Iterator[Divergence | None]:
    """The same, each within its time."""
    while True:
        with within(HANG):
            one = next(steps, _END)
        if isinstance(one, _End):
            return
        yield one


class _End:
    """There is no more."""


_END = _End()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """So many seconds of CPU."""
    signal.signal(signal.SIGPROF, _hangs)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hangs(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Hangs


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ROOM, _ROOM))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def _put_in_place(mutant: Mutant, system: str) -> Callable[[], System]:
    """Import the mutant, and again all that imports it; what makes the system then."""
    vars(builtins)["CosmicRayTestingException"] = CosmicRayTestingException
    module, _, name = system.partition(":")
    package = module.partition(".")[0]
    changed = f"{package}.{Path(mutant.file).stem}"
    replace({changed: mutant.source})
    importlib.import_module(changed)
    found: Callable[[], System] = getattr(importlib.import_module(module), name)
    return found
