"""Transactions: a header, a body by its type, and from 3.6 on a digest of the tree behind it.

The bytes are those of PROPOSAL and INFORM, and of one record of a transaction log.
"""

from __future__ import annotations

from attrs import field, frozen

from impl.jute import JuteError, JuteReader, JuteWriter
from impl.operations import (
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
    Txn,
    TxnDigest,
    TxnHeader,
)
from impl.records import read_record, write_record

__all__ = [
    "CheckVersionTxn",
    "CloseSessionTxn",
    "CreateContainerTxn",
    "CreateSessionTxn",
    "CreateTTLTxn",
    "CreateTxn",
    "CreateTxnV0",
    "DeleteTxn",
    "ErrorTxn",
    "MultiTxn",
    "OpCode",
    "SetACLTxn",
    "SetDataTxn",
    "SubTxn",
    "Transaction",
    "Txn",
    "TxnDigest",
    "TxnHeader",
    "decode_transaction",
    "encode_body",
]


@frozen
class Transaction:
    """Header, body and digest.

    body: None = a closeSession as before 3.6. digest: None = there is none.
    """

    header: TxnHeader
    body: Txn | None
    digest: TxnDigest | None = field(default=None)

    @property
    def zxid(self) -> int:
        """The header's."""
        return self.header.zxid

    def encode(self) -> bytes:
        """As in PROPOSAL and in the log."""
        writer = JuteWriter()
        write_record(writer, self.header)
        _write_body(writer, self.body)
        if self.digest is not None:
            write_record(writer, self.digest)
        return writer.getvalue()


_BODY_CLASSES: dict[int, type] = {
    OpCode.CREATE: CreateTxn,
    OpCode.CREATE2: CreateTxn,
    OpCode.CREATE_TTL: CreateTTLTxn,
    OpCode.CREATE_CONTAINER: CreateContainerTxn,
    OpCode.DELETE: DeleteTxn,
    OpCode.DELETE_CONTAINER: DeleteTxn,
    OpCode.SET_DATA: SetDataTxn,
    OpCode.RECONFIG: SetDataTxn,
    OpCode.SET_ACL: SetACLTxn,
    OpCode.CHECK: CheckVersionTxn,
    OpCode.CREATE_SESSION: CreateSessionTxn,
    OpCode.CLOSE_SESSION: CloseSessionTxn,
    OpCode.ERROR: ErrorTxn,
    OpCode.MULTI: MultiTxn,
}
_IN_MULTI = frozenset(
    {
        OpCode.CREATE,
        OpCode.CREATE2,
        OpCode.CREATE_TTL,
        OpCode.CREATE_CONTAINER,
        OpCode.DELETE,
        OpCode.DELETE_CONTAINER,
        OpCode.SET_DATA,
        OpCode.CHECK,
        OpCode.ERROR,
    }
)
_LEAST_SUB_TXN = 8


def decode_transaction(data: bytes | None, name: str = "transaction") -> Transaction:
    """The transaction that is all of these bytes. name: where they are from, for errors.

    Raises JuteError. Models SerializeUtils.deserializeTxn. Differs: bytes left over are refused.
    """
    reader = JuteReader(data or b"", name)
    header = read_record(TxnHeader, reader)
    start = reader.at
    try:
        return _with_digest(reader, header, _read_body(reader, header.type))
    except JuteError:
        reader.at = start
        older = _older_form(reader, header)
        if older is None:
            raise
        return older


def encode_body(body: Txn | None) -> bytes:
    """A body alone, as in a multi; None is no bytes."""
    writer = JuteWriter()
    _write_body(writer, body)
    return writer.getvalue()


def _read_body(reader: JuteReader, number: int) -> Txn:
    body_class = _BODY_CLASSES.get(number)
    if body_class is None:
        raise reader.error(f"a transaction of type {number}", "an operation that writes")
    if body_class is MultiTxn:
        txns = reader.read_vector("txns", _read_sub_txn, _LEAST_SUB_TXN)
        if txns is None:
            raise reader.error("txns that are null", "a vector")
        return MultiTxn(txns)
    body: Txn = read_record(body_class, reader)
    return body


def _read_sub_txn(reader: JuteReader) -> SubTxn:
    number = reader.read_int("type")
    if number not in _IN_MULTI:
        raise reader.error(f"an operation of type {number}", "one that a multi may have")
    content = reader.read_buffer("data")
    inner = JuteReader(content or b"", f"{reader.name}, operation before byte {reader.at}")
    if content is None:
        raise inner.error("null", "a body")
    body = _read_body(inner, number)
    inner.finish()
    return SubTxn(number, body)


def _with_digest(reader: JuteReader, header: TxnHeader, body: Txn | None) -> Transaction:
    digest = read_record(TxnDigest, reader) if reader.remaining else None
    reader.finish()
    return Transaction(header, body, digest)


def _older_form(reader: JuteReader, header: TxnHeader) -> Transaction | None:
    """Read as releases wrote it that knew fewer fields; None where that is no such thing."""
    try:
        if header.type == OpCode.CREATE:
            body = read_record(CreateTxnV0, reader)
            reader.finish()
            return Transaction(header, body)
        if header.type == OpCode.CLOSE_SESSION:
            return _with_digest(reader, header, None)
    except JuteError:
        return None
    return None


def _write_body(writer: JuteWriter, body: Txn | None) -> None:
    if isinstance(body, MultiTxn):
        writer.write_vector(body.txns, _write_sub_txn)
    elif body is not None:
        write_record(writer, body)


def _write_sub_txn(writer: JuteWriter, sub_txn: SubTxn) -> None:
    writer.write_int(sub_txn.type)
    writer.write_buffer(encode_body(sub_txn.body))
