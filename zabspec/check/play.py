"""Playing a script: each action in turn, what it leads to, and what it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from attrs import evolve, frozen

from zabspec.check.actions import Action, Deliver
from zabspec.check.audit import Audit
from zabspec.check.bounds import Bounds
from zabspec.check.notation import show
from zabspec.check.outcomes import Outcome
from zabspec.check.properties import NOT_STUCK, Property
from zabspec.check.script import INDENT, Line, Script, ScriptError, show_action, show_script
from zabspec.check.world import Step, World, Worlds
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
    Write,
)
from zabspec.protocol.rules import Spec

_UNBOUNDED = 1_000_000


@frozen
class Played:
    """A line of a script, played. outputs: what it led to, as text; broken: the promises."""

    line: Line
    step: Step
    outputs: tuple[str, ...]
    broken: tuple[Property, ...]


def play(script: Script, spec: Spec, properties: Iterable[Property]) -> Iterator[Played]:
    """Play a script. Raises ScriptError at the first action that cannot happen."""
    worlds = unbounded(spec, script.bounds)
    audit = Audit(properties, worlds.ensemble)
    world = worlds.start()
    for line in script.lines:
        step = _find(worlds, world, line, script.path)
        broken = _broken(worlds, audit, world, step)
        yield Played(line, step, tuple(outputs(step, broken)), broken)
        world = step.world


def unbounded(spec: Spec, bounds: Bounds) -> Worlds:
    """The worlds of a spec with these servers, and with no bound on what may happen."""
    no_end = evolve(
        bounds,
        txns=_UNBOUNDED,
        lost_links=_UNBOUNDED,
        crashes=_UNBOUNDED,
        elections=_UNBOUNDED,
        limits=_UNBOUNDED,
    )
    return Worlds(spec, no_end)


def retell(run: Iterable[Step], spec: Spec, bounds: Bounds, properties: Iterable[Property]) -> str:
    """A run as a script, with its outputs. `properties`: those whose breaking is to be told."""
    worlds = unbounded(spec, bounds)
    audit = Audit(properties, worlds.ensemble)
    body: list[str] = []
    before: World | None = None
    for step in run:
        before = before or worlds.start()
        broken = _broken(worlds, audit, before, step)
        body.append(show_action(step.action))
        body += (INDENT + line for line in outputs(step, broken))
        before = step.world
    return show_script(spec.name, spec.fingerprint(), bounds, body)


def outputs(step: Step, broken: Iterable[Property]) -> Iterator[str]:
    """What a step led to, line by line."""
    for outcome in step.outcomes:
        sid = outcome.before.sid
        yield from (f"{sid} {_tell(effect)}" for effect in outcome.effects)
        yield from _tell_role(outcome)
    yield from (f"broken: {one.sentence}" for one in broken)


def _tell_role(outcome: Outcome) -> Iterator[str]:
    before, after = outcome.before.role, outcome.after.role
    if (type(before), before.phase) != (type(after), after.phase):
        yield f"{outcome.before.sid} is {type(after).__name__} {after.phase.name}"


@singledispatch
def _tell(effect: Effect) -> str:
    raise TypeError(f"no effect: {effect!r}")


_tell.register(Open, lambda effect: f"connects to {effect.connection}")
_tell.register(Send, lambda effect: f"-> {effect.connection} {show(effect.packet)}")
_tell.register(Close, lambda effect: f"closes the connection to {effect.connection}")
_tell.register(CloseAll, lambda _: "closes its connections")
_tell.register(Write, lambda effect: f"writes {show(effect.change)}")
_tell.register(Broadcast, lambda effect: f"broadcasts {effect.txn}")
_tell.register(Apply, lambda effect: f"applies {effect.txn}")
_tell.register(Ready, lambda effect: f"is ready in epoch {effect.epoch}")
_tell.register(Impossible, lambda effect: f"meets what cannot happen: {effect.why}")


def _broken(worlds: Worlds, audit: Audit, before: World, step: Step) -> tuple[Property, ...]:
    broken = audit.step(before, step) + audit.world(step.world, before, step)
    stuck = NOT_STUCK in audit.properties and not worlds.is_cut(step.world)
    return (*broken, NOT_STUCK) if stuck else broken


def _find(worlds: Worlds, world: World, line: Line, path: str) -> Step:
    steps = list(worlds.steps(world))
    for step in steps:
        if _matches(line.action, step.action):
            return step
    possible = "; ".join(show_action(step.action) for step in steps if _is_plain(step.action))
    where = f"{path}:{line.number}"
    raise ScriptError(where, show_action(line.action), f"what can happen here: {possible}")


def _matches(told: Action, action: Action) -> bool:
    if isinstance(told, Deliver) and isinstance(action, Deliver) and told.item is None:
        action = evolve(action, item=None)
    return told == action


def _is_plain(action: Action) -> bool:
    return getattr(action, "crash_after", None) is None and not any(getattr(action, "kept", ()))
