"""What one event on one server can lead to: its step, or that step cut short by a crash.

The cuts are derived here, once for all rules: effects are carried out in order, and a crash may
fall behind any that lasts (a write, a packet sent). What a crash before the first would lead to, a
crash before the event does; what a crash behind the last would, a crash after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Protocol

from attrs import evolve, field, frozen

from zabspec.protocol import disk
from zabspec.protocol.effects import (
    Apply,
    Broadcast,
    Close,
    CloseAll,
    Effect,
    Impossible,
    Open,
    Ready,
    Send,
    Step,
    Write,
)
from zabspec.protocol.events import Crash, Event
from zabspec.protocol.rules import Rule, SpecError, Threads
from zabspec.protocol.state import Disk, Ensemble, Role, Server

AnyServer = Server[Role]


@frozen(eq=False)
class Outcome:
    """A server before an event, and after it.

    crash_after: how many effects were carried out before the crash that cut the step; None if none
        did. What the crash itself did stands behind them.
    survives: how many of the unsynced transactions that crash left.
    on_links, shown: the effects that connections see, and those that the outside sees.
    """

    before: AnyServer
    event: Event
    after: AnyServer
    effects: tuple[Effect, ...]
    crash_after: int | None = None
    survives: int = 0
    on_links: tuple[Open | Send | Close | CloseAll, ...] = field(init=False)
    shown: tuple[Broadcast | Apply | Ready, ...] = field(init=False)

    @on_links.default
    def _on_links(self) -> tuple[Open | Send | Close | CloseAll, ...]:
        return tuple(one for one in self.effects if isinstance(one, Open | Send | Close | CloseAll))

    @shown.default
    def _shown(self) -> tuple[Broadcast | Apply | Ready, ...]:
        return tuple(one for one in self.effects if isinstance(one, Broadcast | Apply | Ready))


class Steps(Protocol):
    """What gives a server's step: a spec, or whatever remembers, counts or watches what it says."""

    @property
    def name(self) -> str:
        """The spec's."""

    @property
    def fused(self) -> tuple[type[Event], ...]:
        """See `Spec`."""

    @property
    def threads(self) -> Threads:
        """See `Spec`."""

    def rule(self, server: AnyServer, event: Event) -> Rule:
        """The rule that answers."""

    def step(self, server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
        """What the rule says."""


def outcomes(spec: Steps, ensemble: Ensemble, server: AnyServer, event: Event) -> Iterator[Outcome]:
    """The uncut outcome, then one for each place where a crash makes a difference."""
    whole = uncut(spec, ensemble, server, event)
    yield whole
    yield from cuts(spec, ensemble, whole)


def uncut(spec: Steps, ensemble: Ensemble, server: AnyServer, event: Event) -> Outcome:
    """The event's outcome where no crash cuts it."""
    after, effects = _whole(spec, ensemble, server, event)
    return Outcome(server, event, after, effects)


def cuts(spec: Steps, ensemble: Ensemble, whole: Outcome) -> Iterator[Outcome]:
    """An uncut outcome, cut at each place where a crash makes a difference."""
    server, effects = whole.before, whole.effects
    for number in _cuts(effects):
        done = effects[:number]
        stopped = evolve(server, disk=written(server.disk, done))
        for survives in range(stopped.disk.unsynced + 1):
            crash = _step(spec, ensemble, stopped, Crash(survives))
            after = evolve(crash.server, disk=written(stopped.disk, crash.effects))
            yield Outcome(server, whole.event, after, (*done, *crash.effects), number, survives)


def written(before: Disk, effects: Iterable[Effect]) -> Disk:
    """The disk after the writes among these effects."""
    changes = (effect.change for effect in effects if isinstance(effect, Write))
    return reduce(lambda kept, change: disk.apply(change, kept), changes, before)


def _whole(
    spec: Steps, ensemble: Ensemble, server: AnyServer, event: Event
) -> tuple[AnyServer, tuple[Effect, ...]]:
    """The step, and whatever its server's threads do at once in a coarse grain."""
    step = _step(spec, ensemble, server, event)
    after = evolve(step.server, disk=written(server.disk, step.effects))
    if not spec.fused:
        return after, step.effects
    if isinstance(event, spec.fused) and after == server:
        name = spec.rule(server, event).name
        return after, (*step.effects, Impossible(f"{name} leaves all that was due still to do"))
    due = [inner for inner in spec.threads(after) if isinstance(inner, spec.fused)]
    if not due:
        return after, step.effects
    last, effects = _whole(spec, ensemble, after, due[-1])
    return last, (*step.effects, *effects)


def _step(spec: Steps, ensemble: Ensemble, server: AnyServer, event: Event) -> Step:
    try:
        step = spec.step(server, event, ensemble)
    except Exception as error:  # noqa: BLE001  whatever a rule raises is a finding, with its run
        name = spec.rule(server, event).name
        return Step(server, (Impossible(f"{name} raised {type(error).__name__}: {error}"),))
    if step.server.disk != server.disk:
        name = spec.rule(server, event).name
        raise SpecError(f"rule {name} of {spec.name} assigns the disk; return a Write instead")
    return step


def _cuts(effects: tuple[Effect, ...]) -> list[int]:
    lasting = [
        number for number, effect in enumerate(effects, start=1) if isinstance(effect, Write | Send)
    ]
    return lasting[:-1]
