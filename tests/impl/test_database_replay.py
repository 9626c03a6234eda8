from __future__ import annotations

from histories import histories
from hypothesis import given
from hypothesis import strategies as st

from impl.database import Database
from impl.snapshot_stream import decode_snapshot
from impl.transactions import Transaction


@given(histories())
def test_a_database_comes_back_from_its_snapshot(history: list[Transaction]) -> None:
    database = _applied(history)

    again = Database()
    again.deserialize_snapshot(decode_snapshot(database.serialize_snapshot())[0])

    assert again.serialize_snapshot() == database.serialize_snapshot()
    assert again.content_digest() == database.content_digest()
    assert again.tree.tree_digest() == database.tree.tree_digest()
    assert again.sessions_with_timeouts == database.sessions_with_timeouts
    assert again.tree.containers == database.tree.containers
    assert again.tree.ttls == database.tree.ttls
    assert [again.tree.get_ephemerals(one) for one in again.tree.get_sessions()] == [
        database.tree.get_ephemerals(one) for one in again.tree.get_sessions()
    ]


@given(histories(), st.data())
def test_replaying_what_a_snapshot_holds_already_changes_nothing_in_the_end(
    history: list[Transaction], choices: st.DataObject
) -> None:
    """Fuzzy snapshots, and a SNAP after which proposals in it come once more, rely on it."""
    taken_after = choices.draw(st.integers(0, len(history)))
    replayed_from = choices.draw(st.integers(0, taken_after))
    database = Database()
    body = _applied(history[:taken_after]).serialize_snapshot()
    database.deserialize_snapshot(decode_snapshot(body)[0])

    for one in history[replayed_from:]:
        database.process_txn(one)

    straight = _applied(history)
    assert database.content_digest() == straight.content_digest()
    assert database.tree.tree_digest() == straight.tree.tree_digest()
    assert database.sessions_with_timeouts == straight.sessions_with_timeouts


@given(histories())
def test_the_digest_does_not_depend_on_when_it_is_asked_for(history: list[Transaction]) -> None:
    asked_each_time = Database()

    digests = []
    for one in history:
        asked_each_time.process_txn(one)
        digests.append(asked_each_time.tree.tree_digest())

    for count, digest in enumerate(digests, start=1):
        assert _applied(history[:count]).tree.tree_digest() == digest


@given(histories())
def test_the_tree_is_a_tree(history: list[Transaction]) -> None:
    database = _applied(history)

    snapshot = database.to_snapshot()

    paths = [node.path for node in snapshot.nodes]
    assert len(paths) == database.tree.node_count
    assert all(path.rpartition("/")[0] in paths for path in paths)
    used = {node.acl for node in snapshot.nodes}
    assert used - {-1} == {number for number, _ in snapshot.acls}


def _applied(history: list[Transaction]) -> Database:
    database = Database()
    for one in history:
        database.process_txn(one)
    return database
