"""How a leader answers an ACKEPOCH: when it does, and with what, as far as later packets tell.

What is sent to a learner depends on what is committed when the leader begins its sync, and on what
its window and its log hold then. None of that is shown but by what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, evolve, field

from zabspec.conform.follow_explanation import SAVED, Explanation, Steps, may_overtake
from zabspec.conform.follow_order import fewest, newest_proposed, settle, unsynced
from zabspec.conform.follow_packets import matches
from zabspec.protocol.events import ClientRequest, LogSynced, TxnApplied
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    Inform,
    NewLeader,
    Packet,
    Proposal,
    Snap,
    Trunc,
)
from zabspec.protocol.state import ZERO, Connection, Ensemble, Leader, Phase, Stage, Zxid


@define
class Syncs:
    """The steps around an ACKEPOCH. ahead: per connection what will be seen, if that is known.

    reduced: only the steps that can matter are taken.
    """

    steps: Steps
    ahead: Mapping[Connection, Sequence[Packet]]
    reduced: bool = True
    shown: dict[Connection, int] = field(factory=dict)
    """How much of `ahead` was seen."""

    def sync(
        self, one: Explanation, connection: Connection, *, is_due: bool
    ) -> Iterator[Explanation]:
        """It handles an ACKEPOCH, now or when more has happened: that decides what it sends.

        Where what was sent then is known, only what comes to that is tried.
        """
        plan = self._plan(connection)
        if not plan and not self._matters_unseen(one, connection):
            return
        found = list(self._synced_learner(one, connection, plan))
        right = [each for each in found if self._is_plan(each, connection)]
        if right and plan:
            yield from fewest(self.steps, right) if self.reduced else right
        elif is_due or not plan:
            yield from found

    def _matters_unseen(self, one: Explanation, connection: Connection) -> bool:
        """Whether a sync of which nothing will be seen can matter: once an epoch has begun, no.

        It makes a leader forget ACKs, and no packet is sent for that.
        """
        is_known = bool(self.ahead) or connection in self.steps.ended
        return not (self.reduced and is_known) or one.server.role.phase is Phase.DISCOVERY

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

    def _next(self, connection: Connection) -> Packet | None:
        """What will be seen next on this connection."""
        return next(iter(self._future(connection)), None)

    def _is_plan(self, one: Explanation, connection: Connection) -> bool:
        for expected, packet in zip(
            one.waiting(connection), self._future(connection), strict=False
        ):
            if not matches(expected, packet):
                return may_overtake(packet, expected)
        return True

    def fits(self, one: Explanation) -> bool:
        """Whether all that it sent is what will be seen, as far as that is known."""
        return not self.reduced or all(self._is_plan(one, each) for each, _ in one.unseen)

    def _synced_learner(
        self, one: Explanation, connection: Connection, plan: Sequence[Packet]
    ) -> Iterator[Explanation]:
        waiting, known = [one], {one}
        while waiting:
            current = waiting.pop()
            found = list(self._answered(current, connection))
            yield from found
            if plan and self.reduced and any(self._is_plan(each, connection) for each in found):
                continue
            for each in self._meanwhile(current, connection, plan):
                later = settle(self.steps, each) if self.reduced else each
                if later not in known and (later.unseen == current.unseen or self.fits(later)):
                    known.add(later)
                    waiting.append(later)

    def _answered(self, one: Explanation, connection: Connection) -> Iterator[Explanation]:
        """It handles an ACKEPOCH now, in each way in which it may be set up."""
        for ensemble in self._set_up():
            later = self.steps.read(one, connection, ensemble)
            if later is not None:
                yield later
        yield from self._from_a_shorter_window(one, connection)

    def _set_up(self) -> tuple[Ensemble, ...]:
        """With or without the transaction log to read from: its size decides, and is not shown."""
        ensemble = self.steps.ensemble
        return (ensemble, evolve(ensemble, log_sync=False)) if ensemble.log_sync else (ensemble,)

    def _from_a_shorter_window(
        self, one: Explanation, connection: Connection
    ) -> Iterator[Explanation]:
        """It sends a SNAP, since its window began with a snapshot that it had saved and loaded.

        Models ZKDatabase.loadDataBase: only what the log has behind the snapshot is in the window.
        What was committed since it leads is in the window in any case.
        """
        role, found = one.server.role, self.steps.next_input(one, connection)
        if not isinstance(role, Leader) or not isinstance(found, AckEpoch):
            return
        ends = {each.connection: each.upto for each in role.at(Stage.PROMISED)}
        ends[connection] = found.last_zxid
        snapped = [end for each, end in ends.items() if isinstance(self._next(each), Snap)]
        window = one.server.memory.database.window
        kept = tuple(txn for txn in window if txn.zxid > max(snapped, default=ZERO))
        if len(kept) == len(window) or window[-len(kept) - 1].zxid.epoch >= role.epoch:
            return
        database = evolve(one.server.memory.database, window=kept)
        server = evolve(one.server, memory=evolve(one.server.memory, database=database))
        saved = evolve(one, server=server, assumed=(*one.assumed, SAVED))
        later = self.steps.read(saved, connection, evolve(self.steps.ensemble, log_sync=False))
        if later is not None:
            yield later

    def _meanwhile(
        self, one: Explanation, connection: Connection, plan: Sequence[Packet]
    ) -> Iterator[Explanation]:
        """What a leader may do before it handles an ACKEPOCH, as far as that changes its answer."""
        role = one.server.role
        if not isinstance(role, Leader) or role.phase is Phase.DISCOVERY:
            return
        proposed = {each.txn.zxid: each for each in plan if isinstance(each, Proposal)}
        named = (each.zxid for each in plan if isinstance(each, Commit | Diff | Snap | Trunc))
        committed = max(named, default=ZERO)
        yield from self._acknowledged(one, connection, max([committed, *proposed]), committed)
        is_due = role.to_apply and (role.to_apply[0].zxid <= committed or not self.reduced)
        if is_due and self.steps.spec.acts(one.server, TxnApplied()):
            applied = self.steps.take(one, TxnApplied())
            if applied is not None:
                yield applied
        next_one = proposed.get(newest_proposed(one).next())
        if next_one is not None:
            yield from self.asked(one, next_one)

    def _acknowledged(
        self, one: Explanation, connection: Connection, proposed: Zxid, committed: Zxid
    ) -> Iterator[Explanation]:
        """A leader that has read one more ACK elsewhere, or synced one more of its log.

        An ACK of what is not the oldest outstanding proposal may as well be read later.
        """
        role, upto = one.server.role, proposed
        if self.reduced and isinstance(role, Leader):
            upto = min([committed, *(each.txn.zxid for each in role.outstanding[:1])])
        for other in self.steps.connections(one):
            found = self.steps.next_input(one, other)
            if other == connection or not isinstance(found, Ack):
                continue
            if one.server.role.phase is Phase.SYNCHRONIZATION or may_commit(one, found.zxid, upto):
                later = self.steps.read(one, other)
                if later is not None:
                    yield later
        if one.server.disk.unsynced:
            yield from self.synced(one, upto)

    def synced(self, one: Explanation, upto: Zxid | None) -> Iterator[Explanation]:
        """It has synced the oldest that is not, if that is up to there; None = whatever it is."""
        event = LogSynced(1)
        is_due = upto is None or unsynced(one)[0].zxid <= upto
        if (is_due or not self.reduced) and self.steps.spec.acts(one.server, event):
            later = self.steps.take(one, event)
            if later is not None:
                yield later

    def asked(self, one: Explanation, packet: Proposal | Inform) -> Iterator[Explanation]:
        """A leader that a client asked for this transaction, if it is the next one."""
        if packet.txn.zxid != newest_proposed(one).next():
            return
        if self.steps.spec.acts(one.server, ClientRequest(packet.txn.request)):
            later = self.steps.take(one, ClientRequest(packet.txn.request))
            if later is not None:
                yield later


def may_commit(one: Explanation, acked: Zxid, upto: Zxid) -> bool:
    """Whether to read this ACK may lead to commits up to there: also one of what nobody proposed.

    That one is passed over, and others come behind it.
    """
    return acked <= upto or acked > newest_proposed(one)
