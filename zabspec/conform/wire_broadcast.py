"""Transactions: how they are proposed, acknowledged and committed."""

from __future__ import annotations

from zabspec.conform.recording import Record
from zabspec.conform.recording_payload import RECONFIG, Transaction
from zabspec.conform.wire_check import wire_check
from zabspec.conform.wire_connection import COMMITS, INFORMS, Connection
from zabspec.conform.wire_seen import Seen
from zabspec.protocol.state import Zxid

_TRANSACTIONS = ("PROPOSAL", *INFORMS)


@wire_check("transactions follow DIFF, TRUNC or SNAP", *_TRANSACTIONS, *COMMITS)
def _after_sync_began(_seen: Seen, connection: Connection, _record: Record) -> str | None:
    return None if connection.sync is not None else "DIFF, TRUNC or SNAP first"


@wire_check("followers get PROPOSAL and COMMIT, observers INFORM", *_TRANSACTIONS, *COMMITS)
def _in_the_learners_words(_seen: Seen, connection: Connection, record: Record) -> str | None:
    if not connection.is_observer:
        is_legal = record.type not in INFORMS
        return None if is_legal else f"PROPOSAL or COMMIT: {connection.learner} is no observer"
    # An observer is synchronized as a follower is: before NEWLEADER it gets both.
    is_legal = record.type in INFORMS or "NEWLEADER" not in connection.sent
    return None if is_legal else f"INFORM: {connection.learner} is an observer"


@wire_check("after NEWLEADER transactions are of the leader's epoch", *_TRANSACTIONS, *COMMITS)
def _of_own_epoch(_seen: Seen, connection: Connection, record: Record) -> str | None:
    epoch, named = connection.epoch, record.named.epoch
    if epoch is None or named == epoch:
        return None
    if named > epoch:
        return f"a zxid of epoch {epoch} or before"
    return f"a zxid of epoch {epoch}" if "NEWLEADER" in connection.sent else None


@wire_check("a transaction's header names the zxid of its packet", *_TRANSACTIONS)
def _header_names_zxid(_seen: Seen, _connection: Connection, record: Record) -> str | None:
    if not isinstance(record.decoded, Transaction) or record.decoded.zxid == record.named:
        return None
    return f"{record.type} {record.decoded.zxid}, as its header says"


@wire_check("a zxid has one content", *_TRANSACTIONS)
def _one_content(seen: Seen, _connection: Connection, record: Record) -> str | None:
    line, first = seen.transactions.get(record.named, (0, None))
    if first is None or not isinstance(record.decoded, Transaction):
        return None
    return (
        None if record.decoded.same_as(first) else f"the content of {record.named} on line {line}"
    )


@wire_check("PROPOSALs and INFORMs leave no gap on a connection", *_TRANSACTIONS)
def _no_gap(_seen: Seen, connection: Connection, record: Record) -> str | None:
    last = connection.last
    if connection.is_patchy and connection.first_since_patch is None:
        is_legal = last is None or record.named > last
        return None if is_legal else f"a zxid above {last}"
    if last is None:
        return _fits_snapshot(connection, record.named)
    return None if last.leads_to(record.named) else f"{_next_of(last)} behind {last}"


def _fits_snapshot(connection: Connection, zxid: Zxid) -> str | None:
    """The stream may hold transactions that are sent again behind it, but leaves out none."""
    sync = connection.sync
    if sync is None or sync.type != "SNAP" or zxid <= sync.named or sync.named.leads_to(zxid):
        return None
    return f"at most {_next_of(sync.named)} behind a snapshot of {sync.named}"


def _next_of(zxid: Zxid) -> str:
    return f"{zxid.next()} or the first of a later epoch"


@wire_check("COMMITs follow the order of the PROPOSALs", *COMMITS)
def _commits_in_order(_seen: Seen, connection: Connection, record: Record) -> str | None:
    uncommitted, zxid = connection.uncommitted, record.named
    oldest = uncommitted[0] if uncommitted else None
    was_left_out = connection.may_have_missed(zxid) and zxid > connection.last_committed
    if zxid == oldest or was_left_out:
        return None
    return f"COMMIT {oldest}" if oldest else "no COMMIT: every PROPOSAL is committed"


@wire_check("a COMMIT or INFORM follows the ACKs of a quorum", *COMMITS, *INFORMS)
def _committed_by_quorum(seen: Seen, connection: Connection, record: Record) -> str | None:
    leadership, zxid = seen.leadership_of(connection), record.named
    if leadership is None or leadership.epoch != zxid.epoch:
        return None  # an earlier leader's transaction: committed by the history that has it
    supporters = seen.supporters(connection, leadership.acked(zxid))
    for needed in leadership.configurations_for(zxid):
        if needed is not None and not needed.is_quorum(supporters):
            return f"more ACKs of {zxid} first: {seen.lacking(supporters, [needed])}"
    return None


@wire_check("COMMITANDACTIVATE commits a reconfiguration", "COMMITANDACTIVATE")
def _activates_reconfiguration(seen: Seen, _connection: Connection, record: Record) -> str | None:
    _, transaction = seen.transactions.get(record.named, (0, None))
    is_legal = transaction is None or transaction.operation == RECONFIG
    return None if is_legal else f"COMMIT {record.named}: it changes no configuration"


@wire_check("an observer ACKs no transaction", "ACK")
def _observer_acks_no_transaction(
    _seen: Seen, connection: Connection, record: Record
) -> str | None:
    is_legal = not connection.is_observer or record.named == connection.epoch_zxid
    return None if is_legal else f"no ACK of {record.named}: {connection.learner} is an observer"


@wire_check("a transaction is ACKed after its PROPOSAL and NEWLEADER, once", "ACK")
def _acked_after_proposal(_seen: Seen, connection: Connection, record: Record) -> str | None:
    zxid = record.named
    if zxid == connection.epoch_zxid:
        return None
    if "NEWLEADER" not in connection.readable:
        return f"nothing before {connection.learner} could read NEWLEADER"
    is_legal = zxid in connection.unacked or connection.may_have_missed(zxid)
    return None if is_legal else f"no ACK of {zxid}: no PROPOSAL of it is to be ACKed"
