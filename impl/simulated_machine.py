"""What the process of a simulated server runs on, and what it has to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from attrs import define, field

from impl.requests import Reply
from impl.simulated_clock import SimulatedClock
from impl.simulated_disk import SimulatedDisk
from impl.simulated_events import ClientAsked, Elected, SessionReopened
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulatedLoop
from impl.simulated_network import SimulatedNetwork
from impl.simulated_observations import ElectionAsked, Observation, RoleEnded

MAIN = "main"
"""The name of a process's first task."""

MILLISECOND = 0.001
"""In seconds: what an election takes, or the start of a process."""


class Process(Protocol):
    """What runs in a simulated server, from its start until it is killed."""

    def run(self) -> Coroutine[Any, Any, None]:
        """All that it does; an exception out of it ends the process."""

    def leave_role(self) -> None:
        """Leave the role, whatever it is, for no reason of its own."""

    def ask(self, asked: ClientAsked, reply: Callable[[Reply], None]) -> None:
        """Take what a client asks for."""

    def reopen(self, reopened: SessionReopened, reply: Callable[[Reply], None]) -> None:
        """Take a client whose session began elsewhere."""

    def touch(self, session: int, timeout: int) -> None:
        """Count a session as heard of."""

    def observe(self) -> Mapping[str, object]:
        """What a person could see in a debugger."""


class Machine:
    """What one process runs on, from its start to its end."""

    def __init__(
        self, files: SimulatedFiles, now: float, observe: Callable[[Observation], None]
    ) -> None:
        self.loop = SimulatedLoop.new(now)
        self.clock = SimulatedClock(self.loop)
        self.network = SimulatedNetwork(self.loop, observe)
        self.disk = SimulatedDisk(files, self.loop, observe)
        self.observe = observe
        self.election: asyncio.Future[Elected] | None = None

    async def elect(self, leader: int, zxid: int, epoch: int) -> Elected:
        """Wait until somebody outside says who is elected; the arguments are this server's vote."""
        self.loop.check_alive()
        self.election = self.loop.create_future()
        self.observe(ElectionAsked(leader, zxid, epoch))
        try:
            return await self.election
        finally:
            self.election = None

    def role_ended(self, why: str) -> None:
        """Tell that the process left its role."""
        self.observe(RoleEnded(why))


@define
class Running:
    """A process that was started."""

    machine: Machine
    process: Process
    main: asyncio.Task[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.main = self.machine.loop.create_task(self.process.run(), name=MAIN)
