from __future__ import annotations

import pytest
from histories import SESSIONS, transaction

from impl.database import Database
from impl.datanode import CONTAINER_OWNER, is_ttl, owning_session, ttl_owner
from impl.datatree import DataTree
from impl.errors import ErrorCode, KeeperError
from impl.paths import CONFIG_NODE, sequential_path, split_path
from impl.records import OPEN_ACL_UNSAFE, READ_ACL_UNSAFE
from impl.snapshot_stream import Snapshot, SnapshotNode, StatPersisted
from impl.transactions import (
    CheckVersionTxn,
    CloseSessionTxn,
    CreateContainerTxn,
    CreateSessionTxn,
    CreateTTLTxn,
    CreateTxn,
    CreateTxnV0,
    DeleteTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SetACLTxn,
    SetDataTxn,
    SubTxn,
)
from impl.tree_transactions import ProcessTxnResult

SESSION = SESSIONS[0]


def create(path: str, cversion: int = 1, *, ephemeral: bool = False) -> CreateTxn:
    return CreateTxn(path, b"x", OPEN_ACL_UNSAFE, ephemeral, cversion)


def apply(database: Database, *steps: tuple[int, int, object]) -> list[ProcessTxnResult]:
    return [database.process_txn(transaction(zxid, kind, body)) for zxid, kind, body in steps]


def stat(database: Database, path: str) -> StatPersisted:
    node = database.tree.get_node(path)
    assert node is not None
    return node.stat


def test_a_new_tree_has_the_nodes_of_zookeeper_itself() -> None:
    nodes = Database().to_snapshot().nodes

    assert [node.path for node in nodes] == ["", "/zookeeper", CONFIG_NODE, "/zookeeper/quota"]
    assert [node.stat.aversion for node in nodes] == [0, 0, -1, 0]


def test_a_create_sets_the_stat_of_the_node_and_of_its_parent() -> None:
    database = Database()

    apply(database, (5, OpCode.CREATE, create("/a", 1)))

    assert stat(database, "/a") == StatPersisted(5, 5, 1005, 1005, 0, 0, 0, 0, 5)
    assert stat(database, "/") == StatPersisted(cversion=1, pzxid=5)
    assert database.tree.get_children("/") == ("a", "zookeeper")
    assert database.last_processed_zxid == 5


def test_a_create_that_names_no_version_of_the_parent_adds_one() -> None:
    database = Database()

    apply(
        database,
        (1, OpCode.CREATE, CreateTxnV0("/a", None, None, ephemeral=False)),
        (2, OpCode.CREATE, create("/b", -1)),
    )

    assert (stat(database, "/").cversion, stat(database, "/").pzxid) == (2, 2)


def test_only_create_tells_no_stat() -> None:
    database = Database()

    results = apply(
        database,
        (1, OpCode.CREATE, create("/a", 1)),
        (2, OpCode.CREATE2, create("/b", 2)),
        (3, OpCode.CREATE_TTL, CreateTTLTxn("/c", None, None, 3, 9)),
        (4, OpCode.CREATE_CONTAINER, CreateContainerTxn("/d", None, None, 4)),
        (5, OpCode.SET_DATA, SetDataTxn("/a", b"12", 1)),
    )

    assert [one.path for one in results] == ["/a", "/b", "/c", "/d", "/a"]
    assert [one.stat and one.stat.czxid for one in results] == [None, 2, 3, 4, 1]
    assert results[-1].stat is not None
    assert results[-1].stat.data_length == 2


def test_containers_and_nodes_with_a_ttl_are_nobodys() -> None:
    database = Database()

    results = apply(
        database,
        (1, OpCode.CREATE_CONTAINER, CreateContainerTxn("/c", None, None, 1)),
        (2, OpCode.CREATE_TTL, CreateTTLTxn("/t", None, None, 2, 5000)),
    )

    assert stat(database, "/c").ephemeral_owner == CONTAINER_OWNER
    assert stat(database, "/t").ephemeral_owner & 0xFFFFFFFFFFFFFFFF == 0xFF00000000001388
    assert (database.tree.containers, database.tree.ttls) == ({"/c"}, {"/t"})
    assert [one.stat and one.stat.ephemeral_owner for one in results] == [0, 0]
    assert database.tree.get_sessions() == ()

    apply(database, (3, OpCode.DELETE_CONTAINER, DeleteTxn("/c")), (4, 2, DeleteTxn("/t")))

    assert (database.tree.containers, database.tree.ttls) == (set(), set())


