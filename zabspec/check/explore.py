"""Breadth first over the tables, a level at a time: every world, or the shortest run to a finding.

What is broken is found in the order of the worlds, so that the same run is told every time, however
many threads share the work.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from attrs import field, frozen, validators

from zabspec.check.audit import Audit
from zabspec.check.carry import Columns, fingerprints, found
from zabspec.check.expand import Expander, Followers
from zabspec.check.exploration import Exploration, Finding, Progress, Reach
from zabspec.check.kernels import Ints, Kernels, best
from zabspec.check.levels import GrowingLevel, Level
from zabspec.check.memory import peak_mb, resident_mb
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.retrace import Hit, retrace
from zabspec.check.tables import NO_ORDER, Tables
from zabspec.check.visited import Visited, collision_odds
from zabspec.check.world import Worlds

CHUNK = 1 << 16
"""How many worlds are expanded at once."""

Report = Callable[[Progress], None]


@frozen
class Settings:
    """How an exploration is carried out. What it finds does not depend on it.

    jobs: threads that share the work. memory_mb: where it stops, in MiB; None: nowhere.
    words: of 64 bits in a fingerprint. kernels: the loops of `kernels`.
    """

    jobs: int = field(default=1, validator=[validators.instance_of(int), validators.ge(1)])
    memory_mb: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    words: int = field(default=1, validator=validators.in_((1, 2)))
    kernels: Kernels = field(factory=best)


class Explorer:
    """One exploration. It stops at the first finding, which is at the least depth.

    levels: how the worlds of each depth from 1 came about. frontier: the worlds of the last of them
    that is complete, in order. met, steps: so far.
    """

    def __init__(
        self, worlds: Worlds, properties: Iterable[Property], settings: Settings | None = None
    ) -> None:
        self.settings = settings or Settings()
        self.worlds = worlds
        self.audit = Audit(properties, worlds.ensemble)
        self.tables = Tables(worlds, self.audit, self.settings.kernels)
        self.expander = Expander(self.tables, self.settings.words)
        self.visited = Visited(self.settings.kernels, self.settings.words)
        self.levels: list[Level] = []
        self.frontier: list[Columns] = []
        self.met = self.steps = 0
        self._looks_for_dead_ends = NOT_STUCK in self.audit.properties
        self._start = time.perf_counter()

    def run(self, report: Report = lambda _: None) -> Exploration:
        """Explore until a finding, the end, or where memory ends; `report` hears of it.

        Ctrl-C ends it too: then the exploration says what it has covered.
        """
        self._start = time.perf_counter()
        gc.disable()  # nothing here is a cycle, and it would look for one in millions of values
        try:
            return self._run(report)
        except (_MemoryUsedUp, KeyboardInterrupt) as stopped:
            return self._result(None, str(stopped) or "interrupted")
        finally:
            gc.enable()

    def _run(self, report: Report) -> Exploration:
        hit = self._begin()
        with ThreadPoolExecutor(self.settings.jobs) as pool:
            while hit is None and self.frontier:
                hit = self._leave(pool, lambda: report(self._progress()))
        return self._result(self._finding(hit) if hit else None, None)

    def _begin(self) -> Hit | None:
        first, broken = self.tables.start()
        columns = [np.array([one], np.int32) for one in first]
        self.visited.add(fingerprints(self.settings.kernels, columns, self.settings.words))
        self.frontier, self.met = [columns], 1
        return Hit(0, self.audit.properties[broken], None) if broken < NO_ORDER else None

    def _leave(self, pool: ThreadPoolExecutor, report: Callable[[], None]) -> Hit | None:
        """Meet everything that follows the frontier: the next one, unless something is broken.

        A world that is stuck is a shorter run than a step from another of its level.
        """
        level, ahead = GrowingLevel(), list[Columns]()
        hit: Hit | None = None
        place = 0
        for chunk, followers in self._followers(pool):
            stuck = self._first_stuck(chunk, followers)
            if stuck is not None:
                return Hit(place + stuck, NOT_STUCK, None)
            if hit is None:
                columns, hit = self._meet(followers, place, level)
                ahead.append(columns)
                report()
            place += len(chunk[0])
        self.frontier = [columns for columns in ahead if len(columns[0])]
        if hit is None and self.frontier:
            self.levels.append(level.finish())
        return hit

    def _followers(self, pool: ThreadPoolExecutor) -> Iterator[tuple[Columns, Followers]]:
        """What follows each chunk of the frontier, in order, a few of them at work ahead."""
        chunks = _chunks(self.frontier)
        waiting = [
            (chunk, pool.submit(self.expander.expand, chunk))
            for chunk in islice(chunks, self.settings.jobs)
        ]
        while waiting:
            chunk, expanded = waiting.pop(0)
            followers = expanded.result()
            waiting += [
                (more, pool.submit(self.expander.expand, more)) for more in islice(chunks, 1)
            ]
            yield chunk, followers

    def _meet(
        self, followers: Followers, place: int, level: GrowingLevel
    ) -> tuple[Columns, Hit | None]:
        """The new ones of these worlds, and the first that breaks something."""
        self._heed_memory(len(followers.parent))
        new = self.visited.add(followers.words)
        columns = [column[new] for column in followers.columns]
        broken = followers.broken
        broken[new] = np.minimum(broken[new], self._verdicts(columns))
        self.steps += len(broken)
        self.met += len(columns[0])
        level.extend(len(followers.goes_on), followers.parent, new)
        hits = np.nonzero(broken < NO_ORDER)[0]
        if not hits.size:
            return columns, None
        first = int(hits[0])
        target = tuple(int(column[first]) for column in followers.columns)
        parent = place + int(followers.parent[first])
        return columns, Hit(parent, self.audit.properties[int(broken[first])], target)

    def _verdicts(self, columns: Columns) -> Ints:
        """The first property that each world breaks, or NO_ORDER."""
        return found(
            self.tables,
            self.tables.verdicts,
            self.tables.verdict_keys(columns),
            lambda key, at: self.tables.fill_verdict(key, [int(one[at]) for one in columns]),
        )

    def _first_stuck(self, worlds: Columns, followers: Followers) -> int | None:
        """The first world that nothing follows but faults, though no bound forbids it."""
        ended = np.nonzero(~followers.goes_on)[0]
        if not self._looks_for_dead_ends or not ended.size:
            return None
        self.audit.premises[NOT_STUCK] += ended.size
        stuck = ended[~self.expander.is_cut([column[ended] for column in worlds])]
        return int(stuck[0]) if stuck.size else None

    def _heed_memory(self, more: int) -> None:
        if self.settings.memory_mb is not None:
            needed = resident_mb() + self.visited.bytes_for(more) / (1 << 20)
            if needed > self.settings.memory_mb:
                raise _MemoryUsedUp(f"the {self.settings.memory_mb} MiB of memory are used up")

    def _finding(self, hit: Hit) -> Finding:
        return retrace(self.tables, self.expander, self.levels, hit)

    def _progress(self) -> Progress:
        frontier = sum(len(columns[0]) for columns in self.frontier)
        seconds = time.perf_counter() - self._start
        return Progress(self.met, self.steps, len(self.levels), frontier, seconds, resident_mb())

    def _result(self, finding: Finding | None, stopped: str | None) -> Exploration:
        audit = self.audit
        return Exploration(
            self.met,
            self.steps,
            len(finding.run) if finding else len(self.levels),
            time.perf_counter() - self._start,
            peak_mb(),
            complete=finding is None and stopped is None,
            finding=finding,
            premises={one: audit.premises[one] for one in audit.properties if not one.sometimes},
            witnessed=tuple(audit.witnessed),
            stopped=stopped,
            reach=self._reach(),
        )

    def _reach(self) -> Reach:
        rows, words = self.tables.spec, self.settings.words
        return Reach(
            self.tables.row_count,
            rows.calls,
            rows.branches,
            len(self.tables.locals),
            (self.met, self.steps),
            bits=64 * words,
            odds=collision_odds(self.met, words),
            jobs=self.settings.jobs,
            symmetry=False,
            kept_bytes=self.visited.bytes_kept + sum(level.bytes_kept for level in self.levels),
        )


class _MemoryUsedUp(Exception):  # noqa: N818  it ends a search, and is no error
    pass


def _chunks(frontier: list[Columns]) -> Iterator[Columns]:
    """The worlds of a frontier in order, up to CHUNK at a time; what was given out is let go."""
    waiting: list[Columns] = []
    while frontier or waiting:
        while frontier and sum(len(piece[0]) for piece in waiting) < CHUNK:
            waiting.append(frontier.pop(0))
        joined = [np.concatenate(parts) for parts in zip(*waiting, strict=True)]
        yield [column[:CHUNK] for column in joined]
        rest = [column[CHUNK:] for column in joined]
        waiting = [rest] if len(rest[0]) else []
