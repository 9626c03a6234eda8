"""What a server may have done unseen before it sent a packet: the steps that can bring it about.

`Unseen.reduced` takes only steps that can matter for the packet, else all, for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from zabspec.conform.follow_explanation import LEFT, Explanation
from zabspec.conform.follow_leaving import INTRODUCTIONS, led_unheard, left
from zabspec.conform.follow_order import newest_proposed, unsynced
from zabspec.conform.follow_sync import Syncs, may_commit
from zabspec.protocol.events import ClientRequest, Elected
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    FollowerInfo,
    Inform,
    LeaderInfo,
    ObserverInfo,
    Packet,
    Proposal,
)
from zabspec.protocol.state import (
    Connection,
    Follower,
    Leader,
    Looking,
    Phase,
    Stage,
    Zxid,
)


class Unseen(Syncs):
    """The steps before a packet."""

    def before(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> Iterator[Explanation]:
        """What this server may be one step later, if it is to send this packet there."""
        role = one.server.role
        if isinstance(role, Looking):
            yield from self._elected(one, connection, packet)
        elif self._is_of_another_role(one, connection, packet):
            yield from left(self.steps, one)
        elif isinstance(role, Leader):
            yield from self._leader(one, connection, packet)
        elif isinstance(role, Follower) and role.connection == connection:
            yield from self._learner(one, packet)

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
            if packet.accepted_epoch > one.server.disk.accepted_epoch:
                yield from led_unheard(self.steps, one)
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
            yield from self.synced(one, acked)
        if self.reduced and acked and any(txn.zxid == acked for txn in logged):
            return
        later = self.steps.read(one, role.connection)
        if later is not None:
            yield later

    def _leader(
        self, one: Explanation, connection: Connection, packet: Packet
    ) -> Iterator[Explanation]:
        committed = packet.zxid if isinstance(packet, Commit) else None
        committed = packet.txn.zxid if isinstance(packet, Inform) else committed
        if isinstance(packet, Inform):
            yield from self._proposed_first(one, packet.txn.zxid)
        for other in self.steps.connections(one):
            found = self.steps.next_input(one, other)
            if isinstance(found, AckEpoch):
                yield from self.sync(one, other, is_due=other == connection)
            elif self._helps(one, found, packet, is_due=other == connection):
                later = self.steps.read(one, other)
                offers = isinstance(packet, LeaderInfo)
                if later is not None and (not offers or self.fits(later)):
                    yield later
        if one.server.disk.unsynced and (committed or not self.reduced):
            yield from self.synced(one, committed)
        if isinstance(packet, Proposal | Inform):
            yield from self.asked(one, packet)

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
            return not found.zxid.counter or may_commit(one, found.zxid, committed)
        return False

    def _proposed_first(self, one: Explanation, informed: Zxid) -> Iterator[Explanation]:
        """The next proposal is made, where a follower is sent it before this older one's COMMIT.

        It waits in the followers' queues still, and an observer has no proposals in its own.
        """
        role, zxid, later = one.server.role, newest_proposed(one).next(), self.steps.later
        event = ClientRequest(later.request(zxid))
        if not isinstance(role, Leader) or not self.steps.spec.acts(one.server, event):
            return
        learners = role.at(Stage.SYNCING, Stage.ACTIVE)
        if any(later.is_proposed_first(each.connection, zxid, informed) for each in learners):
            made = self.steps.take(one, event)
            if made is not None:
                yield made


def named(one: Explanation, connection: Connection) -> Explanation:
    """A learner that was just told of its leader, with the connection under its number."""
    role = one.server.role
    if not isinstance(role, Follower):
        return one
    server = one.server.playing(evolve(role, connection=connection))
    plain = role.connection
    moved = {plain: one.waiting(plain)[:-1], connection: one.waiting(plain)[-1:]}
    return evolve(one.with_unseen(moved), server=server)