def test_set_data_and_set_acl_change_what_they_name() -> None:
    database = Database()

    apply(
        database,
        (1, OpCode.CREATE, create("/a", 1)),
        (2, OpCode.SET_DATA, SetDataTxn("/a", b"new", 7)),
        (3, OpCode.SET_ACL, SetACLTxn("/a", READ_ACL_UNSAFE, 9)),
    )

    node = database.tree.get_node("/a")
    assert node is not None
    assert node.data == b"new"
    assert node.stat == StatPersisted(1, 2, 1001, 1002, 7, 0, 9, 0, 1)
    assert database.tree.get_acl(node) == READ_ACL_UNSAFE


def test_a_delete_is_seen_in_the_parent() -> None:
    database = Database()

    apply(database, (1, 1, create("/a", 1)), (2, 1, create("/a/b", 1)), (3, 2, DeleteTxn("/a/b")))

    assert stat(database, "/a").pzxid == 3
    assert stat(database, "/a").cversion == 1
    node = database.tree.get_node("/a")
    assert node is not None
    assert node.client_stat().cversion == 2  # a create and a delete
    assert database.tree.get_node("/a/b") is None


def test_deleting_what_is_gone_still_moves_the_parent_on() -> None:
    database = Database()

    results = apply(database, (1, 1, create("/a", 1)), (9, OpCode.DELETE, DeleteTxn("/a/gone")))

    assert results[1].err == ErrorCode.NO_NODE
    assert stat(database, "/a").pzxid == 9


def test_a_replayed_delete_takes_nothing_back() -> None:
    database = Database()

    results = apply(database, (8, OpCode.CREATE, create("/a", 1)), (5, 2, DeleteTxn("/gone")))

    assert results[1].err == ErrorCode.NO_NODE
    assert stat(database, "/").pzxid == 8


def test_a_delete_that_is_replayed_on_a_later_tree_leaves_room_for_what_comes_again() -> None:
    """ZooKeeper forgets here that /a has a child, and loses it with the next snapshot."""
    history = (
        (1, OpCode.CREATE, create("/a", 1)),
        (2, OpCode.DELETE, DeleteTxn("/a")),
        (3, OpCode.CREATE, create("/a", 2)),
        (4, OpCode.CREATE, create("/a/b", 1, ephemeral=True)),
    )
    database, straight = Database(), Database()
    apply(straight, *history)

    apply(database, *history, *history)

    assert database.tree.get_children("/a") == ("b",)
    assert database.serialize_snapshot() == straight.serialize_snapshot()
    assert database.tree.get_ephemerals(SESSION) == ("/a/b",)
    assert database.tree.tree_digest() == straight.tree.tree_digest()


def test_a_replayed_create_takes_nothing_back() -> None:
    database = Database()

    results = apply(
        database,
        (1, OpCode.CREATE, create("/a", 1)),
        (2, OpCode.CREATE, create("/b", 2)),
        (1, OpCode.CREATE, create("/a", 1)),
    )

    assert results[2].err == ErrorCode.NODE_EXISTS
    assert (stat(database, "/").cversion, stat(database, "/").pzxid) == (2, 2)
    assert database.last_processed_zxid == 2


@pytest.mark.parametrize(("kind", "cversion"), [(OpCode.CREATE, 5), (OpCode.CREATE2, 1)])
def test_a_node_from_a_later_time_lets_its_parent_grow_for_create_only(
    kind: OpCode, cversion: int
) -> None:
    database = Database()

    apply(database, (1, OpCode.CREATE, create("/a", 1)), (8, kind, create("/a", 5)))

    assert stat(database, "/").cversion == cversion


