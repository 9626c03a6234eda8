from __future__ import annotations

import pytest
from histories import transaction

from impl.database import Database, DatabaseError
from impl.packets import PacketType, QuorumPacket
from impl.transactions import CreateSessionTxn, ErrorTxn, OpCode, Transaction, TxnDigest
from impl.zxids import make_zxid


def window(database: Database) -> tuple[int, int, list[int]]:
    zxids = [one.zxid for one in database.committed_log]
    return database.min_committed_log, database.max_committed_log, zxids


def test_a_window_holds_the_last_proposals() -> None:
    database = Database(commit_log_count=3)
    assert window(database) == (0, 0, [])

    for zxid in range(1, 6):
        database.add_committed_proposal(zxid, b"%d" % zxid)

    assert window(database) == (3, 5, [3, 4, 5])
    assert database.committed_log[0].packet == QuorumPacket(PacketType.PROPOSAL, 3, b"3")


def test_a_window_begins_where_it_is_told() -> None:
    database = Database()

    database.add_committed_proposal(77, b"")

    assert window(database) == (77, 77, [77])


def test_what_the_window_holds_already_is_left_out() -> None:
    database = Database()
    for zxid in (5, 6, 5, 6, 4, 7):
        database.add_committed_proposal(zxid, b"")

    assert window(database) == (5, 7, [5, 6, 7])


def test_a_window_goes_on_in_a_later_epoch() -> None:
    database = Database()

    for zxid in (make_zxid(1, 4), make_zxid(3, 1), make_zxid(4, 9)):
        database.add_committed_proposal(zxid, b"")

    assert len(database.committed_log) == 3


def test_a_gap_within_an_epoch_is_refused() -> None:
    """As from 3.9.4 on (4925); before, the hole was sent to learners."""
    database = Database()
    database.add_committed_proposal(make_zxid(1, 4), b"")

    with pytest.raises(DatabaseError, match="read proposal 0x100000006 after 0x100000004, expect"):
        database.add_committed_proposal(make_zxid(1, 6), b"")
    assert len(database.committed_log) == 1


def test_a_replayed_record_is_applied_and_in_the_window() -> None:
    database = Database()
    payload = transaction(9, OpCode.CREATE_SESSION, CreateSessionTxn(4000), session=5).encode()

    replayed = database.replay(payload)

    assert replayed.zxid == database.last_processed_zxid == 9
    assert database.sessions_with_timeouts == {5: 4000}
    assert database.committed_log[0].payload == payload


def test_clearing_forgets_everything_and_keeps_the_dictionary_of_sessions() -> None:
    database = Database()
    sessions = database.sessions_with_timeouts
    database.replay(transaction(9, OpCode.CREATE_SESSION, CreateSessionTxn(4000)).encode())
    database.initialized = True

    database.clear()

    assert window(database) == (0, 0, [])
    assert (database.last_processed_zxid, database.initialized) == (0, False)
    assert database.sessions_with_timeouts is sessions == {}
    assert database.serialize_snapshot() == Database().serialize_snapshot()


def test_the_last_processed_zxid_can_be_set_and_only_grows_by_itself() -> None:
    database = Database()
    database.last_processed_zxid = make_zxid(2, 0)

    database.process_txn(transaction(make_zxid(1, 7), OpCode.ERROR, ErrorTxn(-1)))

    assert database.last_processed_zxid == make_zxid(2, 0)


def test_a_digest_that_does_not_agree_is_remembered_until_one_agrees() -> None:
    database = Database()
    right = database.tree.tree_digest()

    def digested(zxid: int, version: int, digest: int) -> Transaction:
        plain = transaction(zxid, OpCode.CREATE_SESSION, CreateSessionTxn(1))
        return Transaction(plain.header, plain.body, TxnDigest(version, digest))

    seen = []
    for zxid, version, digest in [
        (1, 2, right),
        (2, 1, right + 1),  # of another version: not compared
        (3, 2, right + 1),
        (4, 2, right + 1),
        (5, 2, right),
    ]:
        database.process_txn(digested(zxid, version, digest))
        seen.append(database.digest_mismatch)

    assert seen == [None, None, 3, 3, None]


def test_a_window_holds_something() -> None:
    with pytest.raises(ValueError, match="read commit_log_count 0, expected 1 or more"):
        Database(commit_log_count=0)
