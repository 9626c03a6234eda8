"""Clients of a simulated ensemble, and the history of what they asked and were told.

Each client asks for one thing at a time, of one server, in a session. Where it loses that server,
what it asked for may have been done or not; it goes on elsewhere, in its session if it is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from attrs import asdict, define, frozen

from impl.client_records import CreateRequest, DeleteRequest, ReadRequest, SetDataRequest
from impl.errors import ErrorCode
from impl.jute import JuteReader
from impl.records import OPEN_ACL_UNSAFE, encode_record
from impl.simulated_events import (
    ClientAsked,
    Event,
    Killed,
    PowerLost,
    SessionReopened,
    SessionTouched,
)
from impl.simulated_observations import ClientAnswered, Observation, ProcessEnded
from impl.transactions import CreateSessionTxn, OpCode

TIMEOUT = 40_000
"""Of a session, in milliseconds."""

_ANY_VERSION = -1
_LOST = frozenset({ErrorCode.CONNECTION_LOSS, ErrorCode.SESSION_MOVED})


@define(eq=False)
class Operation:
    """One thing that a client asked for, and what came of it.

    number: names it. name: session, reopen, create, set, delete or get. written: what a create or
    set writes. invoked, returned: at which event; returned None = never answered, and it may have
    been done, or be done later, or not. error: 0, or an `ErrorCode`. zxid: of the answer.
    found: what a get read; None if nothing.
    """

    number: int
    client: int
    session: int
    server: int
    name: str
    path: str | None
    written: str | None
    invoked: int
    returned: int | None = None
    error: int | None = None
    zxid: int | None = None
    found: str | None = None

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)


@define(eq=False)
class _Client:
    """server: whom it is connected to; None = nobody. asked: what it waits for."""

    number: int
    session: int = 0
    server: int | None = None
    asked: Operation | None = None
    cxid: int = 0


@frozen
class _Asking:
    """What to ask: the operation, its code and its body."""

    name: str
    kind: OpCode
    path: str
    written: str | None
    body: bytes


class SimulatedClients:
    """Some clients. history: all that they asked, in order."""

    def __init__(self, count: int, paths: int, happen: Callable[[int, Event], object]) -> None:
        self.history: list[Operation] = []
        self._clients = [_Client(number) for number in range(1, count + 1)]
        self._waiting: dict[int, _Client] = {}
        self._paths = [f"/r{number}" for number in range(paths)]
        self._happen = happen
        self._events = 0

    @property
    def idle(self) -> list[_Client]:
        """Those who wait for nothing."""
        return [one for one in self._clients if one.asked is None]

    def act(self, client: _Client, servers: Sequence[int], random: Random) -> None:
        """Let an idle client do something: connect to one of these servers, or ask its own."""
        if client.server is None:
            client.server = random.choice(servers)
            self._connect(client, client.server)
        elif random.random() < _TOUCHES:
            self._happen(client.server, SessionTouched(client.session, TIMEOUT))
        else:
            self._ask(client, client.server, self._chosen(random))

    def watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        """Notice answers, and servers that are gone."""
        self._events += 1
        for one in seen:
            if isinstance(one, ClientAnswered):
                self._answered(one)
            elif isinstance(one, ProcessEnded):
                self._gone(sid)
        if isinstance(event, Killed | PowerLost):
            self._gone(sid)

    def _connect(self, client: _Client, server: int) -> None:
        if client.session:
            number = self._asks(client, server, "reopen", None, None)
            self._happen(server, SessionReopened(number, client.session, TIMEOUT))
        else:
            number = self._asks(client, server, "session", None, None)
            body = encode_record(CreateSessionTxn(TIMEOUT))
            self._happen(server, ClientAsked(number, 0, 0, OpCode.CREATE_SESSION, body))

    def _ask(self, client: _Client, server: int, asking: _Asking) -> None:
        client.cxid += 1
        number = self._asks(client, server, asking.name, asking.path, asking.written)
        asked = ClientAsked(number, client.session, client.cxid, asking.kind, asking.body)
        self._happen(server, asked)

    def _asks(
        self, client: _Client, server: int, name: str, path: str | None, written: str | None
    ) -> int:
        number = len(self.history) + 1
        client.asked = Operation(
            number, client.number, client.session, server, name, path, written, self._events
        )
        self.history.append(client.asked)
        self._waiting[number] = client
        return number

    def _chosen(self, random: Random) -> _Asking:
        path = random.choice(self._paths)
        written = f"w{len(self.history) + 1}"
        match random.choice(("create", "set", "set", "get", "get", "get", "delete")):
            case "create":
                created = CreateRequest(path, written.encode(), OPEN_ACL_UNSAFE, 0)
                return _Asking("create", OpCode.CREATE, path, written, encode_record(created))
            case "set":
                body = encode_record(SetDataRequest(path, written.encode(), _ANY_VERSION))
                return _Asking("set", OpCode.SET_DATA, path, written, body)
            case "delete":
                body = encode_record(DeleteRequest(path, _ANY_VERSION))
                return _Asking("delete", OpCode.DELETE, path, None, body)
            case _:
                body = encode_record(ReadRequest(path, watch=False))
                return _Asking("get", OpCode.GET_DATA, path, None, body)

    def _answered(self, answer: ClientAnswered) -> None:
        client = self._waiting.pop(answer.number, None)
        operation = self.history[answer.number - 1]
        if client is None:
            return
        client.asked = None
        if answer.error in _LOST:
            client.server = None
            return
        operation.returned = self._events
        operation.error, operation.zxid = answer.error, answer.zxid
        if operation.name == "session":
            client.session = operation.session = answer.session
        elif operation.name == "get" and answer.answer is not None:
            operation.found = (
                JuteReader(answer.answer, "getData").read_buffer("data") or b""
            ).decode()
        if answer.error == ErrorCode.SESSION_EXPIRED or (
            operation.name == "session" and answer.error
        ):
            client.session, client.server = 0, None

    def _gone(self, sid: int) -> None:
        for client in self._clients:
            if client.server == sid:
                client.server = None
                if client.asked is not None:
                    self._waiting.pop(client.asked.number, None)
                    client.asked = None


_TOUCHES = 0.1
"""How often a client sends a ping in place of a request."""
