"""A server of the model beside one of the system: the same events, and nothing else in common.

What the system shows decides which of the model's servers it can be. Where it shows everything
there is one; where it shows less, or does by itself what the model has as an event, there may be
several, and all are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, product

from attrs import evolve, frozen

from zabspec.check.outcomes import AnyServer, Outcome, written
from zabspec.check.parts import Parts
from zabspec.conform.expected import (
    Difference,
    Expected,
    Seen,
    connected_after,
    differences,
    matches,
)
from zabspec.conform.plain import plain_disk, plain_ensemble, plain_event, plain_vote
from zabspec.conform.system import DecidesVotes, System, SystemFailed, failed_at
from zabspec.protocol import disk
from zabspec.protocol.effects import Effect, Send, Write
from zabspec.protocol.events import (
    Crash,
    Elected,
    Event,
    LinkLost,
    LogSynced,
    Received,
    TxnApplied,
)
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Ensemble, new_server

EVENTS_TAKEN: dict[str, type[Event]] = {"fsync": LogSynced, "apply": TxnApplied}
"""What a system may take, and the event that it waits for then."""
Whole = Callable[[AnyServer, Event], Outcome]
_MOST = 4096


@frozen
class Cut:
    """The server is killed in a step. after: so many lasting effects; survives: as in `Crash`."""

    after: int
    survives: int = 0

    @classmethod
    def of(cls, outcome: Outcome) -> Cut | None:
        """Where a system is killed for that: what it sends and makes durable is counted."""
        if outcome.crash_after is None:
            return None
        count, before = 0, outcome.before.disk
        for effect in outcome.effects[: outcome.crash_after]:
            if isinstance(effect, Write):
                after = disk.apply(effect.change, before)
                count += plain_disk(after) != plain_disk(before)
                before = after
            count += isinstance(effect, Send)
        return cls(max(1, count), outcome.survives)


@frozen(eq=False)
class Divergence:
    """A system did what no server of the model can have done.

    event: what it was told; differences: from the explanation that comes nearest.
    """

    sid: int
    event: Event
    cut: Cut | None
    differences: tuple[Difference, ...]


class Rulebook:
    """What the spec says of each (server, event), worked out once.

    whole: what answers a server and an event, of worlds that work it out too.
    """

    def __init__(
        self, spec: Spec, ensemble: Ensemble, system: System, whole: Whole | None = None
    ) -> None:
        self.spec, self.ensemble, self.system = spec, ensemble, system
        self._whole = whole or Parts(spec, ensemble).uncut
        self.expected = cache(self._expected)
        self.cut = cache(self._cut)
        waits = [name for name, kind in EVENTS_TAKEN.items() if kind not in spec.fused]
        self.held = [name for name in waits if name in system.takes]
        self._by_itself = tuple(EVENTS_TAKEN[name] for name in waits if name not in system.takes)

    def start(self, sid: int) -> Beside:
        """A new server of each."""
        return Beside(self, sid)

    def election(self, looking: Sequence[AnyServer]) -> Divergence | None:
        """Have these servers' votes decided by both, where the system decides votes."""
        if not isinstance(self.system, DecidesVotes):
            return None
        named = self.spec.oracle(looking)
        seen = elected_by(self.system, looking)
        if seen in (named or (None,)):
            return None
        sid = named[0] if named else looking[0].sid
        differs = (Difference("elected", named or None, seen),)
        return Divergence(sid, Elected(sid), None, differs)

    def _expected(self, server: AnyServer, event: Event) -> tuple[Expected, ...]:
        """All that a server may do at this event: one way, unless it does things by itself."""
        found = []
        for before, done in self._closure(server, ()):
            whole = self._whole(before, event)
            found += self._closure(whole.after, (*done, *whole.effects))
        return tuple(Expected.of(server.disk, effects, after) for after, effects in found)

    def _cut(self, server: AnyServer, event: Event) -> tuple[Expected, ...]:
        """All that it may have done when it was killed in the middle, at once before, or behind."""
        found: list[Expected] = []
        for before, done in self._closure(server, ()):
            for begun in _beginnings(self._whole(before, event).effects):
                found += self._killed(server, before, (*done, *begun))
        return tuple({(one.after, one.effects): one for one in found}.values())

    def _killed(
        self, server: AnyServer, before: AnyServer, done: tuple[Effect, ...]
    ) -> Iterator[Expected]:
        left = evolve(before, disk=written(server.disk, done))
        for survives in range(left.disk.unsynced + 1):
            crash = self._whole(left, Crash(survives))
            yield Expected.of(server.disk, (*done, *crash.effects), crash.after)

    def _closure(
        self, server: AnyServer, done: tuple[Effect, ...]
    ) -> list[tuple[AnyServer, tuple[Effect, ...]]]:
        """What a server may have become by what it does by itself, with all it did."""
        found = [(server, done)]
        for before, effects in found:
            if self._by_itself:
                for inner in self.spec.threads(before):
                    if isinstance(inner, self._by_itself) and len(found) < _MOST:
                        whole = self._whole(before, inner)
                        found.append((whole.after, (*effects, *whole.effects)))
        return found


