"""A server under two specs at once: what each makes of an event, and whether others can tell.

Others see which events can happen, and what each makes the server send, open, close, deliver,
broadcast and become ready for: per connection in order, and what clients see in an order of its
own. That it meets what its rules call impossible is seen too. What is inside it they do not see:
its memory, and how it writes its disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from attrs import frozen

from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.protocol.effects import Close, CloseAll, Impossible, Open, Send, Write
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LimitExpired,
    LinkLost,
    Received,
)
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Ensemble, Looking, Role, Server

Sides = tuple[Outcome | None, Outcome | None]
"""What an event does to a server under each spec; None where it cannot happen."""
Seen = tuple[tuple[object, ...], ...]
"""What clients see, and what each peer does, in order each."""

_CLIENTS = 0


@frozen(cache_hash=True)
class Pair(Server[Role]):
    """A server under spec A, and `other`, the same under spec B.

    apart: others could tell the two apart in the step that led here.
    """

    other: AnyServer
    apart: bool = False

    @property
    def sides(self) -> tuple[AnyServer, AnyServer]:
        """The server under A, and under B."""
        return Server(self.sid, self.disk, self.memory, self.role), self.other


def paired(one: AnyServer, other: AnyServer, *, apart: bool = False) -> Pair:
    """Both as one value."""
    return Pair(one.sid, one.disk, one.memory, one.role, other, apart)


def seen(outcome: Outcome, servers: Iterable[int]) -> Seen:
    """What others see of an outcome."""
    peers = [sid for sid in servers if sid != outcome.before.sid]
    seen_by: dict[int, list[object]] = {sid: [] for sid in (_CLIENTS, *peers)}
    for effect in outcome.effects:
        if isinstance(effect, CloseAll):
            for peer in peers:
                seen_by[peer].append(Close)
        elif isinstance(effect, Open | Close):
            seen_by[effect.connection.peer].append(type(effect))
        elif isinstance(effect, Send):
            seen_by[effect.connection.peer].append(effect.packet)
        elif isinstance(effect, Impossible):
            seen_by[_CLIENTS].append(Impossible)
        elif not isinstance(effect, Write):
            seen_by[_CLIENTS].append(effect)
    return tuple(map(tuple, seen_by.values()))


def can_happen(spec: Spec, server: AnyServer, event: Event) -> bool:
    """Whether an event can come to a server, by what the server is alone."""
    match event:
        case Received():
            return (type(server.role), server.role.phase, type(event.packet)) in spec.table
        case LinkLost():
            return True
        case Elected():
            return isinstance(server.role, Looking)
        case ClientRequest() | LimitExpired():
            return spec.acts(server, event)
        case Crash():
            return event.survives <= server.disk.unsynced
        case _:
            return event in spec.threads(server)


class Pairing:
    """Two specs, A and B, asked side by side. left_out: how many cuts were compared with none."""

    def __init__(self, specs: tuple[Spec, Spec], ensemble: Ensemble) -> None:
        self.specs = specs
        self.ensemble = ensemble
        self.left_out = 0

    def threads(self, pair: AnyServer) -> Iterable[Event]:
        """What the threads of either side can do next."""
        return dict.fromkeys(
            event for spec, server in self._each(pair) for event in spec.threads(server)
        )

    def acts(self, pair: AnyServer, event: Event) -> bool:
        """Whether a rule of either side answers this event."""
        return any(spec.acts(server, event) for spec, server in self._each(pair))

    def sides(self, pair: AnyServer, event: Event) -> Sides:
        """What each side makes of an event."""
        one, other = (
            uncut(spec, self.ensemble, server, event) if can_happen(spec, server, event) else None
            for spec, server in self._each(pair)
        )
        return one, other

    def joined(self, pair: AnyServer, event: Event, sides: Sides) -> Outcome:
        """Both sides as one outcome, with A's effects; apart where others see a difference."""
        one, other = sides
        if one is None or other is None:
            return Outcome(pair, event, paired(*_sides(pair), apart=True), ())
        servers = self.ensemble.servers
        apart = seen(one, servers) != seen(other, servers)
        after = paired(one.after, other.after, apart=apart)
        return Outcome(pair, event, after, one.effects, one.crash_after, one.survives)

    def cuts(self, sides: Sides) -> Iterator[tuple[Outcome, Outcome]]:
        """Both steps cut by a crash, where others have seen the same of them.

        A cut of one side goes with that of the other which is most like it. A crash just before the
        step, or just behind it, counts as a cut too there; but a request that nothing was done for
        was never made. A cut that nothing goes with is left out.
        """
        one, other = sides
        if one is None or other is None:
            return
        mine, others = (
            list(cuts(spec, self.ensemble, whole))
            for spec, whole in zip(self.specs, (one, other), strict=True)
        )
        met: set[tuple[AnyServer, AnyServer, Seen]] = set()
        for first, second in (
            *((cut, self._nearest(cut, others, 1, other)) for cut in mine),
            *((self._nearest(cut, mine, 0, one), cut) for cut in others),
        ):
            if first is None or second is None:
                self.left_out += 1
                continue
            key = (first.after, second.after, seen(first, self.ensemble.servers))
            if key not in met:
                met.add(key)
                yield first, second

    def _nearest(
        self, cut: Outcome, candidates: Sequence[Outcome], at: int, whole: Outcome
    ) -> Outcome | None:
        """Of the other side's cuts, behind the same that was seen, the one most like this."""
        servers = self.ensemble.servers
        wanted = seen(cut, servers)
        same = [one for one in candidates if seen(one, servers) == wanted]
        for one in same:
            if one.after == cut.after:
                return one
        same += [one for one in self._beside(at, whole) if seen(one, servers) == wanted]
        return min(same, key=lambda one: _unlike(cut, one), default=None)

    def _beside(self, at: int, whole: Outcome) -> Iterator[Outcome]:
        """A crash just behind a step, and just before it."""
        before, event, effects = whole.before, whole.event, whole.effects
        for crash in self._crashes(at, whole.after):
            done = (*effects, *crash.effects)
            yield Outcome(before, event, crash.after, done, len(effects))
        if not isinstance(event, ClientRequest):
            for crash in self._crashes(at, before):
                yield Outcome(before, event, crash.after, crash.effects, 0)

    def _crashes(self, at: int, server: AnyServer) -> Iterator[Outcome]:
        for survives in range(server.disk.unsynced + 1):
            yield uncut(self.specs[at], self.ensemble, server, Crash(survives))

    def _each(self, pair: AnyServer) -> Iterator[tuple[Spec, AnyServer]]:
        return zip(self.specs, _sides(pair), strict=True)


def _sides(pair: AnyServer) -> tuple[AnyServer, AnyServer]:
    return cast("Pair", pair).sides


def _unlike(one: Outcome, other: Outcome) -> tuple[int, int]:
    """How much sets two cuts apart: first in what is left of the server, then in writes done."""
    parts = zip(_left(one), _left(other), strict=True)
    writes = [sum(1 for effect in cut.effects if isinstance(effect, Write)) for cut in (one, other)]
    return sum(1 for mine, its in parts if mine != its), abs(writes[0] - writes[1])


def _left(cut: Outcome) -> tuple[object, ...]:
    disk, database = cut.after.disk, cut.after.memory.database
    epochs = disk.accepted_epoch, disk.current_epoch
    return (*epochs, disk.held(), database, cut.after.role)
