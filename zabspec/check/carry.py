"""Steps carried out in many worlds at once: worlds are columns, and a step a gather.

Columns stand for: each server's local state, each link, the environment, the monitor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from attrs import define

from zabspec.check.interning import Column, IntMap
from zabspec.check.kernels import Ints, Kernels, Keys, Words
from zabspec.check.tables import CRASH, NO_ORDER, Tables

Columns = list[Ints]


@define
class Batch:
    """Steps of one kind, while they are carried out.

    parent: where each came from. broken: the first property that it breaks. calm: there is no
    fault in it.
    """

    columns: Columns
    parent: Keys
    broken: Ints
    calm: bool = True


class Carrier:
    """Carries out steps of worlds, as the tables of a spec say.

    count: of servers, whose columns come first. links: the column of each pair of them.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.count = len(tables.servers)
        pairs = combinations(range(self.count), 2)
        self.links = {pair: self.count + at for at, pair in enumerate(pairs)}

    def batch(self, worlds: Columns, parent: Keys) -> Batch:
        """The worlds at these places, for a step to be carried out in them."""
        broken = np.full(len(parent), NO_ORDER, np.int32)
        return Batch([one[parent] for one in worlds], parent, broken)

    def affords(self, columns: Columns, price: int) -> Ints:
        """1 where the environment has one left of that, else 0."""
        rich: Ints = (self.tables.spent.array[columns[-2], price] >= 0).astype(np.int32)
        return rich

    def pay(self, batch: Batch, price: int) -> None:
        """Take one of that from the environments."""
        batch.columns[-2] = self.tables.spent.array[batch.columns[-2], price]

    def link(self, one: int, other: int) -> tuple[int, int]:
        """The column of a link, and the side of the first of the two."""
        return self.links[min(one, other), max(one, other)], int(one > other)

    def each(self, batch: Batch, at: int, event: Ints) -> Iterator[Batch]:
        """An event for one server: its outcome, and that cut by a crash wherever one is left."""
        if not len(event):
            return
        outcomes = self.outcomes(batch.columns[at], event)
        cut = self._cut(batch, outcomes)
        self.carry_out(batch, at, outcomes)
        yield batch
        if cut is not None:
            cut_batch, cut_outcomes = cut
            self.carry_out(cut_batch, at, cut_outcomes)
            yield cut_batch

    def _cut(self, batch: Batch, outcomes: Ints) -> tuple[Batch, Ints] | None:
        tables = self.tables
        count = tables.cut_count.array[outcomes] * (self.affords(batch.columns, CRASH) > 0)
        self.fill(outcomes[count < 0], tables.cut_count, tables.fill_cuts)
        if not count.any():
            return None
        count = np.where(count, tables.cut_count.array[outcomes], 0)
        which = np.repeat(np.arange(len(outcomes)), count)
        cut = Batch(
            [one[which] for one in batch.columns],
            batch.parent[which],
            batch.broken[which],
            calm=False,
        )
        self.pay(cut, CRASH)
        return cut, (tables.cut_start.array[outcomes[which]] + ranks(count)).astype(np.int32)

    def outcomes(self, servers: Ints, event: Ints) -> Ints:
        """What rules make of the events of local states."""
        keys = servers.astype(np.int64) << 24 | event
        return found(self.tables, self.tables.rows, keys, lambda key, _: self.tables.fill_row(key))

    def carry_out(self, batch: Batch, at: int, outcomes: Ints) -> None:
        """Let an outcome of one server come about in each world of the batch."""
        tables = self.tables
        np.minimum(batch.broken, tables.broken.array[outcomes], out=batch.broken)
        batch.columns[at] = tables.after.array[outcomes]
        for peer in range(self.count):
            programs = tables.programs.array[outcomes, peer]
            touched = np.nonzero(programs)[0]
            if touched.size:
                link = self.link(at, peer)[0]
                batch.columns[link][touched] = self._changed(
                    batch.columns[link][touched], programs[touched]
                )
        shown = tables.shown.array[outcomes]
        touched = np.nonzero(shown)[0]
        if touched.size:
            self._show(batch, touched, shown[touched])

    def _changed(self, links: Ints, programs: Ints) -> Ints:
        tables = self.tables.link_tables

        def fill(key: int, _: int) -> None:
            tables.change(key >> 24, key & 0xFFFFFF)

        return found(self.tables, tables.changed, links.astype(np.int64) << 24 | programs, fill)

    def _show(self, batch: Batch, touched: Keys, shown: Ints) -> None:
        tables = self.tables
        keys = batch.columns[-1][touched].astype(np.int64) << 32 | shown
        row = found(tables, tables.followed, keys, lambda key, _: tables.fill_followed(key))
        batch.columns[-1][touched] = tables.next_monitor.array[row]
        batch.broken[touched] = np.minimum(batch.broken[touched], tables.next_broken.array[row])

    def fill(self, which: Ints, known: Column, fill: Callable[[int], None]) -> None:
        """Fill in what is not known of these."""
        if which.size:
            with self.tables.lock:
                for one in np.unique(which):
                    if known.array[one] < 0:
                        fill(int(one))


def fingerprints(kernels: Kernels, columns: Columns, words: int = 1, seed: int = 1) -> list[Words]:
    """Of each world, so many words of 64 bits. seed: those of another are as if drawn anew."""
    made = [np.zeros(len(columns[0]), np.uint64) for _ in range(words)]
    for word, mixed in enumerate(made):
        for place, column in enumerate(columns):
            kernels.mix(column, seed + place + word * len(columns), mixed)
    made[0][made[0] == 0] = 1
    return made


def found(tables: Tables, known: IntMap, keys: Keys, fill: Callable[[int, int], None]) -> Ints:
    """The numbers of keys. Each unknown one is filled in first, in the order in which they come.

    fill: is told a key and a place where it stands.
    """
    numbers = known.get(keys)
    missing = np.nonzero(numbers < 0)[0]
    if missing.size:
        with tables.lock:
            missing = missing[known.get(keys[missing]) < 0]
            new, first = np.unique(keys[missing], return_index=True)
            for key, at in sorted(
                zip(new.tolist(), missing[first].tolist(), strict=True), key=_second
            ):
                fill(key, at)
        missing = np.nonzero(numbers < 0)[0]
        numbers[missing] = known.get(keys[missing])
    return numbers


def _second(pair: tuple[int, int]) -> int:
    return pair[1]


def ranks(count: Ints) -> Keys:
    """0, 1, ... within each group of so many."""
    ends = np.cumsum(count)
    within: Keys = np.arange(int(ends[-1])) - np.repeat(ends - count, count)
    return within
