"""What becomes of a client's request: the transaction that the leader makes, and the answer."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from roles_bench import Bench, Z

from impl import payloads
from impl import simulated_events as events
from impl.client_records import (
    CheckVersionRequest,
    Create2Response,
    CreateRequest,
    CreateTTLRequest,
    DeleteRequest,
    GetChildren2Response,
    GetChildrenResponse,
    GetDataResponse,
    PathRequest,
    PathResponse,
    ReadRequest,
    SetACLRequest,
    SetDataRequest,
    StatResponse,
)
from impl.datanode import CONTAINER_OWNER
from impl.errors import ErrorCode
from impl.jute import JuteError
from impl.multi import Operation, read_multi, write_multi
from impl.packets import Id
from impl.records import OPEN_ACL_UNSAFE, Acl, decode_record, encode_record
from impl.requests import Reply, Request
from impl.simulated_observations import ClientAnswered
from impl.transactions import (
    CloseSessionTxn,
    CreateTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SetACLTxn,
    Transaction,
    decode_transaction,
)

SESSION = struct.pack(">i", 100_000)
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER = range(5)


class Client:
    """A session on a leader that is alone: what it asks is committed at once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.cxid = 0
        self.session = self.ask(OpCode.CREATE_SESSION, SESSION, session=0).session

    def ask(self, kind: int, body: bytes = b"", session: int | None = None) -> ClientAnswered:
        number = self.send(kind, body, session)
        answer = self.bench.answer(number)
        assert answer is not None
        return answer

    def send(self, kind: int, body: bytes = b"", session: int | None = None) -> int:
        self.cxid += 1
        whose = self.session if session is None else session
        return self.bench.ask(whose, self.cxid, kind, body)

    def create(self, path: str, flags: int = PERSISTENT, content: bytes = b"") -> ClientAnswered:
        kind = OpCode.CREATE_CONTAINER if flags == CONTAINER else OpCode.CREATE
        return self.ask(kind, created(path, flags, content))

    def delete(self, path: str, version: int = -1) -> ClientAnswered:
        return self.ask(OpCode.DELETE, encode_record(DeleteRequest(path, version)))

    def set(self, path: str, content: bytes, version: int = -1) -> ClientAnswered:
        return self.ask(OpCode.SET_DATA, encode_record(SetDataRequest(path, content, version)))

    def read(self, kind: int, path: str) -> ClientAnswered:
        return self.ask(kind, encode_record(ReadRequest(path, watch=False)))

    def multi(self, *operations: Operation) -> ClientAnswered:
        return self.ask(OpCode.MULTI, write_multi(operations))

    def children(self, path: str = "/") -> tuple[str, ...]:
        answer = self.read(OpCode.GET_CHILDREN, path).answer
        names = decode_record(GetChildrenResponse, answer, "answer").children
        return tuple(name for name in names or () if name != "zookeeper")

    @property
    def last(self) -> Transaction:
        return decode_transaction(self.bench.peer.database.committed_log[-1].payload)


def created(path: str, flags: int = PERSISTENT, content: bytes = b"") -> bytes:
    return encode_record(CreateRequest(path, content, OPEN_ACL_UNSAFE, flags))


def paths(answer: ClientAnswered) -> str:
    return decode_record(PathResponse, answer.answer, "answer").path


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(1, voters=1)
    made.elect(1)
    yield made
    made.close()


@pytest.fixture
def client(bench: Bench) -> Client:
    return Client(bench)


# Single operations.


def test_create_answers_with_the_path(client: Client) -> None:
    answer = client.create("/a", content=b"x")

    assert (answer.error, paths(answer), answer.zxid) == (0, "/a", Z(1, 2))
    read = decode_record(GetDataResponse, client.read(OpCode.GET_DATA, "/a").answer, "answer")
    assert (read.data, read.stat.czxid) == (b"x", Z(1, 2))
    assert client.last.body == CreateTxn(
        "/a", b"x", OPEN_ACL_UNSAFE, ephemeral=False, parent_cversion=1
    )


def test_create2_and_a_container_answer_with_the_stat_too(client: Client) -> None:
    answer = client.ask(OpCode.CREATE2, created("/a"))
    made = decode_record(Create2Response, answer.answer, "answer")
    assert (made.path, made.stat.czxid) == ("/a", Z(1, 2))

    answer = client.create("/c", CONTAINER)
    made = decode_record(Create2Response, answer.answer, "answer")
    assert client.bench.peer.database.tree.get_node("/c").ephemeral_owner == CONTAINER_OWNER
    assert made.path == "/c"


