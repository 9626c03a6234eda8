"""A run as text, one action a line: the one way to write a run down.

    zabspec script 1
    spec paper 531fd17c
    servers 3
    # What happens, in a sentence.
    elect 1 among 1 2
        1 is Leader DISCOVERY
        ...
    deliver 2 -> 1 FollowerInfo accepted_epoch=0

Indented lines are what the action above them led to; they are written by machine, and compared
when a script is played again. `deliver 2 -> 1` alone delivers whatever is next. Behind an action,
`/ crash after 1` has the server crash when it has carried out one of the effects, and `leaving 2`
says how many unsynced transactions outlive that. `/ order 7` seeds the order in which the tasks of
a system run, where one is played beside the spec; the spec has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import singledispatch
from pathlib import Path

from attrs import evolve, frozen

from zabspec.check.actions import (
    Action,
    ApplyNext,
    Ask,
    Deliver,
    Elect,
    Expire,
    Item,
    Join,
    LoseLink,
    Mark,
    Restart,
    SyncLog,
)
from zabspec.check.bounds import Bounds
from zabspec.check.notation import NotationError, read_packet, show

VERSION = 1
INDENT = "    "

_HEADER = re.compile(r"zabspec script (\d{1,18})")
_SPEC = re.compile(r"spec ([\w-]+)(?: ([0-9a-f]{8}))?")
_SERVERS = re.compile(
    r"servers ([2-9])(?: observers ([0-9]))?(?: window (\d{1,9}))?(?: (snapshots forced))?"
    r"(?: last counter ([1-9]\d{0,8}))?"
)
_ORDER = re.compile(r"^(.*?)(?: / order (\d{1,18}))?$")
_CRASH = re.compile(r"^(.*?)(?: / crash after (\d{1,18})(?: leaving (\d{1,18}))?)?$")

_ELECT = re.compile(r"elect (\d{1,18}) among (\d{1,18}(?: \d{1,18})*)")
_JOIN = re.compile(r"join (\d{1,18}) to (\d{1,18})")
_DELIVER = re.compile(r"deliver (\d{1,18}) -> (\d{1,18})(?: (.+))?")
_ASK = re.compile(r"ask (\d{1,18})")
_SYNC = re.compile(r"sync (\d{1,18}) upto (\d{1,18})")
_APPLY = re.compile(r"apply (\d{1,18})")
_EXPIRE = re.compile(r"expire (\d{1,18})")
_LOSE = re.compile(r"lose link (\d{1,18}) - (\d{1,18})(?: keeping (\d{1,18}) (\d{1,18}))?")
_RESTART = re.compile(r"restart (\d{1,18})(?: leaving (\d{1,18}))?")

ACTIONS = (
    "elect 1 among 1 2; join 3 to 1; deliver 2 -> 1; ask 1; lose link 1 - 2; restart 1"
    " (deliver and ask may end in `/ crash after 1`)"
)


class ScriptError(Exception):
    """A script that cannot be read, or whose next action cannot happen.

    The text is one line: file and line, what was read, what was expected.
    """

    def __init__(self, where: str, read: str, expected: str) -> None:
        super().__init__(f'{where}: read "{read}", expected {expected}')


@frozen
class Line:
    """An action, where it stands, and what is written below it. order: 0 where none is said."""

    number: int
    action: Action
    outputs: tuple[str, ...] = ()
    order: int = 0


@frozen
class Script:
    """A run to be played. fingerprint: of the spec it was written under; None if not said.

    bounds: its servers, observers, window and last counter; what may happen is not bounded.
    """

    spec: str
    bounds: Bounds
    lines: tuple[Line, ...]
    fingerprint: str | None = None
    path: str = "script"

    @property
    def actions(self) -> tuple[Action, ...]:
        """What happens, in order."""
        return tuple(line.action for line in self.lines)


@singledispatch
def show_action(action: Action) -> str:
    """An action as a line of a script."""
    raise TypeError(f"no action: {action!r}")


@show_action.register
def _(action: Elect) -> str:
    return f"elect {action.leader} among {' '.join(map(str, action.members))}"


@show_action.register
def _(action: Join) -> str:
    return f"join {action.server} to {action.leader}"


@show_action.register
def _(action: Deliver) -> str:
    item = _show_item(action.item)
    return f"deliver {action.sender} -> {action.receiver}{item}{_show_crash(action)}"


@show_action.register
def _(action: Ask) -> str:
    return f"ask {action.server}{_show_crash(action)}"


@show_action.register
def _(action: SyncLog) -> str:
    return f"sync {action.server} upto {action.upto}{_show_crash(action)}"


@show_action.register
def _(action: ApplyNext) -> str:
    return f"apply {action.server}{_show_crash(action)}"


@show_action.register
def _(action: Expire) -> str:
    return f"expire {action.server}"


@show_action.register
def _(action: LoseLink) -> str:
    kept, kept_back = action.kept
    return f"lose link {action.one} - {action.other} keeping {kept} {kept_back}"


@show_action.register
def _(action: Restart) -> str:
    return f"restart {action.server}" + (f" leaving {action.survives}" if action.survives else "")


def show_script(spec: str, fingerprint: str, bounds: Bounds, body: Iterable[str]) -> str:
    """A whole script; `body` holds its actions and outputs."""
    header = (f"zabspec script {VERSION}", f"spec {spec} {fingerprint}", _show_servers(bounds))
    return "\n".join((*header, *body)) + "\n"


def read_script(path: Path) -> Script:
    """Read a script from a file. Raises ScriptError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(str(path), error.strerror or str(error), "a script to read") from error
    except UnicodeDecodeError as error:
        raise ScriptError(str(path), f"byte {error.start}", "UTF-8 text") from error
    return parse_script(text, str(path))


