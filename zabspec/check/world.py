"""Worlds, and every step from one to the next: plain, and the reference for anything faster.

A world is one local state per server, the channels between them, the faults and requests that are
left, and the monitor. An action gives an event to one server, or to several at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product

from attrs import evolve

from zabspec.check import connections
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.actions import (
    ApplyNext,
    Ask,
    Deliver,
    Elect,
    Expire,
    Join,
    LoseLink,
    Restart,
    SyncLog,
)
from zabspec.check.bounds import Bounds
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.parts import Environment, Parts, Step, World
from zabspec.protocol.events import ClientRequest, Crash, Elected, LimitExpired, LogSynced
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Leader, Looking, new_server

__all__ = ["Environment", "Step", "World", "Worlds"]


class Worlds:
    """The worlds of a spec within bounds: where they start, and the steps between them."""

    def __init__(self, spec: Spec, bounds: Bounds) -> None:
        self.spec = spec
        self.bounds = bounds
        self.ensemble = bounds.ensemble
        self._parts = Parts(spec, self.ensemble)
        self._links = [(a, b) for a, b in self._parts.pairs if a < b]
        self._quorum = bounds.servers // 2 + 1

    def start(self) -> World:
        """The world in which nobody has ever run."""
        one, bounds = self._parts.one, self.bounds
        environment = Environment(
            0, bounds.txns, bounds.lost_links, bounds.crashes, bounds.elections, bounds.limits
        )
        servers = tuple(one(new_server(sid)) for sid in self.ensemble.servers)
        channels = (one(connections.IDLE),) * len(self._parts.pairs)
        return World(servers, channels, one(environment), one(AtomicBroadcast()))

    def steps(self, world: World) -> Iterator[Step]:
        """Every step that the bounds leave, always in the same order."""
        yield from self.progress(world)
        if world.environment.crashes:
            yield from self._crashes(world)
        if world.environment.lost_links:
            yield from self._lost_links(world)
        if world.environment.limits:
            yield from self._limits(world)

    def progress(self, world: World) -> Iterator[Step]:
        """The steps that are no faults, and the same cut by a crash where one is left."""
        yield from self._deliveries(world)
        yield from self._threads(world)
        if world.environment.txns:
            yield from self._requests(world)
        yield from self._joins(world)
        if world.environment.elections:
            yield from self._elections(world)

    def is_cut(self, world: World) -> bool:
        """Whether a bound alone keeps the protocol from going on here."""
        more = world.environment
        more = evolve(more, txns=more.txns + 1, elections=more.elections + 1)
        return any(True for _ in self.progress(world._replace(environment=more)))

    def _deliveries(self, world: World) -> Iterator[Step]:
        for number, channel in enumerate(world.channels):
            if channel.items:
                sender, receiver = self._parts.pairs[number]
                item = channel.items[0]
                server = world.servers[receiver - 1]
                found = self._parts.received(server, sender, item)
                read = self._parts.read(world, number)
                yield from self._each(read, Deliver(sender, receiver, item), found)

    def _threads(self, world: World) -> Iterator[Step]:
        for server in world.servers:
            for event in self.spec.threads(server):
                action: SyncLog | ApplyNext = ApplyNext(server.sid)
                if isinstance(event, LogSynced):
                    action = SyncLog(server.sid, event.upto)
                yield from self._each(world, action, self._parts.outcomes(server, event))

    def _requests(self, world: World) -> Iterator[Step]:
        event = ClientRequest(world.environment.requests + 1)
        asked = self._parts.paying(world, "txns")
        for server in world.servers:
            if self.spec.acts(server, event):
                yield from self._each(asked, Ask(server.sid), self._parts.outcomes(server, event))

    def _each(
        self,
        world: World,
        action: Deliver | SyncLog | ApplyNext | Ask,
        found: Iterable[Outcome],
    ) -> Iterator[Step]:
        """A step for each outcome; those that a crash cut only if there may be one."""
        for outcome in found:
            if outcome.crash_after is None:
                yield Step(action, (outcome,), self._parts.after(world, outcome))
            elif world.environment.crashes:
                at, left = outcome.crash_after, outcome.survives
                crashed = self._parts.paying(world, "crashes")
                cut = evolve(action, crash_after=at, survives=left)
                yield Step(cut, (outcome,), self._parts.after(crashed, outcome))

    def _joins(self, world: World) -> Iterator[Step]:
        leaders = [one.sid for one in world.servers if isinstance(one.role, Leader)]
        for server in world.servers if leaders else ():
            if isinstance(server.role, Looking):
                for leader in leaders:
                    found = self._parts.outcomes(server, Elected(leader))
                    yield Step(Join(server.sid, leader), found, self._parts.after(world, *found))

    def _elections(self, world: World) -> Iterator[Step]:
        looking = [
            server
            for server in world.servers[: len(self.ensemble.voters)]
            if isinstance(server.role, Looking)
        ]
        for members in combinations(looking, self._quorum):
            for leader in self.spec.oracle(members):
                yield self._election(world, members, leader)

    def _election(self, world: World, members: Sequence[AnyServer], leader: int) -> Step:
        first = sorted(members, key=lambda one: one.sid != leader)
        elected = [
            outcome for one in first for outcome in self._parts.outcomes(one, Elected(leader))
        ]
        paid = self._parts.paying(world, "elections")
        action = Elect(leader, tuple(one.sid for one in members))
        return Step(action, tuple(elected), self._parts.after(paid, *elected))

    def _crashes(self, world: World) -> Iterator[Step]:
        crashed = self._parts.paying(world, "crashes")
        for server in world.servers:
            for survives in range(server.disk.unsynced + 1):
                found = self._parts.outcomes(server, Crash(survives))
                action = Restart(server.sid, survives)
                yield Step(action, found, self._parts.after(crashed, *found))

    def _limits(self, world: World) -> Iterator[Step]:
        expired = self._parts.paying(world, "limits")
        for server in world.servers:
            if self.spec.acts(server, LimitExpired()):
                found = self._parts.outcomes(server, LimitExpired())
                plain = [outcome for outcome in found if outcome.crash_after is None]
                yield Step(Expire(server.sid), tuple(plain), self._parts.after(expired, *plain))

    def _lost_links(self, world: World) -> Iterator[Step]:
        lost = self._parts.paying(world, "lost_links")
        for one, other in self._links:
            out = world.channels[self._parts.channel[one, other]]
            home = world.channels[self._parts.channel[other, one]]
            if out.open and home.open:
                for kept in product(range(len(out.items) + 1), range(len(home.items) + 1)):
                    action = LoseLink(one, other, kept)
                    yield Step(action, (), self._parts.broken(lost, one, other, kept))
