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
from zabspec.check.outcomes import AnyServer
from zabspec.check.settings import Settings
from zabspec.check.world import Worlds
from zabspec.protocol.events import Event
from zabspec.protocol.state import new_server


@frozen(cache_hash=True)
class Node:
    """A local state, and whether it was reached otherwise than by its shortest history."""

    server: AnyServer
    otherwise: bool = False


@frozen(eq=False)
class Edge:
    """A row, and where it leads from one way of reaching its server."""

    source: Node
    event: Event
    target: Node

    @property
    def row(self) -> tuple[AnyServer, Event]:
        """The row that it replays."""
        return self.source.server, self.event


@define
class LocalGraph:
    """Every row once behind the shortest history of its server, and once behind another.

    roots: the servers that have never run. edges: of each node, in the order of discovery.
    parent: the last edge of the shortest way to a node; None for a root.
    """

    roots: list[Node] = field(factory=list)
    edges: dict[Node, list[Edge]] = field(factory=dict)
    parent: dict[Node, Edge | None] = field(factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[AnyServer, Event, AnyServer]]) -> LocalGraph:
        """The graph of these rows: a server, an event, and the server afterwards."""
        following: dict[AnyServer, list[tuple[Event, AnyServer]]] = {}
        for server, event, after in rows:
            following.setdefault(server, []).append((event, after))
        graph = cls()
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

    def _spread(
        self, root: Node, following: dict[AnyServer, list[tuple[Event, AnyServer]]]
    ) -> None:
        self.roots.append(root)
        self.parent[root] = None
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            edges = self.edges[node] = []
            for event, after in following.get(node.server, ()):
                shortest = not node.otherwise and Node(after) not in self.parent
                edge = Edge(node, event, Node(after, not shortest))
                edges.append(edge)
                if edge.target not in self.parent:
                    self.parent[edge.target] = edge
                    waiting.append(edge.target)


def local_graph(model: Model) -> LocalGraph:
    """The rows that a model's worlds ask for."""
    explorer = Explorer(Worlds(model.spec, model.bounds), (), Settings())
    explorer.run()
    return LocalGraph.of(explorer.tables.answered())