def elected_by(system: DecidesVotes, looking: Sequence[AnyServer]) -> int | None:
    """Whom these servers, all of which look for a leader, would elect. Raises SystemFailed."""
    votes = [plain_vote(one) for one in looking]
    try:
        return system.elects(votes)
    except SystemFailed:
        raise
    except Exception as error:
        raise SystemFailed(f"{type(error).__name__}: {error}") from error


class Beside:
    """One server of the model and one of the system.

    explained: what the system's may be. connected: the peers with an open connection. last: what
    explains the last step; is_sure: whether nothing else could have been.
    """

    last: Expected
    is_sure = True
    _fitting: Sequence[Expected] = ()

    def __init__(self, rulebook: Rulebook, sid: int) -> None:
        self.sid = sid
        self.explained: tuple[AnyServer, ...] = (new_server(sid),)
        self.connected: frozenset[int] = frozenset()
        self._rulebook = rulebook
        ensemble = plain_ensemble(rulebook.ensemble)
        try:
            self._server = rulebook.system.start(sid, ensemble, rulebook.held)
        except SystemFailed:
            raise
        except Exception as error:
            told = {"sid": sid, "ensemble": ensemble, "held": rulebook.held}
            raise failed_at(sid, told, f"{type(error).__name__}: {error}") from error

    def step(self, event: Event, cut: Cut | None = None, order: int = 0) -> Divergence | None:
        """Give both this event; what is returned says that the system's is none of the model's.

        Raises SystemFailed.
        """
        if cut is not None and "cut" not in self._rulebook.system.takes:
            return self._step_and_crash(event, Crash(cut.survives))
        if isinstance(event, Received | LinkLost):
            self.connected |= {event.connection.peer}
        if isinstance(event, LinkLost):
            self.connected -= {event.connection.peer}
        seen = self._tell(event, cut, order)
        ask = self._rulebook.expected if cut is None else self._rulebook.cut
        possible = [one for server in self.explained for one in ask(server, event)]
        fitting = [one for one in possible if matches(one, seen, self.connected)]
        if not fitting:
            return Divergence(self.sid, event, cut, self._nearest(possible, seen))
        self.last, self.is_sure, self._fitting = fitting[0], len(possible) == 1, fitting
        self.explained = tuple(dict.fromkeys(one.after for one in fitting))
        self.connected = connected_after(self.connected, seen.opens, fitting[0].closes)
        return None

    def close(self) -> None:
        """Neither is needed any more."""
        self._server.close()

    def _step_and_crash(self, event: Event, crash: Crash) -> Divergence | None:
        """A system that cannot be killed in a step is killed behind it."""
        divergence = self.step(event)
        if divergence is not None:
            return divergence
        before = self._fitting
        divergence = self.step(crash)
        if divergence is None:
            expected = self._rulebook.expected
            whole = next(one for one in before if self.last in expected(one.after, crash))
            effects = (*whole.effects, *self.last.effects)
            self.last, self.is_sure = evolve(self.last, effects=effects), False
        return divergence

    def _tell(self, event: Event, cut: Cut | None, order: int) -> Seen:
        told = plain_event(event)
        if cut is not None:
            told = {**told, "survives": cut.survives}
        order = order if "order" in self._rulebook.system.takes else 0
        try:
            effects = self._server.step(told, None if cut is None else cut.after, order)
            return Seen.of(effects, self._server.observe())
        except SystemFailed:
            raise
        except Exception as error:
            raise failed_at(self.sid, told, f"{type(error).__name__}: {error}") from error

    def _nearest(self, possible: Sequence[Expected], seen: Seen) -> tuple[Difference, ...]:
        found = [tuple(differences(one, seen, self.connected)) for one in possible]
        return min(found, key=len)


def _beginnings(effects: tuple[Effect, ...]) -> Iterator[tuple[Effect, ...]]:
    """What may have been done of these; what goes to several peers may go in any order."""
    done: list[Effect] = []
    rest = list(effects)
    while True:
        count = next((at for at, one in enumerate(rest) if isinstance(one, Write)), len(rest))
        sends = [one for one in rest[:count] if isinstance(one, Send)]
        peers = dict.fromkeys(one.connection for one in sends)
        to_each = [[one for one in sends if one.connection == peer] for peer in peers]
        quiet = [one for one in rest[:count] if not isinstance(one, Send)]
        for sent in product(*(range(len(one) + 1) for one in to_each)):
            begun = (one[:number] for one, number in zip(to_each, sent, strict=True))
            yield (*done, *quiet, *chain.from_iterable(begun))
        if count == len(rest):
            return
        done += rest[: count + 1]
        rest = rest[count + 1 :]
