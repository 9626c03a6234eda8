"""One explanation of what was seen of a server, and how an event carries it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from attrs import define, evolve, field, frozen

from zabspec.check.outcomes import AnyServer, Outcome, outcomes
from zabspec.conform.follow_later import Later
from zabspec.conform.follow_packets import matches
from zabspec.protocol.effects import Close, CloseAll, Impossible, Send
from zabspec.protocol.events import Event, LinkLost, Received
from zabspec.protocol.messages import (
    Commit,
    Inform,
    NewLeader,
    Packet,
    Proposal,
    UpToDate,
)
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Ensemble, Follower


class End(Enum):
    """Stands behind the last packet that could be read from a connection."""

    END = "end"


Input = Packet | End
CRASH, LIMIT, LOST, UNSENT = "crashes", "limits", "lost_links", "unsent_proposals"
SAVED = "saved_snapshots"
"""What may have to be assumed of a server: that it crashed, gave up, noticed a lost link, had
proposals in its log when it ceased to lead of which nobody was sent any, or had saved a snapshot,
so that its window began there once it had loaded its disk."""
_COSTS: Mapping[str, int] = {CRASH: 3, LIMIT: 3, LOST: 2, UNSENT: 2, SAVED: 2}
FORWARDED = (Proposal, Commit, Inform)
LEFT = -1
"""How much was read of a connection that the server closed: nothing more will be."""


def may_overtake(packet: Packet, other: Packet) -> bool:
    """Whether a packet may be on the wire before one that the rules send before it.

    A leader's rule sends NEWLEADER and UPTODATE at once; in ZooKeeper the learner's own handler
    thread queues them, as soon as it gets to it, and what is proposed and committed meanwhile is
    queued before (LearnerHandler.run; while a snapshot is written, that may be much).
    """
    return isinstance(other, NewLeader | UpToDate) and isinstance(packet, FORWARDED)


@frozen
class Explanation:
    """What a server may be, after all that was seen of it.

    read: of each connection, how many of its inputs were read; `LEFT` if the server closed it.
    unseen: of each connection, what it sent that was not seen yet; never empty.
    killed: it was seen to be killed, and has not crashed yet.
    assumed: what had to be taken for granted, in order. left: connections it closed of itself.
    """

    server: AnyServer
    read: tuple[tuple[Connection, int], ...] = ()
    unseen: tuple[tuple[Connection, tuple[Packet, ...]], ...] = ()
    killed: bool = False
    assumed: tuple[str, ...] = field(default=(), eq=False)
    left: frozenset[Connection] = field(default=frozenset(), eq=False)

    @property
    def cost(self) -> int:
        """How much was assumed: a link that was lost is taken for granted sooner than a crash."""
        return sum(_COSTS[one] for one in self.assumed)

    def count(self, connection: Connection) -> int:
        """How many inputs of this connection were read."""
        return dict(self.read).get(connection, 0)

    def head(self, connection: Connection) -> Packet | None:
        """What is to be seen next on this connection; None if nothing was sent."""
        return next((packets[0] for one, packets in self.unseen if one == connection), None)

    def waiting(self, connection: Connection) -> tuple[Packet, ...]:
        """What was sent on this connection and not yet seen."""
        return dict(self.unseen).get(connection, ())

    def seen(self, connection: Connection, packet: Packet) -> Explanation | None:
        """The same, when this packet was seen on this connection; None if another comes first."""
        waiting = self.waiting(connection)
        for number, expected in enumerate(waiting):
            if matches(expected, packet):
                return self.with_unseen({connection: (*waiting[:number], *waiting[number + 1 :])})
            if not may_overtake(packet, expected):
                return None
        return None

    def may_send_next(self, connection: Connection, packet: Packet) -> bool:
        """Whether this packet may be seen before all that was sent there and not yet seen."""
        return all(may_overtake(packet, one) for one in self.waiting(connection))

    def with_read(self, counts: Mapping[Connection, int]) -> Explanation:
        """The same, with so much read of these connections."""
        return evolve(self, read=tuple(sorted({**dict(self.read), **counts}.items())))

    def with_unseen(self, packets: Mapping[Connection, tuple[Packet, ...]]) -> Explanation:
        """The same, with these packets to be seen on these connections."""
        merged = sorted({**dict(self.unseen), **packets}.items(), key=lambda pair: pair[0])
        return evolve(self, unseen=tuple((one, waits) for one, waits in merged if waits))


@define
class Steps:
    """How explanations go on. inputs: per connection all that could be read so far.

    ended: the connections on which nothing more will be seen. ending: those that are known to end.
    later: what all that it sends tells. impossible: what rules called impossible since it was last
    cleared.
    """

    spec: Spec
    ensemble: Ensemble
    inputs: dict[Connection, list[Input]] = field(factory=dict)
    ended: set[Connection] = field(factory=set)
    ending: frozenset[Connection] = frozenset()
    later: Later = field(factory=Later)
    impossible: list[tuple[str, str]] = field(factory=list)

    def unread(self, one: Explanation, connection: Connection) -> Sequence[Input]:
        """What this server can read next from a connection, in order."""
        count = one.count(connection)
        return () if count == LEFT else self.inputs.get(connection, [])[count:]

    def next_input(self, one: Explanation, connection: Connection) -> Input | None:
        """What this server would read next from a connection; None if there is nothing."""
        count, inputs = one.count(connection), self.inputs.get(connection, ())
        return inputs[count] if LEFT < count < len(inputs) else None

    def connections(self, one: Explanation) -> list[Connection]:
        """The connections from which this server can read something."""
        return [each for each in self.inputs if self.next_input(one, each) is not None]

    def read(
        self, one: Explanation, connection: Connection, ensemble: Ensemble | None = None
    ) -> Explanation | None:
        """It reads the next input of a connection; None if there is none, or it is impossible."""
        event = self.reading(one, connection)
        if event is None:
            return None
        advanced = one.with_read({connection: one.count(connection) + 1})
        return self.take(advanced, event, ensemble)

    def reading(self, one: Explanation, connection: Connection) -> Event | None:
        """The event of reading the next input of a connection."""
        found = self.next_input(one, connection)
        if found is None:
            return None
        return LinkLost(connection) if isinstance(found, End) else Received(connection, found)

    def take(
        self, one: Explanation, event: Event, ensemble: Ensemble | None = None
    ) -> Explanation | None:
        """It goes through this event, uncut; None if its rules call it impossible."""
        found = next(outcomes(self.spec, ensemble or self.ensemble, one.server, event))
        return self.after(one, found)

    def after(self, one: Explanation, outcome: Outcome) -> Explanation | None:
        """It goes through this outcome; None if its rules call it impossible."""
        unseen: dict[Connection, tuple[Packet, ...]] = {}
        closed: set[Connection] = set()
        for effect in outcome.effects:
            if isinstance(effect, Impossible):
                rule = self.spec.rule(outcome.before, outcome.event).name
                self.impossible.append((rule, effect.why))
                return None
            if isinstance(effect, Send) and effect.connection not in self.ended:
                earlier = unseen.get(effect.connection, one.waiting(effect.connection))
                unseen[effect.connection] = (*earlier, effect.packet)
            elif isinstance(effect, Close):
                closed.add(effect.connection)
            elif isinstance(effect, CloseAll):
                closed |= self._held_by(one)
        later = evolve(one, server=outcome.after)
        if unseen:
            later = later.with_unseen(unseen)
        return self._closing(later, outcome.event, closed) if closed else later

    def _held_by(self, one: Explanation) -> set[Connection]:
        """The connections that this server has, in its role."""
        role = one.server.role
        learner = {role.connection} if isinstance(role, Follower) else set()
        return learner | {connection for connection, count in one.read if count != LEFT}

    def _closing(self, one: Explanation, event: Event, closed: set[Connection]) -> Explanation:
        lost = {event.connection} if isinstance(event, LinkLost) else set()
        left = one.left | {each for each in closed - lost if not self._has_read_end(one, each)}
        return evolve(one.with_read(dict.fromkeys(closed, LEFT)), left=left)

    def _has_read_end(self, one: Explanation, connection: Connection) -> bool:
        count = one.count(connection)
        return count > 0 and isinstance(self.inputs[connection][count - 1], End)
