"""Holds each session's requests back until what it wrote before is committed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from impl.requests import Request
from impl.transactions import OpCode


class CommitProcessor:
    """Passes on what is committed, in order, and reads in the order of their session.

    next_processor: takes what is passed on. match_syncs: whether a sync waits for the leader's
    answer; on the leader it waits for nothing. Models CommitProcessor.
    """

    def __init__(self, next_processor: Callable[[Request], None], *, match_syncs: bool) -> None:
        self._next = next_processor
        self._match_syncs = match_syncs
        self._requests: deque[Request] = deque()
        self._committed: deque[Request] = deque()
        self._waiting: dict[int, deque[Request]] = {}
        self._work = asyncio.Event()

    def process_request(self, request: Request) -> None:
        """Take a request; if it needs a commit, it waits for that."""
        self._requests.append(request)
        self._work.set()

    def commit(self, request: Request) -> None:
        """What a request asked for is committed. Called in the order of zxids."""
        self._committed.append(request)
        self._work.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._requests:
                self._take(self._requests.popleft())
            while self._committed:
                self._pass_committed(self._committed.popleft())

    def _take(self, request: Request) -> None:
        waiting = self._waiting.get(request.session)
        if waiting is not None:
            waiting.append(request)
        elif self._needs_commit(request):
            self._waiting[request.session] = deque([request])
        else:
            self._next(request)

    def _pass_committed(self, request: Request) -> None:
        waiting = self._waiting.get(request.session)
        if waiting is None or waiting[0].cxid != request.cxid:
            self._next(request)
            return
        own = waiting.popleft()
        own.transaction, own.payload = request.transaction, request.payload
        self._next(own)
        while waiting and not self._needs_commit(waiting[0]):
            self._next(waiting.popleft())
        if not waiting:
            del self._waiting[request.session]

    def _needs_commit(self, request: Request) -> bool:
        return request.needs_commit or (self._match_syncs and request.kind == OpCode.SYNC)
