"""What is said of a packet that nothing explains: what was possible, and which rule said no."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import attrs
from attrs import frozen

from zabspec.check.notation import show
from zabspec.conform.follow import Follow, Unexplained
from zabspec.conform.follow_explanation import LEFT, Explanation
from zabspec.conform.follow_order import newest_proposed
from zabspec.conform.follow_packets import UNSEEN
from zabspec.conform.follow_reasons import Sender, sender
from zabspec.conform.follow_unseen import Unseen
from zabspec.protocol.events import ClientRequest
from zabspec.protocol.messages import Packet, Proposal
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Follower, Leader, Txn

_ENOUGH = 400
"""How many explanations are looked at for what was possible."""


@frozen
class Refusal:
    """Why a packet cannot have been sent. possible: what was instead. guard: the rule's no."""

    possible: str
    guard: str


def refusal(follow: Follow, unexplained: Unexplained) -> Refusal:
    """The refusal of this packet, for people."""
    could = possible(follow, unexplained)
    texts = list(dict.fromkeys(map(show, could)))
    said = " or ".join(texts[:6]) or f"nothing on connection {unexplained.connection}"
    near = next((one for one in could if type(one) is type(unexplained.packet)), None)
    if near is not None:
        said += f" (differs in {', '.join(_differing(near, unexplained.packet))})"
    return Refusal(said, _guard(follow, unexplained))


def possible(follow: Follow, unexplained: Unexplained) -> list[Packet]:
    """The packets that the explanations could have sent there next."""
    connection = unexplained.connection
    unseen = Unseen(follow.steps, follow.unseen.ahead, reduced=False, shown=follow.unseen.shown)
    waiting, known = list(unexplained.before), set(unexplained.before)
    found: dict[Packet, None] = {}
    for _ in range(_ENOUGH):
        if not waiting:
            break
        current = waiting.pop(0)
        head = current.head(connection)
        if head is not None:
            found.setdefault(head)
            continue
        found.update(dict.fromkeys(_asked(follow.steps.spec, current, connection)))
        for later in unseen.before(current, connection, unexplained.packet):
            if later not in known:
                known.add(later)
                waiting.append(later)
    return list(found)


def _asked(spec: Spec, one: Explanation, connection: Connection) -> Iterator[Packet]:
    """What a leader would send if a client asked."""
    role = one.server.role
    if not spec.acts(one.server, ClientRequest(UNSEEN)) or not isinstance(role, Leader):
        return
    if role.knows(connection) and not role.learner(connection).observes:
        yield Proposal(Txn(newest_proposed(one).next(), UNSEEN))


def _differing(near: Packet, seen: Packet) -> list[str]:
    return [
        one.name
        for one in attrs.fields(type(near))
        if getattr(near, one.name) != getattr(seen, one.name)
    ]


def _guard(follow: Follow, unexplained: Unexplained) -> str:
    """The rule that said no: what it does, and why not here."""
    one, spec = unexplained.before[0], follow.steps.spec
    if isinstance(one.server.role, Follower) and follow.steps.impossible:
        name, why = follow.steps.impossible[-1]
        return f"{name}: {why}"
    sends = sender(one, unexplained.packet)
    (role, _, kind), rule = sends.rule(spec, one)
    if rule.because is not None:
        return f"{rule.name}, {role.__name__} {kind.__name__}: {rule.because}"
    said = (inspect.getdoc(rule.function) or "").split("\n")[0]
    return f"{rule.name}: {said} Here {_why(one, unexplained, sends, follow)}"


def _why(one: Explanation, unexplained: Unexplained, sends: Sender, follow: Follow) -> str:
    earlier = one.head(unexplained.connection)
    if earlier is not None:
        return f"{show(earlier)} had been sent there, which comes first"
    if one.count(unexplained.connection) == LEFT:
        return "that connection had been closed"
    return sends.why(one, unexplained.packet, follow.steps.ensemble)
