from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.jute import JuteError
from impl.records import Acl, Id, encode_record
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
    Transaction,
    TxnDigest,
    TxnHeader,
    decode_transaction,
    encode_body,
)

longs = st.integers(-(1 << 63), (1 << 63) - 1)
ints = st.integers(-(1 << 31), (1 << 31) - 1)
paths = st.text(max_size=12)
buffers = st.none() | st.binary(max_size=20)
acls = st.none() | st.lists(
    st.builds(Acl, ints, st.builds(Id, st.text(max_size=5), st.text(max_size=5))), max_size=3
).map(tuple)
creates = st.builds(CreateTxn, paths, buffers, acls, st.booleans(), ints)
in_multi = st.one_of(
    creates.map(lambda body: SubTxn(OpCode.CREATE, body)),
    creates.map(lambda body: SubTxn(OpCode.CREATE2, body)),
    st.builds(CreateTTLTxn, paths, buffers, acls, ints, longs).map(
        lambda body: SubTxn(OpCode.CREATE_TTL, body)
    ),
    st.builds(CreateContainerTxn, paths, buffers, acls, ints).map(
        lambda body: SubTxn(OpCode.CREATE_CONTAINER, body)
    ),
    st.builds(DeleteTxn, paths).map(lambda body: SubTxn(OpCode.DELETE, body)),
    st.builds(DeleteTxn, paths).map(lambda body: SubTxn(OpCode.DELETE_CONTAINER, body)),
    st.builds(SetDataTxn, paths, buffers, ints).map(lambda body: SubTxn(OpCode.SET_DATA, body)),
    st.builds(CheckVersionTxn, paths, ints).map(lambda body: SubTxn(OpCode.CHECK, body)),
    st.builds(ErrorTxn, ints).map(lambda body: SubTxn(OpCode.ERROR, body)),
)
operations = st.one_of(
    in_multi,
    st.builds(SetDataTxn, paths, buffers, ints).map(lambda body: SubTxn(OpCode.RECONFIG, body)),
    st.builds(SetACLTxn, paths, acls, ints).map(lambda body: SubTxn(OpCode.SET_ACL, body)),
    st.builds(CreateSessionTxn, ints).map(lambda body: SubTxn(OpCode.CREATE_SESSION, body)),
    st.builds(CloseSessionTxn, st.none() | st.lists(paths, max_size=3).map(tuple)).map(
        lambda body: SubTxn(OpCode.CLOSE_SESSION, body)
    ),
    st.lists(in_multi, max_size=4).map(lambda txns: SubTxn(OpCode.MULTI, MultiTxn(tuple(txns)))),
)
digests = st.none() | st.builds(TxnDigest, st.just(2), longs)
HEADER = TxnHeader(0x30000, 4, 0x100000002, 1000, OpCode.CREATE)


@given(operations, longs, ints, longs, digests)
def test_a_transaction_is_read_as_it_was_written(
    operation: SubTxn, session: int, cxid: int, zxid: int, digest: TxnDigest | None
) -> None:
    header = TxnHeader(session, cxid, zxid, 7, operation.type)
    transaction = Transaction(header, operation.body, digest)

    assert decode_transaction(transaction.encode()) == transaction
    assert transaction.zxid == zxid


def test_a_create_without_the_version_of_the_parent_is_read_and_kept() -> None:
    older = Transaction(HEADER, CreateTxnV0("/a", b"x", (), ephemeral=False))

    assert decode_transaction(older.encode()) == older


@pytest.mark.parametrize(
    "closing",
    [
        Transaction(TxnHeader(5, 1, 9, 1, OpCode.CLOSE_SESSION), None),
        Transaction(TxnHeader(5, 1, 9, 1, OpCode.CLOSE_SESSION), None, TxnDigest(2, 77)),
        Transaction(TxnHeader(5, 1, 9, 1, OpCode.CLOSE_SESSION), CloseSessionTxn(("/a",))),
        Transaction(
            TxnHeader(5, 1, 9, 1, OpCode.CLOSE_SESSION), CloseSessionTxn(()), TxnDigest(2, -1)
        ),
    ],
)
def test_a_session_is_closed_with_and_without_its_paths(closing: Transaction) -> None:
    assert decode_transaction(closing.encode()) == closing


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_digest_that_is_cut_is_refused(cut: int) -> None:
    whole = Transaction(HEADER, CreateTxn("/a", b"x", (), False, 3), TxnDigest(2, 5)).encode()  # noqa: FBT003

    with pytest.raises(JuteError, match="transaction, byte"):
        decode_transaction(whole[:-cut])


def test_bytes_behind_a_transaction_are_refused() -> None:
    whole = Transaction(HEADER, CreateTxn("/a", b"x", (), False, 3), TxnDigest(2, 5)).encode()  # noqa: FBT003

    with pytest.raises(JuteError, match="read 1 bytes more, expected the end"):
        decode_transaction(whole + b"x", "log.1")


@pytest.mark.parametrize("number", [0, 3, 9, 17, 100, -12])
def test_an_operation_that_writes_nothing_is_no_transaction(number: int) -> None:
    content = encode_record(TxnHeader(1, 1, 1, 1, number))

    with pytest.raises(JuteError, match=f"read a transaction of type {number}, expected an oper"):
        decode_transaction(content)


@pytest.mark.parametrize("number", [OpCode.MULTI, OpCode.SET_ACL, OpCode.CREATE_SESSION, 99])
def test_a_multi_holds_what_a_multi_may_hold(number: int) -> None:
    body = struct.pack(">iii", 1, number, 0)

    with pytest.raises(JuteError, match=f"read an operation of type {number}, expected one that"):
        decode_transaction(encode_record(TxnHeader(1, 1, 1, 1, OpCode.MULTI)) + body)


def test_an_operation_of_a_multi_ends_where_its_bytes_do() -> None:
    delete = encode_body(DeleteTxn("/a")) + b"x"
    body = struct.pack(">iii", 1, OpCode.DELETE, len(delete)) + delete

    with pytest.raises(JuteError, match=r"operation before byte .*: read 1 bytes more"):
        decode_transaction(encode_record(TxnHeader(1, 1, 1, 1, OpCode.MULTI)) + body)


@pytest.mark.parametrize("body", [struct.pack(">i", -1), struct.pack(">iii", 1, OpCode.DELETE, -1)])
def test_a_multi_of_null_is_refused(body: bytes) -> None:
    with pytest.raises(JuteError, match="null"):
        decode_transaction(encode_record(TxnHeader(1, 1, 1, 1, OpCode.MULTI)) + body)


def test_nothing_is_no_transaction() -> None:
    for data in (None, b""):
        with pytest.raises(JuteError, match="PROPOSAL data, byte 0: read 0 bytes"):
            decode_transaction(data, "PROPOSAL data")