def test_ephemerals_go_with_their_session() -> None:
    database = Database()
    apply(
        database,
        (1, OpCode.CREATE_SESSION, CreateSessionTxn(4000)),
        (2, OpCode.CREATE, create("/e", 1, ephemeral=True)),
        (3, OpCode.CREATE, create("/p", 2)),
        (4, OpCode.CREATE, create("/f", 3, ephemeral=True)),
    )
    assert database.sessions_with_timeouts == {SESSION: 4000}
    assert database.tree.get_ephemerals(SESSION) == ("/e", "/f")
    assert stat(database, "/e").ephemeral_owner == SESSION

    apply(database, (5, OpCode.CLOSE_SESSION, None))

    assert database.tree.get_children("/") == ("p", "zookeeper")
    assert database.sessions_with_timeouts == {}
    assert stat(database, "/").pzxid == 5


def test_a_session_that_is_closed_takes_what_the_transaction_names_and_what_it_has() -> None:
    database = Database()
    apply(
        database,
        (2, OpCode.CREATE, create("/e", 1, ephemeral=True)),
        (3, OpCode.CREATE, create("/p", 2)),
    )

    apply(database, (5, OpCode.CLOSE_SESSION, CloseSessionTxn(("/p", "/gone"))))

    assert database.tree.get_children("/") == ("zookeeper",)
    assert database.tree.get_ephemerals(SESSION) == ()


def test_an_ephemeral_that_was_deleted_is_nobodys() -> None:
    database = Database()

    apply(database, (2, 1, create("/e", 1, ephemeral=True)), (3, OpCode.DELETE, DeleteTxn("/e")))

    assert database.tree.get_ephemerals(SESSION) == ()


def test_sessions_that_do_not_exist_lose_their_ephemerals_when_data_is_loaded() -> None:
    database = Database()
    apply(database, (2, OpCode.CREATE, create("/e", 1, ephemeral=True)))

    assert database.kill_dead_sessions() == (SESSION,)
    assert database.tree.get_node("/e") is None
    assert database.kill_dead_sessions() == ()


def test_an_error_changes_nothing_but_the_last_zxid() -> None:
    database = Database()
    before = database.content_digest()

    (result,) = apply(database, (7, OpCode.ERROR, ErrorTxn(-110)))

    assert result.err == ErrorCode.NODE_EXISTS
    assert database.content_digest() == before
    assert database.last_processed_zxid == 7


def test_a_multi_is_applied_as_a_whole() -> None:
    database = Database()
    body = MultiTxn(
        (
            SubTxn(OpCode.CREATE, create("/a", 1)),
            SubTxn(OpCode.CHECK, CheckVersionTxn("/a", 1)),
            SubTxn(OpCode.SET_DATA, SetDataTxn("/a", b"2", 1)),
            SubTxn(OpCode.DELETE, DeleteTxn("/a")),
        )
    )

    (result,) = apply(database, (3, OpCode.MULTI, body))

    assert [one.type for one in result.multi_result] == [1, 13, 5, 2]
    assert [one.err for one in result.multi_result] == [0, 0, 0, 0]
    assert database.tree.get_node("/a") is None
    assert (stat(database, "/").cversion, stat(database, "/").pzxid) == (1, 3)


def test_a_multi_with_an_error_does_nothing() -> None:
    database = Database()
    before = database.content_digest()
    body = MultiTxn(
        (
            SubTxn(OpCode.CREATE, create("/a", 1)),
            SubTxn(OpCode.ERROR, ErrorTxn(-101)),
            SubTxn(OpCode.CREATE, create("/b", 2)),
        )
    )

    (result,) = apply(database, (3, OpCode.MULTI, body))

    assert [one.err for one in result.multi_result] == [0, -101, -2]
    assert [one.type for one in result.multi_result] == [-1, -1, -1]
    assert result.err == -101
    assert database.content_digest() == before


@pytest.mark.parametrize("path", ["a", "", "/", "/a/", "//a"])
@pytest.mark.parametrize("kind", [OpCode.CREATE, OpCode.DELETE])
def test_a_path_that_names_no_node_is_an_error(path: str, kind: OpCode) -> None:
    database = Database()
    before = database.serialize_snapshot()
    body = create(path) if kind == OpCode.CREATE else DeleteTxn(path)

    (result,) = apply(database, (3, kind, body))

    assert result.err == ErrorCode.BAD_ARGUMENTS
    assert database.serialize_snapshot() == before