def parse_script(text: str, path: str = "script") -> Script:
    """Read a script. Raises ScriptError."""
    told = [
        (number, line.rstrip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    header, told = told[:3], told[3:]
    version = _expect(header, 0, path, _HEADER, f"zabspec script {VERSION}")
    if version[0] != str(VERSION):
        raise ScriptError(f"{path}:{header[0][0]}", header[0][1], f"zabspec script {VERSION}")
    spec, fingerprint = _expect(header, 1, path, _SPEC, "spec NAME")
    setup = _expect(header, 2, path, _SERVERS, "servers 2 (at most 9)")
    lines: list[Line] = []
    for number, line in told:
        if not line.startswith(INDENT):
            body, order = _ORDER.fullmatch(line).groups()  # type: ignore[union-attr]  # it always does
            action = _read_action(body, f"{path}:{number}")
            lines.append(Line(number, action, order=int(order or 0)))
        elif lines:
            lines[-1] = evolve(lines[-1], outputs=(*lines[-1].outputs, line.strip()))
        else:
            raise ScriptError(f"{path}:{number}", line.strip(), "an action before its outputs")
    return Script(spec or "", _bounds(setup), tuple(lines), fingerprint, path)


def _bounds(setup: tuple[str | None, ...]) -> Bounds:
    servers, observers, window, forced, counter = setup
    usual = Bounds(int(servers or 0), observers=int(observers or 0), force_snapshot=bool(forced))
    last = int(counter or usual.last_counter)
    return evolve(usual, window=int(window or usual.window), last_counter=last)


def _show_servers(bounds: Bounds) -> str:
    observers = f" observers {bounds.observers}" if bounds.observers else ""
    window = f" window {bounds.window}" if bounds.window != Bounds().window else ""
    forced = " snapshots forced" if bounds.force_snapshot else ""
    last = bounds.last_counter
    counter = f" last counter {last}" if last != Bounds().last_counter else ""
    return f"servers {bounds.servers}{observers}{window}{forced}{counter}"


def _expect(
    header: list[tuple[int, str]], at: int, path: str, pattern: re.Pattern[str], expected: str
) -> tuple[str | None, ...]:
    number, line = header[at] if at < len(header) else (1, "")
    found = pattern.fullmatch(line)
    if not found:
        raise ScriptError(f"{path}:{number}", line, expected)
    return found.groups()


def _read_action(line: str, where: str) -> Action:
    body, after, survives = _crash(line)
    for pattern, make in _READERS:
        found = pattern.fullmatch(body)
        if found:
            try:
                action = make(*found.groups())
            except NotationError as error:
                raise ScriptError(where, error.read, error.expected) from error
            return _crashing(action, after, survives, ScriptError(where, line, ACTIONS))
    raise ScriptError(where, line, ACTIONS)


def _crash(line: str) -> tuple[str, int | None, int]:
    body, after, survives = _CRASH.fullmatch(line).groups()  # type: ignore[union-attr]  # it always does
    return body, None if after is None else int(after), int(survives or 0)


def _crashing(action: Action, after: int | None, survives: int, error: ScriptError) -> Action:
    if after is None:
        return action
    if not isinstance(action, Deliver | Ask | SyncLog | ApplyNext):
        raise error
    return evolve(action, crash_after=after, survives=survives)


def _read_item(text: str | None) -> Item | None:
    if text is None:
        return None
    return Mark.END if text == Mark.END.value else read_packet(text)


def _show_item(item: Item | None) -> str:
    if item is None:
        return ""
    return f" {item.value}" if isinstance(item, Mark) else f" {show(item)}"


def _show_crash(action: Deliver | Ask | SyncLog | ApplyNext) -> str:
    if action.crash_after is None:
        return ""
    leaving = f" leaving {action.survives}" if action.survives else ""
    return f" / crash after {action.crash_after}{leaving}"


_READERS: tuple[tuple[re.Pattern[str], Callable[..., Action]], ...] = (
    (_ELECT, lambda leader, members: Elect(int(leader), tuple(map(int, members.split())))),
    (_JOIN, lambda server, leader: Join(int(server), int(leader))),
    (
        _DELIVER,
        lambda sender, receiver, item: Deliver(int(sender), int(receiver), _read_item(item)),
    ),
    (_ASK, lambda server: Ask(int(server))),
    (_SYNC, lambda server, upto: SyncLog(int(server), int(upto))),
    (_APPLY, lambda server: ApplyNext(int(server))),
    (_EXPIRE, lambda server: Expire(int(server))),
    (
        _LOSE,
        lambda one, other, kept, back: LoseLink(
            int(one), int(other), (int(kept or 0), int(back or 0))
        ),
    ),
    (_RESTART, lambda server, survives: Restart(int(server), int(survives or 0))),
)
