"""Epochs: how one is offered, accepted and led, across all connections."""

from __future__ import annotations

from zabspec.conform.recording import Record
from zabspec.conform.wire_check import wire_check
from zabspec.conform.wire_connection import Connection
from zabspec.conform.wire_seen import Seen


@wire_check("an accepted epoch is never forgotten", "FOLLOWERINFO", "OBSERVERINFO")
def _accepted_epoch_stays(_seen: Seen, connection: Connection, record: Record) -> str | None:
    is_kept = record.named.epoch >= connection.learner_accepted
    return None if is_kept else f"an accepted epoch of {connection.learner_accepted} or more"


@wire_check("a leader offers an epoch above all that it accepted or offered before", "LEADERINFO")
def _offer_is_new(_seen: Seen, connection: Connection, record: Record) -> str | None:
    lowest = max(connection.leader_accepted + 1, connection.leader_offered)
    return None if record.named.epoch >= lowest else f"an epoch of {lowest} or more"


@wire_check("an epoch is offered after the introductions of a quorum below it", "LEADERINFO")
def _offer_after_quorum(seen: Seen, connection: Connection, record: Record) -> str | None:
    epoch = record.named.epoch
    candidates = seen.candidates(connection.leader)
    if not candidates or (connection.leader, epoch) in seen.leaderships:
        return None
    waiting = seen.waiting[connection.leader].values()
    comers = {
        found.learner
        for found in waiting
        if found.is_introduced and not found.is_observer and found.accepted < epoch
    }
    supporters = seen.supporters(connection, comers)
    if any(found.is_quorum(supporters) for found in candidates):
        return None
    return f"more FOLLOWERINFOs below {epoch} first: {seen.lacking(supporters, candidates)}"


@wire_check("a leader offers the same epoch to all its learners", "LEADERINFO")
def _offer_is_the_same(seen: Seen, connection: Connection, record: Record) -> str | None:
    latest, introduction = seen.latest.get(connection.leader), connection.introduction
    if latest is None or introduction is None or record.named.epoch == latest.epoch:
        return None
    # A learner that came before another one was answered does not belong to a later leadership,
    # and one that came after another one does not belong to an earlier one.
    is_later = record.named.epoch > latest.epoch
    could_be_later = is_later and introduction.line > latest.latest_introduction
    could_be_earlier = not is_later and introduction.line < latest.earliest_introduction
    return None if could_be_later or could_be_earlier else f"the epoch {latest.epoch}"


@wire_check("an epoch has one leader", "NEWLEADER")
def _one_leader_an_epoch(seen: Seen, _connection: Connection, record: Record) -> str | None:
    first = seen.established.get(record.named.epoch)
    if first is None or first.sender == record.sender:
        return None
    return f"an epoch of its own: {first.sender} leads {first.named.epoch} (line {first.line})"
