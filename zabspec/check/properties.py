"""Marks for what must be true, and what should be seen.

A property is a function whose mark is a true sentence. What it reads is what it names:

    server                  each local state
    server, other           each two servers of a world
    server, monitor         each local state beside the abstract broadcast
    servers, monitor        a whole world
    outcome                 what an event did to one server
    outcome, monitor        the same, beside the abstract broadcast before it
    servers                 a whole world that others must be able to reach (`recoverable`)

and, if it likes, `ensemble` behind these. It may say what it looks at of a server (or an outcome):
a function from that to a value, equal for those between which the property makes no difference, and
None where its premise cannot hold. So it is asked once for each different thing that it looks at,
however many worlds hold that. It answers True, False, or None where its premise does not hold; a
property that always answers None was not checked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from attrs import frozen

from zabspec.protocol.rules import SpecError

Answer = bool | None
Predicate = TypeVar("Predicate", bound=Callable[..., Answer])
Look = Callable[[Any], Hashable]

IN_WORLDS = (("server",), ("server", "other"), ("server", "monitor"), ("servers", "monitor"))
BEYOND_WORLDS = (("servers",),)
IN_STEPS = (("outcome",), ("outcome", "monitor"))


def _whole(one: Hashable) -> Hashable:
    return one


@frozen(eq=False)
class Property:
    """A sentence about all worlds or all steps, or (`sometimes`) about one at least.

    reads: the names of what the function is given; wants_ensemble: that it takes that too.
    looks_at: what of each server, or of the outcome, makes a difference.
    """

    sentence: str
    function: Callable[..., Answer]
    reads: tuple[str, ...]
    wants_ensemble: bool
    sometimes: bool = False
    looks_at: Look = _whole

    def seen(self, *about: Hashable) -> tuple[Hashable, ...] | None:
        """What it looks at of what it reads; None if its premise cannot hold there."""
        seen: list[Hashable] = []
        for name, thing in zip(self.reads, about, strict=True):
            if name == "monitor":
                seen.append(thing)
            elif name == "servers":
                seen.append(
                    tuple(self.looks_at(one) for one in cast("tuple[Hashable, ...]", thing))
                )
            elif (looked := self.looks_at(thing)) is None:
                return None
            else:
                seen.append(looked)
        return tuple(seen)


def always(sentence: str, looks_at: Look = _whole) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is true in every world."""
    return lambda function: _property(sentence, function, looks_at, IN_WORLDS)


def every_step(
    sentence: str, looks_at: Look = _whole
) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is true of every step."""
    return lambda function: _property(sentence, function, looks_at, IN_STEPS)


def sometimes(
    sentence: str, looks_at: Look = _whole
) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is seen somewhere, if the bounds are large enough to mean anything."""
    return lambda function: _property(
        sentence, function, looks_at, IN_WORLDS + IN_STEPS, sometimes=True
    )


def recoverable(
    sentence: str, looks_at: Look = _whole
) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what can be reached from every world, with no further fault: True where it has been.

    An exploration over tables looks for it, and keeps every step to do so: it is asked for by name.
    """
    return lambda function: _property(sentence, function, looks_at, BEYOND_WORLDS)


def _property(
    sentence: str,
    function: Callable[..., Answer],
    looks_at: Look,
    allowed: tuple[tuple[str, ...], ...],
    *,
    sometimes: bool = False,
) -> Property:
    names = tuple(inspect.signature(function).parameters)
    wants_ensemble = names[-1:] == ("ensemble",)
    reads = names[:-1] if wants_ensemble else names
    if reads not in allowed:
        choices = "; ".join(", ".join(scope) for scope in allowed)
        raise SpecError(
            f"property {function.__name__} reads ({', '.join(names)}); it may read {choices}"
        )
    return Property(sentence, function, reads, wants_ensemble, sometimes, looks_at)


NOT_STUCK = Property("the protocol is never stuck", lambda: None, (), wants_ensemble=False)
"""No world is a dead end: something can happen there that is no fault, or a bound forbids it. The
search looks for it, since it takes all steps of a world to tell."""
