"""Histories of transactions as a leader makes them: each follows from the tree before it."""

from __future__ import annotations

from hypothesis import strategies as st

from impl.database import Database
from impl.paths import sequential_path
from impl.records import OPEN_ACL_UNSAFE, READ_ACL_UNSAFE
from impl.transactions import (
    CloseSessionTxn,
    CreateContainerTxn,
    CreateSessionTxn,
    CreateTTLTxn,
    CreateTxn,
    DeleteTxn,
    ErrorTxn,
    MultiTxn,
    OpCode,
    SetACLTxn,
    SetDataTxn,
    SubTxn,
    Transaction,
    TxnHeader,
)

SESSIONS = (0x100000000000001, 0x200000000000001)


def transaction(
    zxid: int, kind: int, body: object, session: int = SESSIONS[0], time: int = 0
) -> Transaction:
    header = TxnHeader(session, 1, zxid, time or 1000 + zxid, kind)
    return Transaction(header, body)  # type: ignore[arg-type]


@st.composite
def histories(draw: st.DrawFn) -> list[Transaction]:
    database = Database()
    history: list[Transaction] = []
    for zxid in range(1, draw(st.integers(1, 14)) + 1):
        step = draw(st.sampled_from(tuple(_STEPS)))
        kind, body, session = _STEPS[step](draw, database)
        one = transaction(zxid, kind, body, session)
        database.process_txn(one)
        history.append(one)
    return history


def _create(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    session = draw(st.sampled_from(SESSIONS))
    paths = [path for path in _paths(database) if not _is_owned(database, path)]
    parent = draw(st.sampled_from(paths))
    node = database.tree.get_node(parent)
    assert node is not None
    path = f"{parent}/{draw(st.sampled_from('ab'))}"
    if draw(st.booleans()):
        path = sequential_path(path, node.cversion)
    if database.tree.get_node(path) is not None:
        return OpCode.ERROR, ErrorTxn(-110), session
    after = node.cversion + 1
    kind = draw(st.sampled_from((OpCode.CREATE, OpCode.CREATE2, 19, 21)))
    acl = draw(st.sampled_from((OPEN_ACL_UNSAFE, READ_ACL_UNSAFE)))
    if kind == OpCode.CREATE_CONTAINER:
        return kind, CreateContainerTxn(path, b"", acl, after), session
    if kind == OpCode.CREATE_TTL:
        return kind, CreateTTLTxn(path, None, acl, after, 5000), session
    is_ephemeral = session in database.sessions_with_timeouts and draw(st.booleans())
    return kind, CreateTxn(path, b"new", acl, is_ephemeral, after), session


def _delete(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    leaves = [path for path in _paths(database) if path and not database.tree.get_children(path)]
    if not leaves:
        return OpCode.ERROR, ErrorTxn(-101), SESSIONS[0]
    return OpCode.DELETE, DeleteTxn(draw(st.sampled_from(leaves))), SESSIONS[0]


def _set_data(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    path = draw(st.sampled_from(_paths(database))) or "/"
    node = database.tree.get_node(path)
    assert node is not None
    return OpCode.SET_DATA, SetDataTxn(path, draw(st.binary(max_size=3)), node.version + 1), 0


def _set_acl(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    path = draw(st.sampled_from(_paths(database))) or "/"
    node = database.tree.get_node(path)
    assert node is not None
    acl = draw(st.sampled_from((OPEN_ACL_UNSAFE, READ_ACL_UNSAFE)))
    return OpCode.SET_ACL, SetACLTxn(path, acl, node.aversion + 1), 0


def _multi(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    """A create, and a change of what it made; or both fail."""
    kind, body, session = _create(draw, database)
    if not isinstance(body, CreateTxn) or draw(st.booleans()):
        failed = (SubTxn(OpCode.ERROR, ErrorTxn(0)), SubTxn(OpCode.ERROR, ErrorTxn(-101)))
        return OpCode.MULTI, MultiTxn(failed), session
    changed = SubTxn(OpCode.SET_DATA, SetDataTxn(body.path, b"set", 1))
    return OpCode.MULTI, MultiTxn((SubTxn(kind, body), changed)), session


def _create_session(draw: st.DrawFn, _database: Database) -> tuple[int, object, int]:
    return OpCode.CREATE_SESSION, CreateSessionTxn(4000), draw(st.sampled_from(SESSIONS))


def _close_session(draw: st.DrawFn, database: Database) -> tuple[int, object, int]:
    session = draw(st.sampled_from(SESSIONS))
    paths = database.tree.get_ephemerals(session)
    body = CloseSessionTxn(paths) if draw(st.booleans()) else None
    return OpCode.CLOSE_SESSION, body, session


_STEPS = {
    "create": _create,
    "another create": _create,
    "delete": _delete,
    "set data": _set_data,
    "set acl": _set_acl,
    "multi": _multi,
    "create session": _create_session,
    "close session": _close_session,
}


def _paths(database: Database) -> list[str]:
    nodes = database.to_snapshot().nodes
    return [node.path for node in nodes if not node.path.startswith("/zookeeper")]


def _is_owned(database: Database, path: str) -> bool:
    node = database.tree.get_node(path)
    return node is not None and node.ephemeral_owner in SESSIONS