def test_sequential_names_count_what_was_created_before(client: Client) -> None:
    client.create("/d")
    names = [paths(client.create("/d/n-", SEQUENTIAL)) for _ in range(2)]
    client.delete(names[0])
    names.append(paths(client.create("/d/n-", EPHEMERAL_SEQUENTIAL)))

    assert names == ["/d/n-0000000000", "/d/n-0000000001", "/d/n-0000000002"]


def test_sequential_names_count_what_is_proposed(bench: Bench) -> None:
    client = Client(bench)
    bench.syncs = False
    numbers = [client.send(OpCode.CREATE, created("/n-", SEQUENTIAL)) for _ in range(3)]

    bench.syncs = True
    bench.settle()

    answers = [bench.answer(number) for number in numbers]
    assert [paths(one) for one in answers if one] == [f"/n-{count:010d}" for count in range(3)]


def test_what_is_proposed_counts_before_it_is_applied(bench: Bench) -> None:
    client = Client(bench)
    bench.syncs = False
    first = client.send(OpCode.CREATE, created("/a"))
    again = client.send(OpCode.CREATE, created("/a"))
    gone = client.send(OpCode.DELETE, encode_record(DeleteRequest("/a", 0)))
    missing = client.send(OpCode.SET_DATA, encode_record(SetDataRequest("/a", b"", -1)))
    back = client.send(OpCode.CREATE, created("/a"))

    bench.syncs = True
    bench.settle()

    errors = [bench.answer(number).error for number in (first, again, gone, missing, back)]
    assert errors == [0, ErrorCode.NODE_EXISTS, 0, ErrorCode.NO_NODE, 0]


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        (OpCode.CREATE, created("/a"), ErrorCode.NODE_EXISTS),
        (OpCode.CREATE, created("/no/a"), ErrorCode.NO_NODE),
        (OpCode.CREATE, created("/e/a"), ErrorCode.NO_CHILDREN_FOR_EPHEMERALS),
        (OpCode.CREATE, created("a"), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, created("/b/"), ErrorCode.NO_NODE),
        (OpCode.CREATE, created("/a/"), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, created("/a/.."), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, created("/a\0"), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, created("/b", 7), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, created("/b", CONTAINER), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE_CONTAINER, created("/b"), ErrorCode.BAD_ARGUMENTS),
        (OpCode.CREATE, encode_record(CreateRequest("/b", b"", (), 0)), ErrorCode.INVALID_ACL),
        (OpCode.CREATE, b"short", ErrorCode.MARSHALLING_ERROR),
        (OpCode.CREATE, created("/b") + b"more", ErrorCode.MARSHALLING_ERROR),
        (
            OpCode.CREATE_TTL,
            encode_record(CreateTTLRequest("/b", b"", OPEN_ACL_UNSAFE, 5, 1000)),
            ErrorCode.UNIMPLEMENTED,
        ),
        (OpCode.RECONFIG, b"", ErrorCode.UNIMPLEMENTED),
        (OpCode.DELETE, encode_record(DeleteRequest("/no", -1)), ErrorCode.NO_NODE),
        (OpCode.DELETE, encode_record(DeleteRequest("/a", 3)), ErrorCode.BAD_VERSION),
        (OpCode.DELETE, encode_record(DeleteRequest("/p", -1)), ErrorCode.NOT_EMPTY),
        (OpCode.DELETE, encode_record(DeleteRequest("/", -1)), ErrorCode.BAD_ARGUMENTS),
        (OpCode.DELETE, encode_record(DeleteRequest("a", -1)), ErrorCode.BAD_ARGUMENTS),
        (OpCode.DELETE_CONTAINER, encode_record(PathRequest("/e")), ErrorCode.BAD_VERSION),
        (OpCode.DELETE_CONTAINER, encode_record(PathRequest("/p")), ErrorCode.NOT_EMPTY),
        (OpCode.SET_DATA, encode_record(SetDataRequest("/a", b"", 3)), ErrorCode.BAD_VERSION),
        (OpCode.SET_DATA, encode_record(SetDataRequest("//", b"", 3)), ErrorCode.BAD_ARGUMENTS),
        (
            OpCode.SET_ACL,
            encode_record(SetACLRequest("/a", (Acl(1, Id("no", "x")),), -1)),
            ErrorCode.INVALID_ACL,
        ),
        (
            OpCode.SET_ACL,
            encode_record(SetACLRequest("/a", (Acl(1, Id("auth", "")),), -1)),
            ErrorCode.INVALID_ACL,
        ),
        (OpCode.CHECK, encode_record(CheckVersionRequest("/a", 3)), ErrorCode.BAD_VERSION),
        (OpCode.MULTI, b"", ErrorCode.MARSHALLING_ERROR),
        (OpCode.CREATE_SESSION, b"", ErrorCode.MARSHALLING_ERROR),
    ],
)
def test_a_write_that_cannot_be_done_is_an_error_transaction(
    client: Client, kind: int, body: bytes, error: ErrorCode
) -> None:
    client.create("/a")
    client.create("/e", EPHEMERAL)
    client.create("/p")
    client.create("/p/child")

    answer = client.ask(kind, body)

    assert answer.error == error
    assert (client.last.header.type, client.last.body) == (OpCode.ERROR, ErrorTxn(error))
    assert client.last.digest is None


