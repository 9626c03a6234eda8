"""A free run that shows something wrong, shrunk to a short one that still does.

A run is its choices: lines of JSON, the first of which says what the run is of. What they mean is
the system's own business, but for two keys. `"routine": true` marks what happens sooner or later by
itself, and the line `{"settle": true}` lets all of that happen until nothing is left of it; so that
a long run of packets, fsyncs and turns of tasks is one line wherever its order does not matter.
A choice that is not possible where others are left out is passed over by the system.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import chain, groupby

from zabspec.conform.shrink import shortest_prefix, shrunk

SETTLE = json.dumps({"settle": True})
"""Everything routine happens, until nothing routine can."""

Shows = Callable[[Sequence[str]], bool]
"""Whether a run of these choices is still wrong in the same way."""

_ROUNDS = 3


def shrink_run(choices: Sequence[str], shows: Shows) -> tuple[str, ...]:
    """Few choices that still show it. They are taken to show it as they are.

    First the shortest beginning; then whatever routine can be is left to the system; then single
    choices are left out, and both again as long as that helps.
    """
    asked = _Asked(choices[0], shows)
    left = tuple(choices[1:])
    left = left[: shortest_prefix(left, asked)]
    for _ in range(_ROUNDS):
        shorter = shrunk(_settled(left, asked), asked)
        if len(shorter) == len(left):
            break
        left = shorter
    return (choices[0], *left)


class _Asked:
    """Asks about what follows the first line, and about the same only once."""

    def __init__(self, first: str, shows: Shows) -> None:
        self._first = first
        self._shows = shows
        self._known: dict[tuple[str, ...], bool] = {}

    def __call__(self, rest: Sequence[str]) -> bool:
        asked = tuple(rest)
        if asked not in self._known:
            self._known[asked] = self._shows((self._first, *asked))
        return self._known[asked]


def _settled(choices: Sequence[str], shows: Shows) -> tuple[str, ...]:
    """The same, with as much as possible of what is routine left to the system."""
    groups = [(kind, tuple(lines)) for kind, lines in groupby(choices, _is_routine)]

    def spelled(kept: Sequence[int]) -> tuple[str, ...]:
        lines = [
            (SETTLE,) if is_routine and number not in kept else group
            for number, (is_routine, group) in enumerate(groups)
        ]
        return tuple(chain.from_iterable(lines))

    routine = [number for number, (is_routine, _) in enumerate(groups) if is_routine]
    return spelled(shrunk(routine, lambda kept: shows(spelled(kept))))


def _is_routine(line: str) -> bool:
    read = json.loads(line)
    return isinstance(read, dict) and read.get("routine") is True
