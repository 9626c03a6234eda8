"""The protocol as tables of integers, filled on demand by the rules, each row once.

A row is a server's local state and an event. It holds what the rule made of them: the local state
afterwards, what is done to the link with each peer, what the monitor is shown. The environment is
never in the key of a row. Every value is interned: a world is a row of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import RLock

import numpy as np
from attrs import evolve

from zabspec.check import abstract
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.actions import Mark
from zabspec.check.audit import Audit, Broken
from zabspec.check.interning import Column, Interned, IntMap
from zabspec.check.kernels import Ints, Kernels, Keys, scattered
from zabspec.check.link_tables import LinkTables
from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.check.parts import Environment, World
from zabspec.check.properties import IN_WORLDS, Property
from zabspec.check.rows import Rows
from zabspec.check.world import Worlds
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LimitExpired,
    LinkLost,
    Received,
)
from zabspec.protocol.state import Connection, Leader, Looking

PRICES = ("txns", "lost_links", "crashes", "elections", "limits")
"""What a step may cost, in the order of the columns of `spent`."""
TXN, LOST_LINK, CRASH, ELECTION, LIMIT = range(len(PRICES))
NO_ORDER = 1 << 20
"""Stands for a property that is not broken: later than any that is."""
DELIVERED = 1 << 23
"""The number of an item's delivery as an event: this, and the item's by the place of its sender."""

Lock = type(RLock())

_MISSING = -1


class Tables:
    """The tables of one spec within bounds.

    By local state: `looking` (its number among the voters that look for a leader, else -1),
    `joins` (it looks, with a vote or not), `leads`, `unsynced`, `asks` (takes a request), `expires`
    (a limit may run out), `threads` (the events of its own threads, -1 behind the last), `seen`
    (what the properties of worlds look at).
    By outcome: `after`, `programs` (one for each server, see LinkTables), `shown` (0: nothing that
    the monitor or a property beside it looks at), `broken` (the first property of steps or servers
    that it breaks, or NO_ORDER), `cut_start` and `cut_count` (its cuts stand there; -1: not asked).
    By environment: `spent` (the next one for each price; -1 if none is left), `request`, the event.
    `rows` leads from local state and event to an outcome; `followed` from monitor and `shown` to a
    row of `next_monitor` and `next_broken`; `verdicts` from what is seen of a world to the first
    property broken; `oracle` from the numbers of a quorum that looks to who may lead, as bits.
    `lock` is held while they are filled, and who holds it looks again first.
    """

    def __init__(self, worlds: Worlds, audit: Audit, kernels: Kernels) -> None:
        self.worlds, self.audit, self.kernels = worlds, audit, kernels
        self.spec, self.ensemble = Rows(worlds.spec), worlds.ensemble
        self.servers = self.ensemble.servers
        self.pairs = [(a, b) for a in self.servers for b in self.servers if a < b]
        self.lock = RLock()
        self.link_tables = LinkTables(kernels)
        self.locals: Interned[AnyServer] = Interned()
        self.events: Interned[Event] = Interned()
        self.monitors: Interned[AtomicBroadcast] = Interned()
        self.environments: Interned[Environment] = Interned()
        self.looking, self.joins, self.leads = Column(), Column(), Column()
        self.unsynced, self.asks, self.expires = Column(), Column(), Column()
        self.threads, self.seen = Column(1, blank=_MISSING), Column()
        self.after, self.shown, self.broken = Column(), Column(), Column()
        self.programs = Column(len(self.servers))
        self.cut_start, self.cut_count = Column(), Column()
        self.spent, self.request = Column(len(PRICES), blank=_MISSING), Column()
        self.next_monitor, self.next_broken = Column(), Column()
        self.rows, self.followed = IntMap(kernels), IntMap(kernels)
        self.verdicts, self.oracle = IntMap(kernels), IntMap(kernels)
        self.crash_events = Column()
        self.limit_event = self.events.number(LimitExpired())
        self.elected = [self.events.number(Elected(sid)) for sid in self.servers]
        self.asked_of_oracle: list[tuple[AnyServer, ...]] = []
        self._inner_rows = self._looked = 0
        self._uncut: dict[int, Outcome] = {}
        self._sights: Interned[tuple[object, ...]] = Interned()
        self._seen_first: list[AnyServer] = []
        self._showings: Interned[tuple[object, ...]] = Interned()
        self._shown_first: list[Outcome] = []
        properties = audit.properties
        self._of_worlds = [one for one in properties if one.reads in IN_WORLDS[1:]]
        self._of_steps = [one for one in properties if one.reads == ("outcome", "monitor")]

    def start(self) -> tuple[tuple[int, ...], int]:
        """The first world, as a row of columns, and the first property that it breaks."""
        world = self.worlds.start()
        self.environment(world.environment)
        numbers = [self.local(server) for server in world.servers]
        links = [self.link_tables.number((world.channels[0],) * 2)] * len(self.pairs)
        monitor = self.monitors.number(world.monitor)
        return (*numbers, *links, 0, monitor), self._first(self.audit.world(world))

    def world(self, columns: Sequence[int]) -> World:
        """The world that a row of columns stands for."""
        count = len(self.servers)
        servers = tuple(self.locals.values[number] for number in columns[:count])
        links = [self.link_tables.links.values[one] for one in columns[count:-2]]
        channels = {}
        for (a, b), (out, back) in zip(self.pairs, links, strict=True):
            channels[a, b], channels[b, a] = out, back
        ordered = tuple(channels[pair] for pair in sorted(channels))
        environment = self.environments.values[columns[-2]]
        return World(servers, ordered, environment, self.monitors.values[columns[-1]])

    def local(self, server: AnyServer) -> int:
        """A local state's number; a new one gets its rows."""
        before = len(self.locals)
        number = self.locals.number(server)
        if number < before:
            return number
        looks = isinstance(server.role, Looking) and server.sid in self.ensemble.voters
        self.looking.append(self._looked if looks else _MISSING)
        self._looked += looks
        self.joins.append(isinstance(server.role, Looking))
        self.leads.append(isinstance(server.role, Leader))
        self.unsynced.append(server.disk.unsynced)
        while self.crash_events.size <= server.disk.unsynced:
            self.crash_events.append(self.events.number(Crash(self.crash_events.size)))
        self.asks.append(self.spec_acts(server, ClientRequest(1)))
        self.expires.append(self.spec_acts(server, LimitExpired()))
        self._add_threads([self.events.number(event) for event in self.spec.threads(server)])
        sight = (server.sid, *(one.looks_at(server) for one in self._of_worlds))
        self.seen.append(self._sights.number(sight))
        if len(self._seen_first) < len(self._sights):
            self._seen_first.append(server)
        return number

    def spec_acts(self, server: AnyServer, event: Event) -> bool:
        """Whether a rule answers this event here."""
        return self.worlds.spec.acts(server, event)

    def environment(self, environment: Environment) -> int:
        """An environment's number; it, and all that can follow, get their rows."""
        before = len(self.environments)
        number = self.environments.number(environment)
        if number == before:
            self.spent.append(_MISSING)
            self.request.append(self.events.number(ClientRequest(environment.requests + 1)))
            for price, name in enumerate(PRICES):
                left = getattr(environment, name)
                if left:
                    requests = environment.requests + (price == TXN)
                    later = evolve(environment, requests=requests, **{name: left - 1})
                    self.spent.array[number, price] = self.environment(later)
        return number

    def event(self, number: int) -> Event:
        """The event that a number stands for."""
        if number < DELIVERED:
            return self.events.values[number]
        item, sender = divmod(number - DELIVERED, len(self.servers))
        value, connection = self.link_tables.items.values[item], Connection(self.servers[sender])
        if value is None or isinstance(value, Mark):
            return LinkLost(connection)
        return Received(connection, value)

    def fill_row(self, key: int) -> None:
        """Ask the rule of a row."""
        server, event = self.locals.values[key >> 24], self.event(key & 0xFFFFFF)
        outcome = uncut(self.spec, self.ensemble, server, event)
        number = self._outcome(outcome)
        if self.worlds.bounds.crashes and not isinstance(event, Elected | Crash | LimitExpired):
            self._uncut[number] = outcome
            self.cut_count.array[number] = _MISSING
        self._inner_rows += isinstance(event, self.spec.inner)
        self.rows.put(key, number)

    def asked(self) -> Iterator[tuple[AnyServer, Event]]:
        """Every row."""
        for key in self.rows.pairs()[0].tolist():
            yield self.locals.values[key >> 24], self.event(key & 0xFFFFFF)

    def answered(self) -> Iterator[tuple[AnyServer, Event, AnyServer]]:
        """Every row, with the server that it leads to; in the order in which servers were met."""
        keys, outcomes = self.rows.pairs()
        after, values = self.after.array[outcomes], self.locals.values
        for at in np.argsort(keys).tolist():
            key = int(keys[at])
            yield values[key >> 24], self.event(key & 0xFFFFFF), values[after[at]]

    @property
    def row_count(self) -> int:
        """Distinct pairs of a server and an event that were asked for, inside other steps too."""
        return self.rows.size - self._inner_rows + self.spec.inner_rows

    def fill_cuts(self, number: int) -> None:
        """Ask where a crash may cut an outcome."""
        found = list(cuts(self.spec, self.ensemble, self._uncut.pop(number)))
        start = self.after.size
        for outcome in found:
            self._outcome(outcome)
        self.cut_start.array[number] = start
        self.cut_count.array[number] = len(found)

    def fill_followed(self, key: int) -> None:
        """Ask what the monitor makes of what it is shown, and the properties beside it."""
        monitor = self.monitors.values[key >> 32]
        outcome = self._shown_first[(key & 0xFFFFFFFF) - 1]
        broken = self.audit.beside(outcome, monitor)
        self.next_monitor.append(self.monitors.number(abstract.follow(monitor, outcome)[0]))
        self.followed.put(key, self.next_broken.append(self._first(broken)))

    def fill_oracle(self, key: int, members: Sequence[int]) -> None:
        """Ask which of these local states may be elected."""
        servers = [self.locals.values[number] for number in members]
        named = self.worlds.spec.oracle(servers)
        self.asked_of_oracle.append(tuple(servers))
        self.oracle.put(key, sum(1 << at for at, one in enumerate(servers) if one.sid in named))

    def fill_verdict(self, key: int, columns: Sequence[int]) -> None:
        """Ask the properties of worlds about what they can see of this one."""
        count = len(self.servers)
        seen = self.seen.array
        servers = tuple(self._seen_first[seen[number]] for number in columns[:count])
        monitor = self.monitors.values[columns[-1]]
        self.verdicts.put(key, self._first(self.audit.beyond_servers(servers, monitor)))

    def verdict_keys(self, columns: Sequence[Ints]) -> Keys:
        """What the properties of worlds see of each world, as a key of `verdicts`."""
        count = len(self.servers)
        keys = scattered(columns[-1], count)
        for place, column in enumerate(columns[:count]):
            self.kernels.mix(self.seen.array[column], place, keys)
        positive: Keys = (keys >> np.uint64(1)).astype(np.int64)
        return positive

    def _outcome(self, outcome: Outcome) -> int:
        broken = self.audit.outcome(outcome) + self.audit.server(outcome.after)
        after = self.local(outcome.after)
        self.after.append(after)
        self.programs.append(
            [
                self.link_tables.program(outcome, peer) if peer != outcome.after.sid else 0
                for peer in self.servers
            ]
        )
        self.shown.append(self._showing(outcome))
        self.cut_start.append(0)
        self.cut_count.append(0)
        return self.broken.append(self._first(broken))

    def _showing(self, outcome: Outcome) -> int:
        looked = tuple(one.looks_at(outcome) for one in self._of_steps)
        if not outcome.shown and all(one is None for one in looked):
            return 0
        shown = (outcome.before.sid, len(outcome.before.memory.applied), outcome.shown)
        number = self._showings.number((*shown, *looked))
        if number == len(self._shown_first):
            self._shown_first.append(outcome)
        return 1 + number

    def _add_threads(self, events: Sequence[int]) -> None:
        if len(events) > self.threads.array.shape[1]:
            wider = Column(len(events), blank=_MISSING)
            for row in self.threads.array[: self.threads.size]:
                wider.append([*row, *[_MISSING] * (len(events) - len(row))])
            self.threads = wider
        width = self.threads.array.shape[1]
        self.threads.append([*events, *[_MISSING] * (width - len(events))])

    def _first(self, broken: Iterable[Property] | Broken) -> int:
        return min(map(self.audit.properties.index, broken), default=NO_ORDER)