def test_what_has_no_parent_is_an_error() -> None:
    database = Database()

    results = apply(
        database,
        (1, OpCode.CREATE, create("/no/a")),
        (2, OpCode.DELETE, DeleteTxn("/no/a")),
        (3, OpCode.SET_DATA, SetDataTxn("/no", b"", 1)),
        (4, OpCode.SET_ACL, SetACLTxn("/no", None, 1)),
    )

    assert [one.err for one in results] == [ErrorCode.NO_NODE] * 4


@pytest.mark.parametrize("ttl", [0, -1, 1 << 40])
def test_a_ttl_out_of_range_is_an_error(ttl: int) -> None:
    database = Database()

    (result,) = apply(database, (1, OpCode.CREATE_TTL, CreateTTLTxn("/a", None, None, 1, ttl)))

    assert result.err == ErrorCode.BAD_ARGUMENTS


def test_owners_are_told_apart() -> None:
    a_session_of_server_255 = -(1 << 56) | (5 << 40) | 7

    assert is_ttl(ttl_owner(1))
    assert is_ttl(ttl_owner((1 << 40) - 1))
    assert [owning_session(one) for one in (0, CONTAINER_OWNER, ttl_owner(3))] == [0, 0, 0]
    assert owning_session(a_session_of_server_255) == a_session_of_server_255


def test_the_version_of_children_overflows_as_in_java() -> None:
    database = Database()
    most = (1 << 31) - 1

    apply(database, (1, 1, create("/a", most)), (2, OpCode.CREATE, create("/b", -1)))

    assert stat(database, "/").cversion == most
    database.serialize_snapshot()


def test_sequential_names_have_ten_digits() -> None:
    assert sequential_path("/a/n-", 0) == "/a/n-0000000000"
    assert sequential_path("/a/", 2147483647) == "/a/2147483647"
    assert sequential_path("/a/", -1) == "/a/-000000001"
    assert split_path("/a/b") == ("/a", "b")


def test_a_node_may_name_an_acl_that_the_snapshot_lacks_until_its_create_is_replayed() -> None:
    """The ACLs of a snapshot are written before its nodes, which may be later."""
    nodes = (
        SnapshotNode("", b"", -1, StatPersisted()),
        SnapshotNode("/a", b"", 9, StatPersisted(4, 4)),
    )
    database = Database()
    database.deserialize_snapshot(Snapshot((), (), nodes))
    node = database.tree.get_node("/a")
    assert node is not None
    with pytest.raises(KeeperError, match="DATA_INCONSISTENCY no ACL 9"):
        database.tree.get_acl(node)
    without_acl = database.content_digest()

    apply(database, (4, OpCode.CREATE, create("/a", 1)))

    assert database.content_digest() != without_acl
    assert database.tree.get_acl(node) == OPEN_ACL_UNSAFE


def test_no_new_acl_gets_a_number_that_the_snapshot_lacks() -> None:
    """ZOOKEEPER-4689."""
    nodes = (SnapshotNode("", b"", 9, StatPersisted()),)
    database = Database()
    database.deserialize_snapshot(Snapshot((), (), nodes))

    apply(database, (1, OpCode.CREATE, create("/a", 1)))

    assert database.to_snapshot().acls == ((10, OPEN_ACL_UNSAFE),)


def test_numbers_of_acls_overflow_as_in_java() -> None:
    most = (1 << 63) - 1
    nodes = (SnapshotNode("", b"", most, StatPersisted()),)
    database = Database()
    database.deserialize_snapshot(Snapshot((), ((most, READ_ACL_UNSAFE),), nodes))

    apply(database, (1, OpCode.CREATE, create("/a", 1)))

    assert [number for number, _ in database.to_snapshot().acls] == [-most - 1, most]
    database.serialize_snapshot()


