"""Marks for what must be true, and what should be seen.

A property is a function whose mark is a true sentence. What it reads is what it names:

    server                  each local state
    server, other           each two servers of a world
    server, monitor         each local state beside the abstract broadcast
    servers, monitor        a whole world
    outcome                 what an event did to one server
    outcome, monitor        the same, beside the abstract broadcast before it

and, if it likes, `ensemble` behind these. So it is asked once for each thing it reads, however many
worlds hold that. It answers True, False, or None where its premise does not hold; a property that
always answers None was not checked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from zabspec.protocol.rules import SpecError

Answer = bool | None
Predicate = TypeVar("Predicate", bound=Callable[..., Answer])

IN_WORLDS = (("server",), ("server", "other"), ("server", "monitor"), ("servers", "monitor"))
IN_STEPS = (("outcome",), ("outcome", "monitor"))


@frozen(eq=False)
class Property:
    """A sentence about all worlds or all steps, or (`sometimes`) about one at least.

    reads: the names of what the function is given; wants_ensemble: that it takes that too.
    """

    sentence: str
    function: Callable[..., Answer]
    reads: tuple[str, ...]
    wants_ensemble: bool
    sometimes: bool = False


def always(sentence: str) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is true in every world."""
    return lambda function: _property(sentence, function, IN_WORLDS)


def every_step(sentence: str) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is true of every step."""
    return lambda function: _property(sentence, function, IN_STEPS)


def sometimes(sentence: str) -> Callable[[Callable[..., Answer]], Property]:
    """Mark what is seen somewhere, if the bounds are large enough to mean anything."""
    return lambda function: _property(sentence, function, IN_WORLDS + IN_STEPS, sometimes=True)


def _property(
    sentence: str,
    function: Callable[..., Answer],
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
    return Property(sentence, function, reads, wants_ensemble, sometimes)


NOT_STUCK = Property("the protocol is never stuck", lambda: None, (), wants_ensemble=False)
"""No world is a dead end: something can happen there that is no fault, or a bound forbids it. The
search looks for it, since it takes all steps of a world to tell."""
