"""From many worlds to all that can follow each, in numpy: a gather for each kind of step.

Worlds are columns: one for each server's local state, one for each link, the environment, the
monitor. What follows a world comes in a fixed order: the order of `Expander.expand`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
from attrs import evolve, frozen

from zabspec.check.carry import Batch, Carrier, Columns, fingerprints, found, ranks
from zabspec.check.kernels import Flags, Ints, Keys, Words
from zabspec.check.tables import CRASH, DELIVERED, ELECTION, LIMIT, LOST_LINK, TXN, Tables


@frozen
class Followers:
    """What follows some worlds, in order of those. The arrays are as long as there are steps.

    words: their fingerprints. parent: which of the worlds they follow. broken: the first property
    that the step breaks, or NO_ORDER. goes_on: for each of the worlds, whether something can happen
    there that is no fault. calm: whether the step is no fault, nor cut by one. weights: how many
    worlds each stands for; None: one.
    """

    columns: Columns
    words: list[Words]
    parent: Ints
    broken: Ints
    goes_on: Flags
    calm: Flags
    weights: Ints | None = None


class Expander(Carrier):
    """All the steps that the tables of a spec allow."""

    def __init__(self, tables: Tables, words: int = 1) -> None:
        super().__init__(tables)
        self._words = words
        self._quorum = len(tables.ensemble.voters) // 2 + 1
        self._bits = 62 // self._quorum

    def expand(self, worlds: Columns) -> Followers:
        """Every step of every world."""
        progress = list(self._progress(worlds))
        goes_on = np.zeros(len(worlds[0]), np.bool_)
        for batch in progress:
            goes_on[batch.parent] = True
        nothing = self.batch(worlds, np.zeros(0, np.int64))
        faults = [evolve(one, calm=False) for one in self._faults(worlds)]
        batches = [nothing, *progress, *faults]
        parent = np.concatenate([one.parent for one in batches])
        small = len(worlds[0]) <= 1 << 16
        order = np.argsort(parent.astype(np.uint16) if small else parent, kind="stable")
        columns = [
            np.concatenate([one.columns[at] for one in batches])[order] for at in range(len(worlds))
        ]
        broken = np.concatenate([one.broken for one in batches])[order]
        calm = np.concatenate([np.full(len(one.parent), one.calm) for one in batches])[order]
        words = fingerprints(self.tables.kernels, columns, self._words)
        return Followers(columns, words, parent[order].astype(np.int32), broken, goes_on, calm)

    def is_cut(self, worlds: Columns) -> Flags:
        """Whether one request, or one election, more would let the protocol go on there."""
        tables = self.tables
        cut = self._electable(worlds)
        for column in worlds[: self.count]:
            cut |= tables.asks.array[column] > 0
        return cut

    def waits_for_elections(self, worlds: Columns) -> Flags:
        """Whether a quorum looks for a leader there, and the bound allows no election more."""
        waits: Flags = self._electable(worlds) & (self.affords(worlds, ELECTION) == 0)
        return waits

    def _electable(self, worlds: Columns) -> Flags:
        able = np.zeros(len(worlds[0]), np.bool_)
        for members, parent in self._quorums(worlds):
            able[parent[self._leaders(worlds, parent, members) > 0]] = True
        return able

    def _progress(self, worlds: Columns) -> Iterator[Batch]:
        for sender, receiver in product(range(self.count), repeat=2):
            if sender != receiver:
                yield from self._deliveries(worlds, sender, receiver)
        for at in range(self.count):
            yield from self._threads(worlds, at)
        for at in range(self.count):
            yield from self._requests(worlds, at)
        for at, leader in product(range(self.count), repeat=2):
            if at != leader:
                yield from self._joins(worlds, at, leader)
        yield from self._elections(worlds)

    def _faults(self, worlds: Columns) -> Iterator[Batch]:
        yield from self._crashes(worlds)
        for link in self.links.values():
            yield from self._lost_links(worlds, link)
        for at in range(self.count):
            yield from self._limits(worlds, at)

    def _deliveries(self, worlds: Columns, sender: int, receiver: int) -> Iterator[Batch]:
        tables = self.tables
        link, side = self.link(sender, receiver)
        item = tables.link_tables.head.array[worlds[link], side]
        parent = np.nonzero(item)[0]
        if parent.size:
            batch = self.batch(worlds, parent)
            batch.columns[link] = tables.link_tables.read.array[batch.columns[link], side]
            event = DELIVERED + item[parent] * self.count + sender
            yield from self.each(batch, receiver, event)

    def _threads(self, worlds: Columns, at: int) -> Iterator[Batch]:
        for nth in range(self.tables.threads.array.shape[1]):
            event = self.tables.threads.array[worlds[at], nth]
            parent = np.nonzero(event >= 0)[0]
            yield from self.each(self.batch(worlds, parent), at, event[parent])

    def _requests(self, worlds: Columns, at: int) -> Iterator[Batch]:
        tables = self.tables
        may = tables.asks.array[worlds[at]] & self.affords(worlds, TXN)
        batch = self.batch(worlds, np.nonzero(may)[0])
        event = tables.request.array[batch.columns[-2]]
        self.pay(batch, TXN)
        yield from self.each(batch, at, event)

    def _joins(self, worlds: Columns, at: int, leader: int) -> Iterator[Batch]:
        tables = self.tables
        may = (tables.joins.array[worlds[at]] & tables.leads.array[worlds[leader]]) > 0
        yield from self._one(worlds, may, at, tables.elected[leader])

    def _elections(self, worlds: Columns) -> Iterator[Batch]:
        rich = self.affords(worlds, ELECTION) > 0
        if not rich.any():
            return
        for members, looking in self._quorums(worlds):
            parent = looking[rich[looking]]
            leaders = self._leaders(worlds, parent, members)
            for place, leader in enumerate(members):
                chosen = parent[leaders >> place & 1 > 0]
                if chosen.size:
                    yield self._election(worlds, chosen, members, leader)

    def _quorums(self, worlds: Columns) -> Iterator[tuple[tuple[int, ...], Keys]]:
        """Each bare quorum, and the worlds in which all of it looks for a leader."""
        voters = range(len(self.tables.ensemble.voters))
        looks = [self.tables.looking.array[worlds[at]] >= 0 for at in voters]
        for members in combinations(voters, self._quorum):
            parent = np.nonzero(np.logical_and.reduce([looks[at] for at in members]))[0]
            if parent.size:
                yield members, parent

    def _leaders(self, worlds: Columns, parent: Keys, members: Sequence[int]) -> Ints:
        """Who of a quorum may be elected in each world, as bits."""
        tables = self.tables
        keys = np.zeros(len(parent), np.int64)
        for at in members:
            keys = keys << self._bits | tables.looking.array[worlds[at][parent]]

        def fill(key: int, where: int) -> None:
            tables.fill_oracle(key, [int(worlds[at][parent[where]]) for at in members])

        return found(tables, tables.oracle, keys, fill)

    def _election(
        self, worlds: Columns, parent: Keys, members: Sequence[int], leader: int
    ) -> Batch:
        batch = self.batch(worlds, parent)
        self.pay(batch, ELECTION)
        for at in sorted(members, key=lambda one: one != leader):
            event = np.full(len(parent), self.tables.elected[leader], np.int32)
            self.carry_out(batch, at, self.outcomes(batch.columns[at], event))
        return batch

    def _crashes(self, worlds: Columns) -> Iterator[Batch]:
        tables = self.tables
        rich = self.affords(worlds, CRASH) > 0
        if not rich.any():
            return
        for at in range(self.count):
            unsynced = tables.unsynced.array[worlds[at]]
            for survives in range(int(unsynced.max()) + 1):
                event = int(tables.crash_events.array[survives])
                yield from self._one(worlds, rich & (unsynced >= survives), at, event, CRASH)

    def _limits(self, worlds: Columns, at: int) -> Iterator[Batch]:
        may = (self.tables.expires.array[worlds[at]] & self.affords(worlds, LIMIT)) > 0
        yield from self._one(worlds, may, at, self.tables.limit_event, LIMIT)

    def _lost_links(self, worlds: Columns, link: int) -> Iterator[Batch]:
        tables = self.tables.link_tables
        may = (tables.open.array[worlds[link]] & self.affords(worlds, LOST_LINK)) > 0
        parent = np.nonzero(may)[0]
        if not parent.size:
            return
        links = worlds[link][parent]
        unknown = links[tables.broken_count.array[links] < 0]
        self.fill(unknown, tables.broken_count, tables.break_link)
        count = tables.broken_count.array[links]
        place = np.repeat(tables.broken_start.array[links], count) + ranks(count)
        batch = self.batch(worlds, np.repeat(parent, count))
        batch.columns[link] = tables.broken.array[place]
        self.pay(batch, LOST_LINK)
        yield batch

    def _one(
        self, worlds: Columns, may: Flags, at: int, event: int, price: int | None = None
    ) -> Iterator[Batch]:
        """An event of one server, wherever it may happen, that no crash cuts."""
        parent = np.nonzero(may)[0]
        if not parent.size:
            return
        batch = self.batch(worlds, parent)
        if price is not None:
            self.pay(batch, price)
        events = np.full(len(parent), event, np.int32)
        self.carry_out(batch, at, self.outcomes(batch.columns[at], events))
        yield batch
