"""Sessions: which there are, who owns them, and when they have been silent for too long."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from impl.datanode import CONTAINER_OWNER, int64
from impl.errors import ErrorCode, KeeperError
from impl.runtime import Clock


def initialize_next_session_id(sid: int, now: float) -> int:
    """The first session id of a server: its sid in the highest byte, then the time (seconds).

    Models SessionTrackerImpl.initializeNextSessionId.
    """
    milliseconds = round(now * 1000)
    session = int64((milliseconds << 24) % (1 << 64) >> 8 | (sid & 0xFF) << 56)
    return session + 1 if session == CONTAINER_OWNER else session


@define
class _Session:
    """One that the leader tracks. expires: milliseconds on the clock."""

    timeout: int
    expires: int = 0
    is_closing: bool = False
    owner: object | None = None


class SessionTracker:
    """All sessions, on the leader. Models SessionTrackerImpl and ExpiryQueue.

    sessions_with_timeouts: the database's; those in it are tracked from the start. They expire in
    batches, at multiples of tick_time (milliseconds), never early.
    """

    def __init__(
        self, sessions_with_timeouts: dict[int, int], clock: Clock, sid: int, tick_time: int
    ) -> None:
        self._sessions_with_timeouts = sessions_with_timeouts
        self._clock = clock
        self._tick_time = tick_time
        self._next_session_id = initialize_next_session_id(sid, clock.now())
        self._next_expiration = self._round_to_next_interval(self._now())
        self._sessions: dict[int, _Session] = {}
        self._expiring: dict[int, dict[int, None]] = {}
        for session, timeout in sessions_with_timeouts.items():
            self.track_session(session, timeout)

    async def run(self, expire: Callable[[int], None]) -> None:
        """Call `expire` for each session that is due, until cancelled."""
        while True:
            wait = self.wait_time()
            if wait > 0:
                await self._clock.sleep(wait, "session expiry")
                continue
            for session in self.poll():
                self.set_session_closing(session)
                expire(session)

    def wait_time(self) -> float:
        """Seconds until `poll` may have something; 0 = now. Models ExpiryQueue.getWaitTime."""
        return max(0, self._next_expiration - self._now()) / 1000

    def poll(self) -> tuple[int, ...]:
        """The sessions of the next batch that is due; none where none is due.

        Models ExpiryQueue.poll.
        """
        if self._now() < self._next_expiration:
            return ()
        batch = self._expiring.pop(self._next_expiration, {})
        self._next_expiration += self._tick_time
        return tuple(batch)

    def create_session(self, timeout: int) -> int:
        """Track a new session. timeout: milliseconds. Its id."""
        session = self._next_session_id
        self._next_session_id += 1
        self.track_session(session, timeout)
        return session

    def track_session(self, session: int, timeout: int) -> bool:
        """Begin to track it, or count it as heard of. Whether it is new."""
        is_new = session not in self._sessions
        if is_new:
            self._sessions[session] = _Session(timeout)
        self._update_expiry(session, timeout)
        return is_new

    def commit_session(self, session: int, timeout: int) -> bool:
        """It was created by a committed transaction. Whether that is news."""
        is_new = session not in self._sessions_with_timeouts
        self._sessions_with_timeouts[session] = timeout
        return is_new

    def touch_session(self, session: int, timeout: int) -> bool:
        """It was heard of. Whether it is valid: known, and not being closed."""
        tracked = self._sessions.get(session)
        if tracked is None or tracked.is_closing:
            return False
        self._update_expiry(session, timeout)
        return True

    def is_tracking_session(self, session: int) -> bool:
        """Whether it is known, closing or not."""
        return session in self._sessions

    def set_session_closing(self, session: int) -> None:
        """From now on it is refused."""
        if session in self._sessions:
            self._sessions[session].is_closing = True

    def remove_session(self, session: int) -> None:
        """It was closed by a committed transaction."""
        self._sessions_with_timeouts.pop(session, None)
        tracked = self._sessions.pop(session, None)
        if tracked is not None:
            self._expiring.get(tracked.expires, {}).pop(session, None)

    def check_session(self, session: int, owner: object) -> None:
        """Raises KeeperError SESSION_EXPIRED, or SESSION_MOVED where another one owns it.

        One without an owner is owned from now on. Models checkGlobalSession.
        """
        tracked = self._valid(session)
        if tracked.owner is None:
            tracked.owner = owner
        elif tracked.owner is not owner:
            raise KeeperError(ErrorCode.SESSION_MOVED, f"0x{session:x}")

    def set_owner(self, session: int, owner: object | None) -> None:
        """Raises KeeperError SESSION_EXPIRED."""
        self._valid(session).owner = owner

    def owner(self, session: int) -> object | None:
        """Who owns it; None: nobody, or it is not known."""
        tracked = self._sessions.get(session)
        return None if tracked is None else tracked.owner

    def _valid(self, session: int) -> _Session:
        tracked = self._sessions.get(session)
        if tracked is None or tracked.is_closing:
            raise KeeperError(ErrorCode.SESSION_EXPIRED, f"0x{session:x}")
        return tracked

    def _update_expiry(self, session: int, timeout: int) -> None:
        tracked = self._sessions[session]
        expires = self._round_to_next_interval(self._now() + timeout)
        if expires == tracked.expires:
            return
        self._expiring.get(tracked.expires, {}).pop(session, None)
        self._expiring.setdefault(expires, {})[session] = None
        tracked.expires = expires

    def _round_to_next_interval(self, milliseconds: int) -> int:
        return (milliseconds // self._tick_time + 1) * self._tick_time

    def _now(self) -> int:
        return round(self._clock.now() * 1000)


class LearnerSessionTracker:
    """What a learner knows of sessions: those that exist, and those that it heard of.

    sessions_with_timeouts: the database's. Models LearnerSessionTracker without local sessions.
    """

    def __init__(self, sessions_with_timeouts: dict[int, int], clock: Clock, sid: int) -> None:
        self._sessions_with_timeouts = sessions_with_timeouts
        self._touched: dict[int, int] = {}
        self._next_session_id = initialize_next_session_id(sid, clock.now())

    def create_session(self) -> int:
        """A new id; the session exists once the leader's transaction is committed."""
        session = self._next_session_id
        self._next_session_id += 1
        return session

    def commit_session(self, session: int, timeout: int) -> bool:
        """It was created by a committed transaction. Whether that is news."""
        is_new = session not in self._sessions_with_timeouts
        self._sessions_with_timeouts[session] = timeout
        self._touched[session] = timeout
        return is_new

    def touch_session(self, session: int, timeout: int) -> bool:
        """A client of this server was heard of; the next PING tells the leader."""
        self._touched[session] = timeout
        return True

    def remove_session(self, session: int) -> None:
        """It was closed by a committed transaction."""
        self._sessions_with_timeouts.pop(session, None)
        self._touched.pop(session, None)

    def is_global_session(self, session: int) -> bool:
        """Whether it exists, as far as this server has applied."""
        return session in self._sessions_with_timeouts

    def snapshot(self) -> tuple[tuple[int, int], ...]:
        """(session, timeout) of each heard of since the last call: what a PING answer carries."""
        touched = tuple(self._touched.items())
        self._touched = {}
        return touched
