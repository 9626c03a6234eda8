"""What runs in a server under test, and when: its tasks, its fsyncs, its connections."""

from __future__ import annotations

from collections import deque
from functools import lru_cache, partial
from random import Random
from typing import Any

from impl import simulated_events as happenings
from impl.config import Config
from impl.jute import JuteError
from impl.plain_disk import PlainDisks
from impl.plain_packets import Plain, from_bytes
from impl.quorum_peer import QuorumPeer, ServerState
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulationError
from impl.simulated_machine import Machine
from impl.simulated_observations import ConnectionClosed, Observation, Sent
from impl.simulated_peer import PeerProcess
from impl.simulated_server import SimulatedServer

LOG_THREAD, COMMIT_PROCESSOR = "sync", "commit"
_HOLDING = {"fsync": LOG_THREAD, "apply": COMMIT_PROCESSOR}
_NEVER = 1 << 60
_PATIENCE = 10_000
"""So many turns of tasks, and the server does not come to rest."""


class Turns:
    """One server, driven until it waits for what only the harness gives it.

    files: its disk. peer: None while it is down.
    """

    def __init__(
        self, config: Config, disks: PlainDisks, held: frozenset[str], files: SimulatedFiles
    ) -> None:
        self.peer: QuorumPeer | None = None
        self._config = config
        self._disks = disks
        self._held = {_HOLDING[one] for one in held if one in _HOLDING}
        self._connections: dict[int, str] = {}
        self._opened = 0
        self._effects: list[Plain] = []
        self._lasting = 0
        self._stop_after = _NEVER
        self._order: Random | None = None
        self._is_stopped = False
        self._pending_log_syncs: tuple[str, ...] = ()
        self._changed = True
        self._shown: Plain = {}
        self._machine: Machine | None = None
        self.files = files
        self._server = SimulatedServer(config.sid, self._process, files)
        self._settle()
        self._effects.clear()

    def begin(self, stop_after: int | None, order: Random | None, survives: int) -> None:
        """Before an event."""
        self._lasting, self._effects = 0, []
        self._stop_after = _NEVER if stop_after is None else stop_after
        self._order, self._is_stopped = order, False
        if stop_after is not None and survives and LOG_THREAD in self._held:
            self._write_log(survives)

    def end(self) -> list[Plain]:
        """After an event: what it did."""
        if self._is_stopped:
            self._stop_after = _NEVER
            self._restart()
        return self._effects

    def happen(self, event: happenings.Event) -> None:
        """This, and everything that follows."""
        self._give(event)
        self._settle()

    def connection(self, peer: int) -> str:
        """The open one with this peer; one that is accepted now, if there is none."""
        name = self._connections.get(peer)
        if name is None:
            name = self._name(peer)
            self._give(happenings.ConnectionAccepted(name, peer))
            self._settle()
        return name

    def lose(self, peer: int) -> None:
        """The connection ends; every other time without a word from the other end."""
        name = self.connection(peer)
        del self._connections[peer]
        ends = happenings.ConnectionBroken if self._opened % 2 else happenings.ConnectionEnded
        self.happen(ends(name))

    def sync_log(self, upto: int) -> None:
        """The log thread writes and syncs the oldest that it was given, and passes them on."""
        later = self._given_later(upto)
        self._run_log_thread()
        self._give_log_thread(later)
        self._settle()

    def apply_next(self) -> None:
        """The commit processor passes on the oldest that is committed."""
        server = None if self.peer is None else self.peer.zookeeper_server
        if server is None:
            raise SimulationError("no commit processor runs")
        committed = server.commit_processor._committed  # noqa: SLF001 - what it is to wait for
        later = [committed.pop() for _ in range(len(committed) - 1)][::-1]
        self._turn(COMMIT_PROCESSOR)
        committed.extend(later)
        if later:
            server.commit_processor._work.set()  # noqa: SLF001
        self._settle()

    def crash(self, survives: int) -> None:
        """Kill it, with so many of what the log thread was given written; start it again."""
        if survives:
            self._write_log(survives)
        self._restart()

    def durable(self) -> Plain:
        """What a loss of power would leave now."""
        if self._changed:
            self._shown, self._changed = self._disks.durable(self.files), False
        return self._shown

    def close(self) -> None:
        """End it."""
        self._server.close()

    # How.

    def _process(self, machine: Machine) -> PeerProcess:
        process = PeerProcess(self._config, machine)
        self.peer, self._machine = process.peer, machine
        machine.network.observe = partial(self._watch, machine, machine.network.observe)
        return process

    def _watch(self, machine: Machine, pass_on: Any, seen: Observation) -> None:  # noqa: ANN401
        pass_on(seen)
        if isinstance(seen, Sent):
            peer = self._peer_of(seen.connection)
            for packet in _packets(seen.written):
                self._last({"type": "Send", "peer": peer, "packet": packet, **self.durable()})
                if self._is_stopped:
                    machine.loop.is_dead = True
                    break
        elif isinstance(seen, ConnectionClosed):
            peer = self._peer_of(seen.connection)
            if self._connections.get(peer) == seen.connection:
                del self._connections[peer]
                self._effects.append({"type": "Close", "peer": peer})

    def _last(self, effect: Plain) -> None:
        self._effects.append(effect)
        self._lasting += 1
        self._is_stopped = self._lasting >= self._stop_after

    def _restart(self) -> None:
        if self._server.is_up:
            self._server.step(happenings.Killed())
        self._changed, self._pending_log_syncs = True, ()
        self._effects += ({"type": "Close", "peer": peer} for peer in self._connections)
        self._connections.clear()
        self._is_stopped = False
        self._server.step(happenings.Restarted())
        self._settle()

    def _settle(self) -> None:
        choose = None if self._order is None else self._order.choice
        for _ in range(_PATIENCE):
            if self._is_stopped:
                return
            if not self._server.is_up:
                self._went_down()
                return
            held = self._held if self._plays else ()
            self._server.settle(held, choose)
            if not (self._sync_one() or self._connect_one() or self._goes_on()):
                return
        raise SimulationError(f"it does not come to rest: {self._server.runnable} still run")

    def _goes_on(self) -> bool:
        """Whether it went down, or something else may run now that it has left its role."""
        if not self._server.is_up:
            return not self._is_stopped and self.peer is not None
        return bool(self._server.runnable) and not self._plays

    def _sync_one(self) -> bool:
        syncs = [one for one in self._server.syncs if one not in self._log_syncs()]
        if not syncs:
            return False
        if self._order is None:
            self._complete(min(syncs, key=_is_of_log))
        else:
            self._complete(self._order.choice(syncs))
        return True

    def _connect_one(self) -> bool:
        for attempt, peer in self._server.asked.items():
            name = self._name(peer)
            self._effects.append({"type": "Open", "peer": peer})
            self._give(happenings.ConnectAnswered(attempt, name))
            return True
        return False

    @property
    def _plays(self) -> bool:
        """Whether it plays a role: its log thread is drained when it leaves one."""
        return self.peer is not None and self.peer.server_state is not ServerState.LOOKING

    def _log_syncs(self) -> tuple[str, ...]:
        return self._pending_log_syncs if self._plays else ()

    def _complete(self, sync: str) -> None:
        self._give(happenings.SyncCompleted(sync))
        before, self._changed = self._shown, True
        if self.durable() is not before:
            self._last({"type": "Write", **self._shown})

    def _turn(self, task: str) -> None:
        self._give(happenings.TaskRun(task))

    def _give(self, event: happenings.Event) -> None:
        self._server.step(event)

    def _went_down(self) -> None:
        self.peer = None
        self._effects += ({"type": "Close", "peer": peer} for peer in self._connections)
        self._connections.clear()

    def _name(self, peer: int) -> str:
        self._opened += 1
        name = self._connections[peer] = f"{peer}-{self._opened}"
        return name

    @staticmethod
    def _peer_of(connection: str) -> int:
        return int(connection.partition("-")[0])

    # The log thread.

    def _write_log(self, count: int) -> None:
        """It writes the oldest so many, and waits for their fsync."""
        later = self._given_later(count)
        known = self._server.syncs
        self._turn(LOG_THREAD)
        self._pending_log_syncs = tuple(one for one in self._server.syncs if one not in known)
        self._give_log_thread(later)

    def _run_log_thread(self) -> None:
        while LOG_THREAD in self._server.runnable and not self._is_stopped:
            known = self._server.syncs
            self._turn(LOG_THREAD)
            for sync in self._server.syncs:
                if sync not in known:
                    self._complete(sync)

    def _given_later(self, count: int) -> list[Any]:
        """Takes away all that the log thread was given but for the oldest so many."""
        waiting = self._log_queue()
        if len(waiting) < count:
            expected = f"{count} transactions that the log thread was given"
            raise SimulationError(f"found {len(waiting)}, expected {expected}")
        later = list(waiting)[count:]
        for _ in later:
            waiting.pop()
        return later

    def _give_log_thread(self, requests: list[Any]) -> None:
        server = self._role_server()
        if server is not None and server.sync_processor is not None:
            for request in requests:
                server.sync_processor.process_request(request)

    def _log_queue(self) -> deque[Any]:
        server = self._role_server()
        if server is None or server.sync_processor is None:
            return deque()
        waiting: deque[Any] = server.sync_processor._queue._queue  # noqa: SLF001 - as above
        return waiting

    def _role_server(self) -> Any:  # noqa: ANN401 - of a leader or a learner
        peer = self.peer
        role = None if peer is None else (peer.leader or peer.follower or peer.observer)
        return None if role is None else role.server


def _is_of_log(sync: str) -> bool:
    """Whether it is an fsync of the log: that takes longest; who does not wait for it is seen."""
    return "/log." in sync


@lru_cache(10_000)
def _packets(written: bytes) -> tuple[Plain, ...]:
    try:
        return tuple(from_bytes(written))
    except JuteError as error:
        return ({"type": "no packet", "why": str(error)},)
