"""How long a learner has not acknowledged what it was proposed."""

from __future__ import annotations

import logging

from attrs import define

LOG = logging.getLogger(__name__)


@define
class SyncLimitCheck:
    """A clock for one proposal at a time, and the newest behind it. Times are in seconds.

    Models LearnerHandler.SyncLimitCheck.
    """

    is_started: bool = False
    _current: tuple[int, float] | None = None
    _next: tuple[int, float] | None = None

    def start(self) -> None:
        """From now on, proposals count."""
        self.is_started = True

    def update_proposal(self, zxid: int, now: float) -> None:
        """A proposal was sent."""
        if not self.is_started:
            return
        if self._current is None:
            self._current = zxid, now
        else:
            self._next = zxid, now

    def update_ack(self, zxid: int) -> None:
        """A proposal was acknowledged."""
        if self._current is not None and self._current[0] == zxid:
            self._current, self._next = self._next, None
        elif self._next is not None and self._next[0] == zxid:
            LOG.info("ACK of 0x%x before the one before it", zxid)
            self._next = None

    def check(self, now: float, limit: float) -> bool:
        """Whether the proposal that is watched was sent less than this long ago."""
        return self._current is None or now - self._current[1] < limit
