"""From OPEN to UPTODATE: what each side of a connection says, in which order."""

from __future__ import annotations

from zabspec.conform.recording import NO_ZXID, PACKET_NUMBERS, Record
from zabspec.conform.recording_payload import CurrentEpoch, LeaderVersion, LearnerInfo
from zabspec.conform.wire_check import wire_check
from zabspec.conform.wire_connection import FROM_LEADER, FROM_LEARNER, INTRODUCTIONS, Connection
from zabspec.conform.wire_seen import Seen

_PROTOCOL_VERSION = 0x10000
_EVERYTHING = (*PACKET_NUMBERS, "SNAPSTREAM", "CLOSE")


@wire_check("nothing travels on a connection after its CLOSE", *_EVERYTHING)
def _closed_is_closed(_seen: Seen, connection: Connection, _record: Record) -> str | None:
    return f"nothing on {connection.name}, or a new connection" if connection.is_closed else None


@wire_check("a packet travels in its own direction", *FROM_LEARNER, *FROM_LEADER)
def _own_direction(_seen: Seen, connection: Connection, record: Record) -> str | None:
    is_learners = record.type in FROM_LEARNER
    sender = connection.learner if is_learners else connection.leader
    role = "learner" if is_learners else "leader"
    return None if record.sender == sender else f"{record.type} only from the {role}, {sender}"


@wire_check("a learner introduces itself first, once, by its own sid", *FROM_LEARNER)
def _introduction_first(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if record.type not in INTRODUCTIONS:
        is_legal = connection.introduction is not None
        return None if is_legal else f"FOLLOWERINFO or OBSERVERINFO of {connection.learner}"
    if connection.introduction is not None:
        return f"no second introduction (the first is on line {connection.introduction.line})"
    said = record.decoded.sid if isinstance(record.decoded, LearnerInfo) else None
    is_own = said is None or said == connection.learner
    return None if is_own else f"sid {connection.learner} in it, not {said}"


@wire_check("LEADERINFO answers the introduction, once, with an epoch", "LEADERINFO")
def _offer_answers_introduction(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if not connection.is_introduced:
        return f"nothing before {connection.learner} introduced itself"
    if connection.epoch is not None:
        return f"no second LEADERINFO (the epoch is {connection.epoch})"
    if record.named.counter != 0 or record.named.epoch < 1:
        return "an epoch of at least 1, and counter 0"
    version = record.decoded.protocol_version if isinstance(record.decoded, LeaderVersion) else 0
    return None if version == _PROTOCOL_VERSION else f"protocol version {_PROTOCOL_VERSION:#x}"


@wire_check("ACKEPOCH answers LEADERINFO, once, if its epoch is not below the accepted", "ACKEPOCH")
def _ackepoch_answers_offer(_seen: Seen, connection: Connection, _record: Record) -> str | None:
    if "LEADERINFO" not in connection.readable or connection.epoch is None:
        return f"nothing before {connection.learner} could read LEADERINFO"
    if "ACKEPOCH" in connection.sent:
        return "no second ACKEPOCH"
    if connection.epoch < connection.accepted:
        return f"only CLOSE: epoch {connection.epoch} is below the accepted {connection.accepted}"
    return None


@wire_check("ACKEPOCH has the current epoch, or -1 if the epoch was accepted before", "ACKEPOCH")
def _ackepoch_counts_once(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if not isinstance(record.decoded, CurrentEpoch):
        return None
    if connection.accepted == connection.epoch:
        return None if record.decoded.epoch == -1 else f"-1: {connection.epoch} was accepted before"
    is_current = 0 <= record.decoded.epoch <= connection.accepted
    return None if is_current else f"a current epoch from 0 to {connection.accepted}"


@wire_check("DIFF, TRUNC or SNAP answers ACKEPOCH, once", "DIFF", "TRUNC", "SNAP")
def _sync_answers_ackepoch(_seen: Seen, connection: Connection, _record: Record) -> str | None:
    if connection.sync is not None:
        return f"no second one (the {connection.sync.type} is on line {connection.sync.line})"
    is_legal = "ACKEPOCH" in connection.readable
    return None if is_legal else f"nothing before {connection.learner} sent ACKEPOCH"


@wire_check("synchronization begins after the ACKEPOCHs of a quorum", "DIFF", "TRUNC", "SNAP")
def _sync_after_quorum(seen: Seen, connection: Connection, _record: Record) -> str | None:
    leadership = seen.leadership_of(connection)
    candidates = seen.candidates(connection.leader)
    supporters = seen.supporters(connection, leadership.epoch_acks if leadership else set())
    if not candidates or any(found.is_quorum(supporters) for found in candidates):
        return None
    return f"more ACKEPOCHs first: {seen.lacking(supporters, candidates)}"


@wire_check("TRUNC cuts below the learner's last zxid, DIFF goes on from it", "DIFF", "TRUNC")
def _sync_fits_learner(_seen: Seen, connection: Connection, record: Record) -> str | None:
    epoch_ack = connection.sent.get("ACKEPOCH")
    if epoch_ack is None:
        return None
    if record.type == "TRUNC":
        return None if record.named < epoch_ack.named else f"a zxid below {epoch_ack.named}"
    return None if record.named >= epoch_ack.named else f"{epoch_ack.named} or a later zxid"


@wire_check("the stream of a snapshot follows SNAP at once", "SNAPSTREAM")
def _stream_follows_snap(_seen: Seen, connection: Connection, _record: Record) -> str | None:
    before = connection.latest_from_leader
    return None if before == "SNAP" else f"no snapshot behind {before or 'OPEN'}"


@wire_check("NEWLEADER ends the synchronization, once, with the offered epoch", "NEWLEADER")
def _newleader_ends_sync(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if connection.sync is None:
        return "DIFF, TRUNC or SNAP first"
    if "NEWLEADER" in connection.sent:
        return "no second NEWLEADER"
    is_offered = record.named == connection.epoch_zxid
    return None if is_offered else f"NEWLEADER {connection.epoch_zxid}"


@wire_check("UPTODATE follows NEWLEADER and an ACK of the learner, once", "UPTODATE")
def _uptodate_after_ack(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if "UPTODATE" in connection.sent:
        return "no second UPTODATE"
    if "NEWLEADER" not in connection.sent or "ACK" not in connection.readable:
        return f"nothing before {connection.learner} sent an ACK of NEWLEADER"
    return None if record.named == NO_ZXID else "UPTODATE with zxid -1"


@wire_check("UPTODATE follows the ACKs of NEWLEADER by a quorum", "UPTODATE")
def _uptodate_after_quorum(seen: Seen, connection: Connection, _record: Record) -> str | None:
    leadership = seen.leadership_of(connection)
    if leadership is None or leadership.configuration is None:
        return None
    supporters = seen.supporters(connection, leadership.newleader_acks)
    if leadership.configuration.is_quorum(supporters):
        return None
    return f"more ACKs of NEWLEADER first: {seen.lacking(supporters, [leadership.configuration])}"


@wire_check("a learner ACKs the epoch after NEWLEADER, again after UPTODATE, no more", "ACK")
def _epoch_acked_twice(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if record.named != connection.epoch_zxid:
        return None
    if connection.epochs_acked > 1:
        return f"no third ACK of {record.named}"
    awaited = "UPTODATE" if connection.epochs_acked else "NEWLEADER"
    is_legal = awaited in connection.readable
    return None if is_legal else f"nothing before {connection.learner} could read {awaited}"
