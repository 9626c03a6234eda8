"""The shortest run that one spec allows and the other does not.

Both are run side by side, from the same start and by the same actions. What is compared is what
others can see of a server: which events can happen (elections that the oracle allows, what threads
do, requests taken, limits), and what each makes it send, open, close, deliver, broadcast and become
ready for, in order on each connection. What is only inside (memory, how the disk is written) may
differ; if it matters it shows later, after a crash or a sync, and then it is a difference.

So a local state is a pair: the server under A, and the server under B. Worlds of pairs are explored
breadth first, until an event can happen to one side only, or others can tell the sides apart.
Channels, and what faults are left, are the same on both sides until then.

A step that a crash cuts goes with the other side's step cut where the same was seen of it. Where
one spec has more such cuts (two writes in another order), each goes with the most alike; where the
other has none, the cut is not compared, and counted in `left_out`. So both runs told are true runs
of their specs. But that a crash falls elsewhere behind the same that was seen may let one spec do
what the other did; `Parting.hidden` says so.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen

from zabspec.check.bounds import Bounds
from zabspec.check.carry import Columns, fingerprints
from zabspec.check.expand import Followers
from zabspec.check.exploration import Progress
from zabspec.check.kernels import best
from zabspec.check.levels import GrowingLevel, Level, origins
from zabspec.check.memory import resident_mb
from zabspec.check.paired_tables import PairedExpander, PairedTables
from zabspec.check.parts import World
from zabspec.check.side_by_side import Parting, SideBySide
from zabspec.check.tables import NO_ORDER
from zabspec.check.visited import Visited
from zabspec.protocol.rules import Spec

CHUNK = 1 << 16
"""How many worlds are expanded at once."""

Report = Callable[[Progress], None]


@frozen
class Comparison:
    """What came of comparing two specs. parting: None if there is no difference within the bounds.

    worlds, steps: of pairs, that were met. depth: actions to the difference, it included; else of
    the longest of all shortest runs. complete: all within the bounds was met, or a difference.
    left_out: cuts by a crash that were not compared.
    """

    specs: tuple[Spec, Spec]
    bounds: Bounds
    worlds: int
    steps: int
    depth: int
    seconds: float
    parting: Parting | None
    complete: bool
    left_out: int

    @property
    def same(self) -> bool:
        """Whether all was compared, and nobody could tell the two apart."""
        return self.complete and self.parting is None


def compare(
    first: Spec, second: Spec, bounds: Bounds, report: Report = lambda _: None
) -> Comparison:
    """Explore both side by side to the first difference; `report` hears of it. Ctrl-C ends it."""
    return _Comparing((first, second), bounds).run(report)


class _Comparing:
    def __init__(self, specs: tuple[Spec, Spec], bounds: Bounds) -> None:
        self._specs, self._bounds = specs, bounds
        self._kernels = best()
        self._tables = PairedTables(specs, bounds, self._kernels)
        self._expander = PairedExpander(self._tables)
        self._visited = Visited(self._kernels)
        self._levels: list[Level] = []
        self._first = [np.array([one], np.int32) for one in self._tables.start()[0]]
        self._steps = 0
        self._start = time.perf_counter()

    def run(self, report: Report) -> Comparison:
        gc.disable()  # nothing here is a cycle, and it would look for one in millions of values
        try:
            place = self._explore(report)
        except KeyboardInterrupt:
            return self._comparison(None, complete=False)
        finally:
            gc.enable()
        return self._comparison(self._parting(place) if place is not None else None, complete=True)

    def _explore(self, report: Report) -> int | None:
        """The place, in the last level met, of the first world where the two part."""
        frontier = [self._first]
        self._visited.add(fingerprints(self._kernels, self._first))
        while frontier:
            level, ahead, place = GrowingLevel(), list[Columns](), 0
            for chunk in _chunks(frontier):
                followers = self._expander.expand(chunk)
                self._steps += len(followers.parent)
                parting = np.nonzero(followers.broken < NO_ORDER)[0]
                if parting.size:
                    return place + int(followers.parent[parting[0]])
                ahead.append(self._meet(followers, level))
                place += len(chunk[0])
                report(self._progress(sum(len(one[0]) for one in ahead)))
            frontier = [columns for columns in ahead if len(columns[0])]
            if frontier:
                self._levels.append(level.finish())
        return None

    def _meet(self, followers: Followers, level: GrowingLevel) -> Columns:
        new = self._visited.add(followers.words)
        level.extend(len(followers.goes_on), followers.parent, new)
        return [column[new] for column in followers.columns]

    def _parting(self, place: int) -> Parting:
        columns = self._first
        path = [self._world(columns)]
        for ordinal in origins(self._levels, place):
            followed = self._expander.expand(columns).columns
            columns = [one[ordinal : ordinal + 1] for one in followed]
            path.append(self._world(columns))
        return SideBySide(self._specs, self._bounds).parting(path)

    def _world(self, columns: Columns) -> World:
        return self._tables.world([int(one[0]) for one in columns])

    def _progress(self, frontier: int) -> Progress:
        seconds, depth = time.perf_counter() - self._start, len(self._levels)
        return Progress(self._visited.size, self._steps, depth, frontier, seconds, resident_mb())

    def _comparison(self, parting: Parting | None, *, complete: bool) -> Comparison:
        return Comparison(
            self._specs,
            self._bounds,
            self._visited.size,
            self._steps,
            len(self._levels) + (parting is not None),
            time.perf_counter() - self._start,
            parting,
            complete,
            self._tables.pairing.left_out,
        )


def _chunks(frontier: list[Columns]) -> Iterator[Columns]:
    """The worlds of a level in order, up to CHUNK at a time."""
    for columns in frontier:
        for start in range(0, len(columns[0]), CHUNK):
            yield [one[start : start + CHUNK] for one in columns]
