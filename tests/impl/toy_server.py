"""A server small enough to be read at a glance: followers send words, the leader keeps them.

Words go to the leader, who logs each, syncs, and answers `kept`; then the client is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from impl.requests import Reply
from impl.runtime import Connection, Listener
from impl.simulated_events import ClientAsked, SessionReopened
from impl.simulated_machine import Machine
from impl.simulated_server import SimulatedServer


class ToyServer:
    def __init__(self, sid: int, machine: Machine) -> None:
        self.sid = sid
        self.machine = machine
        self.role = "looking"
        self.asked: asyncio.Queue[tuple[bytes, Callable[[Reply], None]]] = asyncio.Queue()
        self.turn: asyncio.Task[None] | None = None

    async def run(self) -> None:
        while True:
            self.role = "looking"
            elected = await self.machine.elect(self.sid, self._size(), 0)
            play = self._lead() if elected.leader == self.sid else self._follow(elected.leader)
            self.turn = asyncio.get_running_loop().create_task(play, name="role")
            try:
                await self.turn
            except (OSError, EOFError, TimeoutError, asyncio.CancelledError) as error:
                self.machine.role_ended(f"{type(error).__name__}: {error}")

    def leave_role(self) -> None:
        if self.turn is not None:
            self.turn.cancel()

    def ask(self, asked: ClientAsked, reply: Callable[[Reply], None]) -> None:
        self.asked.put_nowait((asked.body, reply))

    def reopen(self, reopened: SessionReopened, reply: Callable[[Reply], None]) -> None:
        reply(Reply(0, -112 if reopened.session else 0))

    def touch(self, session: int, timeout: int) -> None:
        self.touched = session, timeout

    def observe(self) -> Mapping[str, object]:
        return {"role": self.role, "kept": self._size()}

    async def _lead(self) -> None:
        self.role = "leading"
        listener: Listener = self.machine.network.listen(self._accept)
        try:
            while True:
                word, reply = await self.asked.get()
                await self._keep(word)
                reply(Reply(self._size()))
        finally:
            listener.close()

    async def _accept(self, connection: Connection) -> None:
        try:
            while True:
                word = await connection.reader.readexactly(1)
                await self._keep(word)
                connection.write(b"kept")
                await connection.drain()
        except (EOFError, ConnectionError):
            connection.close()

    async def _follow(self, leader: int) -> None:
        self.role = "following"
        async with self.machine.clock.limit(10, "initLimit"):
            connection = await self.machine.network.connect(leader)
        try:
            while True:
                word, reply = await self.asked.get()
                connection.write(word)
                async with self.machine.clock.limit(5, "syncLimit"):
                    await connection.reader.readexactly(4)
                reply(Reply(1))
        finally:
            connection.close()

    async def _keep(self, word: bytes) -> None:
        disk = self.machine.disk
        disk.write("log", self._size(), word)
        await disk.sync("log")
        await disk.sync_folder()

    def _size(self) -> int:
        disk = self.machine.disk
        return disk.size("log") if "log" in disk.names() else 0


def toy(sid: int) -> SimulatedServer:
    """A toy server on an empty disk, that looks for a leader."""
    return SimulatedServer(sid, lambda machine: ToyServer(sid, machine))
