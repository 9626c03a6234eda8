"""Which worlds were met: their fingerprints in one table of open addressing.

A fingerprint has 64 bits, or 128 on request: two words. Its place follows from the upper half of
the first, in order, so that a full table is copied into a larger one from end to end.
"""

from __future__ import annotations

import numpy as np

from zabspec.check.kernels import Flags, Kernels, Words

FULL = 0.92
"""The part of a large table that may be used."""
GROWTH = 1.15
"""How much larger the next table is, once it is large; a small one is doubled."""
SMALL = 1 << 22
"""Up to so many places a table is small, and at most half full."""

_SEGMENT = 1 << 20


class Visited:
    """A set of fingerprints: columns of one or two words, the first never 0."""

    def __init__(self, kernels: Kernels, words: int = 1, places: int = 1 << 14) -> None:
        self.size = 0
        self._kernels = kernels
        self._tables = _empty(words, places)

    @property
    def places(self) -> int:
        """How many fingerprints the table could hold."""
        return len(self._tables[0]) - 1

    @property
    def bytes_kept(self) -> int:
        """Of memory."""
        return sum(table.nbytes for table in self._tables)

    def bytes_for(self, more: int) -> int:
        """What a table takes that has room for so many more; 0 if the present one has."""
        places = self._places_for(more)
        return 0 if places == self.places else places * 8 * len(self._tables)

    def add(self, words: list[Words]) -> Flags:
        """Add fingerprints, and say which are new; of equal ones among them the first."""
        places = self._places_for(len(words[0]))
        if places > self.places:
            self._grow(places)
        new = np.zeros(len(words[0]), np.bool_)
        self._insert(words, new)
        self.size += int(np.count_nonzero(new))
        return new

    def _places_for(self, more: int) -> int:
        places = self.places
        while self.size + more > (places // 2 if places <= SMALL else int(places * FULL)):
            places = 2 * places if places < SMALL else int(places * GROWTH)
        return places

    def _grow(self, places: int) -> None:
        old, self._tables = self._tables, _empty(len(self._tables), places)
        for start in range(0, len(old[0]), _SEGMENT):
            part = [table[start : start + _SEGMENT] for table in old]
            words = [table[part[0] != 0] for table in part]
            self._insert(words, np.zeros(len(words[0]), np.bool_))

    def _insert(self, words: list[Words], new: Flags) -> None:
        first, second = (*self._tables, _NONE)[:2]
        self._kernels.insert(first, second, words[0], (*words, _NONE)[1], new)


_NONE = np.zeros(0, np.uint64)


def _empty(words: int, places: int) -> list[Words]:
    # The last place is never used: a probe goes round before it.
    return [np.zeros(places + 1, np.uint64) for _ in range(words)]


def collision_odds(worlds: int, words: int = 1) -> float:
    """How likely it is, at most, that two of so many worlds have one fingerprint."""
    return min(1.0, worlds * (worlds - 1) / 2 / 2.0 ** (64 * words))
