"""Delta debugging: what of a sequence is enough for something to be the case.

After Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (2002): chunks are
left out, at first large ones, then ever smaller ones, until no single item can be. What they also
try, a chunk alone, is left out: of a run it seldom shows anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def shrunk(items: Sequence[Item], shows: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Some of these items, in their order, that still show it, and no longer with any left out.

    shows: asked of what is left, the same answer to the same question. All items together are
    taken to show it.
    """
    left, size = tuple(items), len(items)
    while size:
        swept = _swept(left, size, shows)
        if size == 1 and len(swept) == len(left):
            break
        left, size = swept, min(max(size // 2, 1), len(swept))
    return left


def shortest_prefix(items: Sequence[Item], shows: Callable[[tuple[Item, ...]], bool]) -> int:
    """How many of the first items show it, where one fewer do not; all of them are taken to.

    The least such number where more of them never show less.
    """
    too_few, enough = -1, len(items)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if shows(tuple(items[:middle])):
            enough = middle
        else:
            too_few = middle
    return enough


def _swept(
    items: tuple[Item, ...], size: int, shows: Callable[[tuple[Item, ...]], bool]
) -> tuple[Item, ...]:
    """From the end to the beginning, since what came last is what the rest has led to."""
    for start in reversed(range(0, len(items), size)):
        rest = items[:start] + items[start + size :]
        if shows(rest):
            items = rest
    return items
