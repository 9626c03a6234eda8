"""What a transcript says beside what servers did: what clients saw, what servers held, findings.

Each stands in a MARK of its own, in the notation of `zabspec.conform.told`. What a client was told
nothing of, or only that its connection or session is gone, counts as never answered. A node that
goes with its session is deleted, perhaps, at some time after it was asked for, by a client of its
own. A sync is left out: a leader that was replaced and does not know it yet answers it, too
(ZOOKEEPER-2136).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from impl.errors import ErrorCode
from impl.simulated_requests import ANY_VERSION, Operation
from impl.simulated_run import Held, SimulatedRun
from impl.transcript import Transcript

_ANSWERS = (ErrorCode.NO_NODE, ErrorCode.BAD_VERSION, ErrorCode.NODE_EXISTS)
"""The errors that say what became of a request."""

_REQUESTS = {"create": "create", "set": "set", "delete": "delete", "get": "read"}

_BETWEEN = 0.5
"""A client asks after one event and before the next; it is answered in an event."""

Told = dict[str, object]


def tell_held(transcript: Transcript, held: Held) -> None:
    """What a server holds."""
    content = {"sid": held.sid, "zxid": held.zxid, "digest": digest(held.content)}
    transcript.mark(f"server {held.sid} is looked at", content=content)


def digest(content: object) -> str:
    """The same text for the same content."""
    written = json.dumps(content, sort_keys=True, default=ascii)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def tell_end(transcript: Transcript, run: SimulatedRun) -> None:
    """What the clients of a run saw, and what was found in it."""
    for asked in run.history:
        for operation in operations(asked):
            transcript.mark(f"client {asked.client}: {asked.name}", operation=operation)
    for finding in run.findings:
        transcript.mark("finding", finding=finding)


def operations(asked: Operation) -> Iterator[Told]:
    """What a client asked and was told, as JSON objects; none where it cannot be judged."""
    request = _REQUESTS.get(asked.name)
    if request is None or asked.path is None:
        return
    result = _result(asked)
    told: Told = {
        "client": asked.session,
        "call": asked.invoked + _BETWEEN,
        "returned": None if result is None else asked.returned,
        "request": request,
        "path": asked.path,
        "content": None if asked.written is None else asked.written.encode().hex(),
        "version": asked.expected,
        "result": result,
        "zxid": asked.zxid,
    }
    yield told
    if asked.is_ephemeral and result in (0, None):
        gone = {"client": -asked.number, "request": "delete", "version": ANY_VERSION}
        unanswered = {"returned": None, "content": None, "result": None, "zxid": None}
        yield {**told, **gone, **unanswered}


def _result(asked: Operation) -> object:
    """0, the number of an error, or what the node is; None = it was told nothing that counts."""
    if asked.returned is None or asked.error is None:
        return None
    if asked.error:
        return int(asked.error) if asked.error in _ANSWERS else None
    if asked.version is None:
        return 0
    content = None if asked.found is None else asked.found.encode().hex()
    return {"content": content, "version": asked.version}
