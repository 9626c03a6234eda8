"""Which rule sends a packet, and what it lacks: the reasons that a refusal gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from zabspec.conform.follow_explanation import Explanation
from zabspec.conform.follow_order import newest_proposed, unsynced
from zabspec.protocol.events import ClientRequest, Elected, LogSynced
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    Inform,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Packet,
    Proposal,
    Snap,
    Trunc,
    UpToDate,
)
from zabspec.protocol.rules import Kind, Row, Rule, Spec
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Leader,
    Looking,
    Phase,
    Role,
    supporters,
)

Why = Callable[[Explanation, Packet, Ensemble], str]


@frozen
class Sender:
    """The rows of the rule that sends a packet. phases: where it is, the likeliest first.

    why: what tells why it did not.
    """

    role: type[Role]
    phases: tuple[Phase, ...]
    kind: Kind
    why: Why

    def rule(self, spec: Spec, one: Explanation) -> tuple[Row, Rule]:
        """The rule, in the phase that this server is in if there is one, and its row."""
        role, phase = type(one.server.role), one.server.role.phase
        row = (
            role if issubclass(role, self.role) else self.role,
            phase if phase in self.phases else self.phases[0],
            self.kind,
        )
        return row, spec.table[row]


def sender(one: Explanation, packet: Packet) -> Sender:
    """What sends such a packet."""
    if isinstance(packet, Ack) and packet.zxid.counter:
        return _ACK
    if isinstance(packet, Ack):
        return _ACK_AGAIN if _has_accepted(one) else _ACK_NEW_LEADER
    return _SENDERS[type(packet)]


def _has_accepted(one: Explanation) -> bool:
    role = one.server.role
    return isinstance(role, Follower) and role.sync is not None and role.sync.accepted


def _why_not_introduced(one: Explanation, packet: Packet, ensemble: Ensemble) -> str:
    observes = one.server.sid in ensemble.observers
    if observes != isinstance(packet, ObserverInfo):
        return f"server {one.server.sid} is {'an' if observes else 'no'} observer"
    return f"it has accepted epoch {one.server.disk.accepted_epoch}"


def _why_not_offered(one: Explanation, _packet: Packet, ensemble: Ensemble) -> str:
    role = one.server.role
    if not isinstance(role, Leader):
        return f"it has accepted epoch {one.server.disk.accepted_epoch}, and is no leader yet"
    if role.epoch:
        return f"it leads epoch {role.epoch}"
    return f"those who introduced themselves are {_quorum_text(one, role, ensemble)}"


def _quorum_text(one: Explanation, role: Leader, ensemble: Ensemble) -> str:
    sids = sorted(supporters(one.server.playing(role), role.learners))
    text = "{" + ", ".join(map(str, sids)) + "}"
    return f"{text}, {'a' if ensemble.is_quorum(sids) else 'no'} quorum"


def _why_not_promised(one: Explanation, _packet: Packet, _ensemble: Ensemble) -> str:
    disk, last = one.server.disk, one.server.memory.database.zxid
    return (
        f"it has accepted epoch {disk.accepted_epoch}, its current epoch is"
        f" {disk.current_epoch}, and its last zxid {last}"
    )


def _why_not_synced(one: Explanation, _packet: Packet, ensemble: Ensemble) -> str:
    role, database = one.server.role, one.server.memory.database
    if not isinstance(role, Leader):
        return "it does not lead"
    if role.phase is Phase.DISCOVERY:
        return f"those who introduced themselves are {_quorum_text(one, role, ensemble)}"
    low = database.window[0].zxid if database.window else database.zxid
    high = database.window[-1].zxid if database.window else database.zxid
    return f"its last zxid is {database.zxid}, and its window [{low}, {high}]"


def _why_not_up_to_date(one: Explanation, _packet: Packet, _ensemble: Ensemble) -> str:
    role = one.server.role
    if isinstance(role, Leader) and role.phase is Phase.SYNCHRONIZATION:
        return "NEWLEADER is not acknowledged by a quorum"
    return "it has not read an ACK of NEWLEADER there"


def _why_not_proposed(one: Explanation, _packet: Packet, _ensemble: Ensemble) -> str:
    role = one.server.role
    if not isinstance(role, Leader) or role.phase is not Phase.BROADCAST:
        return "it does not serve"
    return f"the next zxid is {newest_proposed(one).next()}"


def _why_not_committed(one: Explanation, packet: Packet, ensemble: Ensemble) -> str:
    role = one.server.role
    if not isinstance(role, Leader):
        return "it does not lead"
    if not role.outstanding:
        return "nothing is outstanding"
    oldest = role.outstanding[0]
    zxid = packet.txn.zxid if isinstance(packet, Inform) else getattr(packet, "zxid", None)
    acks = ", ".join(map(str, oldest.acks))
    if oldest.txn.zxid != zxid:
        return f"{oldest.txn.zxid} is the oldest outstanding, acknowledged by {{{acks}}}"
    voters = ", ".join(map(str, ensemble.voters))
    return f"{zxid} is acknowledged by {{{acks}}}, no quorum of {{{voters}}} with what can be read"


def _why_not_accepted(one: Explanation, _packet: Packet, _ensemble: Ensemble) -> str:
    return f"its current epoch is {one.server.disk.current_epoch}, and it reads no more that asks"


def _why_not_acknowledged(one: Explanation, packet: Packet, _ensemble: Ensemble) -> str:
    waiting, zxid = unsynced(one), getattr(packet, "zxid", None)
    if any(txn.zxid == zxid for txn in one.server.disk.durable_log):
        return f"{zxid} is synced, and has no ACK to come"
    if not waiting:
        return "nothing is left to be synced"
    return f"{waiting[0].zxid} is the oldest that is not synced"


_EARLY = (Phase.DISCOVERY, Phase.SYNCHRONIZATION)
_INTRODUCES = Sender(Looking, (Phase.ELECTION,), Elected, _why_not_introduced)
_SYNCS = Sender(Leader, (*_EARLY, Phase.BROADCAST), AckEpoch, _why_not_synced)
_COMMITS = Sender(Leader, (Phase.BROADCAST,), Ack, _why_not_committed)
_ACK = Sender(Follower, (Phase.BROADCAST,), LogSynced, _why_not_acknowledged)
_ACK_NEW_LEADER = Sender(Follower, _EARLY[1:], NewLeader, _why_not_accepted)
_ACK_AGAIN = Sender(Follower, _EARLY[1:], UpToDate, _why_not_accepted)
_SENDERS: Mapping[type[Packet], Sender] = {
    FollowerInfo: _INTRODUCES,
    ObserverInfo: _INTRODUCES,
    LeaderInfo: Sender(Leader, _EARLY[:1], FollowerInfo, _why_not_offered),
    AckEpoch: Sender(Follower, _EARLY[:1], LeaderInfo, _why_not_promised),
    Diff: _SYNCS,
    Trunc: _SYNCS,
    Snap: _SYNCS,
    NewLeader: _SYNCS,
    UpToDate: Sender(Leader, (Phase.SYNCHRONIZATION, Phase.BROADCAST), Ack, _why_not_up_to_date),
    Proposal: Sender(Leader, (Phase.BROADCAST,), ClientRequest, _why_not_proposed),
    Commit: _COMMITS,
    Inform: _COMMITS,
}
