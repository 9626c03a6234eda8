"""Worlds, and every step from one to the next: plain, and the reference for anything faster.

A world is one local state per server, the channels between them, the faults and requests that are
left, and the monitor. An action gives an event to one server, or to several at once. What a server
makes of an event is worked out once for each (server, event) and remembered, and equal parts of
worlds are one object, so that comparing worlds is cheap; that is all that is not plain here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, permutations
from typing import NamedTuple, TypeVar, cast

from attrs import evolve, frozen

from zabspec.check import abstract, connections
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.actions import (
    Action,
    Ask,
    Deliver,
    Elect,
    Item,
    Join,
    LoseLink,
    Mark,
    Restart,
)
from zabspec.check.bounds import Bounds
from zabspec.check.connections import Channel
from zabspec.check.outcomes import AnyServer, Outcome, outcomes
from zabspec.protocol.effects import CloseAll, Open
from zabspec.protocol.events import ClientRequest, Crash, Elected, Event, LinkLost, Received
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble, Leader, Looking, new_server

Value = TypeVar("Value")


@frozen(cache_hash=True)
class Environment:
    """What may still happen, and how many requests were made."""

    requests: int
    txns: int
    lost_links: int
    crashes: int
    elections: int


class World(NamedTuple):
    """servers: by sid, from 1. channels: by (from, to), as `permutations` orders them."""

    servers: tuple[AnyServer, ...]
    channels: tuple[Channel, ...]
    environment: Environment
    monitor: AtomicBroadcast


class Step(NamedTuple):
    """From one world to the next. outcomes: one for each server that took part, in order."""

    action: Action
    outcomes: tuple[Outcome, ...]
    world: World


class Worlds:
    """The worlds of a spec within bounds: where they start, and the steps between them."""

    def __init__(self, spec: Spec, bounds: Bounds) -> None:
        self.spec = spec
        self.bounds = bounds
        self.ensemble = Ensemble(tuple(range(1, bounds.servers + 1)))
        self._pairs = tuple(permutations(self.ensemble.voters, 2))
        self._channel = {pair: number for number, pair in enumerate(self._pairs)}
        self._links = [(a, b) for a, b in self._pairs if a < b]
        self._quorum = bounds.servers // 2 + 1
        self._known: dict[object, object] = {}
        self.outcomes = cache(self._outcomes)
        self._monitored = cache(self._follow)
        self._opened = cache(self._one_object_each(connections.opened))
        self._closed = cache(self._one_object_each(connections.closed))
        self._read = cache(self._one_object_each(connections.read))
        self._sent = cache(lambda out, back, item: self._one(connections.sent(out, back, item)))
        self._spent = cache(self._spend)
        self._received = cache(self._receive)

    def start(self) -> World:
        """The world in which nobody has ever run."""
        bounds = self.bounds
        environment = Environment(
            0, bounds.txns, bounds.lost_links, bounds.crashes, bounds.elections
        )
        servers = tuple(self._one(new_server(sid)) for sid in self.ensemble.voters)
        channels = (self._one(connections.IDLE),) * len(self._pairs)
        return World(servers, channels, self._one(environment), self._one(AtomicBroadcast()))

    def steps(self, world: World) -> Iterator[Step]:
        """Every step that the bounds leave, always in the same order."""
        yield from self.progress(world)
        yield from self._faults(world)

    def progress(self, world: World) -> Iterator[Step]:
        """The steps that are no faults, and the same cut by a crash where one is left."""
        yield from self._deliveries(world)
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
            if not channel.items:
                continue
            sender, receiver = self._pairs[number]
            item = channel.items[0]
            back = self._channel[receiver, sender]
            channels = list(world.channels)
            channels[number], channels[back] = self._read(channel, channels[back])
            read = World(world.servers, tuple(channels), world.environment, world.monitor)
            server = world.servers[receiver - 1]
            for outcome in self._received(server, sender, item):
                if outcome.crash_after is None:
                    action = Deliver(sender, receiver, item)
                    yield Step(action, (outcome,), self._after(read, outcome))
                elif world.environment.crashes:
                    action = Deliver(sender, receiver, item, outcome.crash_after, outcome.survives)
                    crashed = self._paying(read, "crashes")
                    yield Step(action, (outcome,), self._after(crashed, outcome))

    def _requests(self, world: World) -> Iterator[Step]:
        environment = world.environment
        if not environment.txns:
            return
        for server in world.servers:
            event = ClientRequest(environment.requests + 1)
            if self.spec.rule(server, event).because is not None:
                continue
            asked = self._paying(world, "txns")
            for outcome in self.outcomes(server, event):
                action = Ask(server.sid, outcome.crash_after, outcome.survives)
                if outcome.crash_after is None:
                    yield Step(action, (outcome,), self._after(asked, outcome))
                elif environment.crashes:
                    crashed = self._paying(asked, "crashes")
                    yield Step(action, (outcome,), self._after(crashed, outcome))

    def _joins(self, world: World) -> Iterator[Step]:
        leaders = [one.sid for one in world.servers if isinstance(one.role, Leader)]
        for server in world.servers if leaders else ():
            if isinstance(server.role, Looking):
                for leader in leaders:
                    (outcome,) = self.outcomes(server, Elected(leader))
                    yield Step(Join(server.sid, leader), (outcome,), self._after(world, outcome))

    def _elections(self, world: World) -> Iterator[Step]:
        looking = [one.sid for one in world.servers if isinstance(one.role, Looking)]
        for members in combinations(looking, self._quorum):
            for leader in members:
                taking_part = (leader, *(sid for sid in members if sid != leader))
                elected = [
                    outcome
                    for sid in taking_part
                    for outcome in self.outcomes(world.servers[sid - 1], Elected(leader))
                ]
                paid = self._paying(world, "elections")
                yield Step(Elect(leader, members), tuple(elected), self._after(paid, *elected))

    def _faults(self, world: World) -> Iterator[Step]:
        if world.environment.crashes:
            crashed = self._paying(world, "crashes")
            for server in world.servers:
                for survives in range(server.disk.unsynced + 1):
                    (outcome,) = self.outcomes(server, Crash(survives))
                    action = Restart(server.sid, survives)
                    yield Step(action, (outcome,), self._after(crashed, outcome))
        if world.environment.lost_links:
            lost = self._paying(world, "lost_links")
            for one, other in self._links:
                yield from self._lose_link(lost, one, other)

    def _lose_link(self, world: World, one: int, other: int) -> Iterator[Step]:
        there, back = self._channel[one, other], self._channel[other, one]
        out, home = world.channels[there], world.channels[back]
        if not (out.open and home.open):
            return
        for kept_out in range(len(out.items) + 1):
            for kept_home in range(len(home.items) + 1):
                channels = list(world.channels)
                channels[there] = self._one(connections.broken(out, kept_out))
                channels[back] = self._one(connections.broken(home, kept_home))
                action = LoseLink(one, other, (kept_out, kept_home))
                yield Step(action, (), world._replace(channels=tuple(channels)))

    def _after(self, world: World, *happened: Outcome) -> World:
        servers, channels, monitor = list(world.servers), list(world.channels), world.monitor
        for outcome in happened:
            servers[outcome.after.sid - 1] = outcome.after
            if outcome.on_links:
                self._carry_out(outcome, channels)
            if outcome.shown:
                monitor = self._monitored(monitor, outcome)
        return World(tuple(servers), tuple(channels), world.environment, monitor)

    def _carry_out(self, outcome: Outcome, channels: list[Channel]) -> None:
        sid = outcome.after.sid
        for effect in outcome.on_links:
            if isinstance(effect, CloseAll):
                peers = [peer for peer in self.ensemble.voters if peer != sid]
            else:
                peers = [effect.connection.peer]
            for peer in peers:
                there, back = self._channel[sid, peer], self._channel[peer, sid]
                out, home = channels[there], channels[back]
                if isinstance(effect, CloseAll):
                    channels[there], channels[back] = self._closed(out, home)
                elif isinstance(effect, Open):
                    channels[there], channels[back] = self._opened(out, home)
                else:
                    channels[there] = self._sent(out, home, effect.packet)

    def _outcomes(self, server: AnyServer, event: Event) -> tuple[Outcome, ...]:
        found = outcomes(self.spec, self.ensemble, server, event)
        if isinstance(event, Elected | Crash):  # several servers at once, or a crash: never cut
            found = (outcome for outcome in found if outcome.crash_after is None)
        return tuple(evolve(outcome, after=self._one(outcome.after)) for outcome in found)

    def _receive(self, server: AnyServer, sender: int, item: Item) -> tuple[Outcome, ...]:
        connection = Connection(sender)
        if isinstance(item, Mark):
            return self.outcomes(server, LinkLost(connection))
        return self.outcomes(server, Received(connection, item))

    def _follow(self, monitor: AtomicBroadcast, outcome: Outcome) -> AtomicBroadcast:
        return self._one(abstract.follow(monitor, outcome)[0])

    def _paying(self, world: World, price: str) -> World:
        servers, channels, environment, monitor = world
        return World(servers, channels, self._spent(environment, price), monitor)

    def _spend(self, environment: Environment, price: str) -> Environment:
        left: dict[str, int] = {price: getattr(environment, price) - 1}
        if price == "txns":
            left["requests"] = environment.requests + 1
        return self._one(evolve(environment, **left))

    def _one(self, value: Value) -> Value:
        """The one object that stands for all values equal to this."""
        return cast("Value", self._known.setdefault(value, value))

    def _one_object_each(
        self, change: Callable[[Channel, Channel], tuple[Channel, Channel]]
    ) -> Callable[[Channel, Channel], tuple[Channel, Channel]]:
        def changed(out: Channel, back: Channel) -> tuple[Channel, Channel]:
            there, home = change(out, back)
            return self._one(there), self._one(home)

        return changed
