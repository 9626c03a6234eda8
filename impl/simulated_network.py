"""A network of which one server is an end: everything beyond it is done, and seen, from outside."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader
from collections.abc import Awaitable, Callable, Mapping

from impl.simulated_loop import SimulatedLoop, SimulationError
from impl.simulated_observations import (
    ConnectAsked,
    ConnectGivenUp,
    ConnectionClosed,
    ListeningBegan,
    ListeningEnded,
    Observation,
    Sent,
)

Observe = Callable[[Observation], None]
Accept = Callable[["SimulatedConnection"], Awaitable[None]]


class SimulatedConnection:
    """One end of a connection. An `impl.runtime.Connection`.

    is_ended: whether the other end closed it. is_lost: whether it was closed here, or is lost.
    """

    def __init__(
        self, name: str, peer: int | None, loop: SimulatedLoop, network: SimulatedNetwork
    ) -> None:
        self.name = name
        self.peer = peer
        self.reader = StreamReader(loop=loop)
        self.is_lost = False
        self.is_ended = False
        self._loop = loop
        self._network = network

    def write(self, written: bytes) -> None:
        """Send. On a connection that is lost or closed, nobody sees it."""
        self._loop.check_alive()
        if not self.is_lost:
            self._network.observe(Sent(self.name, bytes(written)))

    async def drain(self) -> None:
        """There is room. Raises `ConnectionError` when lost or closed."""
        self._loop.check_alive()
        if self.is_lost:
            raise ConnectionResetError(f"connection {self.name} is lost")

    def close(self) -> None:
        """End both directions: reading raises `ConnectionError` from here on."""
        self._loop.check_alive()
        if self._network.forget(self):
            self.is_lost = True
            self.reader.set_exception(ConnectionAbortedError(f"{self.name} was closed here"))
            self._network.observe(ConnectionClosed(self.name))


class SimulatedListener:
    """A port that is open. An `impl.runtime.Listener`."""

    def __init__(self, network: SimulatedNetwork, accept: Accept) -> None:
        self.accept = accept
        self._network = network

    def close(self) -> None:
        """Accept no more."""
        self._network.close_port(self)


class SimulatedNetwork:
    """The `impl.runtime.Network` of one server, and what befalls it from outside."""

    def __init__(self, loop: SimulatedLoop, observe: Observe) -> None:
        self.observe = observe
        self._loop = loop
        self._listener: SimulatedListener | None = None
        self._connections: dict[str, SimulatedConnection] = {}
        self._asked: dict[int, tuple[int, asyncio.Future[SimulatedConnection]]] = {}
        self._attempts = 0

    # What the server asks for.

    async def connect(self, sid: int) -> SimulatedConnection:
        """Wait for what is answered from outside. Raises `ConnectionError` if refused."""
        self._loop.check_alive()
        self._attempts += 1
        attempt = self._attempts
        answer: asyncio.Future[SimulatedConnection] = self._loop.create_future()
        self._asked[attempt] = sid, answer
        self.observe(ConnectAsked(attempt, sid))
        try:
            return await answer
        except asyncio.CancelledError:
            self._give_up(attempt, answer)
            raise

    def listen(self, accept: Accept) -> SimulatedListener:
        """Open the port. Raises `OSError` while it is open."""
        self._loop.check_alive()
        if self._listener is not None:
            raise OSError("the port is in use")
        self._listener = SimulatedListener(self, accept)
        self.observe(ListeningBegan())
        return self._listener

    # What befalls it from outside.

    @property
    def is_listening(self) -> bool:
        """Whether the port is open."""
        return self._listener is not None

    @property
    def connections(self) -> Mapping[str, SimulatedConnection]:
        """Those that are open at this end, by name, the oldest first."""
        return self._connections

    @property
    def asked(self) -> dict[int, int]:
        """The attempts to connect that wait for an answer, and to whom they are."""
        return {attempt: sid for attempt, (sid, _) in self._asked.items()}

    def accept(self, name: str, peer: int | None) -> None:
        """A learner connected: the listener takes it in a task of its own."""
        if self._listener is None:
            raise SimulationError(f"{name!r} cannot be accepted, the port is closed")
        connection = self._open(name, peer)
        task = _run(self._listener.accept, connection)
        self._loop.create_task(task, name=f"accepted-{name}")

    def answer(self, attempt: int, name: str | None) -> None:
        """The other end accepts an attempt to connect, or, without a name, refuses it."""
        if attempt not in self._asked:
            raise SimulationError(f"no attempt {attempt} waits, {list(self._asked)} do")
        sid, answer = self._asked.pop(attempt)
        if answer.cancelled():
            if name is not None:
                self._open(name, sid).close()
        elif name is None:
            answer.set_exception(ConnectionRefusedError(f"server {sid} does not listen"))
        else:
            answer.set_result(self._open(name, sid))

    def deliver(self, name: str, written: bytes) -> None:
        """The other end's bytes arrive."""
        connection = self._called(name)
        if connection.is_lost or connection.is_ended:
            raise SimulationError(f"nothing more can arrive on connection {name!r}, it ended")
        connection.reader.feed_data(written)

    def end(self, name: str) -> None:
        """The other end closed: an end of file, behind all that was delivered."""
        connection = self._called(name)
        connection.is_ended = True
        connection.reader.feed_eof()

    def break_off(self, name: str) -> None:
        """The connection is lost."""
        connection = self._called(name)
        connection.is_lost = True
        connection.reader.set_exception(ConnectionResetError(f"connection {name} is lost"))

    # What the ends tell.

    def forget(self, connection: SimulatedConnection) -> bool:
        """Whether this end was open until now."""
        return self._connections.pop(connection.name, None) is not None

    def close_port(self, listener: SimulatedListener) -> None:
        """Close the port, if it is this listener's."""
        self._loop.check_alive()
        if self._listener is listener:
            self._listener = None
            self.observe(ListeningEnded())

    def _open(self, name: str, peer: int | None) -> SimulatedConnection:
        if name in self._connections:
            raise SimulationError(f"a connection {name!r} is open already")
        connection = SimulatedConnection(name, peer, self._loop, self)
        self._connections[name] = connection
        return connection

    def _called(self, name: str) -> SimulatedConnection:
        found = self._connections.get(name)
        if found is None:
            opened = ", ".join(map(repr, self._connections)) or "none"
            raise SimulationError(f"no connection {name!r} is open here, {opened} are")
        return found

    def _give_up(self, attempt: int, answer: asyncio.Future[SimulatedConnection]) -> None:
        if self._asked.pop(attempt, None) is not None:
            self.observe(ConnectGivenUp(attempt))
        elif not answer.cancelled() and answer.exception() is None:
            answer.result().close()


async def _run(accept: Accept, connection: SimulatedConnection) -> None:
    await accept(connection)