def test_set_data_and_its_version(client: Client) -> None:
    client.create("/a")
    answer = client.set("/a", b"x", 0)
    assert decode_record(StatResponse, answer.answer, "answer").stat.version == 1

    assert client.set("/a", b"y", 0).error == ErrorCode.BAD_VERSION
    assert client.set("/a", b"z").error == 0
    exists = client.read(OpCode.EXISTS, "/a")
    assert decode_record(StatResponse, exists.answer, "answer").stat.version == 2


def test_delete_and_containers(client: Client) -> None:
    client.create("/a")
    client.create("/c", CONTAINER)
    assert client.delete("/a", 0).error == 0
    assert client.delete("/a", 0).answer is None
    answer = client.ask(OpCode.DELETE_CONTAINER, encode_record(PathRequest("/c")))

    assert (answer.error, answer.answer) == (0, None)
    assert client.children() == ()


def test_an_acl_names_the_client_itself(bench: Bench) -> None:
    client = Client(bench)
    client.create("/a")
    me, other = Id("digest", "me:x"), Id("ip", "10.0.0.1")
    acl = (Acl(31, Id("auth", "")), Acl(1, other), Acl(1, other), Acl(2, Id("x509", "CN")))
    replies: list[Reply] = []
    body = encode_record(SetACLRequest("/a", acl, 0))
    request = Request(client.session, 9, OpCode.SET_ACL, body, (other, me), reply=replies.append)
    with bench.machine.loop.entered():
        bench.peer.zookeeper_server.submit_request(request)
    bench.settle()

    fixed = (Acl(31, me), Acl(1, other), Acl(2, Id("x509", "CN")))
    assert client.last.body == SetACLTxn("/a", fixed, 1)
    assert replies[0].error == 0


def test_a_check_alone(client: Client) -> None:
    client.create("/a")

    answer = client.ask(OpCode.CHECK, encode_record(CheckVersionRequest("/a", 0)))

    assert (answer.error, answer.answer) == (0, None)


def test_reads(client: Client) -> None:
    client.create("/a", content=b"x")
    client.create("/a/b")
    answer = client.read(OpCode.GET_CHILDREN2, "/a").answer
    children = decode_record(GetChildren2Response, answer, "answer")
    assert (children.children, children.stat.num_children) == (("b",), 1)
    sync = client.ask(OpCode.SYNC, encode_record(PathRequest("/a")))
    assert paths(sync) == "/a"

    for kind in (OpCode.EXISTS, OpCode.GET_DATA, OpCode.GET_CHILDREN, OpCode.GET_CHILDREN2):
        assert client.read(kind, "/no").error == ErrorCode.NO_NODE
        assert client.ask(kind, b"short").error == ErrorCode.MARSHALLING_ERROR
    assert client.ask(OpCode.PING).error == ErrorCode.UNIMPLEMENTED


# Multi.


def operation(kind: int, request: object) -> Operation:
    return Operation(kind, request)


def test_a_multi_does_all(client: Client) -> None:
    client.create("/a")

    answer = client.multi(
        operation(OpCode.CHECK, CheckVersionRequest("/a", 0)),
        operation(OpCode.CREATE, CreateRequest("/b", b"", OPEN_ACL_UNSAFE, 0)),
        operation(OpCode.CREATE2, CreateRequest("/c", b"", OPEN_ACL_UNSAFE, 0)),
        operation(OpCode.SET_DATA, SetDataRequest("/b", b"x", 0)),
        operation(OpCode.DELETE, DeleteRequest("/a", 0)),
    )

    assert answer.error == 0
    assert client.children() == ("b", "c")
    assert isinstance(client.last.body, MultiTxn)
    assert len(client.last.body.txns) == 5
    assert client.last.digest is not None
    assert client.last.digest.tree_digest == client.bench.peer.database.tree.tree_digest()


