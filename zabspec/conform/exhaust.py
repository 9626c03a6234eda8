"""Every row of a model on a system: all that one of its servers can ever be asked to do.

Each row is replayed behind the shortest history of its server and behind one other, since what a
system hides must not matter. A run goes on from where it stands as long as it finds rows to replay.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from time import perf_counter

from attrs import define, field, frozen

from zabspec.check.outcomes import AnyServer
from zabspec.conform.beside import Beside, Divergence, Rulebook
from zabspec.conform.local_graph import Edge, LocalGraph, Node
from zabspec.conform.system import SystemFailed
from zabspec.protocol.events import Event

Row = tuple[AnyServer, Event]

_REACH = 3
"""How many events a run spends on the way to the next row that is not yet replayed."""


@frozen
class RowDivergence:
    """A row on which the system does something else. history: the events before it."""

    sid: int
    history: tuple[Event, ...]
    divergence: Divergence


@frozen
class Replayed:
    """What came of it.

    rows: that were to be replayed. replayed: those that were, behind the shortest history.
    again: behind another as well. alone: that have no other history. behind: that were not
    replayed, because each way to their server leads over a divergence.
    events: that the system was given in all.
    """

    rows: int
    replayed: int
    again: int
    alone: int
    behind: int
    events: int
    seconds: float
    divergences: tuple[RowDivergence, ...]
    by_phase: dict[str, tuple[int, int]] = field(factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every row was replayed, behind each history that there is."""
        return self.replayed == self.rows and self.again + self.alone == self.rows


@frozen
class Budget:
    """How much is replayed.

    sample: so many rows, drawn by seed; None: all. first: stop at the first divergence. seconds:
    begin no run after so many; rows are taken in an order drawn by seed then. None: no end.
    """

    sample: int | None = None
    seed: int = 0
    first: bool = False
    seconds: float | None = None


def exhaust(
    graph: LocalGraph,
    rulebook: Rulebook,
    budget: Budget | None = None,
    report: Callable[[int, int], None] = lambda _done, _of: None,
) -> Replayed:
    """Replay the rows. report: hears how many of how many edges are done.

    Raises SystemFailed, with the history in its text.
    """
    return _Exhaustion(graph, rulebook, budget or Budget(), report).run()


@define
class _Exhaustion:
    graph: LocalGraph
    rulebook: Rulebook
    budget: Budget
    report: Callable[[int, int], None]
    left: dict[Node, list[Edge]] = field(factory=dict)
    done: set[Edge] = field(factory=set)
    bad: dict[Edge, RowDivergence] = field(factory=dict)
    elsewhere: set[Edge] = field(factory=set)
    elections: list[RowDivergence] = field(factory=list)
    events: int = 0
    start: float = field(factory=perf_counter)

    def run(self) -> Replayed:
        rows = self._rows()
        self.left = {
            node: [one for one in self.graph.edges[node] if one.row in rows] for node in self.graph
        }
        count = sum(map(len, self.left.values()))
        for node in self._order():
            while self.left[node] and not self._is_over:
                if not self._run_to(node):
                    break
                self.report(len(self.done), count)
        self._elect()
        return self._result(rows, perf_counter() - self.start)

    @property
    def _is_over(self) -> bool:
        if self.budget.first and (self.bad or self.elections):
            return True
        limit = self.budget.seconds
        return limit is not None and perf_counter() - self.start > limit

    def _order(self) -> list[Node]:
        nodes = list(self.graph)
        if self.budget.seconds is not None:
            random.Random(self.budget.seed).shuffle(nodes)  # noqa: S311
        return nodes

    def _rows(self) -> set[Row]:
        rows = [
            edge.row for node in self.graph if not node.otherwise for edge in self.graph.edges[node]
        ]
        if self.budget.sample is None or self.budget.sample >= len(rows):
            return set(rows)
        return set(random.Random(self.budget.seed).sample(rows, self.budget.sample))  # noqa: S311

    def _run_to(self, node: Node) -> bool:
        """One run, by way of this node; False where a divergence is in the way."""
        way = self.graph.history(node)
        if any(map(self._is_closed, way)):
            return False
        beside = self.rulebook.start(node.server.sid)
        run: list[Edge] = []
        try:
            for edge in chain(way, self._onward(node)):
                run.append(edge)
                if not self._replay(beside, run):
                    break
        finally:
            beside.close()
        return True

    def _onward(self, node: Node) -> Iterator[Edge]:
        """What a run goes on with: rows that are left here, or a little further on."""
        while True:
            path = self._nearest(node)
            if not path:
                return
            yield from path
            node = path[-1].target

    def _nearest(self, node: Node) -> list[Edge]:
        waiting = deque([(node, list[Edge]())])
        met = {node}
        while waiting:
            here, path = waiting.popleft()
            for edge in self.left[here]:
                if not self._is_closed(edge):
                    return [*path, edge]
            if len(path) == _REACH:
                continue
            for edge in self.graph.edges[here]:
                if edge.target not in met and not self._is_closed(edge):
                    met.add(edge.target)
                    waiting.append((edge.target, [*path, edge]))
        return []

    def _elect(self) -> None:
        """Have each quorum elect its leader."""
        for quorum in self.graph.quorums:
            if self._is_over:
                return
            divergence = self.rulebook.election(quorum)
            if divergence is not None:
                elected = next(one for one in quorum if one.sid == divergence.sid)
                way = self.graph.history(Node(elected))
                history = tuple(edge.event for edge in way)
                self.elections.append(RowDivergence(divergence.sid, history, divergence))

    def _is_closed(self, edge: Edge) -> bool:
        """Whether it leads nowhere: the system differs there, or was killed at another place."""
        return edge in self.bad or edge in self.elsewhere

    def _replay(self, beside: Beside, run: list[Edge]) -> bool:
        edge = run[-1]
        self.events += 1
        try:
            divergence = beside.step(edge.event, edge.cut)
        except SystemFailed as error:
            told = "; ".join(str(one.event) for one in run)
            raise SystemFailed(f"{error} (server {beside.sid}, after: {told})") from error
        if edge in self.left[edge.source]:
            self.left[edge.source].remove(edge)
        if divergence is None:
            is_there = edge.target.server in beside.explained
            (self.done if is_there else self.elsewhere).add(edge)
            return is_there
        history = tuple(one.event for one in run[:-1])
        self.bad[edge] = RowDivergence(beside.sid, history, divergence)
        return False

    def _result(self, rows: set[Row], seconds: float) -> Replayed:
        whole = [edge for edge in self.done if edge.cut is None]
        shortest = {edge.row for edge in whole if not edge.source.otherwise}
        again = {edge.row for edge in whole if edge.source.otherwise}
        diverged = {edge.row for edge in self.bad}
        lone = {
            edge.row
            for node in self.graph
            if not node.otherwise and Node(node.server, otherwise=True) not in self.graph.edges
            for edge in self.graph.edges[node]
        }
        found = sorted([*self.bad.values(), *self.elections], key=lambda one: len(one.history))
        return Replayed(
            len(rows),
            len(rows & shortest),
            len(rows & again),
            len((rows & lone) - again),
            len(rows - shortest - again - diverged),
            self.events,
            seconds,
            tuple(found),
            self._by_phase(rows, shortest | again),
        )

    @staticmethod
    def _by_phase(rows: set[Row], replayed: set[Row]) -> dict[str, tuple[int, int]]:
        phases: dict[str, tuple[int, int]] = {}
        for row in rows:
            name = row[0].role.phase.name
            done, count = phases.get(name, (0, 0))
            phases[name] = done + (row in replayed), count + 1
        return phases
