"""How each world of an exploration came about: a byte or two for each, and the run back to it.

Worlds of a level stand in the order of their parents, so that a parent's place follows from how
many new worlds each one had; which of its parent's followers a world was is its ordinal.
"""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zabspec.check.kernels import Flags, Ints

Small = NDArray[np.unsignedinteger]


@frozen
class Level:
    """The worlds at one depth. children: of each world of the level before, how many were new.

    ordinals: of each world of this level, which of its parent's followers it was.
    """

    children: Small
    ordinals: Small

    def __len__(self) -> int:
        return len(self.ordinals)

    @property
    def bytes_kept(self) -> int:
        """Of memory."""
        return self.children.nbytes + self.ordinals.nbytes

    def origin(self, place: int) -> tuple[int, int]:
        """The place of a world's parent in the level before, and the world's ordinal."""
        ends = np.cumsum(self.children, dtype=np.int64)
        return int(np.searchsorted(ends, place, side="right")), int(self.ordinals[place])


@frozen
class GrowingLevel:
    """A level that is being met, a chunk of parents after another."""

    _children: list[Small] = field(factory=list)
    _ordinals: list[Small] = field(factory=list)

    def extend(self, parents: int, parent: Ints, new: Flags) -> None:
        """Note which followers of so many more worlds were new. parent: of each, ascending."""
        first = np.searchsorted(parent, np.arange(parents))
        ordinals = np.nonzero(new)[0] - first[parent[new]]
        self._children.append(_small(np.bincount(parent[new], minlength=parents)))
        self._ordinals.append(_small(ordinals))

    def finish(self) -> Level:
        """All of it."""
        return Level(np.concatenate(self._children), np.concatenate(self._ordinals))


def _small(numbers: NDArray[np.integer]) -> Small:
    most = int(numbers.max(initial=0))
    return numbers.astype(np.min_scalar_type(most))


def origins(levels: list[Level], place: int) -> list[int]:
    """The ordinals that lead from the first world to one of the last of these levels, in order."""
    ordinals: list[int] = []
    for level in reversed(levels):
        place, ordinal = level.origin(place)
        ordinals.append(ordinal)
    return ordinals[::-1]
