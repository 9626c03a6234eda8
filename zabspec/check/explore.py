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
from attrs import astuple, evolve

from zabspec.check.audit import Audit
from zabspec.check.carry import Columns, fingerprints, found
from zabspec.check.checkpoint import Checkpoint, CheckpointError, Kept
from zabspec.check.expand import Expander, Followers
from zabspec.check.exploration import Exploration, Finding, Progress, reach
from zabspec.check.frontier import Ahead, Counts, Frontier
from zabspec.check.kernels import Ints, Words
from zabspec.check.levels import Level
from zabspec.check.memory import MemoryUsedUp, heed_memory, peak_mb, resident_mb
from zabspec.check.properties import BEYOND_WORLDS, NOT_STUCK, Property
from zabspec.check.recovery import Recovery
from zabspec.check.retrace import Hit, retrace
from zabspec.check.settings import Settings
from zabspec.check.symmetry import Symmetry, refusal
from zabspec.check.tables import NO_ORDER, PRICES, Tables
from zabspec.check.visited import Visited
from zabspec.check.world import Worlds
from zabspec.protocol.rules import SpecError

Report = Callable[[Progress], None]
INTERRUPTED = "interrupted"
"""Why an exploration stopped that Ctrl-C ended."""


class Explorer:
    """One exploration. It stops at the first finding, which is at the least depth."""

    def __init__(
        self, worlds: Worlds, properties: Iterable[Property], settings: Settings | None = None
    ) -> None:
        self._settings = settings or Settings()
        self._worlds = worlds
        self._properties = tuple(properties)
        self._use(Tables(worlds, Audit(self._properties, worlds.ensemble), self._settings.kernels))
        self._visited = Visited(self._settings.kernels, self._settings.words)
        self._levels: list[Level] = []
        self._unsaved: dict[int, list[Words]] = {}
        self._frontier = Frontier([], np.ones(1, np.uint16))
        self._counts = Counts()
        self._looks_for_dead_ends = NOT_STUCK in self._properties
        self._seconds_before, self._waiting = 0.0, 1
        self._start = self._saved = time.perf_counter()

    def _use(self, tables: Tables) -> None:
        self._tables, self._audit = tables, tables.audit
        self._expander = Expander(tables, self._settings.words)
        self._symmetry = Symmetry(tables) if self._settings.symmetry else None
        asked = [one for one in self._properties if one.reads in BEYOND_WORLDS]
        self._recoveries = [Recovery(one, tables, self._expander) for one in asked]

    @property
    def tables(self) -> Tables:
        """The rows that were asked for so far."""
        return self._tables

    def run(self, report: Report = lambda _: None) -> Exploration:
        """Explore until a finding, the end, or where memory ends; `report` hears of it.

        Ctrl-C ends it too: then the exploration says what it has covered. Raises SpecError where
        symmetry is not allowed, CheckpointError where the folder cannot be used.
        """
        self._start = self._saved = time.perf_counter()
        if self._symmetry and (reason := self._refusal()):
            raise SpecError(f"no symmetry: {reason}")
        gc.disable()  # nothing here is a cycle, and it would look for one in millions of values
        try:
            return self._run(report)
        except (MemoryUsedUp, KeyboardInterrupt) as stopped:
            return self._result(None, str(stopped) or INTERRUPTED)
        finally:
            gc.enable()

    def _run(self, report: Report) -> Exploration:
        checkpoint = self._checkpoint()
        hit = self._begin()
        if checkpoint and checkpoint.exists():
            self._restore(*checkpoint.load(self._settings.kernels))
        elif checkpoint:
            self._save(checkpoint)
        with ThreadPoolExecutor(self._settings.jobs) as pool:
            while hit is None and len(self._frontier):
                hit = self._leave(pool, lambda: report(self._progress()))
                if checkpoint and hit is None and self._is_due():
                    self._save(checkpoint)
        return self._result(self._finding(hit or self._lost()), None)

    def _begin(self) -> Hit | None:
        first, broken = self._tables.start()
        columns = [np.array([one], np.int32) for one in first]
        columns = self._chosen(columns)
        words = fingerprints(self._settings.kernels, columns, self._settings.words)
        self._visited.add(words)
        self._unsaved = {0: words}
        self._frontier = Frontier([columns], np.ones(1, np.uint16))
        self._counts = Counts(1, 0, 1, 0)
        for recovery in self._recoveries:
            recovery.meet(columns, words[0])
        return Hit(0, self._properties[broken], None) if broken < NO_ORDER else None

    def _leave(self, pool: ThreadPoolExecutor, report: Callable[[], None]) -> Hit | None:
        """Meet everything that follows the frontier: the next one, unless something is broken.

        A world that is stuck is a shorter run than a step from another of its level.
        """
        ahead = Ahead()
        hit: Hit | None = None
        place, before = 0, self._counts.worlds - len(self._frontier)
        self._waiting = len(self._frontier)
        for chunk, followers in self._followers(pool):
            stuck = self._first_stuck(chunk, followers)
            if stuck is not None:
                return Hit(place + stuck, NOT_STUCK, None)
            if hit is None:
                for recovery in self._recoveries:
                    recovery.leave(before + place, followers)
                hit = self._meet(followers, place, ahead)
                self._waiting += len(ahead.weights[-1]) - len(chunk[0])
                report()
            place += len(chunk[0])
        if hit is None:
            self._frontier = ahead.frontier()
        if hit is None and len(self._frontier):
            self._levels.append(ahead.level.finish())
            if self._settings.checkpoint:
                words = [np.concatenate(parts) for parts in zip(*ahead.words, strict=True)]
                self._unsaved[len(self._levels)] = words
        return hit

    def _followers(self, pool: ThreadPoolExecutor) -> Iterator[tuple[Columns, Followers]]:
        """What follows each chunk of the frontier, in order, a few of them at work ahead."""
        chunks = self._frontier.chunks()
        waiting = [
            (chunk, pool.submit(self._expand, chunk))
            for chunk in islice(chunks, self._settings.jobs)
        ]
        while waiting:
            chunk, expanded = waiting.pop(0)
            followers = expanded.result()
            waiting += [(more, pool.submit(self._expand, more)) for more in islice(chunks, 1)]
            yield chunk, followers

    def _expand(self, worlds: Columns) -> Followers:
        followers = self._expander.expand(worlds)
        if self._symmetry is None:
            return followers
        columns, weights = self._symmetry.chosen(followers.columns)
        words = fingerprints(self._settings.kernels, columns, self._settings.words)
        return evolve(followers, columns=columns, words=words, weights=weights)

    def _meet(self, followers: Followers, place: int, ahead: Ahead) -> Hit | None:
        """Note the new ones of these worlds, and the first that breaks something."""
        heed_memory(self._settings.memory_mb, self._visited.bytes_for(len(followers.parent)))
        new = self._visited.add(followers.words)
        columns = ahead.meet(followers, new, keep_words=self._settings.checkpoint is not None)
        for recovery in self._recoveries:
            recovery.meet(columns, followers.words[0][new])
        broken = followers.broken
        broken[new] = np.minimum(broken[new], self._verdicts(columns))
        self._count(followers, ahead, place)
        hits = np.nonzero(broken < NO_ORDER)[0]
        if not hits.size:
            return None
        first = int(hits[0])
        target = tuple(int(column[first]) for column in followers.columns)
        parent = place + int(followers.parent[first])
        return Hit(parent, self._properties[int(broken[first])], target)

    def _count(self, followers: Followers, ahead: Ahead, place: int) -> None:
        counts, met = self._counts, ahead.weights[-1]
        counts.worlds += len(met)
        counts.steps += len(followers.parent)
        counts.weighed_worlds += int(met.sum())
        weights = self._frontier.weights[place:]
        counts.weighed_steps += int(weights[followers.parent].sum())

    def _verdicts(self, columns: Columns) -> Ints:
        """The first property that each world breaks, or NO_ORDER."""
        tables = self._tables

        def fill(key: int, at: int) -> None:
            tables.fill_verdict(key, [int(one[at]) for one in columns])

        return found(tables, tables.verdicts, tables.verdict_keys(columns), fill)

    def _first_stuck(self, worlds: Columns, followers: Followers) -> int | None:
        """The first world that nothing follows but faults, though no bound forbids it."""
        ended = np.nonzero(~followers.goes_on)[0]
        if not self._looks_for_dead_ends or not ended.size:
            return None
        self._audit.premises[NOT_STUCK] += ended.size
        stuck = ended[~self._expander.is_cut([column[ended] for column in worlds])]
        return int(stuck[0]) if stuck.size else None

    def _refusal(self) -> str | None:
        """Why the spec allows no symmetry, as far as smaller bounds tell."""
        bounds = self._worlds.bounds
        few = {name: min(1, getattr(bounds, name)) for name in PRICES}
        smaller = evolve(bounds, **{**few, "elections": min(2, bounds.elections)})
        rows = Explorer(Worlds(self._worlds.spec, smaller), ())
        rows.run()
        return refusal(self._worlds.spec, bounds, rows._tables)

    def _lost(self) -> Hit | None:
        """The first world that cannot recover; later levels are forgotten."""
        for recovery in self._recoveries:
            lost = recovery.first_lost([1, *map(len, self._levels)])
            self._audit.premises[recovery.asked] += self._counts.worlds
            if lost is not None:
                depth, place = lost
                del self._levels[depth:]
                return Hit(place, recovery.asked, None)
        return None

    def _finding(self, hit: Hit | None) -> Finding | None:
        if hit is None:
            return None
        return retrace(self._tables, self._expander.expand, self._chosen, self._levels, hit)

    def _chosen(self, columns: Columns) -> Columns:
        return columns if self._symmetry is None else self._symmetry.chosen(columns)[0]

    def _checkpoint(self) -> Checkpoint | None:
        folder, settings = self._settings.checkpoint, self._settings
        if folder is None:
            return None
        if self._recoveries:
            raise CheckpointError(
                f"{folder}: what asks for recovery cannot be kept, only run whole"
            )
        how = {"words": settings.words, "symmetry": settings.symmetry}
        checkpoint = Checkpoint(folder, self._worlds, self._properties, how)
        if checkpoint.exists() and not settings.resume:
            raise CheckpointError(
                f"{folder}: it holds a checkpoint; resume that, or name another folder"
            )
        return checkpoint

    def _is_due(self) -> bool:
        done = not len(self._frontier)
        return done or time.perf_counter() - self._saved >= self._settings.every

    def _save(self, checkpoint: Checkpoint) -> None:
        frontier, weights = self._frontier.joined(), self._frontier.weights
        counts = astuple(self._counts)
        kept = Kept(self._levels, self._unsaved, frontier, weights, counts, self._seconds())
        checkpoint.save(kept, self._tables)
        self._unsaved = {}
        self._saved = time.perf_counter()

    def _restore(self, kept: Kept, tables: Tables) -> None:
        self._use(tables)
        for number in sorted(kept.words):
            self._visited.add(kept.words[number])
        self._levels, self._unsaved = kept.levels, {}
        self._frontier = Frontier([kept.frontier] if len(kept.weights) else [], kept.weights)
        self._counts = Counts(*kept.counts)
        self._seconds_before = kept.seconds

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._start

    def _progress(self) -> Progress:
        counts, depth = self._counts, len(self._levels)
        return Progress(
            counts.worlds, counts.steps, depth, self._waiting, self._seconds(), resident_mb()
        )

    def _result(self, finding: Finding | None, stopped: str | None) -> Exploration:
        audit = self._audit
        kept = self._visited.bytes_kept + sum(level.bytes_kept for level in self._levels)
        return Exploration(
            self._counts.worlds,
            self._counts.steps,
            len(finding.run) if finding else len(self._levels),
            self._seconds(),
            peak_mb(),
            complete=finding is None and stopped is None,
            finding=finding,
            premises={one: audit.premises[one] for one in audit.properties if not one.sometimes},
            witnessed=tuple(audit.witnessed),
            stopped=stopped,
            reach=reach(self._tables, self._settings, self._counts, kept),
        )
