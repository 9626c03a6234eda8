"""What worlds are made of, and how the outcomes of servers make a world into the next.

What a server makes of an event is worked out once for each (server, event) and remembered, and
equal parts of worlds are one object, so that comparing worlds is cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import permutations
from typing import NamedTuple, TypeVar, cast

from attrs import evolve, frozen

from zabspec.check import abstract, connections
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.actions import Action, Item, Mark
from zabspec.check.connections import Channel
from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.protocol.effects import CloseAll, Open, Send
from zabspec.protocol.events import Event, LinkLost, Received
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble

Value = TypeVar("Value")
Pair = tuple[Channel, Channel]


@frozen(cache_hash=True)
class Environment:
    """What may still happen, and how many requests were made."""

    requests: int
    txns: int
    lost_links: int
    crashes: int
    elections: int
    limits: int = 0


class World(NamedTuple):
    """servers: by sid, from 1. channels: by (from, to), as `Parts.pairs` orders them."""

    servers: tuple[AnyServer, ...]
    channels: tuple[Channel, ...]
    environment: Environment
    monitor: AtomicBroadcast


class Step(NamedTuple):
    """From one world to the next. outcomes: one for each server that took part, in order."""

    action: Action
    outcomes: tuple[Outcome, ...]
    world: World


class Choice(NamedTuple):
    """A step that may be taken.

    asked: the servers that take part, and what happens to each, in order. before: the world it is
    taken from, with the price paid. cut: where a crash cuts it, what that leads to.
    """

    action: Action
    asked: tuple[tuple[AnyServer, Event], ...]
    before: World
    cut: Outcome | None = None


class Parts:
    """The parts of the worlds of one spec and ensemble, each equal one the same object."""

    def __init__(self, spec: Spec, ensemble: Ensemble) -> None:
        self.pairs = tuple(permutations(ensemble.servers, 2))
        self.channel = {pair: number for number, pair in enumerate(self.pairs)}
        self.uncut = cache(self._uncut)
        self.cuts = cache(self._cuts)
        self.reading = cache(_reading)
        self._spec = spec
        self._ensemble = ensemble
        self._known: dict[object, object] = {}
        self._monitored = cache(self._follow)
        self._opened = cache(self._one_object_each(connections.opened))
        self._closed = cache(self._one_object_each(connections.closed))
        self._read = cache(self._one_object_each(connections.read))
        self._sent = cache(lambda out, back, item: self.one(connections.sent(out, back, item)))
        self._spent = cache(self._spend)

    def one(self, value: Value) -> Value:
        """The one object that stands for all values equal to this."""
        return cast("Value", self._known.setdefault(value, value))

    def after(self, world: World, *happened: Outcome) -> World:
        """The world when these outcomes have come about, in this order."""
        servers, channels, monitor = list(world.servers), list(world.channels), world.monitor
        for outcome in happened:
            servers[outcome.after.sid - 1] = outcome.after
            if outcome.on_links:
                self._carry_out(outcome, channels)
            if outcome.shown:
                monitor = self._monitored(monitor, outcome)
        return World(tuple(servers), tuple(channels), world.environment, monitor)

    def read(self, world: World, number: int) -> World:
        """The world when the next item of a channel has left it."""
        sender, receiver = self.pairs[number]
        back = self.channel[receiver, sender]
        channels = list(world.channels)
        channels[number], channels[back] = self._read(channels[number], channels[back])
        return World(world.servers, tuple(channels), world.environment, world.monitor)

    def broken(self, world: World, one: int, other: int, kept: tuple[int, int]) -> World:
        """The world when the link of two servers is lost; so many items of each channel arrive."""
        channels = list(world.channels)
        for pair, left in zip(((one, other), (other, one)), kept, strict=True):
            number = self.channel[pair]
            channels[number] = self.one(connections.broken(channels[number], left))
        return World(world.servers, tuple(channels), world.environment, world.monitor)

    def paying(self, world: World, price: str) -> World:
        """The world with one less of `price` to come."""
        servers, channels, environment, monitor = world
        return World(servers, channels, self._spent(environment, price), monitor)

    def _carry_out(self, outcome: Outcome, channels: list[Channel]) -> None:
        sid = outcome.after.sid
        for effect in outcome.on_links:
            if isinstance(effect, CloseAll):
                for peer in self._ensemble.servers:
                    if peer != sid:
                        self._change(channels, sid, peer, self._closed)
                continue
            peer = effect.connection.peer
            if isinstance(effect, Send):
                there = self.channel[sid, peer]
                back = channels[self.channel[peer, sid]]
                channels[there] = self._sent(channels[there], back, effect.packet)
            else:
                change = self._opened if isinstance(effect, Open) else self._closed
                self._change(channels, sid, peer, change)

    def _change(
        self,
        channels: list[Channel],
        sid: int,
        peer: int,
        change: Callable[[Channel, Channel], Pair],
    ) -> None:
        there, back = self.channel[sid, peer], self.channel[peer, sid]
        channels[there], channels[back] = change(channels[there], channels[back])

    def _uncut(self, server: AnyServer, event: Event) -> Outcome:
        found = uncut(self._spec, self._ensemble, server, event)
        return evolve(found, after=self.one(found.after))

    def _cuts(self, server: AnyServer, event: Event) -> tuple[Outcome, ...]:
        found = cuts(self._spec, self._ensemble, self.uncut(server, event))
        return tuple(evolve(outcome, after=self.one(outcome.after)) for outcome in found)

    def _follow(self, monitor: AtomicBroadcast, outcome: Outcome) -> AtomicBroadcast:
        return self.one(abstract.follow(monitor, outcome)[0])

    def _spend(self, environment: Environment, price: str) -> Environment:
        left: dict[str, int] = {price: getattr(environment, price) - 1}
        if price == "txns":
            left["requests"] = environment.requests + 1
        return self.one(evolve(environment, **left))

    def _one_object_each(
        self, change: Callable[[Channel, Channel], Pair]
    ) -> Callable[[Channel, Channel], Pair]:
        def changed(out: Channel, back: Channel) -> Pair:
            there, home = change(out, back)
            return self.one(there), self.one(home)

        return changed


def _reading(sender: int, item: Item) -> Event:
    """The event in which a server reads what another one sent, or its end."""
    connection = Connection(sender)
    return LinkLost(connection) if isinstance(item, Mark) else Received(connection, item)