def test_acls_that_no_node_has_are_forgotten() -> None:
    database = Database()
    before = database.to_snapshot().acls

    apply(database, (1, OpCode.CREATE, create("/a", 1)))
    with_open = database.to_snapshot().acls
    apply(database, (2, OpCode.SET_ACL, SetACLTxn("/a", READ_ACL_UNSAFE, 1)))

    assert [acl for _, acl in with_open] == [READ_ACL_UNSAFE, OPEN_ACL_UNSAFE]
    assert database.to_snapshot().acls == before
    unused = Snapshot((), ((1, READ_ACL_UNSAFE),), (SnapshotNode("", b"", -1, StatPersisted()),))
    database.deserialize_snapshot(unused)
    assert database.to_snapshot().acls == ()


def test_a_new_acl_gets_a_number_that_no_acl_of_the_snapshot_has() -> None:
    nodes = (SnapshotNode("", b"", 2, StatPersisted()),)
    database = Database()
    database.deserialize_snapshot(Snapshot((), ((2, READ_ACL_UNSAFE),), nodes))

    apply(database, (1, OpCode.CREATE, create("/a", 1)))

    assert database.to_snapshot().acls == ((2, READ_ACL_UNSAFE), (3, OPEN_ACL_UNSAFE))


def test_two_numbers_for_one_acl_do_no_harm() -> None:
    nodes = (
        SnapshotNode("", b"", 1, StatPersisted()),
        SnapshotNode("/a", b"", 2, StatPersisted()),
    )
    doubled = Snapshot((), ((1, READ_ACL_UNSAFE), (2, READ_ACL_UNSAFE)), nodes)
    database = Database()
    database.deserialize_snapshot(doubled)

    apply(database, (1, OpCode.DELETE, DeleteTxn("/a")), (2, OpCode.CREATE, create("/b", 1)))

    root = database.tree.get_node("/")
    assert root is not None
    assert database.tree.get_acl(root) == READ_ACL_UNSAFE


def test_the_content_digest_sees_every_field_and_no_numbers_of_acls() -> None:
    database = Database()
    apply(database, (1, OpCode.CREATE, create("/a", 1)))
    seen = {database.content_digest()}
    steps = [
        (2, OpCode.SET_DATA, SetDataTxn("/a", b"y", 1)),
        (3, OpCode.SET_ACL, SetACLTxn("/a", READ_ACL_UNSAFE, 1)),
        (4, OpCode.CREATE, create("/a/b", 1)),
        (5, OpCode.DELETE, DeleteTxn("/a/b")),
    ]

    for step in steps:
        apply(database, step)
        seen.add(database.content_digest())

    assert len(seen) == 5
    renumbered = Database()
    acls = tuple((number + 40, acl) for number, acl in database.to_snapshot().acls)
    nodes = tuple(
        SnapshotNode(one.path, one.data, one.acl + 40 * (one.acl > 0), one.stat)
        for one in database.to_snapshot().nodes
    )
    renumbered.deserialize_snapshot(Snapshot((), acls, nodes))
    assert renumbered.content_digest() == database.content_digest()


def test_the_configuration_is_a_node_that_no_digest_sees() -> None:
    database = Database()
    content, tree = database.content_digest(), database.tree.tree_digest()

    database.init_config("server.1=h:1:2:participant\nversion=0", 0, 1234)

    node = database.tree.get_node(CONFIG_NODE)
    assert node is not None
    assert node.data == b"server.1=h:1:2:participant\nversion=0"
    assert (node.version, node.mzxid, node.mtime) == (-1, 0, 1234)
    assert (database.content_digest(), database.tree.tree_digest()) == (content, tree)


def test_a_snapshot_without_a_configuration_gets_one() -> None:
    nodes = tuple(SnapshotNode(path, b"", -1, StatPersisted()) for path in ("", "/zookeeper"))
    database = Database()
    database.deserialize_snapshot(Snapshot((), (), nodes))

    database.init_config("version=0", 0, 1)

    assert DataTree().get_children("/zookeeper") == ("config", "quota")
    assert database.tree.get_children("/zookeeper") == ("config",)


def test_deep_trees_are_saved_and_loaded() -> None:
    database = Database()
    path = ""
    for zxid in range(1, 3001):
        path += "/d"
        apply(database, (zxid, OpCode.CREATE, create(path, 1)))

    again = Database()
    again.deserialize_snapshot(database.to_snapshot())

    assert again.content_digest() == database.content_digest()
