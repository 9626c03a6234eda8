"""How a server comes to look for a leader again, where the recording shows that it did."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from zabspec.check.outcomes import Outcome, outcomes, written
from zabspec.conform.follow_explanation import (
    CRASH,
    LEFT,
    LIMIT,
    LOST,
    UNSENT,
    End,
    Explanation,
    Steps,
)
from zabspec.conform.follow_order import KEPT_BACK, newest_proposed, to_apply
from zabspec.protocol.disk import AppendSynced
from zabspec.protocol.effects import Write
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    LimitExpired,
    LinkLost,
    LogSynced,
    TxnApplied,
)
from zabspec.protocol.messages import Ack, AckEpoch, FollowerInfo, ObserverInfo
from zabspec.protocol.state import ZERO, Connection, Follower, Leader, Looking, Phase

INTRODUCTIONS = (FollowerInfo, ObserverInfo)
_MOST_UNSENT = 1000
"""How many proposals of one leader may have reached nobody (ZooKeeper: globalOutstandingLimit)."""


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


def led_unheard(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    """Every way in which it can have led, and accepted an epoch that it could offer to nobody.

    Enough introduced themselves; their links were lost before LEADERINFO left (Leader.lead writes
    the epoch first).
    """
    leads = steps.take(one, Elected(one.server.sid))
    waiting, known = [] if leads is None else [leads], {leads}
    while waiting:
        current = waiting.pop()
        role = current.server.role
        if isinstance(role, Leader) and role.epoch:
            yield from _gives_up(steps, current)
            continue
        for connection in steps.connections(current):
            if _may_be_unheard(steps, current, connection):
                later = steps.read(current, connection)
                if later is not None and later not in known:
                    known.add(later)
                    waiting.append(later)


def _may_be_unheard(steps: Steps, one: Explanation, connection: Connection) -> bool:
    found = steps.next_input(one, connection)
    introduces = isinstance(found, INTRODUCTIONS)
    return introduces and _ended(steps, connection) and connection not in steps.later.spoken


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
    """One step on. What a leader reads while it serves decides nothing about what it keeps.

    Nor does it whom it offers an epoch that it has accepted.
    """
    role = one.server.role
    connections: list[Connection] = []
    if isinstance(role, Follower):
        connections = [role.connection]
    elif isinstance(role, Leader) and role.phase is not Phase.BROADCAST:
        connections = steps.connections(one)
    offers = isinstance(role, Leader) and role.epoch
    for connection in connections:
        found = steps.next_input(one, connection)
        if not isinstance(found, End) and not (offers and isinstance(found, INTRODUCTIONS)):
            yield steps.read(one, connection)
    yield _with_unsent(steps, one)
    for event in (LogSynced(1), TxnApplied()):
        is_due = one.server.disk.unsynced if isinstance(event, LogSynced) else to_apply(one)
        if is_due and steps.spec.acts(one.server, event):
            yield steps.take(one, event)


def _with_unsent(steps: Steps, one: Explanation) -> Explanation | None:
    """A leader that logged all that it will name of its epoch, though it sent no more to anyone.

    None if it sent all of it. What is named later is not lost before: so all but a little of it is
    synced.
    """
    role = one.server.role
    if not isinstance(role, Leader) or role.phase is not Phase.BROADCAST:
        return None
    last, newest = steps.later.last.get(role.epoch, ZERO), newest_proposed(one)
    if last <= newest or last.counter > newest.counter + _MOST_UNSENT:
        return None
    more: Explanation | None = evolve(one, assumed=(*one.assumed, UNSENT))
    while more is not None and newest_proposed(more) < last:
        more = steps.take(more, ClientRequest(steps.later.request(newest_proposed(more).next())))
    while more is not None and more.server.disk.unsynced > KEPT_BACK:
        more = steps.take(more, LogSynced(1))
    return more


def _crashes(steps: Steps, one: Explanation) -> Iterator[Explanation]:
    for survives in range(one.server.disk.unsynced + 1):
        crashed = steps.take(one, Crash(survives))
        if crashed is not None:
            yield _crashed(crashed, one)
    for connection in steps.connections(one):
        if not _writes(steps, one, connection):
            continue
        event = steps.reading(one, connection)
        if event is None:
            continue
        whole, *cuts = outcomes(steps.spec, steps.ensemble, one.server, event)
        for cut in cuts:
            crashed = steps.after(one, cut)
            if crashed is not None:
                yield _crashed(crashed, one)
        yield from _crashes_while_it_appends(steps, one, whole)


def _crashes_while_it_appends(
    steps: Steps, one: Explanation, whole: Outcome
) -> Iterator[Explanation]:
    """What is appended at once is written one by one: a crash leaves a beginning of it.

    Models SyncRequestProcessor.run. Only where a later packet names the end of that.
    """
    for number, effect in enumerate(whole.effects):
        change = effect.change if isinstance(effect, Write) else None
        txns = change.txns[:-1] if isinstance(change, AppendSynced) else ()
        for count, txn in enumerate(txns, start=1):
            if txn.zxid not in steps.later.named:
                continue
            effects = (*whole.effects[:number], Write(AppendSynced(txns[:count])))
            stopped = evolve(whole.before, disk=written(whole.before.disk, effects))
            partly = steps.after(one, Outcome(whole.before, whole.event, stopped, effects))
            crashed = None if partly is None else steps.take(partly, Crash(0))
            if crashed is not None:
                yield _crashed(crashed, one)


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
