"""The servers under test behind standard input and output: a request a line, and an answer a line.

A request has an id, which its answer repeats, and says in "do" what is asked: hello, start, step,
observe, elect, copy or close. What cannot be done is answered with an error, and the next line is
read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from impl.under_test import ServersUnderTest, ServerUnderTest

VERSION = 1
"""Of what is spoken."""
Plain = Mapping[str, Any]


class SystemOverLines:
    """Answers requests. Servers are told apart by the numbers that they were started with."""

    def __init__(self) -> None:
        self._system = ServersUnderTest()
        self._servers: dict[int, ServerUnderTest] = {}
        self._asked: Mapping[str, Callable[[Plain], Plain]] = {
            "hello": self._hello,
            "start": self._start,
            "step": self._step,
            "elect": lambda request: {"leader": self._system.elects(request["votes"])},
            "observe": lambda request: {"shows": self._server(request).observe()},
            "copy": lambda _: {"copied": False},
            "close": self._close,
        }

    def serve(self, requests: TextIO, answers: TextIO) -> None:
        """Until there are no more requests."""
        for line in requests:
            answers.write(json.dumps(self.answer(line), separators=(",", ":")) + "\n")
            answers.flush()

    def answer(self, line: str) -> Plain:
        """What a line is answered with."""
        number = None
        try:
            request = json.loads(line)
            number = request["id"]
            return {"id": number, **self._asked[request["do"]](request)}
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told
            return {"id": number, "error": f"{type(error).__name__}: {error}"}

    def _hello(self, _request: Plain) -> Plain:
        takes, shows = sorted({*self._system.takes, "votes"}), sorted(self._system.shows)
        return {"version": VERSION, "takes": takes, "shows": shows}

    def _start(self, request: Plain) -> Plain:
        started = self._system.start(request["sid"], request["ensemble"], request["held"])
        self._servers[request["server"]] = started
        return {}

    def _step(self, request: Plain) -> Plain:
        server = self._server(request)
        effects = server.step(request["event"], request.get("stop_after"), request.get("order", 0))
        return {"effects": effects, "shows": server.observe()}

    def _close(self, request: Plain) -> Plain:
        self._servers.pop(request["server"]).close()
        return {}

    def _server(self, request: Plain) -> ServerUnderTest:
        return self._servers[request["server"]]
