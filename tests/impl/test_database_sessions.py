from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.errors import ErrorCode, KeeperError
from impl.sessions import LearnerSessionTracker, SessionTracker, initialize_next_session_id

TICK = 2000


class HandClock:
    """Time that a test moves; sleeping moves it at once."""

    def __init__(self, now: float = 100.0) -> None:
        self.time = now
        self.slept: list[tuple[float, str]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float, name: str) -> None:
        self.slept.append((seconds, name))
        self.time += seconds
        await asyncio.sleep(0)

    def limit(self, seconds: float, name: str) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError(f"{name} {seconds}")


def tracker(clock: HandClock, sessions: dict[int, int] | None = None) -> SessionTracker:
    return SessionTracker({} if sessions is None else sessions, clock, sid=1, tick_time=TICK)


def expired(clock: HandClock, tracked: SessionTracker, until: float) -> list[tuple[float, int]]:
    """What is due up to then, each with the time, as the tracker's own loop does it."""
    found: list[tuple[float, int]] = []
    while clock.time + tracked.wait_time() <= until:
        clock.time += tracked.wait_time()
        found += [(clock.time, session) for session in tracked.poll()]
    clock.time = until
    return found


@given(st.integers(1, 30_000), st.floats(0, 10_000))
def test_a_silent_session_expires_within_a_tick_and_never_early(timeout: int, now: float) -> None:
    clock = HandClock(now)
    tracked = tracker(clock)
    session = tracked.create_session(timeout)

    found = expired(clock, tracked, now + 100)

    assert [one for _, one in found] == [session]
    late = found[0][0] - now - timeout / 1000
    assert -0.001 <= late <= TICK / 1000 + 0.001


def test_a_session_that_is_heard_of_lives_on() -> None:
    clock = HandClock()
    tracked = tracker(clock)
    session = tracked.create_session(4000)

    for _ in range(5):
        assert expired(clock, tracked, clock.time + 3) == []
        assert tracked.touch_session(session, 4000)

    assert [one for _, one in expired(clock, tracked, clock.time + 9)] == [session]


def test_sessions_of_the_database_are_tracked_from_the_start() -> None:
    clock = HandClock()
    tracked = tracker(clock, {7: 4000, 8: 9000})

    assert tracked.is_tracking_session(7)
    assert [one for _, one in expired(clock, tracked, 120)] == [7, 8]


def test_nothing_is_due_before_its_time() -> None:
    clock = HandClock()
    tracked = tracker(clock, {7: 1})

    assert tracked.wait_time() > 0
    assert tracked.poll() == ()
    clock.time += tracked.wait_time()
    assert tracked.poll() == (7,)
    assert tracked.wait_time() == TICK / 1000


def test_the_loop_closes_what_is_due() -> None:
    clock = HandClock()
    tracked = tracker(clock, {7: 1, 8: 5000})
    closed: list[int] = []

    async def run() -> None:
        both_closed = asyncio.Event()

        def expire(session: int) -> None:
            closed.append(session)
            if len(closed) == 2:
                both_closed.set()

        running = asyncio.create_task(tracked.run(expire))
        await both_closed.wait()
        running.cancel()

    asyncio.run(asyncio.wait_for(run(), 5))

    assert closed == [7, 8]
    assert not tracked.touch_session(7, 4000)
    assert {name for _, name in clock.slept} == {"session expiry"}
    assert all(seconds > 0 for seconds, _ in clock.slept)


def test_a_session_that_is_closing_is_refused_until_it_is_gone() -> None:
    tracked = tracker(HandClock(), {7: 4000})

    tracked.set_session_closing(7)

    assert tracked.is_tracking_session(7)
    assert not tracked.touch_session(7, 4000)
    with pytest.raises(KeeperError) as caught:
        tracked.check_session(7, "me")
    assert caught.value.code == ErrorCode.SESSION_EXPIRED
    tracked.set_session_closing(999)
    assert not tracked.is_tracking_session(999)


def test_a_removed_session_is_gone_from_the_database_too_and_does_not_expire() -> None:
    clock = HandClock()
    sessions = {7: 4000}
    tracked = tracker(clock, sessions)

    tracked.remove_session(7)
    tracked.remove_session(7)

    assert sessions == {}
    assert not tracked.is_tracking_session(7)
    assert expired(clock, tracked, 120) == []


def test_the_first_who_asks_owns_a_session_and_others_are_told_that_it_moved() -> None:
    tracked = tracker(HandClock(), {7: 4000})
    me, other = object(), object()

    tracked.check_session(7, me)
    tracked.check_session(7, me)

    with pytest.raises(KeeperError) as caught:
        tracked.check_session(7, other)
    assert caught.value.code == ErrorCode.SESSION_MOVED
    assert tracked.owner(7) is me
    tracked.set_owner(7, other)
    tracked.check_session(7, other)
    assert tracked.owner(999) is None
    with pytest.raises(KeeperError, match="SESSION_EXPIRED 0x3e7"):
        tracked.set_owner(999, me)


def test_tracking_is_not_yet_existing() -> None:
    sessions: dict[int, int] = {}
    tracked = tracker(HandClock(), sessions)

    assert tracked.track_session(7, 4000)
    assert not tracked.track_session(7, 4000)
    assert sessions == {}
    assert tracked.commit_session(7, 4000)
    assert not tracked.commit_session(7, 5000)
    assert sessions == {7: 5000}


@pytest.mark.parametrize("sid", [1, 5, 127, 128, 255])
def test_session_ids_begin_with_the_server_and_fit_into_64_bits(sid: int) -> None:
    session = initialize_next_session_id(sid, 1_700_000_000.123)

    assert (session >> 56) & 0xFF == sid
    assert -(1 << 63) <= session < 1 << 63
    assert session & 0xFFFF == 0
    assert (session >> 16) & 0xFFFFFFFFFF == 1_700_000_000_123 % (1 << 40)


def test_no_session_has_the_id_that_says_container() -> None:
    assert initialize_next_session_id(128, 0) == -(1 << 63) + 1


def test_ids_are_given_once() -> None:
    clock = HandClock()
    on_leader, on_learner = tracker(clock), LearnerSessionTracker({}, clock, sid=2)

    ids = [on_leader.create_session(1) for _ in range(3)]
    ids += [on_learner.create_session() for _ in range(3)]

    assert len(set(ids)) == 6


def test_a_learner_tells_once_what_it_heard_of() -> None:
    sessions = {7: 4000}
    learner = LearnerSessionTracker(sessions, HandClock(), sid=2)

    assert learner.touch_session(7, 4000)
    assert learner.touch_session(7, 6000)
    assert learner.commit_session(8, 5000)

    assert learner.snapshot() == ((7, 6000), (8, 5000))
    assert learner.snapshot() == ()
    assert sessions == {7: 4000, 8: 5000}
    assert not learner.commit_session(8, 5000)


def test_a_learner_forgets_a_closed_session() -> None:
    sessions = {7: 4000}
    learner = LearnerSessionTracker(sessions, HandClock(), sid=2)
    learner.touch_session(7, 4000)
    assert learner.is_global_session(7)

    learner.remove_session(7)
    learner.remove_session(7)

    assert not learner.is_global_session(7)
    assert learner.snapshot() == ()
