"""Which explanations stand for others, so that few are kept.

One explanation stands for another if it can become it by steps that send nothing: whatever the
other explains, it explains too. Some steps are taken at once, since nothing is gained by waiting.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from zabspec.conform.follow_explanation import LEFT, Explanation, Steps
from zabspec.protocol.events import LogSynced, TxnApplied
from zabspec.protocol.messages import Ack
from zabspec.protocol.state import Connection, Follower, Leader, Observer, Phase, Stage, Txn, Zxid

KEPT_BACK = 8
"""How many of the steps that a thread may take late are really left to be taken late."""


def settle(steps: Steps, one: Explanation) -> Explanation:
    """The same, when it has done at once what may as well be done at once.

    A learner applies what is committed, and reads all but the last few packets of its leader once
    it is up to date. A leader that serves reads ACKs of NEWLEADER, and those that change nothing
    any more; its threads are at most `KEPT_BACK` transactions behind.
    """
    role = one.server.role
    if isinstance(role, Leader):
        return _leader_syncs(steps, _leader_reads(steps, _applies(steps, one, KEPT_BACK)))
    if isinstance(role, Follower):
        return _learner_reads(steps, _applies(steps, one, 0))
    return one


def _applies(steps: Steps, one: Explanation, kept_back: int) -> Explanation:
    event = TxnApplied()
    while to_apply(one) > kept_back and steps.spec.acts(one.server, event):
        later = steps.take(one, event)
        if later is None:
            break
        one = later
    return one


def to_apply(one: Explanation) -> int:
    """How many transactions are committed and not yet applied."""
    role = one.server.role
    return len(role.to_apply) if isinstance(role, Leader | Follower) else 0


def _leader_reads(steps: Steps, one: Explanation) -> Explanation:
    role = one.server.role
    if not isinstance(role, Leader) or role.phase is not Phase.BROADCAST:
        return one
    newest = newest_proposed(one)
    for connection in steps.connections(one):
        found = steps.next_input(one, connection)
        while isinstance(found, Ack) and found.zxid <= newest:
            later = steps.read(one, connection)
            if later is None or not (_is_same(one, later) or _is_accepted(one, connection)):
                break
            one = later
            found = steps.next_input(one, connection)
    return one


def _is_same(one: Explanation, later: Explanation) -> bool:
    return (later.server, later.unseen) == (one.server, one.unseen)


def _is_accepted(one: Explanation, connection: Connection) -> bool:
    """Whether an ACK from there is of NEWLEADER: what is proposed later may overtake UPTODATE."""
    role = one.server.role
    if not isinstance(role, Leader) or not role.knows(connection):
        return False
    return role.learner(connection).stage is Stage.SYNCING


def newest_proposed(one: Explanation) -> Zxid:
    """The last zxid that a leader has proposed or taken over."""
    role, newest = one.server.role, one.server.memory.database.zxid
    if isinstance(role, Leader):
        if role.outstanding:
            return role.outstanding[-1].txn.zxid
        if role.to_apply:
            return role.to_apply[-1].zxid
    return newest


def unsynced(one: Explanation) -> tuple[Txn, ...]:
    """What its log thread has written and not yet synced, oldest first."""
    disk = one.server.disk
    return disk.log[len(disk.log) - disk.unsynced :]


def _leader_syncs(steps: Steps, one: Explanation) -> Explanation:
    while one.server.disk.unsynced > KEPT_BACK and steps.spec.acts(one.server, LogSynced(1)):
        later = steps.take(one, LogSynced(1))
        if later is None or later.unseen != one.unseen:
            break
        one = later
    return one


def _learner_reads(steps: Steps, one: Explanation) -> Explanation:
    role = one.server.role
    while isinstance(role, Follower) and role.phase is Phase.BROADCAST:
        if len(steps.unread(one, role.connection)) <= KEPT_BACK:
            break
        later = steps.read(one, role.connection)
        if later is None or later.server.role.phase is not Phase.BROADCAST:
            break
        one = _observer_syncs(steps, _applies(steps, later, 0))
        role = one.server.role
    return one


def _observer_syncs(steps: Steps, one: Explanation) -> Explanation:
    if not isinstance(one.server.role, Observer) or one.server.disk.unsynced <= KEPT_BACK:
        return one
    return steps.take(one, LogSynced(1)) or one


def fewest(steps: Steps, found: Iterable[Explanation]) -> list[Explanation]:
    """Those that stand for all, the ones with the fewest assumptions first."""
    kept: list[Explanation] = []
    for one in sorted(distinct(found), key=lambda each: (each.cost, _progress(each))):
        if not any(_stands_for(steps, each, one) for each in kept):
            kept.append(one)
    return kept


def distinct(found: Iterable[Explanation]) -> list[Explanation]:
    """Of those that differ in what was assumed only, the one that assumed least."""
    kept: dict[Explanation, Explanation] = {}
    for one in found:
        if one not in kept or one.cost < kept[one].cost:
            kept[one] = one
    return list(kept.values())


def _progress(one: Explanation) -> int:
    return sum(count for _, count in one.read if count != LEFT) - one.server.disk.unsynced


def _stands_for(steps: Steps, one: Explanation, other: Explanation) -> bool:
    """Whether `one` becomes `other` by steps that send nothing."""
    if (one.unseen, one.killed) != (other.unseen, other.killed):
        return False
    if type(one.server.role) is not type(other.server.role):
        return False
    if one.server.disk.log != other.server.disk.log:
        return False
    behind = one.server.disk.unsynced - other.server.disk.unsynced
    ahead = _reads_ahead(one, other)
    if ahead is None or behind < 0:
        return False
    reached = _silently(steps, one, ahead, behind)
    if reached is not None and to_apply(reached) > to_apply(other):
        reached = _applies(steps, reached, to_apply(other))
    return reached is not None and reached.server == other.server and _has_read(reached, other)


def _reads_ahead(one: Explanation, other: Explanation) -> dict[Connection, int] | None:
    """What `other` has read more; None if it has read less of some connection.

    What `other` has closed, `one` may have open still: it need not read it.
    """
    mine, ahead = dict(one.read), {}
    for connection, count in other.read:
        more = count - mine.pop(connection, 0)
        if count == LEFT:
            continue
        if more < 0:
            return None
        ahead[connection] = more
    return None if any(count != 0 for count in mine.values()) else ahead


def _has_read(one: Explanation, other: Explanation) -> bool:
    """Whether both have read the same of what `other` has not closed."""
    read = dict(one.read)
    return all(count in (LEFT, read.get(connection, 0)) for connection, count in other.read)


def _silently(
    steps: Steps, one: Explanation, ahead: dict[Connection, int], syncs: int
) -> Explanation | None:
    reached: Explanation | None = one
    for connection, more in ahead.items():
        for _ in range(more):
            reached = None if reached is None else steps.read(reached, connection)
    for _ in range(syncs):
        if reached is None or not steps.spec.acts(reached.server, LogSynced(1)):
            return None
        reached = steps.take(reached, LogSynced(1))
    if reached is None or reached.unseen != one.unseen:
        return None
    return evolve(reached, assumed=one.assumed)
