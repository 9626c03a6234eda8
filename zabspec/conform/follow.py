"""One server followed through what is seen of it: can it be one that keeps to this spec?

`Follow` keeps the explanations of what was seen so far. What is not shown (what was synced, read,
applied or limited, who was elected, what a client asked for) is filled in only where a packet that
was sent needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field, frozen

from zabspec.check.outcomes import AnyServer
from zabspec.conform.follow_explanation import End, Explanation, Steps
from zabspec.conform.follow_forget import forget
from zabspec.conform.follow_later import Later
from zabspec.conform.follow_order import distinct, fewest, settle
from zabspec.conform.follow_unseen import Unseen
from zabspec.protocol.messages import Packet
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble, Zxid


@frozen
class Keeping:
    """Which explanations are kept.

    reduced: only those that stand for all; the others are for comparison. cap: at most so many.
    """

    reduced: bool = True
    cap: int = 256


USUAL = Keeping()


@frozen
class Future:
    """What will be seen of a server, where that is known.

    sent: per connection all that it sends, in order. ending: the connections that end.
    """

    sent: Mapping[Connection, Sequence[Packet]] = field(factory=dict)
    ending: frozenset[Connection] = frozenset()


UNKNOWN = Future()
_TOO_MANY = 1 << 30


@frozen
class Unexplained:
    """A packet that no explanation can have sent. before: the explanations it was held against."""

    connection: Connection
    packet: Packet
    before: tuple[Explanation, ...]


@define
class Follow:
    """The explanations of one server, carried on by what is seen of it.

    capped: whether there were more than may be kept, so that a refusal may be wrong.
    most: how many there were at most. refused: the packet that ended it.
    """

    steps: Steps
    unseen: Unseen
    explanations: list[Explanation]
    keeping: Keeping = USUAL
    capped: bool = False
    most: int = 1
    refused: Unexplained | None = field(default=None)

    @classmethod
    def of(
        cls,
        spec: Spec,
        ensemble: Ensemble,
        server: AnyServer,
        future: Future = UNKNOWN,
        keeping: Keeping = USUAL,
    ) -> Follow:
        """Follow this server from here on."""
        steps = Steps(spec, ensemble, ending=future.ending, later=Later.of(future.sent))
        unseen = Unseen(steps, future.sent, keeping.reduced)
        return cls(steps, unseen, [Explanation(server)], keeping)

    def readable(self, connection: Connection, packet: Packet) -> None:
        """From now on the server can read this packet."""
        self.steps.inputs.setdefault(connection, []).append(packet)
        self._settle()

    def ended(self, connection: Connection) -> None:
        """A connection has ended: nothing more is seen on it."""
        self.steps.inputs.setdefault(connection, []).append(End.END)
        self.steps.ended.add(connection)
        gone = {connection: ()}
        self.explanations = [one.with_unseen(gone) for one in self.explanations]
        self._keep(self.explanations)

    def killed(self) -> None:
        """The server was killed."""
        self.explanations = [evolve(one, killed=True) for one in self.explanations]

    def forget(self, floor: Zxid | None) -> None:
        """Forget what is older than any transaction that will be named; None = none will be."""
        if floor is not None:
            self.explanations = [
                evolve(one, server=forget(one.server, floor)) for one in self.explanations
            ]

    def sent(self, connection: Connection, packet: Packet) -> Unexplained | None:
        """The server has sent this packet; what is returned says that it cannot have."""
        self.steps.impossible.clear()
        found = [
            each for one in self.explanations for each in self._sending(one, connection, packet)
        ]
        if not found:
            self.refused = Unexplained(connection, packet, tuple(self.explanations))
            return self.refused
        self.unseen.shown[connection] = self.unseen.shown.get(connection, 0) + 1
        self._keep(found)
        return None

    def _sending(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> list[Explanation]:
        """What this explanation may have become when the packet was sent."""
        found: list[Explanation] = []
        waiting, assumed = [one], {one: one.cost}
        while waiting:
            current = waiting.pop()
            after = current.seen(connection, packet)
            if after is not None:
                found.append(after)
            if after is not None or not current.may_send_next(connection, packet):
                continue
            for later in self.unseen.before(current, connection, packet):
                if later.cost < assumed.get(later, _TOO_MANY):
                    assumed[later] = later.cost
                    waiting.append(later)
        return found

    def _settle(self) -> None:
        if self.keeping.reduced:
            self.explanations = [settle(self.steps, one) for one in self.explanations]

    def _keep(self, found: list[Explanation]) -> None:
        if self.keeping.reduced:
            found = fewest(self.steps, [settle(self.steps, one) for one in found])
        else:
            found = sorted(distinct(found), key=lambda one: one.cost)
        self.most = max(self.most, len(found))
        self.capped = self.capped or len(found) > self.keeping.cap
        self.explanations = found[: self.keeping.cap]