def test_a_multi_does_nothing_where_one_fails(bench: Bench) -> None:
    client = Client(bench)
    client.create("/a")
    bench.syncs = False
    client.send(OpCode.CREATE, created("/a/n-", SEQUENTIAL))
    failing = client.send(
        OpCode.MULTI,
        write_multi(
            [
                operation(OpCode.CREATE, CreateRequest("/a/n-", b"", OPEN_ACL_UNSAFE, 2)),
                operation(OpCode.SET_DATA, SetDataRequest("/a", b"x", -1)),
                operation(OpCode.DELETE, DeleteRequest("/no", -1)),
                operation(OpCode.CREATE, CreateRequest("/z", b"", OPEN_ACL_UNSAFE, 0)),
            ]
        ),
    )
    later = client.send(OpCode.CREATE, created("/a/n-", SEQUENTIAL))
    bench.syncs = True
    bench.settle()

    assert paths(bench.answer(later)) == "/a/n-0000000001"
    assert bench.answer(failing).error == 0
    errors = [0, 0, ErrorCode.NO_NODE, ErrorCode.RUNTIME_INCONSISTENCY]
    answer = bench.answer(failing).answer
    assert [struct.unpack_from(">i?i", answer, 13 * at)[2] for at in range(4)] == errors
    assert client.children() == ("a",)
    database = bench.peer.database
    assert client.last.digest.tree_digest == database.tree.tree_digest()
    assert database.digest_mismatch is None


def test_a_multi_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(JuteError, match="an operation of type 7"):
        read_multi(struct.pack(">iBi", OpCode.SET_ACL, 0, -1))


# Sessions.


def test_a_session_that_closes_takes_its_ephemerals(bench: Bench) -> None:
    client = Client(bench)
    client.create("/p")
    client.create("/p/e", EPHEMERAL)
    client.create("/gone", EPHEMERAL)
    bench.syncs = False
    client.send(OpCode.CREATE, created("/late", EPHEMERAL))
    client.send(OpCode.DELETE, encode_record(DeleteRequest("/gone", -1)))
    client.send(OpCode.SET_DATA, encode_record(SetDataRequest("/p", b"", -1)))
    closing = client.send(OpCode.CLOSE_SESSION)
    refused = client.send(OpCode.CREATE, created("/never"))
    bench.syncs = True
    bench.settle()

    transactions = [decode_transaction(one.payload) for one in bench.peer.database.committed_log]
    [close] = [one for one in transactions if one.header.type == OpCode.CLOSE_SESSION]
    assert close.body == CloseSessionTxn(("/late", "/p/e"))
    assert bench.answer(closing).error == 0
    assert bench.answer(refused).error == ErrorCode.SESSION_EXPIRED
    assert bench.peer.database.sessions_with_timeouts == {}
    assert bench.peer.database.digest_mismatch is None
    assert Client(bench).children() == ("p",)


def test_without_a_session_nothing_is_done(client: Client) -> None:
    for kind, body in ((OpCode.CREATE, created("/a")), (OpCode.GET_DATA, b"")):
        assert client.ask(kind, body, session=99).error == ErrorCode.SESSION_EXPIRED
    multi = client.ask(
        OpCode.MULTI, write_multi([operation(OpCode.DELETE, DeleteRequest("/a", -1))]), session=99
    )
    assert struct.unpack_from(">i?i", multi.answer)[2] == ErrorCode.SESSION_EXPIRED


def test_a_timeout_is_brought_within_the_limits(bench: Bench) -> None:
    for asked, given in ((1, 200), (500, 500), (10**6, 2000)):
        number = bench.ask(0, 0, OpCode.CREATE_SESSION, struct.pack(">i", asked))
        session = bench.answer(number).session
        assert bench.peer.database.sessions_with_timeouts[session] == given
    number = bench.ask(0, 0, OpCode.CREATE_SESSION, b"short")
    assert bench.answer(number).error == ErrorCode.MARSHALLING_ERROR


def test_a_session_is_reopened_at_the_leader(bench: Bench, client: Client) -> None:
    bench.happen(events.SessionReopened(50, client.session, 2000))
    bench.happen(events.SessionReopened(51, 99, 2000))

    assert bench.answer(50).error == 0
    assert bench.answer(51).error == ErrorCode.SESSION_EXPIRED


def test_digests_can_be_left_out() -> None:
    bench = Bench(1, voters=1, digest_enabled=False)
    bench.elect(1)
    client = Client(bench)
    client.create("/a")
    client.create("/a/b", EPHEMERAL)
    client.ask(OpCode.CLOSE_SESSION)

    assert client.last.digest is None
    assert client.last.body == CloseSessionTxn(("/a/b",))
    bench.close()


