"""How a server comes to look for a leader again, where the recording shows that it did."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from zabspec.check.outcomes import outcomes
from zabspec.conform.follow_explanation import CRASH, LEFT, LIMIT, LOST, End, Explanation, Steps
from zabspec.conform.follow_order import to_apply
from zabspec.protocol.events import Crash, LimitExpired, LinkLost, LogSynced, TxnApplied
from zabspec.protocol.messages import Ack, AckEpoch
from zabspec.protocol.state import Connection, Follower, Leader, Looking, Phase


def left(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    """Every way in which this server can have become one that looks for a leader.

    How much it had read before it did is not shown, so each beginning of what it could read is
    tried. To crash where that was not seen, and to give up where no link was lost, is assumed.
    """
    for before in _before(steps, one):
        if isinstance(before.server.role, Looking) and not before.killed:
            yield before
            continue
        yield from _crashes(steps, before)
        if not before.killed and not isinstance(before.server.role, Looking):
            yield from _gives_up(steps, before)


def _before(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    """This server when it has read, synced and applied more or less of what it could."""
    waiting, known = [one], {one}
    while waiting:
        current = waiting.pop()
        yield current
        for later in _further(steps, current):
            if later is not None and later not in known:
                known.add(later)
                waiting.append(later)


def _further(steps: Steps, one: Explanation) -> Iterator[Explanation | None]:
    """One step on. What a leader reads while it serves decides nothing about what it keeps."""
    role = one.server.role
    connections: list[Connection] = []
    if isinstance(role, Follower):
        connections = [role.connection]
    elif isinstance(role, Leader) and role.phase is not Phase.BROADCAST:
        connections = steps.connections(one)
    for connection in connections:
        if not isinstance(steps.next_input(one, connection), End):
            yield steps.read(one, connection)
    for event in (LogSynced(1), TxnApplied()):
        is_due = one.server.disk.unsynced if isinstance(event, LogSynced) else to_apply(one)
        if is_due and steps.spec.acts(one.server, event):
            yield steps.take(one, event)


def _crashes(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    for survives in range(one.server.disk.unsynced + 1):
        crashed = steps.take(one, Crash(survives))
        if crashed is not None:
            yield _crashed(crashed, one)
    for connection in steps.connections(one):
        if not _writes(steps, one, connection):
            continue
        event = steps.reading(one, connection)
        for found in (
            () if event is None else outcomes(steps.spec, steps.ensemble, one.server, event)
        ):
            cut = steps.after(one, found) if found.crash_after is not None else None
            if cut is not None:
                yield _crashed(cut, one)


def _crashed(crashed: Explanation, before: Explanation) -> Explanation:
    """The crash is counted, and everything that it had open is closed."""
    gone = {each for each, count in before.read if count != LEFT}
    role = before.server.role
    if isinstance(role, Follower):
        gone.add(role.connection)
    closed = crashed.with_read(dict.fromkeys(gone, LEFT))
    assumed = (*before.assumed, CRASH)
    return evolve(closed, killed=False, assumed=assumed, left=before.left | gone)


def _writes(steps: Steps, one: Explanation, connection: Connection) -> bool:
    """Whether what it reads next may be cut short by a crash: only a few inputs write twice."""
    found = steps.next_input(one, connection)
    serves = one.server.role.phase is Phase.BROADCAST
    return not isinstance(found, End) and not (serves and isinstance(found, (Ack, AckEpoch)))


def _gives_up(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    role = one.server.role
    if isinstance(role, Follower):
        if _ended(steps, role.connection):
            unread = len(steps.inputs.get(role.connection, ()))
            read = one.with_read({role.connection: unread})
            lost = _assuming(steps.take(read, LinkLost(role.connection)), LOST)
        else:
            lost = _expired(steps, one)
    else:
        lost = _assuming(_loses_learners(steps, one), LOST) or _expired(steps, one)
    if lost is not None:
        yield lost


def _ended(steps: Steps, connection: Connection) -> bool:
    """Whether the connection has ended, or does so on a later line: its ends may know before."""
    return connection in steps.ended or connection in steps.ending


def _loses_learners(steps: Steps, one: Explanation) -> Explanation | None:
    """A leader that notices every lost link; None if it would go on leading."""
    current: Explanation | None = one
    for connection in list(steps.inputs):
        if current is None or isinstance(current.server.role, Looking):
            break
        if _ended(steps, connection) and current.count(connection) != LEFT:
            unread = len(steps.inputs[connection])
            read = current.with_read({connection: unread})
            current = steps.take(read, LinkLost(connection))
    return current if current and isinstance(current.server.role, Looking) else None


def _expired(steps: Steps, one: Explanation) -> Explanation | None:
    return _assuming(steps.take(one, LimitExpired()), LIMIT)


def _assuming(one: Explanation | None, what: str) -> Explanation | None:
    return None if one is None else evolve(one, assumed=(*one.assumed, what))
