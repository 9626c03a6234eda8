"""Whether what clients saw is what ZooKeeper promises them.

Writes are linearizable: each takes effect at one moment between its call and its return. Reads are
not: a read shows the node as it was at some moment before its return, which may be long ago, but
no earlier than what its session did or saw before. A `Sync` takes part as a write that changes
nothing, so that what a session reads behind it is not older.

Paths are judged one by one; whether they exist alone counts, not who their parents and children
are. That is enough for writes, since linearizability of the parts is that of the whole. Of reads it
leaves out what spans paths: a session that sees a later write of one path and then an earlier one
of another. Where answers carry zxids, `zxids_gone_back` looks at that.

The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with Lowe's memo
of configurations ("Testing for linearizability", 2017), by path (Horn and Kroening, 2015).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from attrs import define, evolve, field, frozen

from zabspec.conform.client_history import (
    Delete,
    Node,
    Operation,
    Read,
    Request,
    Sync,
    answer,
    fits,
)

LIMIT = 100_000
"""How many configurations of one path are looked at before it is left undecided."""

_UNLIKELY = 3
"""How much further an order has to come for each unanswered write that it needs."""


@frozen
class Finding:
    """What was seen of one path cannot be; or (undecided) would take too long to find out.

    explained: as many operations as could be put into an order, in that order; those that were
    never answered are among them where they have to have taken effect. stuck: of each client, the
    first operation that fits behind none of the orders of that length, as far as this one tells.
    """

    path: str
    kind: Literal["not linearizable", "undecided"]
    explained: tuple[Operation, ...]
    stuck: tuple[Operation, ...]


def check_linearizability(
    history: Iterable[Operation], *, limit: int = LIMIT
) -> tuple[Finding, ...]:
    """What of a history no order explains, by path in alphabetical order; empty if all is well.

    No path exists at first.
    """
    operations = sorted(history, key=lambda one: one.call)
    syncs = [one for one in operations if isinstance(one.request, Sync)]
    paths: dict[str, list[Operation]] = {}
    for one in operations:
        if not isinstance(one.request, Sync):
            paths.setdefault(one.request.path, []).append(one)
    found = (_Search(path, [*paths[path], *syncs]).run(limit) for path in sorted(paths))
    return tuple(one for one in found if one is not None)


def zxids_gone_back(history: Iterable[Operation]) -> tuple[tuple[Operation, Operation], ...]:
    """Of each client the first two operations, in order, the later one with the smaller zxid."""
    latest: dict[int, Operation] = {}
    found: dict[int, tuple[Operation, Operation]] = {}
    for one in sorted(history, key=lambda one: one.call):
        before = latest.get(one.client)
        if one.zxid is None:
            continue
        if before is not None and before.zxid is not None and one.zxid < before.zxid:
            found.setdefault(one.client, (before, one))
        latest[one.client] = one
    return tuple(found[client] for client in sorted(found))


@frozen
class _Configuration:
    """How far the sessions have come, what unanswered writes took effect, and what came of it.

    taken: how many of each group.
    """

    done: tuple[int, ...]
    taken: tuple[int, ...]
    node: Node | None


@define
class _Reached:
    """A configuration, and the way there: the one before, and what was done since."""

    at: _Configuration
    before: _Reached | None
    since: list[Operation] = field(factory=list)


class _Search:
    """The orders of what was done at one path.

    A session's answered operations are done in their order, so a configuration is how many of each
    session are done. What changes nothing is done as soon as it can be: doing it later would allow
    nothing more. Unanswered writes of the same request take effect in the order of their calls:
    the earlier one can stand wherever the later one can. Contents that nobody read are the same.
    Orders that come far and need few unanswered writes are tried first; one that needs no fewer of
    any group than another, to come to the same point, is not looked at.
    """

    def __init__(self, path: str, operations: Sequence[Operation]) -> None:
        ordered = sorted(operations, key=lambda one: one.call)
        answered = [one for one in ordered if one.returned is not None]
        self._path = path
        clients = sorted({one.client for one in answered})
        self._sessions = [[one for one in answered if one.client == who] for who in clients]
        self._groups = _unanswered_groups(ordered)
        self._answered = len(answered)
        self._returns = [_earliest_return_from(session) for session in self._sessions]
        self._needs = [[self._needed(one) for one in session] for session in self._sessions]
        self._group_needs = [[self._needed(one) for one in group] for _, group in self._groups]

    def run(self, limit: int) -> Finding | None:
        """None where some order explains all."""
        start = _Configuration((0,) * len(self._sessions), (0,) * len(self._groups), None)
        furthest = first = _Reached(start, None)
        waiting: list[tuple[int, int, _Reached]] = [(0, 0, first)]
        known: dict[tuple[tuple[int, ...], Node | None], list[tuple[int, ...]]] = {}
        arrived, looked_at = count(1), 0
        while waiting:
            reached = heappop(waiting)[2]
            self._settle(reached)
            fewer = known.setdefault((reached.at.done, reached.at.node), [])
            if any(_covers(reached.at.taken, taken) for taken in fewer):
                continue
            if looked_at >= limit:
                return self._finding("undecided", furthest)
            fewer.append(reached.at.taken)
            looked_at += 1
            if _far(reached) > _far(furthest):
                furthest = reached
            if _far(reached) == self._answered:
                return None
            for following in self._following(reached):
                rank = _UNLIKELY * sum(following.at.taken) - _far(following)
                heappush(waiting, (rank, next(arrived), following))
        return self._finding("not linearizable", furthest)

    def _needed(self, one: Operation) -> tuple[int, ...]:
        """How many of each session are done before it: for a read, none of the others."""
        if isinstance(one.request, Read):
            return (0,) * len(self._sessions)
        return tuple(bisect_left(returns, one.call) for returns in self._returns)

    def _settle(self, reached: _Reached) -> None:
        """Do all that can be done and changes nothing."""
        done, node = list(reached.at.done), reached.at.node
        moved = True
        while moved:
            moved = False
            for session in range(len(done)):
                while (one := self._next(session, done)) is not None:
                    changed, right = answer(node, one.request)
                    if changed != node or not fits(one.request, right, one.result):
                        break
                    done[session] += 1
                    reached.since.append(one)
                    moved = True
        reached.at = _Configuration(tuple(done), reached.at.taken, node)

    def _following(self, reached: _Reached) -> Iterator[_Reached]:
        """Each write that may come next and changes something."""
        at = reached.at
        for session in range(len(at.done)):
            one = self._next(session, at.done)
            if one is None:
                continue
            changed, right = answer(at.node, one.request)
            if changed != at.node and fits(one.request, right, one.result):
                done = (*at.done[:session], at.done[session] + 1, *at.done[session + 1 :])
                yield _Reached(_Configuration(done, at.taken, changed), reached, [one])
        for group, (request, writes) in enumerate(self._groups):
            taken = at.taken[group]
            if taken == len(writes) or not _covers(at.done, self._group_needs[group][taken]):
                continue
            changed = answer(at.node, request)[0]
            if changed != at.node:
                more = (*at.taken[:group], taken + 1, *at.taken[group + 1 :])
                yield _Reached(_Configuration(at.done, more, changed), reached, [writes[taken]])

    def _next(self, session: int, done: Sequence[int]) -> Operation | None:
        """The next of a session, unless something has to come before it."""
        if done[session] == len(self._sessions[session]):
            return None
        if not _covers(done, self._needs[session][done[session]]):
            return None
        return self._sessions[session][done[session]]

    def _finding(
        self, kind: Literal["not linearizable", "undecided"], furthest: _Reached
    ) -> Finding:
        explained: list[Operation] = []
        reached: _Reached | None = furthest
        while reached is not None:
            explained[:0] = reached.since
            reached = reached.before
        done = zip(furthest.at.done, self._sessions, strict=True)
        stuck = tuple(session[count] for count, session in done if count < len(session))
        return Finding(self._path, kind, tuple(explained), stuck)


def _far(reached: _Reached) -> int:
    return sum(reached.at.done)


def _covers(done: Sequence[int], needed: Sequence[int]) -> bool:
    return all(map(int.__ge__, done, needed))


def _unanswered_groups(ordered: Sequence[Operation]) -> list[tuple[Request, list[Operation]]]:
    """The writes that were never answered, by what they ask for, each in the order of calls."""
    results = [one.result for one in ordered if isinstance(one.request, Read)]
    read = {result.content for result in results if isinstance(result, Node)}
    unread = next(content for length in count() if (content := b"?" * length) not in read)
    groups: dict[Request, list[Operation]] = {}
    for one in ordered:
        request = one.request
        if one.returned is not None or isinstance(request, Read | Sync):
            continue
        if not isinstance(request, Delete) and request.content not in read:
            request = evolve(request, content=unread)
        groups.setdefault(request, []).append(one)
    return list(groups.items())


def _earliest_return_from(session: Sequence[Operation]) -> list[float]:
    """At each place, when the first of it and all behind it returned: ascending."""
    earliest: list[float] = []
    for one in reversed(session):
        returned = one.call if one.returned is None else one.returned
        earliest.append(min(returned, earliest[-1]) if earliest else returned)
    return earliest[::-1]
