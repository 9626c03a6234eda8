"""What a server may have done unseen before it sent a packet: the steps that can bring it about.

`Reduced` takes only steps that can matter for the packet; `Everything` takes all, for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, evolve, field

from zabspec.conform.follow_explanation import LEFT, UNSENT, Explanation, Steps, may_overtake
from zabspec.conform.follow_leaving import left
from zabspec.conform.follow_order import newest_proposed, unsynced
from zabspec.conform.follow_packets import UNSEEN, matches
from zabspec.protocol.events import ClientRequest, Elected, LogSynced, TxnApplied
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    FollowerInfo,
    Inform,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Packet,
    Proposal,
)
from zabspec.protocol.state import Connection, Ensemble, Follower, Leader, Looking, Phase, Zxid

INTRODUCTIONS = (FollowerInfo, ObserverInfo)


@define
class Unseen:
    """The steps before a packet. ahead: per connection what will be seen on it, if that is known.

    reduced: only the steps that can matter are taken.
    """

    steps: Steps
    ahead: Mapping[Connection, Sequence[Packet]]
    reduced: bool = True
    shown: dict[Connection, int] = field(factory=dict)
    """How much of `ahead` was seen."""

    def before(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> Iterator[Explanation]:
        """What this server may be one step later, if it is to send this packet there."""
        role = one.server.role
        if isinstance(role, Looking):
            yield from self._elected(one, connection, packet)
        elif self._is_of_another_role(one, connection, packet):
            yield from left(self.steps, one)
            for more in self._with_unsent(one, connection):
                yield from left(self.steps, more)
        elif isinstance(role, Leader):
            yield from self._leader(one, connection, packet)
        elif isinstance(role, Follower) and role.connection == connection:
            yield from self._learner(one, packet)

    def _with_unsent(self, one: Explanation, connection: Connection) -> Iterator[Explanation]:
        """A leader that has logged more than it sent, as it will answer on its next connection."""
        role = one.server.role
        answer = next((each for each in self._plan(connection) if isinstance(each, AckEpoch)), None)
        if answer is None or not isinstance(role, Leader) or role.phase is not Phase.BROADCAST:
            return
        more: Explanation | None = evolve(one, assumed=(*one.assumed, UNSENT))
        while more is not None and newest_proposed(more) < answer.last_zxid:
            if answer.last_zxid.epoch != role.epoch:
                return
            more = self.steps.take(more, ClientRequest(UNSEEN))
        if more is not None and more.server != one.server:
            yield more

    def _is_of_another_role(self, one: Explanation, connection: Connection, packet: Packet) -> bool:
        role = one.server.role
        if isinstance(packet, INTRODUCTIONS):
            return True
        if not isinstance(packet, LeaderInfo) or one.count(connection):
            return False
        return not isinstance(role, Leader) or 0 != role.epoch != packet.epoch

    def _elected(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> Iterator[Explanation]:
        if one.killed:
            yield from left(self.steps, one)
        elif isinstance(packet, INTRODUCTIONS) and one.count(connection) != LEFT:
            chosen = self.steps.take(one, Elected(connection.peer))
            if chosen is not None:
                yield named(chosen, connection)
        elif isinstance(packet, LeaderInfo):
            chosen = self.steps.take(one, Elected(one.server.sid))
            if chosen is not None:
                yield chosen

    def _learner(self, one: Explanation, packet: Packet) -> Iterator[Explanation]:
        role = one.server.role
        logged = unsynced(one)
        if not isinstance(role, Follower):
            return
        acked = packet.zxid if isinstance(packet, Ack) and packet.zxid.counter else None
        if logged and (acked or not self.reduced):
            yield from self._synced(one, acked)
        if self.reduced and acked and any(txn.zxid == acked for txn in logged):
            return
        later = self.steps.read(one, role.connection)
        if later is not None:
            yield later

    def _synced(self, one: Explanation, upto: Zxid | None) -> Iterator[Explanation]:
        event = LogSynced(1)
        is_due = upto is None or unsynced(one)[0].zxid <= upto
        if (is_due or not self.reduced) and self.steps.spec.acts(one.server, event):
            later = self.steps.take(one, event)
            if later is not None:
                yield later

    def _leader(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> Iterator[Explanation]:
        for other in self.steps.connections(one):
            found = self.steps.next_input(one, other)
            if isinstance(found, AckEpoch):
                yield from self._sync(one, other, is_due=other == connection)
            elif self._helps(one, found, packet, is_due=other == connection):
                later = self.steps.read(one, other)
                if later is not None:
                    yield later
        committed = packet.zxid if isinstance(packet, Commit) else None
        committed = packet.txn.zxid if isinstance(packet, Inform) else committed
        if one.server.disk.unsynced and (committed or not self.reduced):
            yield from self._synced(one, committed)
        if isinstance(packet, Proposal | Inform):
            yield from self._asked(one, packet)

    def _helps(self, one: Explanation, found: object, packet: Packet, *, is_due: bool) -> bool:
        """Whether reading this may bring the packet about."""
        role = one.server.role
        if not isinstance(found, Ack | FollowerInfo | ObserverInfo):
            return False
        if is_due or not self.reduced or not isinstance(role, Leader):
            return True
        if isinstance(found, INTRODUCTIONS):
            return role.phase is Phase.DISCOVERY
        if role.phase is not Phase.BROADCAST:
            return True
        if isinstance(packet, Commit | Inform):
            committed = packet.zxid if isinstance(packet, Commit) else packet.txn.zxid
            return not found.zxid.counter or _is_due(one, found.zxid, committed)
        return False

    def _asked(self, one: Explanation, packet: Proposal | Inform) -> Iterator[Explanation]:
        if packet.txn.zxid != newest_proposed(one).next():
            return
        if self.steps.spec.acts(one.server, ClientRequest(packet.txn.request)):
            later = self.steps.take(one, ClientRequest(packet.txn.request))
            if later is not None:
                yield later

    def _sync(
        self, one: Explanation, connection: Connection, *, is_due: bool
    ) -> Iterator[Explanation]:
        """It handles an ACKEPOCH, now or when more has happened: that decides what it sends.

        Where what was sent then is known, only what comes to that is tried.
        """
        plan = self._plan(connection)
        found = list(self._synced_learner(one, connection, plan))
        right = [each for each in found if self._is_plan(each, connection)]
        if right and plan:
            yield from right
        elif is_due or not plan:
            yield from found

    def _plan(self, connection: Connection) -> list[Packet]:
        """What will be seen on this connection, up to NEWLEADER."""
        plan: list[Packet] = []
        for packet in self._future(connection):
            plan.append(packet)
            if isinstance(packet, NewLeader):
                break
        return plan

    def _future(self, connection: Connection) -> Sequence[Packet]:
        return self.ahead.get(connection, ())[self.shown.get(connection, 0) :]

    def _is_plan(self, one: Explanation, connection: Connection) -> bool:
        for expected, packet in zip(
            one.waiting(connection), self._future(connection), strict=False
        ):
            if not matches(expected, packet):
                return may_overtake(packet, expected)
        return True

    def _synced_learner(
        self, one: Explanation, connection: Connection, plan: Sequence[Packet]
    ) -> Iterator[Explanation]:
        waiting, known = [one], {one}
        while waiting:
            current = waiting.pop()
            for ensemble in self._set_up():
                later = self.steps.read(current, connection, ensemble)
                if later is not None:
                    yield later
            for later in self._meanwhile(current, connection, plan):
                if later not in known:
                    known.add(later)
                    waiting.append(later)

    def _set_up(self) -> tuple[Ensemble, ...]:
        """With or without the transaction log to read from: its size decides, and is not shown."""
        ensemble = self.steps.ensemble
        return (ensemble, evolve(ensemble, log_sync=False)) if ensemble.log_sync else (ensemble,)

    def _meanwhile(
        self, one: Explanation, connection: Connection, plan: Sequence[Packet]
    ) -> Iterator[Explanation]:
        """What a leader may do before it handles an ACKEPOCH, as far as that changes its answer."""
        role = one.server.role
        if not isinstance(role, Leader) or role.phase is Phase.DISCOVERY:
            return
        proposed = {each.txn.zxid: each for each in plan if isinstance(each, Proposal)}
        named_there = [
            each.zxid
            for each in plan
            if not isinstance(each, Proposal | NewLeader) and hasattr(each, "zxid")
        ]
        upto = max([*proposed, *named_there], default=Zxid(0, 0))
        for other in self.steps.connections(one):
            found = self.steps.next_input(one, other)
            if other == connection or not isinstance(found, Ack):
                continue
            if role.phase is Phase.SYNCHRONIZATION or _is_due(one, found.zxid, upto):
                later = self.steps.read(one, other)
                if later is not None:
                    yield later
        if one.server.disk.unsynced:
            yield from self._synced(one, upto)
        if role.to_apply and self.steps.spec.acts(one.server, TxnApplied()):
            applied = self.steps.take(one, TxnApplied())
            if applied is not None:
                yield applied
        next_one = proposed.get(newest_proposed(one).next())
        if next_one is not None:
            yield from self._asked(one, next_one)


def _is_due(one: Explanation, acked: Zxid, upto: Zxid) -> bool:
    """Whether to read this ACK may lead to commits up to there: also one of what nobody proposed.

    That one is passed over, and others come behind it.
    """
    return acked <= upto or acked > newest_proposed(one)


def named(one: Explanation, connection: Connection) -> Explanation:
    """A learner that was just told of its leader, with the connection under its number."""
    role = one.server.role
    if not isinstance(role, Follower):
        return one
    server = one.server.playing(evolve(role, connection=connection))
    plain = role.connection
    moved = {plain: one.waiting(plain)[:-1], connection: one.waiting(plain)[-1:]}
    return evolve(one.with_unseen(moved), server=server)
