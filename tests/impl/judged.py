"""Free runs whose clients are judged: writes linearizable, none lost, no session's reads go back.

What a client was told nothing of, or only that its connection or session is gone, counts as never
answered. A node that goes with its session is deleted, perhaps, at some time after it was asked
for, by a client of its own. A sync is left out: a leader that was replaced and does not know it
yet answers it, too (ZOOKEEPER-2136).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from impl.errors import ErrorCode
from impl.free_run import FreeRun
from impl.simulated_requests import Operation as Asked
from zabspec.conform.client_history import (
    BAD_VERSION,
    NO_NODE,
    NODE_EXISTS,
    OK,
    Create,
    Delete,
    Node,
    Operation,
    Read,
    Request,
    Result,
    SetData,
)
from zabspec.conform.linearizability import check_linearizability, zxids_gone_back

TOLD = {
    ErrorCode.NO_NODE: NO_NODE,
    ErrorCode.BAD_VERSION: BAD_VERSION,
    ErrorCode.NODE_EXISTS: NODE_EXISTS,
}
"""The errors that say what became of a request."""

_BETWEEN = 0.5
"""A client asks after one event and before the next; it is answered in an event."""


def judge(history: Iterable[Asked]) -> list[str]:
    """What no client may see, as text."""
    asked = client_history(history)
    found = [
        f"{one.path}: {one.kind}, after {len(one.explained)} operations; {one.stuck}"
        for one in check_linearizability(asked)
    ]
    for before, after in zxids_gone_back(asked):
        found.append(f"session 0x{after.client:x} goes back: {before}, then {after}")
    return found


def client_history(history: Iterable[Asked]) -> list[Operation]:
    """What clients asked and were told, as zabspec takes it. A client there is a session here."""
    return [operation for one in history for operation in _operations(one)]


def judged(run: FreeRun, events: int, calm: int = 1500, every: int = 500) -> list[str]:
    """Go on for so many events, and some without faults; what is wrong with the run.

    Servers that have come equally far must have the same content, whenever that is looked at.
    """
    contents: dict[object, tuple[int, object]] = {}
    found: list[str] = []
    try:
        for until in (*range(every, events, every), events):
            run.go(until)
            found += _differing(run, contents)
        run.calm_down()
        run.go(events + calm)
        found += _differing(run, contents)
    finally:
        run.end()
    return [*run.findings, *found, *judge(run.history)]


def _differing(run: FreeRun, contents: dict[object, tuple[int, object]]) -> Iterator[str]:
    for sid, server in run.ensemble.servers.items():
        if server.is_up:
            shown = server.observe()
            zxid, content = shown["last_processed_zxid"], shown["content"]
            other, seen = contents.setdefault(zxid, (sid, content))
            if seen != content:
                yield f"servers {other} and {sid} differ at zxid {zxid}"


def _operations(one: Asked) -> Iterator[Operation]:
    request = _request(one)
    if request is None:
        return
    call, result = one.invoked + _BETWEEN, _result(one)
    returned = None if result is None else one.returned
    yield Operation(one.session, call, returned, request, result, one.zxid)
    if one.is_ephemeral and result in (OK, None) and one.path is not None:
        yield Operation(-one.number, call, None, Delete(one.path), None)


def _request(one: Asked) -> Request | None:
    if one.path is None:
        return None
    written = (one.written or "").encode()
    match one.name:
        case "create":
            return Create(one.path, written)
        case "set":
            return SetData(one.path, written, one.expected)
        case "delete":
            return Delete(one.path, one.expected)
        case "get":
            return Read(one.path)
        case _:
            return None


def _result(one: Asked) -> Result | None:
    if one.returned is None or one.error is None:
        return None
    if one.error:
        return TOLD.get(ErrorCode(one.error))
    if one.version is None:
        return OK
    return Node(None if one.found is None else one.found.encode(), one.version)
