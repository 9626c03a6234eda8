"""A multi: operations that are done all, or none; its request and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from impl.client_records import (
    Create2Response,
    ErrorResponse,
    MultiHeader,
    PathResponse,
    StatResponse,
)
from impl.jute import JuteError, JuteReader, JuteWriter
from impl.prep_operations import OPERATIONS
from impl.records import read_record, write_record
from impl.transactions import OpCode
from impl.tree_transactions import ProcessTxnResult

_NO_ERROR = -1
_END = MultiHeader(-1, done=True, err=_NO_ERROR)
_ALLOWED = (
    OpCode.CREATE,
    OpCode.CREATE2,
    OpCode.CREATE_CONTAINER,
    OpCode.DELETE,
    OpCode.SET_DATA,
    OpCode.CHECK,
)


@frozen
class Operation:
    """One of them. kind: an `OpCode`. request: the record of that operation."""

    kind: int
    request: Any


def read_multi(body: bytes) -> tuple[Operation, ...]:
    """The operations of a request. Raises JuteError. Models MultiOperationRecord.deserialize."""
    reader = JuteReader(body, "multi")
    operations: list[Operation] = []
    while True:
        header = read_record(MultiHeader, reader)
        if header.done:
            reader.finish()
            return tuple(operations)
        if header.type not in _ALLOWED:
            raise JuteError("multi", f"an operation of type {header.type}", "one that it may have")
        record_class, _ = OPERATIONS[header.type]
        operations.append(Operation(header.type, read_record(record_class, reader)))


def write_multi(operations: Sequence[Operation]) -> bytes:
    """The body of a request."""
    writer = JuteWriter()
    for one in operations:
        write_record(writer, MultiHeader(one.kind, done=False, err=_NO_ERROR))
        write_record(writer, one.request)
    write_record(writer, _END)
    return writer.getvalue()


def multi_response(results: Sequence[ProcessTxnResult]) -> bytes:
    """The body of its answer. Models MultiResponse.serialize."""
    writer = JuteWriter()
    for one in results:
        err = one.err if one.type == OpCode.ERROR else 0
        write_record(writer, MultiHeader(one.type, done=False, err=err))
        body = _body(one)
        if body is not None:
            write_record(writer, body)
    write_record(writer, _END)
    return writer.getvalue()


def _body(result: ProcessTxnResult) -> object:
    if result.type == OpCode.ERROR:
        return ErrorResponse(result.err)
    if result.type == OpCode.CREATE:
        return PathResponse(result.path or "")
    if result.type in (OpCode.CREATE2, OpCode.CREATE_CONTAINER) and result.stat is not None:
        return Create2Response(result.path or "", result.stat)
    if result.type == OpCode.SET_DATA and result.stat is not None:
        return StatResponse(result.stat)
    return None
