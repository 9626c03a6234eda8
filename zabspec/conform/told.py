"""What a recording says beside packets, in MARKs: what clients saw, what servers held, findings.

A MARK with one of these keys says it, whatever its text is:

operation   what a client asked, and was told: an object with client, call, returned, request
            (create, delete, set, read or sync), path, content (hex digits), version, result and
            zxid, as in `client_history`; result is the number of an error, 0, or an object with
            content and version; a key that is missing is null, a version -1
content     what a server held: an object with sid, zxid (the last that it had processed) and
            digest, a text that is the same where the content is
finding     what the system itself calls wrong: a text
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field, frozen

from zabspec.conform.client_history import (
    ANY_VERSION,
    OK,
    Create,
    Delete,
    Node,
    Operation,
    Read,
    Request,
    Result,
    SetData,
    Sync,
)
from zabspec.conform.recording_entry import SHOWN_CHARACTERS, Entry

_REQUESTS: Mapping[str, Callable[[str, bytes, int], Request]] = {
    "create": lambda path, content, _: Create(path, content),
    "delete": lambda path, _, version: Delete(path, version),
    "set": SetData,
    "read": lambda path, _content, _version: Read(path),
    "sync": lambda _path, _content, _version: Sync(),
}
_KEYS = ("operation", "content", "finding")


@frozen
class Held:
    """What a server held. zxid: the last that it had processed. digest: same content, same text."""

    sid: int
    zxid: int
    digest: str


@define
class Told:
    """All that a recording says beside packets, in its order."""

    operations: list[Operation] = field(factory=list)
    held: list[Held] = field(factory=list)
    findings: list[str] = field(factory=list)


def read_told(text: str, path: Path) -> Told:
    """What is told in the text of a recording. Raises RecordingError where that cannot be read."""
    told = Told()
    for number, line in enumerate(text.split("\n"), start=1):
        if any(f'"{key}"' in line for key in _KEYS):
            keys = json.loads(line)
            if keys.get("type") == "MARK":
                _add(told, Entry(path, number, keys))
    return told


def _add(told: Told, mark: Entry) -> None:
    if "operation" in mark.keys:
        told.operations.append(operation_of(_object(mark, "operation")))
    if "content" in mark.keys:
        held = _object(mark, "content")
        zxid, digest = _number(held, "zxid"), str(held.required("digest", str, "a text"))
        told.held.append(Held(held.sid("sid"), zxid, digest))
    if "finding" in mark.keys:
        told.findings.append(str(mark.required("finding", str, "a text")))


def operation_of(entry: Entry) -> Operation:
    """What the object of an operation says. Raises RecordingError."""
    returned = _time(entry, "returned")
    result = _result(entry)
    if (returned is None) is not (result is None):
        entry.refuse("one of 'returned' and 'result' that is null", "both null, or none")
    call = _time(entry, "call")
    if call is None:
        entry.refuse("no 'call'", "a time")
    if returned is not None and returned < call:
        entry.refuse("'returned' before 'call'", "a later time")
    zxid = None if entry.keys.get("zxid") is None else _number(entry, "zxid")
    return Operation(_number(entry, "client"), call, returned, _request(entry), result, zxid)


def _request(entry: Entry) -> Request:
    name = str(entry.required("request", str, "the name of a request"))
    if name not in _REQUESTS:
        read = f"request {name[:SHOWN_CHARACTERS]!a}"
        entry.refuse(read, f"one of {', '.join(_REQUESTS)}")
    path = "" if name == "sync" else str(entry.required("path", str, "the path of a node"))
    version = _number(entry, "version") if "version" in entry.keys else ANY_VERSION
    return _REQUESTS[name](path, _bytes(entry) or b"", version)


def _result(entry: Entry) -> Result | None:
    found = entry.keys.get("result")
    if found is None:
        return None
    if isinstance(found, dict):
        node = _object(entry, "result")
        return Node(_bytes(node), _number(node, "version"))
    result = _number(entry, "result")
    return OK if result == 0 else result


def _object(entry: Entry, key: str) -> Entry:
    found = entry.required(key, dict, "an object")
    return Entry(entry.path, entry.line, found if isinstance(found, dict) else {})


def _bytes(entry: Entry) -> bytes | None:
    found = entry.optional("content", (str, type(None)), "hex digits or null")
    try:
        return None if found is None else bytes.fromhex(str(found))
    except ValueError:
        entry.refuse(f"content {str(found)[:SHOWN_CHARACTERS]!a}", "hex digits or null")


def _number(entry: Entry, key: str) -> int:
    found = entry.required(key, int, "a number")
    return found if isinstance(found, int) else 0


def _time(entry: Entry, key: str) -> float | None:
    found = entry.optional(key, (int, float, type(None)), "a time")
    return float(found) if isinstance(found, (int, float)) else None
