"""Clients of a simulated ensemble, and the history of what they asked and were told.

Each client asks for one thing at a time, of one server, in a session. Where it loses that server,
what it asked for may have been done or not; it goes on elsewhere, in its session if it is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from attrs import asdict, define, field

from impl.choices import Ask, Choice, ClientChoice, Connect, Touch
from impl.errors import ErrorCode
from impl.records import encode_record
from impl.simulated_events import (
    ClientAsked,
    Event,
    Killed,
    PowerLost,
    SessionReopened,
    SessionTouched,
)
from impl.simulated_observations import ClientAnswered, Observation, ProcessEnded, RoleEnded
from impl.simulated_requests import Asking, Operation, chosen
from impl.transactions import CreateSessionTxn, OpCode

__all__ = ["Operation", "SimulatedClients"]

TIMEOUT = 40_000
"""Of a session, in milliseconds."""

_TOUCHES = 0.1
"""How often a client sends a ping in place of a request."""
_LOST = frozenset({ErrorCode.CONNECTION_LOSS, ErrorCode.SESSION_MOVED})


@define(eq=False)
class _Client:
    """server: whom it is connected to; None = nobody. asked: what it waits for.

    last_zxid: the largest that its session was told. versions: by path, as last seen.
    """

    number: int
    session: int = 0
    server: int | None = None
    asked: Operation | None = None
    cxid: int = 0
    last_zxid: int = 0
    versions: dict[str, int] = field(factory=dict)


class SimulatedClients:
    """Some clients. history: all that they asked, in order.

    chosen: is told each choice before it is made; None = nobody is.
    """

    def __init__(self, count: int, paths: int, happen: Callable[[int, Event], object]) -> None:
        self.history: list[Operation] = []
        self.chosen: Callable[[Choice], None] | None = None
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
            self.play(Connect(client.number, random.choice(servers)))
        elif random.random() < _TOUCHES:
            self.play(Touch(client.number))
        else:
            number = len(self.history) + 1
            asking = chosen(random, self._paths, client.versions, number)
            self.play(Ask(client.number, **asdict(asking)))

    def play(self, choice: ClientChoice) -> bool:
        """Let a client do this. Whether it could: it has to be idle, and to have a server or not.

        Whether the server that it connects to is up is for others to say.
        """
        client = self._numbered(choice.client)
        is_new = isinstance(choice, Connect)
        if client is None or client.asked is not None or is_new is (client.server is not None):
            return False
        if self.chosen is not None:
            self.chosen(choice)
        if isinstance(choice, Connect):
            client.server = choice.server
            self._connect(client, choice.server)
        elif client.server is not None and isinstance(choice, Touch):
            self._happen(client.server, SessionTouched(client.session, TIMEOUT))
        elif client.server is not None and isinstance(choice, Ask):
            self._ask(client, client.server, choice.asking)
        return True

    def _numbered(self, number: int) -> _Client | None:
        return self._clients[number - 1] if 0 < number <= len(self._clients) else None

    def watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        """Notice answers, and servers that are gone, or have left their role."""
        self._events += 1
        for one in seen:
            if isinstance(one, ClientAnswered):
                self._answered(one)
            elif isinstance(one, RoleEnded | ProcessEnded):
                self._gone(sid)
        if isinstance(event, Killed | PowerLost):
            self._gone(sid)

    def _connect(self, client: _Client, server: int) -> None:
        if client.session:
            number = self._asks(client, server, Asking("reopen"))
            reopened = SessionReopened(number, client.session, TIMEOUT, client.last_zxid)
            self._happen(server, reopened)
        else:
            number = self._asks(client, server, Asking("session"))
            body = encode_record(CreateSessionTxn(TIMEOUT))
            self._happen(server, ClientAsked(number, 0, 0, OpCode.CREATE_SESSION, body))

    def _ask(self, client: _Client, server: int, asking: Asking) -> None:
        client.cxid += 1
        number = self._asks(client, server, asking)
        asked = ClientAsked(number, client.session, client.cxid, asking.kind, asking.body)
        self._happen(server, asked)

    def _asks(self, client: _Client, server: int, asking: Asking) -> int:
        number = len(self.history) + 1
        client.asked = Operation(
            number,
            client.number,
            client.session,
            server,
            asking.name,
            asking.path,
            asking.written,
            asking.expected,
            self._events,
            is_ephemeral=asking.is_ephemeral,
        )
        self.history.append(client.asked)
        self._waiting[number] = client
        return number

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
        client.last_zxid = max(client.last_zxid, answer.zxid)
        if operation.name == "session":
            client.session = operation.session = answer.session
        elif answer.answer is not None:
            operation.read_answer(answer.answer)
        if operation.path is not None and operation.version is not None:
            client.versions[operation.path] = operation.version
        if _is_over(operation):
            client.session = client.last_zxid = 0
            client.server = None

    def _gone(self, sid: int) -> None:
        for client in self._clients:
            if client.server == sid:
                client.server = None
                if client.asked is not None:
                    self._waiting.pop(client.asked.number, None)
                    client.asked = None


def _is_over(operation: Operation) -> bool:
    """Whether the session of what was answered has ended, or never began."""
    if operation.error == ErrorCode.SESSION_EXPIRED or operation.name == "close":
        return True
    return operation.name == "session" and bool(operation.error)