# Order, logging, snapshots.


def sync_all_but_snapshots(bench: Bench) -> None:
    for _ in range(9):
        for name in [one for one in bench.server.syncs if "snapshot" not in one]:
            bench.happen(events.SyncCompleted(name))


def test_a_read_waits_for_what_its_session_wrote_before(bench: Bench) -> None:
    client, other = Client(bench), Client(bench)
    bench.syncs = False
    write = client.send(OpCode.CREATE, created("/a"))
    read = client.send(OpCode.EXISTS, encode_record(ReadRequest("/a", watch=False)))
    sync = client.send(OpCode.SYNC, encode_record(PathRequest("/a")))
    second = client.send(OpCode.DELETE, encode_record(DeleteRequest("/a", -1)))
    assert bench.answer(read) is None
    assert other.read(OpCode.EXISTS, "/a").error == ErrorCode.NO_NODE

    bench.syncs = True
    bench.settle()

    assert [bench.answer(number).error for number in (write, read, sync, second)] == [0] * 4


def test_the_log_thread_syncs_once_for_all_that_waits(bench: Bench) -> None:
    client = Client(bench)
    bench.syncs = False
    numbers = [client.send(OpCode.CREATE, created(f"/{count}")) for count in range(5)]
    assert len(bench.log()) == 2

    bench.sync()
    assert [bench.answer(number) is None for number in numbers] == [False] + [True] * 4
    assert len(bench.log()) == 6
    bench.sync()

    assert all(bench.answer(number) for number in numbers)


def test_a_batch_of_the_log_thread_is_bounded() -> None:
    bench = Bench(1, voters=1, max_batch=2)
    bench.elect(1)
    client = Client(bench)
    bench.syncs = False
    for count in range(5):
        client.send(OpCode.CREATE, created(f"/{count}"))

    bench.sync()
    assert len(bench.log()) == 4
    bench.syncs = True
    bench.settle()
    assert len(bench.log()) == 6
    bench.close()


def test_a_snapshot_is_saved_every_so_many_records() -> None:
    bench = Bench(1, voters=1, snap_count=8)
    bench.elect(1)
    client = Client(bench)
    for count in range(20):
        client.create(f"/{count}")

    snapshots = [zxid for zxid, _ in bench.peer.storage.snap_log.names()]
    assert len(snapshots) > 2
    bench.restart(events.PowerLost())
    assert bench.peer.database.last_processed_zxid == Z(1, 21)
    assert bench.peer.database.tree.get_node("/19") is not None
    bench.close()


def test_no_snapshot_is_begun_while_one_is_saved() -> None:
    bench = Bench(1, voters=1, snap_count=4)
    bench.elect(1)
    client = Client(bench)
    bench.syncs = False
    for count in range(30):
        client.send(OpCode.CREATE, created(f"/{count}"))
        sync_all_but_snapshots(bench)
    assert [name for name in bench.server.syncs if "snapshot" in name]
    assert len(bench.peer.storage.snap_log.names()) == 1

    bench.syncs = True
    bench.settle()

    assert len(bench.log()) == 31
    assert len(bench.peer.storage.snap_log.names()) > 1
    bench.close()


def test_who_leaves_while_it_saves_a_snapshot_starts_again() -> None:
    bench = Bench(1, voters=1, snap_count=4)
    bench.elect(1)
    client = Client(bench)
    for count in range(20):
        client.send(OpCode.CREATE, created(f"/{count}"))
    bench.syncs = False
    for count in range(10):
        client.send(OpCode.CREATE, created(f"/more-{count}"))
        sync_all_but_snapshots(bench)
    assert any("snapshot" in name for name in bench.server.syncs)
    bench.happen(events.RoleLeft())
    bench.syncs = True
    bench.settle()

    assert bench.server.is_looking
    assert bench.peer.database.last_processed_zxid == bench.log()[-1]
    bench.close()


def test_a_request_that_nobody_waits_for_is_answered_to_nobody(bench: Bench) -> None:
    with bench.machine.loop.entered():
        bench.peer.zookeeper_server.submit_request(Request(0, 0, OpCode.CREATE_SESSION, SESSION))
        bench.peer.zookeeper_server.submit_request(Request(0, 0, OpCode.CREATE_SESSION, b""))
    bench.settle()

    assert len(bench.peer.database.sessions_with_timeouts) == 1


def test_authinfo_of_a_forwarded_request_is_kept() -> None:
    ids = (Id("ip", "127.0.0.1"),)
    packet = payloads.request_packet(payloads.ForwardedRequest(7, 1, OpCode.SYNC), ids)

    assert packet.authinfo == ids
