"""A system that is a process: told on its standard input, and answering on its standard output.

A request is a line of JSON, and so is its answer: see `docs/system.md`. One process runs all
servers, which are told apart by a number, or each server has one of its own.
"""

from __future__ import annotations

import json
import shlex
import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, TypeVar

from zabspec.conform.answers import (
    declared_keys,
    effects_of,
    is_copied,
    leader_of,
    read_answer,
    shown_of,
    words_of,
)
from zabspec.conform.child import Child
from zabspec.conform.plain import Plain
from zabspec.conform.system import SHOWS, TAKES, SystemFailed, failed_at, shortened

VERSION = 1
"""Of the protocol."""
LIMIT = 10.0
"""Seconds in which a system has to answer."""
Read = TypeVar("Read")


class LinesSystem:
    """The system that a command starts. Raises SystemFailed if that does not say hello.

    command: as a shell reads it, but without a shell; or its words. timeout: seconds for each
    answer. one_each: each server is a process of its own. A process that failed is ended, and
    another is started for the servers to come. The processes end with this object, or by `close`.
    elects: as `DecidesVotes` has it; only where it takes "votes". numbers: of servers to come.
    """

    elects: Callable[[Sequence[Plain]], int | None]

    def __init__(
        self, command: str | Sequence[str], timeout: float = LIMIT, *, one_each: bool = False
    ) -> None:
        self._words = words_in(command) if isinstance(command, str) else list(command)
        self._timeout, self._one_each = timeout, one_each
        self._processes: set[Process] = set()
        self.numbers = count(1)
        self._end = weakref.finalize(self, _end_all, self._processes)
        self._next: Process | None = self._begin()
        self.takes, self.shows = self._next.takes, self._next.shows
        if "votes" in self.takes:
            self.elects = self._elects

    def start(self, sid: int, ensemble: Plain, held: Iterable[str]) -> LinesServer:
        """A server that has never run."""
        process = self._ready()
        self._next = None if self._one_each else process
        asked = {"sid": sid, "ensemble": ensemble, "held": list(held)}
        server = LinesServer(sid, next(self.numbers), process, self)
        server.begin("start", asked)
        return server

    def close(self) -> None:
        """End its processes; later servers start another."""
        self._next = None
        _end_all(self._processes)

    def _elects(self, votes: Sequence[Plain]) -> int | None:
        self._next = self._ready()
        try:
            return self._next.ask({"do": "elect", "votes": votes}, leader_of)
        except SystemFailed as error:
            told = shortened(json.dumps(votes))
            raise SystemFailed(f"asked whom these elect, {told}: {error}") from None

    def _ready(self) -> Process:
        process = self._next
        return process if process is not None and process.child.is_alive else self._begin()

    def _begin(self) -> Process:
        self._processes -= {one for one in self._processes if not one.child.is_alive}
        process = Process(Child(self._words, self._timeout), self._one_each)
        self._processes.add(process)
        try:
            process.hello()
        except SystemFailed as error:
            raise SystemFailed(f"{shlex.join(self._words)}, told hello: {error}") from None
        return process


class Process:
    """One process, and the servers in it. is_for_one: it ends with the last of them."""

    takes: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()

    def __init__(self, child: Child, is_for_one: bool) -> None:
        self.child, self.is_for_one = child, is_for_one
        self.servers: set[int] = set()
        self.declared: frozenset[str] = frozenset()
        self._requests = count(1)

    def hello(self) -> None:
        """Ask what it takes and shows."""
        answer = self.ask({"do": "hello", "version": VERSION}, lambda answer: answer)
        if answer.get("version") != VERSION:
            self.child.kill()
            version = json.dumps(answer.get("version"))
            raise SystemFailed(f"read version {version}, expected {VERSION}")
        keys = (key for keys in SHOWS.values() for key in keys)
        self.takes = words_of(answer, "takes", TAKES)
        self.shows = words_of(answer, "shows", (*SHOWS, *keys))
        self.declared = declared_keys(self.shows)

    def ask(self, request: Plain, read: Callable[[Plain], Read]) -> Read:
        """What is read from its answer. Raises SystemFailed."""
        number = next(self._requests)
        line = json.dumps({"id": number, **request}, separators=(",", ":"))
        found = self.child.ask(line.encode() + b"\n")
        try:
            answer = _answer_to(number, found)
            if "error" not in answer:
                return read(answer)
        except BaseException:
            self.child.kill()
            raise
        raise SystemFailed(f"it says: {shortened(json.dumps(answer['error']))}")


class LinesServer:
    """One server of it. A `SystemServer`; the system lives as long as its servers do."""

    def __init__(self, sid: int, number: int, process: Process, system: LinesSystem) -> None:
        self._sid, self._number, self._process = sid, number, process
        self._system = system
        self._shown: Plain | None = None

    def begin(self, asked: str, more: Plain) -> None:
        """Have it started."""
        self._process.servers.add(self._number)
        self._ask({"do": asked, "server": self._number, **more}, more, lambda _answer: None)

    def step(
        self, event: Plain, stop_after: int | None = None, order: int = 0
    ) -> tuple[Plain, ...]:
        """Let this happen; what it did, in order. What it shows then comes with it."""
        request: dict[str, Any] = {"do": "step", "server": self._number, "event": event}
        if stop_after is not None:
            request["stop_after"] = stop_after
        if order:
            request["order"] = order
        effects, self._shown = self._ask(request, event, self._stepped)
        return effects

    def observe(self) -> Plain:
        """What it shows now."""
        if self._shown is None:
            request = {"do": "observe", "server": self._number}
            self._shown = self._ask(request, request, self._observed)
        return self._shown

    def copy(self) -> LinesServer | None:
        """The same server again; None if it cannot be copied."""
        other = LinesServer(self._sid, next(self._system.numbers), self._process, self._system)
        request = {"do": "copy", "server": self._number, "as": other._number}
        if not self._ask(request, request, is_copied):
            return None
        self._process.servers.add(other._number)
        return other

    def close(self) -> None:
        """It is not needed any more."""
        process = self._process
        if self._number in process.servers:
            process.servers.remove(self._number)
            if process.child.is_alive:
                request = {"do": "close", "server": self._number}
                self._ask(request, request, lambda _answer: None)
            if process.is_for_one and not process.servers:
                process.child.end()

    def _ask(self, request: Plain, told: Plain, read: Callable[[Plain], Read]) -> Read:
        try:
            return self._process.ask(request, read)
        except SystemFailed as error:
            raise failed_at(self._sid, told, str(error)) from None

    def _stepped(self, answer: Plain) -> tuple[tuple[Plain, ...], Plain]:
        return effects_of(answer), self._observed(answer)

    def _observed(self, answer: Plain) -> Plain:
        return shown_of(answer, self._process.declared)


def words_in(command: str) -> list[str]:
    """The words of a command. Raises SystemFailed."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SystemFailed(f"{command!a} is no command: {error}") from None
    if not words:
        raise SystemFailed("the command is empty, expected what starts a system")
    return words


def _answer_to(number: int, line: bytes) -> Plain:
    answer = read_answer(line)
    if answer.get("id") != number:
        said = shortened(ascii(line)[1:])
        raise SystemFailed(f"read {said}, expected the answer to request {number}")
    return answer


def _end_all(processes: set[Process]) -> None:
    for process in processes:
        process.child.end()
    processes.clear()
