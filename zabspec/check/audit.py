"""Asking the properties, each question once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.properties import Answer, Property
from zabspec.check.world import Step, World
from zabspec.protocol.state import Ensemble

Broken = tuple[Property, ...]


class Audit:
    """The properties asked of worlds and steps.

    premises: for each property, how many different things that it looked at held its premise.
    witnessed: the `sometimes` properties seen so far.
    """

    def __init__(self, properties: Iterable[Property], ensemble: Ensemble) -> None:
        self.properties = tuple(properties)
        self.premises: Counter[Property] = Counter()
        self.witnessed: dict[Property, None] = {}
        self._ensemble = ensemble
        self._asked: dict[tuple[object, ...], Broken] = {}
        self._answers: dict[tuple[object, ...], Answer] = {}
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
            broken += self.outcome(outcome) + self.beside(outcome, before.monitor)
        return broken

    def outcome(self, outcome: Outcome) -> Broken:
        """The properties that what happened to one server breaks."""
        return self._ask(self._of_outcome, outcome)

    def beside(self, outcome: Outcome, monitor: AtomicBroadcast) -> Broken:
        """The same, of those that look at the monitor before it too."""
        return self._ask(self._of_outcome_beside, outcome, monitor)

    def server(self, server: AnyServer) -> Broken:
        """The properties that a local state breaks."""
        return self._ask(self._of_server, server)

    def beyond_servers(self, servers: Sequence[AnyServer], monitor: AtomicBroadcast) -> Broken:
        """The properties of worlds that a world breaks, but for those of one server alone."""
        broken: Broken = ()
        for server in servers:
            broken += self._ask(self._of_server_beside, server, monitor)
        for first, second in combinations(servers, 2):
            broken += self._ask(self._of_pair, first, second)
        return broken + self._ask(self._of_world, tuple(servers), monitor)

    def world(self, world: World, before: World | None = None, step: Step | None = None) -> Broken:
        """The properties of worlds that this world breaks.

        before, step: what led here from a world that breaks none; then only what the step changed
        is asked about.
        """
        servers, monitor = world.servers, world.monitor
        changed = servers if step is None else [outcome.after for outcome in step.outcomes]
        broken: Broken = ()
        for server in changed:
            broken += self.server(server)
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
            seen = one.seen(*about)
            if seen is None:
                continue
            key = (one, *seen)
            if key not in self._answers:
                self._answers[key] = self._answer(one, about)
            if not one.sometimes and self._answers[key] is False:
                yield one

    def _answer(self, one: Property, about: tuple[object, ...]) -> Answer:
        answer = one.function(*about, *([self._ensemble] if one.wants_ensemble else []))
        if one.sometimes:
            if answer:
                self.witnessed[one] = None
        elif answer is not None:
            self.premises[one] += 1
            return bool(answer)
        return answer
