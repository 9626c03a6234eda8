"""How each packet of a quorum connection changes what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zabspec.conform.recording import NO_ZXID, Record
from zabspec.conform.recording_configuration import Configuration
from zabspec.conform.recording_payload import RECONFIG, CurrentEpoch, Transaction
from zabspec.conform.wire_connection import Connection
from zabspec.conform.wire_leadership import Leadership
from zabspec.conform.wire_seen import Seen
from zabspec.protocol.state import Zxid

_Fold = Callable[[Seen, Connection, Record], None]


def packet_sent(seen: Seen, connection: Connection, record: Record) -> None:
    """The sender sent this packet; whether its receiver can read it is another event."""
    connection.sent.setdefault(record.type, record)
    if record.sender == connection.leader:
        connection.latest_from_leader = record.type
    fold = _SENT.get(record.type)
    if fold is not None:
        fold(seen, connection, record)


def packet_readable(seen: Seen, connection: Connection, record: Record) -> None:
    """From this line on the receiver may have read this packet."""
    connection.readable.add(record.type)
    fold = _READABLE.get(record.type)
    if fold is not None:
        fold(seen, connection, record)


def _introduced(seen: Seen, connection: Connection, record: Record) -> None:
    seen.waiting[connection.leader].setdefault(connection.name, connection)
    seen.accept(connection.learner, record.named.epoch)


def _offered(seen: Seen, connection: Connection, record: Record) -> None:
    introduction, epoch = connection.introduction, record.named.epoch
    if introduction is None:
        return
    leader, line = connection.leader, introduction.line
    key = leader, epoch
    if key not in seen.leaderships:
        seen.lead(Leadership(leader, epoch, line, line))
    seen.leaderships[key].offer(line)
    seen.waiting[leader].pop(connection.name, None)


def _epoch_promised(seen: Seen, connection: Connection, _record: Record) -> None:
    seen.accept(connection.learner, connection.epoch or 0)


def _epoch_acked(seen: Seen, connection: Connection, record: Record) -> None:
    leadership = seen.leadership_of(connection)
    counts = isinstance(record.decoded, CurrentEpoch) and record.decoded.epoch != -1
    if leadership is not None and counts:
        leadership.epoch_acks.add(connection.learner)


def _diff_sent(_seen: Seen, connection: Connection, _record: Record) -> None:
    epoch_ack = connection.sent.get("ACKEPOCH")
    connection.last = epoch_ack.named if epoch_ack else None


def _trunc_sent(_seen: Seen, connection: Connection, record: Record) -> None:
    connection.last = None if record.named == NO_ZXID else record.named


def _newleader_sent(seen: Seen, connection: Connection, record: Record) -> None:
    leadership = seen.leadership_of(connection)
    configuration = record.decoded if isinstance(record.decoded, Configuration) else None
    seen.established.setdefault(record.named.epoch, record)
    if configuration is not None:
        seen.configurations.setdefault(configuration)
    if leadership is not None:
        leadership.establish(configuration)


def _proposal_sent(seen: Seen, connection: Connection, record: Record) -> None:
    connection.uncommitted.append(record.named)
    _transaction_sent(seen, connection, record)


def _transaction_sent(seen: Seen, connection: Connection, record: Record) -> None:
    connection.send_transaction(record.named)
    leadership, transaction = seen.leadership_of(connection), record.decoded
    if not isinstance(transaction, Transaction):
        return
    seen.transactions.setdefault(record.named, (record.line, transaction))
    is_own = leadership is not None and leadership.epoch == record.named.epoch
    if leadership is not None and is_own and transaction.operation == RECONFIG:
        leadership.reconfigure(record.named, transaction.configuration)
        if transaction.configuration is not None:
            seen.configurations.setdefault(transaction.configuration)


def _proposal_readable(_seen: Seen, connection: Connection, record: Record) -> None:
    connection.unacked.add(record.named)


def _committed(_seen: Seen, connection: Connection, record: Record) -> None:
    connection.commit(record.named)


def _ack_sent(_seen: Seen, connection: Connection, record: Record) -> None:
    connection.epochs_acked += record.named == connection.epoch_zxid
    connection.unacked.discard(record.named)


def _ack_readable(seen: Seen, connection: Connection, record: Record) -> None:
    leadership = seen.leadership_of(connection)
    if leadership is None:
        return
    if record.named == Zxid(leadership.epoch, 0):
        leadership.newleader_acks.add(connection.learner)
    else:
        leadership.acks.setdefault(record.named, set()).add(connection.learner)


def _closed(seen: Seen, connection: Connection, _record: Record) -> None:
    connection.is_closed = True
    seen.open_connections.pop(connection.name, None)


_SENT: Mapping[str, _Fold] = {
    "FOLLOWERINFO": _introduced,
    "OBSERVERINFO": _introduced,
    "LEADERINFO": _offered,
    "ACKEPOCH": _epoch_promised,
    "DIFF": _diff_sent,
    "TRUNC": _trunc_sent,
    "NEWLEADER": _newleader_sent,
    "PROPOSAL": _proposal_sent,
    "INFORM": _transaction_sent,
    "INFORMANDACTIVATE": _transaction_sent,
    "COMMIT": _committed,
    "COMMITANDACTIVATE": _committed,
    "ACK": _ack_sent,
    "CLOSE": _closed,
}

_READABLE: Mapping[str, _Fold] = {
    "ACKEPOCH": _epoch_acked,
    "PROPOSAL": _proposal_readable,
    "ACK": _ack_readable,
}
