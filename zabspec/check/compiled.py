"""The loops of `kernels`, compiled by numba: the same answers, number by number."""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from zabspec.check.kernels import Kernels

_SPREAD = uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _get(keys, values, shift, wanted, found):  # noqa: ANN001, ANN202
    mask = len(keys) - 1
    for at in range(len(wanted)):
        key = wanted[at]
        place = np.int64((uint64(key) * _SPREAD) >> shift)
        while keys[place] not in (key, -1):
            place = (place + 1) & mask
        found[at] = values[place] if keys[place] == key else -1


@njit(cache=True, nogil=True)
def _insert(table, other, words, others, new):  # noqa: ANN001, ANN202
    places = len(table) - 1
    wide = len(other) > 0
    for at in range(len(words)):
        word = words[at]
        place = np.int64(((word >> uint64(32)) * uint64(places)) >> uint64(32))
        while table[place] != 0 and not (
            table[place] == word and (not wide or other[place] == others[at])
        ):
            place += 1
            if place == places:
                place = 0
        if table[place] == 0:
            table[place] = word
            if wide:
                other[place] = others[at]
            new[at] = True


@njit(cache=True, nogil=True)
def _mix(column, seed, mixed):  # noqa: ANN001, ANN202
    for at in range(len(column)):
        word = (uint64(column[at]) + uint64(1) + (uint64(seed) << uint64(40))) * _SPREAD
        word = (word ^ (word >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> uint64(27))) * uint64(0x94D049BB133111EB)
        mixed[at] ^= word ^ (word >> uint64(31))


NUMBA = Kernels("numba", _get, _insert, _mix)
