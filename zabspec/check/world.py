"""Worlds, and every step from one to the next: plain, and the reference for anything faster.

A world is one local state per server, the channels between them, the faults and requests that are
left, and the monitor. An action gives an event to one server, or to several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, product

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
from zabspec.check.parts import Choice, Environment, Parts, Step, World
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LimitExpired,
    LogSynced,
)
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Leader, Looking, new_server

__all__ = ["Choice", "Environment", "Step", "World", "Worlds"]


class Worlds:
    """The worlds of a spec within bounds: where they start, and the steps between them."""

    def __init__(self, spec: Spec, bounds: Bounds) -> None:
        self.spec = spec
        self.bounds = bounds
        self.ensemble = bounds.ensemble
        self._parts = Parts(spec, self.ensemble)
        self._links = [(a, b) for a, b in self._parts.pairs if a < b]
        self._quorum = bounds.servers // 2 + 1

    @property
    def uncut(self) -> Callable[[AnyServer, Event], Outcome]:
        """What an event on a server leads to where no crash cuts it; equal outcomes are one."""
        return self._parts.uncut

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
        return map(self.take, chain(self.progress(world), self.faults(world)))

    def outcomes(self, choice: Choice) -> tuple[Outcome, ...]:
        """What a choice leads to, for each server that takes part."""
        if choice.cut is not None:
            return (choice.cut,)
        return tuple(self._parts.uncut(server, event) for server, event in choice.asked)

    def take(self, choice: Choice, outcomes: tuple[Outcome, ...] | None = None) -> Step:
        """The step that is chosen. outcomes: what it led to, where that is known."""
        found = self.outcomes(choice) if outcomes is None else outcomes
        return Step(choice.action, found, self._parts.after(choice.before, *found))

    def cuts(self, choice: Choice) -> Iterator[Choice]:
        """The same choice, cut by a crash wherever that makes a difference."""
        if isinstance(choice.action, Deliver | SyncLog | ApplyNext | Ask):
            (asked,) = choice.asked
            crashed = self._parts.paying(choice.before, "crashes")
            for outcome in self._parts.cuts(*asked):
                at, left = outcome.crash_after, outcome.survives
                action = evolve(choice.action, crash_after=at, survives=left)
                yield Choice(action, choice.asked, crashed, outcome)

    def progress(self, world: World, *, cut: bool = True) -> Iterator[Choice]:
        """The steps that are no faults.

        cut: and the same cut by a crash, where one is left.
        """
        cut = cut and world.environment.crashes > 0
        yield from self._deliveries(world, cut=cut)
        yield from self._threads(world, cut=cut)
        if world.environment.txns:
            yield from self._requests(world, cut=cut)
        yield from self._joins(world)
        if world.environment.elections:
            yield from self._elections(world)

    def faults(self, world: World) -> Iterator[Choice]:
        """The steps that no protocol needs to make progress."""
        if world.environment.crashes:
            yield from self._crashes(world)
        if world.environment.lost_links:
            yield from self._lost_links(world)
        if world.environment.limits:
            yield from self._limits(world)

    def is_cut(self, world: World) -> bool:
        """Whether a bound alone keeps the protocol from going on here."""
        more = world.environment
        more = evolve(more, txns=more.txns + 1, elections=more.elections + 1)
        return any(True for _ in self.progress(world._replace(environment=more)))

    def _deliveries(self, world: World, *, cut: bool) -> Iterator[Choice]:
        for number, channel in enumerate(world.channels):
            if channel.items:
                sender, receiver = self._parts.pairs[number]
                item = channel.items[0]
                event, read = self._parts.reading(sender, item), self._parts.read(world, number)
                choice = Choice(
                    Deliver(sender, receiver, item), ((world.servers[receiver - 1], event),), read
                )
                yield from self._each(choice, cut=cut)

    def _threads(self, world: World, *, cut: bool) -> Iterator[Choice]:
        for server in world.servers:
            for event in self.spec.threads(server):
                action: SyncLog | ApplyNext = ApplyNext(server.sid)
                if isinstance(event, LogSynced):
                    action = SyncLog(server.sid, event.upto)
                yield from self._each(Choice(action, ((server, event),), world), cut=cut)

    def _requests(self, world: World, *, cut: bool) -> Iterator[Choice]:
        event = ClientRequest(world.environment.requests + 1)
        asked = self._parts.paying(world, "txns")
        for server in world.servers:
            if self.spec.acts(server, event):
                choice = Choice(Ask(server.sid), ((server, event),), asked)
                yield from self._each(choice, cut=cut)

    def _each(self, choice: Choice, *, cut: bool) -> Iterator[Choice]:
        """The choice; and one for each place where a crash may cut it."""
        yield choice
        if cut:
            yield from self.cuts(choice)

    def _joins(self, world: World) -> Iterator[Choice]:
        leaders = [one.sid for one in world.servers if isinstance(one.role, Leader)]
        for server in world.servers if leaders else ():
            if isinstance(server.role, Looking):
                for leader in leaders:
                    yield Choice(Join(server.sid, leader), ((server, Elected(leader)),), world)

    def _elections(self, world: World) -> Iterator[Choice]:
        looking = [
            server
            for server in world.servers[: len(self.ensemble.voters)]
            if isinstance(server.role, Looking)
        ]
        for members in combinations(looking, self._quorum):
            for leader in self.spec.oracle(members):
                yield self._election(world, members, leader)

    def _election(self, world: World, members: Sequence[AnyServer], leader: int) -> Choice:
        event = Elected(leader)
        elected = [(one, event) for one in sorted(members, key=lambda one: one.sid != leader)]
        paid = self._parts.paying(world, "elections")
        action = Elect(leader, tuple(one.sid for one in members))
        return Choice(action, tuple(elected), paid)

    def _crashes(self, world: World) -> Iterator[Choice]:
        crashed = self._parts.paying(world, "crashes")
        for server in world.servers:
            for survives in range(server.disk.unsynced + 1):
                asked = ((server, Crash(survives)),)
                yield Choice(Restart(server.sid, survives), asked, crashed)

    def _limits(self, world: World) -> Iterator[Choice]:
        expired = self._parts.paying(world, "limits")
        for server in world.servers:
            if self.spec.acts(server, LimitExpired()):
                yield Choice(Expire(server.sid), ((server, LimitExpired()),), expired)

    def _lost_links(self, world: World) -> Iterator[Choice]:
        lost = self._parts.paying(world, "lost_links")
        for one, other in self._links:
            out = world.channels[self._parts.channel[one, other]]
            home = world.channels[self._parts.channel[other, one]]
            if out.open and home.open:
                for kept in product(range(len(out.items) + 1), range(len(home.items) + 1)):
                    action = LoseLink(one, other, kept)
                    yield Choice(action, (), self._parts.broken(lost, one, other, kept))
