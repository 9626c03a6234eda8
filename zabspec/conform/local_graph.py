"""The rows of a model as a graph: how each local state of a server is reached, and in another way.

A history is what one server went through: the events of rows, one after the other. What the other
servers do meanwhile is not asked; a server is a function of its own events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from zabspec.check.explore import Explorer
from zabspec.check.model import Model
from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.check.settings import Settings
from zabspec.check.world import Worlds
from zabspec.conform.beside import Cut
from zabspec.protocol.events import Crash, Elected, Event, LimitExpired
from zabspec.protocol.state import new_server


@frozen(cache_hash=True)
class Node:
    """A local state, and whether it was reached otherwise than by its shortest history."""

    server: AnyServer
    otherwise: bool = False


@frozen(eq=False)
class Edge:
    """A row, and where it leads from one way of reaching its server.

    cut: where the server is killed in that step; such an edge counts as no row.
    """

    source: Node
    event: Event
    target: Node
    cut: Cut | None = None

    @property
    def row(self) -> tuple[AnyServer, Event]:
        """The row that it replays."""
        return self.source.server, self.event


Following = dict[AnyServer, list[tuple[Event, AnyServer, Cut | None]]]
"""What a server can be asked, where that leads, and where it is killed meanwhile, if it is."""
Quorum = tuple[AnyServer, ...]


@define
class LocalGraph:
    """Every row once behind the shortest history of its server, and once behind another.

    roots: the servers that have never run. edges: of each node, in the order of discovery.
    parent: the last edge of the shortest way to a node; None for a root. quorums: those among which
    a leader was elected.
    """

    roots: list[Node] = field(factory=list)
    edges: dict[Node, list[Edge]] = field(factory=dict)
    parent: dict[Node, Edge | None] = field(factory=dict)
    quorums: tuple[Quorum, ...] = ()

    @classmethod
    def of(
        cls,
        rows: Iterable[tuple[AnyServer, Event, AnyServer]],
        cut: Iterable[Outcome] = (),
        quorums: Iterable[Quorum] = (),
    ) -> LocalGraph:
        """The graph of these rows: a server, an event, and the server afterwards.

        cut: steps in which a server is killed, too.
        """
        following: Following = {}
        for server, event, after in rows:
            following.setdefault(server, []).append((event, after, None))
        for one in cut:
            told = (one.event, one.after, Cut.of(one))
            following.setdefault(one.before, []).append(told)
        graph = cls(quorums=tuple(quorums))
        for sid in sorted({server.sid for server in following}):
            graph._spread(Node(new_server(sid)), following)
        return graph

    def history(self, node: Node) -> list[Edge]:
        """The shortest way to a node."""
        found: list[Edge] = []
        last = self.parent[node]
        while last is not None:
            found.append(last)
            last = self.parent[last.source]
        return found[::-1]

    def __iter__(self) -> Iterator[Node]:
        """Every node, those with the shortest history first."""
        return iter(self.edges)

    def _spread(self, root: Node, following: Following) -> None:
        self.roots.append(root)
        self.parent[root] = None
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            edges = self.edges[node] = []
            for event, after, cut in following.get(node.server, ()):
                shortest = not node.otherwise and Node(after) not in self.parent
                edge = Edge(node, event, Node(after, not shortest), cut)
                edges.append(edge)
                if edge.target not in self.parent:
                    self.parent[edge.target] = edge
                    waiting.append(edge.target)


def local_graph(model: Model, *, with_cuts: bool = False) -> LocalGraph:
    """The rows that a model's worlds ask for.

    with_cuts: and each step that can be, cut by a kill wherever that makes a difference.
    """
    explorer = Explorer(Worlds(model.spec, model.bounds), (), Settings())
    explorer.run()
    tables = explorer.tables
    cut = _cut(model, tables.asked()) if with_cuts else ()
    return LocalGraph.of(tables.answered(), cut, tables.asked_of_oracle)


def _cut(model: Model, rows: Iterable[tuple[AnyServer, Event]]) -> Iterator[Outcome]:
    ensemble = model.bounds.ensemble
    for server, event in rows:
        if not isinstance(event, Elected | Crash | LimitExpired):
            yield from cuts(model.spec, ensemble, uncut(model.spec, ensemble, server, event))
