"""What no run of a simulated ensemble may show, whoever chooses what happens in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impl import simulated_events as events
from impl.packets import PacketType
from impl.simulated_events import Event
from impl.simulated_observations import Observation, ProcessEnded, Sent
from impl.simulated_server import SimulatedServer

_NEW_LEADER = PacketType.NEWLEADER.to_bytes(4, "big")
"""What a NEWLEADER begins with."""
_ZXID = slice(4, 12)


class RunFindings:
    """Processes that end though no disk failed, two leaders of one epoch, and unhandled errors.

    found: as text. broken: who has ended so; it stays down.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self.broken: dict[int, None] = {}
        self._failing: dict[int, None] = {}
        self._established: dict[bytes, int] = {}

    def watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        """Notice processes that end by themselves, and who is established."""
        if isinstance(event, events.DiskFails | events.SyncFailed):
            self._failing[sid] = None
        elif isinstance(event, events.Restarted):
            self._failing.pop(sid, None)
        for one in seen:
            if isinstance(one, Sent):
                if one.written.startswith(_NEW_LEADER):
                    self._establish(sid, one.written[_ZXID])
            elif isinstance(one, ProcessEnded) and not self._has_failed(sid, one):
                self.broken[sid] = None
                self.found.append(f"server {sid} ended: {one.why}")

    def end(self, servers: Mapping[int, SimulatedServer]) -> None:
        """The run is over: look at what nobody handled."""
        for sid, server in servers.items():
            for one in server.problems():
                self.found.append(f"server {sid}: {one.message}: {one.error!r}")

    def _has_failed(self, sid: int, ended: ProcessEnded) -> bool:
        return sid in self._failing and ended.why.startswith("OSError: ")

    def _establish(self, sid: int, zxid: bytes) -> None:
        other = self._established.setdefault(zxid, sid)
        if other != sid:
            epoch = int.from_bytes(zxid[:4], "big")
            self.found.append(f"servers {other} and {sid} both lead epoch {epoch}")
