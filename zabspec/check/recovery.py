"""Whether every world can recover: by steps that are no faults, to one that a property names.

The steps are kept while worlds are explored, and gone back over from where it has been reached. A
world in which only the bound on elections keeps a quorum waiting counts as recovered: the bound
says nothing of what comes after it.
"""

from __future__ import annotations

import numpy as np

from zabspec.check.carry import Columns
from zabspec.check.expand import Expander, Followers
from zabspec.check.interning import Column, Interned, IntMap
from zabspec.check.kernels import Flags, Ints, Keys, Words, scattered
from zabspec.check.outcomes import AnyServer
from zabspec.check.properties import Property
from zabspec.check.tables import Tables


class Recovery:
    """The worlds that an exploration met, and the steps between them that are no faults."""

    def __init__(self, asked: Property, tables: Tables, expander: Expander) -> None:
        self.asked = asked
        self._tables, self._expander = tables, expander
        self._sights: Interned[object] = Interned()
        self._sight_of = Column(blank=-1)
        self._seen_first: list[AnyServer] = []
        self._answers = IntMap(tables.kernels)
        self._words: list[Words] = []
        self._recovered: list[Flags] = []
        self._parents: list[Keys] = []
        self._children: list[Words] = []

    def meet(self, worlds: Columns, words: Words) -> None:
        """Note worlds, in the order in which they were met."""
        self._words.append(words)
        self._recovered.append(self._holds(worlds) | self._expander.waits_for_elections(worlds))

    def leave(self, place: int, followers: Followers) -> None:
        """Note what follows some worlds. place: of the first of them, among all that were met."""
        calm = followers.calm
        self._parents.append(place + followers.parent[calm].astype(np.int64))
        self._children.append(followers.words[0][calm])

    def first_lost(self, sizes: list[int]) -> tuple[int, int] | None:
        """The first world from which none that has recovered can be reached: depth and place.

        sizes: how many worlds were met at each depth.
        """
        words = np.concatenate(self._words)
        order = np.argsort(words)
        recovered = np.concatenate(self._recovered)
        steps = [
            (parents, order[np.searchsorted(words, children, sorter=order)])
            for parents, children in zip(self._parents, self._children, strict=True)
        ]
        before = -1
        while (now := int(np.count_nonzero(recovered))) != before:
            before = now
            for parents, children in reversed(steps):
                recovered[parents[recovered[children]]] = True
        lost = np.nonzero(~recovered)[0]
        if not lost.size:
            return None
        ends = np.cumsum(sizes)
        depth = int(np.searchsorted(ends, lost[0], side="right"))
        return depth, int(lost[0] - ends[depth] + sizes[depth])

    def _holds(self, worlds: Columns) -> Flags:
        count = len(self._tables.servers)
        sights = [self._sight(column) for column in worlds[:count]]
        words = np.zeros(len(worlds[0]), np.uint64)
        for place, sight in enumerate(sights):
            words ^= scattered(sight, place)
        keys = (words >> np.uint64(1)).astype(np.int64)
        missing = np.nonzero(self._answers.get(keys) < 0)[0]
        for at in missing[np.unique(keys[missing], return_index=True)[1]].tolist():
            servers = tuple(self._seen_first[int(sight[at])] for sight in sights)
            answer = self.asked.function(servers, self._tables.ensemble)
            self._answers.put(int(keys[at]), int(bool(answer)))
        holds: Flags = self._answers.get(keys) > 0
        return holds

    def _sight(self, numbers: Ints) -> Ints:
        known, values = self._sight_of, self._tables.locals.values
        while known.size < len(values):
            server = values[known.size]
            sight = self._sights.number((server.sid, self.asked.looks_at(server)))
            if sight == len(self._seen_first):
                self._seen_first.append(server)
            known.append(sight)
        found: Ints = known.array[numbers]
        return found
