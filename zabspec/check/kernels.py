"""The loops an exploration spends most of its time in: in numpy, or compiled where numba is."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Keys = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplies a number so that its upper bits depend on all of it (2^64 by the golden ratio)."""
VACANT = -1
"""Stands in a map where there is no key."""
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


@frozen(eq=False)
class Kernels:
    """One set of loops. All sets answer the same, number by number.

    get(keys, values, shift, wanted, found): look keys up in a map; -1 where it has none.
    insert(table, other, words, others, new): put fingerprints, of one or two words, into a table
        that has room, and mark those that were not in it; of equal ones the first. `other` and
        `others` are empty where fingerprints have one word.
    mix(column, seed, mixed): join a 64-bit word for each number of a column, as if drawn at random,
        to `mixed` (the finaliser of splitmix64).
    """

    name: str
    get: Callable[[Keys, Ints, np.uint64, Keys, Ints], None]
    insert: Callable[[Words, Words, Words, Words, Flags], None]
    mix: Callable[[Ints, int, Words], None]


def get(keys: Keys, values: Ints, shift: np.uint64, wanted: Keys, found: Ints) -> None:
    """See `Kernels`."""
    places = ((wanted.astype(np.uint64) * SPREAD) >> shift).astype(np.int64)
    held = keys[places]
    found[:] = np.where(held == wanted, values[places], -1)
    todo = np.nonzero((held != wanted) & (held != VACANT))[0]
    while todo.size:
        places[todo] = (places[todo] + 1) & (len(keys) - 1)
        held = keys[places[todo]]
        hit = held == wanted[todo]
        found[todo[hit]] = values[places[todo[hit]]]
        todo = todo[~hit & (held != VACANT)]


def insert(table: Words, other: Words, words: Words, others: Words, new: Flags) -> None:
    """See `Kernels`."""
    places = len(table) - 1
    upper = (words >> np.uint64(32)) * np.uint64(places)
    place = (upper >> np.uint64(32)).astype(np.int64)
    todo = np.arange(len(words))
    while todo.size:
        free = todo[table[place[todo]] == 0]
        table[place[free[::-1]]] = words[free[::-1]]
        if len(other):
            other[place[free[::-1]]] = others[free[::-1]]
        won = free[_held(table, other, words, others, place, free)]
        new[won[np.unique(place[won], return_index=True)[1]]] = True
        todo = todo[~_held(table, other, words, others, place, todo)]
        place[todo] += 1
        place[todo[place[todo] == places]] = 0


def _held(  # noqa: PLR0913, PLR0917  two words of table and fingerprints, where, and which
    table: Words, other: Words, words: Words, others: Words, place: Keys, which: Keys
) -> Flags:
    held: Flags = table[place[which]] == words[which]
    if len(other):
        held &= other[place[which]] == others[which]
    return held


def mix(column: Ints, seed: int, mixed: Words) -> None:
    """See `Kernels`."""
    mixed ^= scattered(column, seed)


def scattered(numbers: Ints | Keys, seed: int) -> Words:
    """A 64-bit word for each number, as if drawn at random (the finaliser of splitmix64)."""
    words = numbers.astype(np.uint64) + np.uint64(1 + (seed << 40))
    words *= SPREAD
    for shift, factor in _ROUNDS:
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(31))


NUMPY = Kernels("numpy", get, insert, mix)


def best() -> Kernels:
    """The compiled loops where numba is installed (`pip install zabspec[fast]`), else numpy's."""
    if find_spec("numba") is None:
        return NUMPY
    from zabspec.check.compiled import NUMBA  # noqa: PLC0415  its import takes a second

    return NUMBA
