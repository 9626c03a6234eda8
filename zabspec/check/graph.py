"""Small state graphs as networkx, to be looked at, cut and exported by its tools."""

from __future__ import annotations

from typing import TypeAlias

import networkx as nx

from zabspec.check.actions import FAULTS
from zabspec.check.script import show_action
from zabspec.check.world import World, Worlds

Graph: TypeAlias = "nx.MultiDiGraph[int]"


class TooLargeError(ValueError):
    """More worlds than a graph was to hold; the text says how many were met."""


def state_graph(worlds: Worlds, most: int = 50_000) -> Graph:
    """Every world within the bounds, numbered breadth first, and every step between them.

    Nodes carry `world` and `cut` (only a bound stops it there); edges carry `action` as text and
    `fault`. Raises TooLargeError beyond `most` worlds.
    """
    graph: Graph = nx.MultiDiGraph()
    numbers: dict[World, int] = {}
    order: list[World] = []

    def number(world: World) -> int:
        if world not in numbers:
            if len(order) == most:
                raise TooLargeError(f"more than {most} worlds within {worlds.bounds}")
            numbers[world] = len(order)
            order.append(world)
            graph.add_node(numbers[world], world=world, cut=False)
        return numbers[world]

    number(worlds.start())
    for world in order:
        here = numbers[world]
        for step in worlds.steps(world):
            fault = isinstance(step.action, FAULTS)
            graph.add_edge(here, number(step.world), action=show_action(step.action), fault=fault)
        if not goes_on(graph, here):
            graph.nodes[here]["cut"] = worlds.is_cut(world)
    return graph


def goes_on(graph: Graph, node: int) -> bool:
    """Whether a step that is no fault leads on from here."""
    return any(not edge["fault"] for _, _, edge in graph.out_edges(node, data=True))


def dead_ends(graph: Graph) -> list[int]:
    """Where nothing but a fault can happen, and no bound is to blame."""
    cut = graph.nodes(data="cut")
    return [node for node, is_cut in cut if not is_cut and not goes_on(graph, node)]


def cycles(graph: Graph) -> list[set[int]]:
    """The sets of worlds that a run can go round in: strongly connected, with a step inside."""
    return [
        part
        for part in nx.strongly_connected_components(graph)
        if len(part) > 1 or graph.has_edge(*(2 * list(part)))
    ]
