"""What the clients of a simulated ensemble ask for, chosen at random, and what they were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from attrs import asdict, define, frozen

from impl.client_records import (
    CreateRequest,
    DeleteRequest,
    GetDataResponse,
    PathRequest,
    ReadRequest,
    SetDataRequest,
    StatResponse,
)
from impl.prep_operations import CreateMode
from impl.records import OPEN_ACL_UNSAFE, decode_record, encode_record
from impl.transactions import OpCode

ANY_VERSION = -1
KINDS = ("create", "create", "set", "set", "set", "get", "get", "get", "delete")
"""What is asked of nodes that stay, in their proportions."""
_SELDOM = 30
"""Of so many requests, one is a sync, and one ends the session."""


@define(eq=False)
class Operation:
    """One thing that a client asked for, and what came of it.

    number: names it. name: session, reopen, close, create, set, delete, get or sync. written: what
    a create or set writes. expected: the version that a set or delete asks for; -1 = any.
    invoked, returned: at which event; returned None = never answered, and it may have been done,
    or be done later, or not. error: 0, or an `ErrorCode`. zxid: of the answer. found, version: what
    a get read, which version it has, or has behind a set; None if nothing. is_ephemeral: whether a
    create's node goes with its session.
    """

    number: int
    client: int
    session: int
    server: int
    name: str
    path: str | None
    written: str | None
    expected: int
    invoked: int
    returned: int | None = None
    error: int | None = None
    zxid: int | None = None
    found: str | None = None
    version: int | None = None
    is_ephemeral: bool = False

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)

    def read_answer(self, answer: bytes) -> None:
        """Keep what is in the body of a get's answer, or a set's."""
        if self.name == "get":
            got = decode_record(GetDataResponse, answer, "getData")
            self.found, self.version = (got.data or b"").decode(), got.stat.version
        elif self.name == "set":
            self.version = decode_record(StatResponse, answer, "setData").stat.version


@frozen
class Asking:
    """What to ask: everything as in `Operation`."""

    name: str
    path: str | None = None
    written: str | None = None
    expected: int = ANY_VERSION
    is_ephemeral: bool = False

    @property
    def kind(self) -> OpCode:
        """The code of the operation."""
        return OPERATIONS[self.name]

    @property
    def body(self) -> bytes:
        """Its record."""
        path, written = self.path or "", (self.written or "").encode()
        match self.name:
            case "create":
                mode = CreateMode.EPHEMERAL if self.is_ephemeral else CreateMode.PERSISTENT
                return encode_record(CreateRequest(path, written, OPEN_ACL_UNSAFE, mode))
            case "set":
                return encode_record(SetDataRequest(path, written, self.expected))
            case "delete":
                return encode_record(DeleteRequest(path, self.expected))
            case "get":
                return encode_record(ReadRequest(path, watch=False))
            case "sync":
                return encode_record(PathRequest(path))
            case _:
                return b""


OPERATIONS = {
    "session": OpCode.CREATE_SESSION,
    "reopen": OpCode.CREATE_SESSION,
    "close": OpCode.CLOSE_SESSION,
    "create": OpCode.CREATE,
    "set": OpCode.SET_DATA,
    "delete": OpCode.DELETE,
    "get": OpCode.GET_DATA,
    "sync": OpCode.SYNC,
}
"""The code of each operation, by its name."""


def chosen(random: Random, paths: Sequence[str], seen: Mapping[str, int], number: int) -> Asking:
    """What a client asks for that has seen these versions. number: makes what it writes unique.

    The nodes of the last path are ephemeral, all others stay.
    """
    turn = random.randrange(_SELDOM)
    path = random.choice(paths)
    if turn == 0:
        return Asking("close")
    if turn == 1:
        return Asking("sync", path)
    expected = random.choice((ANY_VERSION, seen.get(path, 0)))
    written = f"w{number}"
    match random.choice(KINDS):
        case "create":
            return Asking("create", path, written, is_ephemeral=path == paths[-1])
        case "set":
            return Asking("set", path, written, expected)
        case "delete":
            return Asking("delete", path, None, expected)
        case _:
            return Asking("get", path)
