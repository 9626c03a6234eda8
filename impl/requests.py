"""What a client, or a learner for its client, asks of a server, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, frozen

from impl.records import Id
from impl.transactions import OpCode, Transaction

if TYPE_CHECKING:
    from impl.learner_handler import LearnerHandler

WRITES = frozenset(
    {
        OpCode.CREATE,
        OpCode.CREATE2,
        OpCode.CREATE_TTL,
        OpCode.CREATE_CONTAINER,
        OpCode.DELETE,
        OpCode.DELETE_CONTAINER,
        OpCode.SET_DATA,
        OpCode.SET_ACL,
        OpCode.RECONFIG,
        OpCode.MULTI,
        OpCode.CHECK,
        OpCode.CREATE_SESSION,
        OpCode.CLOSE_SESSION,
    }
)
"""The operations that become transactions, whether they succeed or not."""


@frozen
class Reply:
    """What a client is told.

    zxid: of the transaction, or the last one processed. error: 0, or an `ErrorCode` (negative).
    answer: the jute body; None where there is none. session: which createSession made, else 0.
    """

    zxid: int
    error: int = 0
    answer: bytes | None = None
    session: int = 0


@define(eq=False)
class Request:
    """One request on its way through the processors.

    session, cxid: whose, and its number there. kind: an `OpCode`. body: as the client sent it.
    authinfo: who the client is. owner: the handler of the learner it came through; None for one's
    own client. reply: called once, when it is done; None where nobody waits here.
    transaction: what became of it; None for a read. payload: its bytes, as proposed and logged.
    error: why it is refused, as far as this server knows; 0 if it is not.
    """

    session: int
    cxid: int
    kind: int
    body: bytes = b""
    authinfo: tuple[Id, ...] | None = None
    owner: LearnerHandler | None = None
    reply: Callable[[Reply], None] | None = None
    transaction: Transaction | None = None
    payload: bytes = b""
    error: int = 0

    @property
    def zxid(self) -> int:
        """Of its transaction. Asked only of what has one."""
        assert self.transaction is not None  # noqa: S101 - the processors see to it
        return self.transaction.zxid

    @property
    def needs_commit(self) -> bool:
        """Whether it is done only when its transaction is committed."""
        return self.kind in WRITES


def committed_request(transaction: Transaction, payload: bytes) -> Request:
    """A transaction that a leader sent, as the processors take it."""
    header = transaction.header
    return Request(
        header.client_id, header.cxid, header.type, transaction=transaction, payload=payload
    )
