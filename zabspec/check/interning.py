"""Values as small integers, and arrays that grow: what tables are made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from zabspec.check.kernels import SPREAD, VACANT, Ints, Kernels, Keys

Value = TypeVar("Value", bound=Hashable)


class Interned(Generic[Value]):
    """Each distinct value's number, from 0, in the order in which they were met."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._numbers: dict[Value, int] = {}

    def __len__(self) -> int:
        return len(self.values)

    def number(self, value: Value) -> int:
        """The value's number, a new one if it is new."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Column:
    """An array that grows: a row for each number. blank: what a row holds until it is set."""

    def __init__(self, width: int = 0, dtype: DTypeLike = np.int32, blank: int = 0) -> None:
        self._shape = (width,) if width else ()
        self._blank = blank
        self.array = np.full((64, *self._shape), blank, dtype)
        self.size = 0

    def append(self, value: object) -> int:
        """Add a row, and say its number."""
        if self.size == len(self.array):
            fresh = np.full((2 * self.size, *self._shape), self._blank, self.array.dtype)
            fresh[: self.size] = self.array
            self.array = fresh
        self.array[self.size] = value
        self.size += 1
        return self.size - 1


class IntMap:
    """From non-negative 63-bit keys to numbers: open addressing, at most half full."""

    def __init__(self, kernels: Kernels, bits: int = 12) -> None:
        self.size = 0
        self._kernels = kernels
        self._table = _empty(bits)

    def get(self, wanted: Keys) -> Ints:
        """The number of each key; -1 where it has none."""
        found = np.empty(len(wanted), np.int32)
        self._kernels.get(*self._table, wanted, found)
        return found

    def put(self, key: int, number: int) -> None:
        """Give a key that has none its number."""
        if 2 * (self.size + 1) > len(self._table[0]):
            self._grow()
        keys, values, _ = self._table
        place = self._vacancy(key)
        values[place] = number  # before the key: another thread may be looking
        keys[place] = key
        self.size += 1

    def pairs(self) -> tuple[Keys, Ints]:
        """Every key and its number."""
        keys, values, _ = self._table
        used = keys != VACANT
        return keys[used], values[used]

    def _grow(self) -> None:
        keys, values = self.pairs()
        larger = IntMap(self._kernels, len(self._table[0]).bit_length())
        for key, number in zip(keys.tolist(), values.tolist(), strict=True):
            larger.put(key, number)
        self._table = larger._table

    def _vacancy(self, key: int) -> int:
        keys, _, shift = self._table
        place = ((key * int(SPREAD)) & _ALL) >> int(shift)
        while keys[place] != VACANT:
            place = (place + 1) & (len(keys) - 1)
        return place


_ALL = (1 << 64) - 1


def _empty(bits: int) -> tuple[Keys, Ints, np.uint64]:
    keys = np.full(1 << bits, VACANT, np.int64)
    return keys, np.zeros(1 << bits, np.int32), np.uint64(64 - bits)
