"""Asking the properties, each question once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from zabspec.check.properties import Property
from zabspec.check.world import Step, World
from zabspec.protocol.state import Ensemble

Broken = tuple[Property, ...]


class Audit:
    """The properties asked of worlds and steps.

    premises: for each property, how many different things it was asked of held its premise.
    witnessed: the `sometimes` properties seen so far.
    """

    def __init__(self, properties: Iterable[Property], ensemble: Ensemble) -> None:
        self.properties = tuple(properties)
        self.premises: Counter[Property] = Counter()
        self.witnessed: dict[Property, None] = {}
        self._ensemble = ensemble
        self._asked: dict[tuple[object, ...], Broken] = {}
        self._by_reads: dict[tuple[str, ...], list[Property]] = {}
        for one in self.properties:
            if one.reads:
                self._by_reads.setdefault(one.reads, []).append(one)
        self._of_server = self._by_reads.get(("server",), [])
        self._of_pair = self._by_reads.get(("server", "other"), [])
        self._of_server_beside = self._by_reads.get(("server", "monitor"), [])
        self._of_world = self._by_reads.get(("servers", "monitor"), [])
        self._of_outcome = self._by_reads.get(("outcome",), [])
        self._of_outcome_beside = self._by_reads.get(("outcome", "monitor"), [])

    def step(self, before: World, step: Step) -> Broken:
        """The properties of steps that this step breaks."""
        broken: Broken = ()
        for outcome in step.outcomes:
            broken += self._ask(self._of_outcome, outcome)
            broken += self._ask(self._of_outcome_beside, outcome, before.monitor)
        return broken

    def world(self, world: World, before: World | None = None, step: Step | None = None) -> Broken:
        """The properties of worlds that this world breaks.

        before, step: what led here from a world that breaks none; then only what the step changed
        is asked about.
        """
        servers, monitor = world.servers, world.monitor
        changed = servers if step is None else [outcome.after for outcome in step.outcomes]
        broken: Broken = ()
        for server in changed:
            broken += self._ask(self._of_server, server)
            for other in servers:
                if other is not server:
                    first, second = (server, other) if server.sid < other.sid else (other, server)
                    broken += self._ask(self._of_pair, first, second)
        for server in changed if before and before.monitor is monitor else servers:
            broken += self._ask(self._of_server_beside, server, monitor)
        return broken + self._ask(self._of_world, servers, monitor) if changed else broken

    def _ask(self, properties: Sequence[Property], *about: object) -> Broken:
        if not properties:
            return ()
        if (known := self._asked.get(about)) is not None:
            return known
        broken = self._asked[about] = tuple(self._failing(properties, about))
        return broken

    def _failing(
        self, properties: Sequence[Property], about: tuple[object, ...]
    ) -> Iterator[Property]:
        for one in properties:
            answer = one.function(*about, *([self._ensemble] if one.wants_ensemble else []))
            if one.sometimes:
                if answer:
                    self.witnessed[one] = None
            elif answer is not None:
                self.premises[one] += 1
                if not answer:
                    yield one
