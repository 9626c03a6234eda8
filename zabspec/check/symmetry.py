"""Worlds that differ only in which server is which, taken for one, where a spec allows it.

A spec allows it if a rule asked under other names answers the same under other names. That is
looked at, row by row, within smaller bounds; an election that prefers larger sids, or a crash that
cuts what is sent to several servers in the order of their sids, is a reason to refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatch
from itertools import combinations, pairwise, permutations
from math import factorial
from typing import Any

import attrs
import numpy as np
from attrs import evolve, frozen

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.bounds import Bounds
from zabspec.check.carry import Columns, fingerprints
from zabspec.check.interning import Column
from zabspec.check.kernels import Ints, Words
from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.check.tables import Tables
from zabspec.protocol.effects import CloseAll
from zabspec.protocol.events import Elected
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble, Leader, Outstanding, Server

Sids = Mapping[int, int]
"""By each sid, another one, that takes its place."""

_LOTS = 1 << 16
"""A seed far from those of fingerprints."""


@singledispatch
def renamed(value: Any, sids: Sids) -> Any:  # noqa: ANN401  any part of a world
    """A value with each server in it under its other name."""
    if isinstance(value, tuple):
        return tuple(renamed(one, sids) for one in value)
    if not attrs.has(type(value)):
        return value
    names = [one.name for one in attrs.fields(type(value)) if one.init]
    return evolve(value, **{name: renamed(getattr(value, name), sids) for name in names})


@renamed.register
def _(value: Connection, sids: Sids) -> Connection:
    return evolve(value, peer=sids[value.peer])


@renamed.register
def _(value: Server, sids: Sids) -> AnyServer:  # type: ignore[type-arg]
    return Server(sids[value.sid], value.disk, value.memory, renamed(value.role, sids))


@renamed.register
def _(value: Leader, sids: Sids) -> Leader:
    learners = sorted(renamed(value.learners, sids), key=lambda one: one.connection)
    outstanding = renamed(value.outstanding, sids)
    return evolve(value, learners=tuple(learners), outstanding=outstanding)


@renamed.register
def _(value: Outstanding, sids: Sids) -> Outstanding:
    return evolve(value, acks=tuple(sorted(sids[sid] for sid in value.acks)))


@renamed.register
def _(value: Elected, sids: Sids) -> Elected:
    return Elected(sids[value.leader])


@renamed.register
def _(value: AtomicBroadcast, sids: Sids) -> AtomicBroadcast:
    return evolve(value, primaries=tuple(sorted((e, sids[sid]) for e, sid in value.primaries)))


@frozen
class _Renaming:
    """One way to rename the servers, in columns. to: by place, the place that takes over.

    locals, monitors: by number, the number of the renamed one; -1: not asked yet.
    """

    sids: Sids
    to: tuple[int, ...]
    locals: Column
    monitors: Column


class Symmetry:
    """The orbits of worlds under renaming of the voters."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._renamings = list(self._all_renamings())
        self._flipped = Column(blank=-1)
        self.order = factorial(len(tables.ensemble.voters))

    def chosen(self, worlds: Columns) -> tuple[Columns, Ints]:
        """For each world the one that stands for its orbit, and how many worlds the orbit has."""
        best = [one.copy() for one in worlds]
        least = own = self._lots(worlds)
        fixed = np.ones(len(own), np.int32)
        for renaming in self._renamings:
            other = self._rename(worlds, renaming)
            lots = self._lots(other)
            fixed += lots == own
            better = lots < least
            least = np.where(better, lots, least)
            for kept, new in zip(best, other, strict=True):
                np.copyto(kept, new, where=better)
        return best, (self.order // fixed).astype(np.int32)

    def _lots(self, worlds: Columns) -> Words:
        """What each world draws; the least of an orbit is chosen.

        Not its fingerprint: what is chosen would crowd at one end of those.
        """
        return fingerprints(self._tables.kernels, worlds, seed=_LOTS)[0]

    def _all_renamings(self) -> Iterator[_Renaming]:
        servers, voters = self._tables.servers, self._tables.ensemble.voters
        for order in permutations(voters):
            sids = {sid: sid for sid in servers} | dict(zip(voters, order, strict=True))
            to = tuple(servers.index(sids[sid]) for sid in servers)
            if to != tuple(range(len(servers))):
                yield _Renaming(sids, to, Column(blank=-1), Column(blank=-1))

    def _rename(self, worlds: Columns, renaming: _Renaming) -> Columns:
        tables, count = self._tables, len(renaming.to)
        other = list(worlds)
        for place, to in enumerate(renaming.to):
            other[to] = self._known(worlds[place], renaming.locals, renaming, tables.locals.values)
        pairs = list(combinations(range(count), 2))
        for at, (one, two) in enumerate(pairs):
            first, second = renaming.to[one], renaming.to[two]
            target = count + pairs.index((min(first, second), max(first, second)))
            links = worlds[count + at]
            other[target] = links if first < second else self._flip(links)
        monitors = tables.monitors.values
        other[-1] = self._known(worlds[-1], renaming.monitors, renaming, monitors)
        return other

    def _known(self, numbers: Ints, known: Column, renaming: _Renaming, values: list[Any]) -> Ints:
        self._reach(known, len(values))
        missing = numbers[known.array[numbers] < 0]
        if missing.size:
            with self._tables.lock:
                for number in np.unique(missing).tolist():
                    value = renamed(values[number], renaming.sids)
                    of_monitor = isinstance(value, AtomicBroadcast)
                    tables = self._tables
                    new = tables.monitors.number(value) if of_monitor else tables.local(value)
                    known.array[number] = new
        found: Ints = known.array[numbers]
        return found

    def _reach(self, column: Column, size: int) -> None:
        with self._tables.lock:
            while column.size < size:
                column.append(-1)

    def _flip(self, links: Ints) -> Ints:
        tables = self._tables.link_tables
        self._reach(self._flipped, len(tables.links))
        missing = links[self._flipped.array[links] < 0]
        if missing.size:
            with self._tables.lock:
                for number in np.unique(missing).tolist():
                    out, back = tables.links.values[number]
                    self._flipped.array[number] = tables.number((back, out))
        found: Ints = self._flipped.array[links]
        return found


def refusal(spec: Spec, bounds: Bounds, rows: Tables) -> str | None:
    """Why servers of this spec cannot be taken for one another; None if nothing was found.

    rows: of an exploration within smaller bounds; each is asked again under other names.
    """
    voters = bounds.ensemble.voters
    swaps = [
        {sid: sid for sid in bounds.ensemble.servers} | {a: b, b: a} for a, b in pairwise(voters)
    ]
    for sids in swaps:
        for members in rows.asked_of_oracle:
            if _named(spec, renamed(members, sids)) != {sids[one] for one in _named(spec, members)}:
                return f"the election of {spec.name} prefers some servers to others of equal merit"
        for server, event in rows.asked():
            outcome = uncut(spec, bounds.ensemble, server, event)
            other = uncut(spec, bounds.ensemble, renamed(server, sids), renamed(event, sids))
            rule = spec.rule(server, event).name
            if _looks(outcome, sids) != _looks(other):
                return f"rule {rule} of {spec.name} treats servers differently by their sids"
            if bounds.crashes and _cut_looks(spec, bounds.ensemble, outcome, sids) != _cut_looks(
                spec, bounds.ensemble, other
            ):
                return (
                    f"a crash may cut what {rule} of {spec.name} sends to several servers, and it"
                    " does so in the order of their sids"
                )
    return None


def _named(spec: Spec, members: tuple[AnyServer, ...]) -> set[int]:
    return set(spec.oracle(sorted(members, key=lambda one: one.sid)))


def _looks(outcome: Outcome, sids: Sids | None = None) -> object:
    """What an outcome comes to, whatever the order between different connections."""
    by_peer: dict[object, tuple[object, ...]] = {}
    for effect in outcome.effects:
        of_one = not isinstance(effect, CloseAll) and hasattr(effect, "connection")
        peer = effect.connection.peer if of_one else None  # type: ignore[union-attr]
        peer = sids[peer] if sids and peer is not None else peer
        told = renamed(effect, sids) if sids else effect
        by_peer[peer] = (*by_peer.get(peer, ()), told)
    after = renamed(outcome.after, sids) if sids else outcome.after
    return after, sorted(by_peer.items(), key=repr)


def _cut_looks(
    spec: Spec, ensemble: Ensemble, outcome: Outcome, sids: Sids | None = None
) -> list[str]:
    return sorted(repr(_looks(one, sids)) for one in cuts(spec, ensemble, outcome))
