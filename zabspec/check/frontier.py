"""The worlds between two levels: the frontier that is left, and the level that is met."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from zabspec.check.carry import Columns
from zabspec.check.expand import Followers
from zabspec.check.kernels import Flags, Words
from zabspec.check.levels import GrowingLevel

CHUNK = 1 << 16
"""How many worlds are expanded at once."""

Weights = NDArray[np.unsignedinteger]


@define
class Counts:
    """What was met so far: worlds and steps, and the worlds and steps that those stand for."""

    worlds: int = 0
    steps: int = 0
    weighed_worlds: int = 0
    weighed_steps: int = 0


@define
class Frontier:
    """The worlds of one depth, in order. weights: how many worlds each stands for."""

    pieces: list[Columns]
    weights: Weights

    def __len__(self) -> int:
        return len(self.weights)

    def chunks(self) -> Iterator[Columns]:
        """The worlds, up to CHUNK at a time; what was given out is let go."""
        waiting: list[Columns] = []
        while self.pieces or waiting:
            while self.pieces and sum(len(piece[0]) for piece in waiting) < CHUNK:
                waiting.append(self.pieces.pop(0))
            joined = [np.concatenate(parts) for parts in zip(*waiting, strict=True)]
            yield [column[:CHUNK] for column in joined]
            rest = [column[CHUNK:] for column in joined]
            waiting = [rest] if len(rest[0]) else []

    def joined(self) -> Columns:
        """All of them."""
        return [np.concatenate(parts) for parts in zip(*self.pieces, strict=True)]


@define
class Ahead:
    """The next level while it is met. words: the fingerprints of its worlds, if they are kept."""

    level: GrowingLevel = field(factory=GrowingLevel)
    pieces: list[Columns] = field(factory=list)
    weights: list[Weights] = field(factory=list)
    words: list[list[Words]] = field(factory=list)

    def meet(self, followers: Followers, new: Flags, *, keep_words: bool) -> Columns:
        """Note the new ones among what follows a chunk of worlds."""
        columns = [column[new] for column in followers.columns]
        self.level.extend(len(followers.goes_on), followers.parent, new)
        self.pieces.append(columns)
        ones = np.ones(len(columns[0]), np.uint16)
        weights = followers.weights
        self.weights.append(ones if weights is None else weights[new].astype(np.uint16))
        if keep_words:
            self.words.append([word[new] for word in followers.words])
        return columns

    def frontier(self) -> Frontier:
        """What was met, to be left next."""
        return Frontier([one for one in self.pieces if len(one[0])], np.concatenate(self.weights))
