"""One server as a harness drives it: Zab's events in, what it sends and shows out, as plain values.

Between two events everything runs that can run, but for what the harness has a say in: the log
thread waits for `LogSynced`, and, where "apply" is held, the commit processor for `TxnApplied`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from impl import simulated_events as happenings
from impl.client_records import CreateRequest
from impl.config import Config
from impl.operations import OpCode
from impl.plain_disk import PlainDisks
from impl.plain_packets import SESSION, Plain, content, pair, path_of, to_bytes
from impl.quorum_peer import QuorumPeer, ServerState
from impl.records import OPEN_ACL_UNSAFE, encode_record
from impl.simulated_clock import SimulatedClock
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulationError
from impl.simulation import configuration
from impl.under_test_turns import Turns
from impl.vote_order import Vote, agreed
from impl.zxids import make_zxid

_ROLES = {
    ServerState.LOOKING: "Looking",
    ServerState.FOLLOWING: "Follower",
    ServerState.OBSERVING: "Observer",
    ServerState.LEADING: "Leader",
}
_LARGE_FACTOR = 1e12
_TIMEOUT = 40_000
_LIMITS = ("initLimit", "soTimeout", "tick")
"""What ends a role: a barrier's limit, a learner's, and of a leader that serves its ticks."""
_PATIENCE = 100


class ServersUnderTest:
    """Makes servers. takes, shows: as `zabspec.conform.system` says what these words mean."""

    takes = frozenset({"fsync", "apply", "order", "cut"})
    shows = frozenset({"role", "epochs", "durable", "database"})

    def __init__(self) -> None:
        self._disks = PlainDisks()
        self._first = SimulatedFiles()

    def start(self, sid: int, ensemble: Mapping[str, Any], held: Iterable[str]) -> ServerUnderTest:
        """A server that has never run. held: of what is taken, what it is to wait for.

        What the first one wrote when it found no files, all later ones find.
        """
        config = Config(
            sid,
            configuration(ensemble["voters"], ensemble["observers"]),
            commit_log_count=ensemble["window"],
            force_snap_sync=ensemble["force_snapshot"],
            snapshot_size_factor=_LARGE_FACTOR if ensemble["log_sync"] else -1,
            pre_alloc_size=0,
            last_counter=ensemble["last_counter"],
            digest_enabled=False,
        )
        turns = Turns(config, self._disks, frozenset(held), self._first.copy())
        if not self._first.named:
            self._first = turns.files.copy()
        return ServerUnderTest(turns)

    def elects(self, votes: Iterable[Mapping[str, Any]]) -> int | None:
        """On whom servers with these first votes agree."""
        read = [Vote(one["epoch"], make_zxid(*one["zxid"]), one["sid"]) for one in votes]
        return agreed(read)


class ServerUnderTest:
    """One server, up or down, behind connections that the harness owns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def step(
        self, event: Mapping[str, Any], stop_after: int | None = None, order: int = 0
    ) -> list[Plain]:
        """Let this happen; what it does, in order.

        stop_after: kill it once it has sent, or made durable, so many things, leaving
        event["survives"] of the transactions that were not synced; it restarts then. order: 0, or
        a seed for the order in which its tasks run. Raises SimulationError for what cannot happen.

        While the log thread syncs, nothing is left of what it has not begun to write.
        """
        turns = self._turns
        is_written = stop_after is not None and event["type"] != "LogSynced"
        survives = event.get("survives", 0) if is_written else 0
        turns.begin(stop_after, Random(order) if order else None, survives)  # noqa: S311
        happen = _HAPPENINGS.get(event["type"])
        if happen is None:
            expected = ", ".join(_HAPPENINGS)
            raise SimulationError(f'read event "{event["type"]}", expected one of {expected}')
        happen(turns, event)
        return turns.end()

    def observe(self) -> Plain:
        """What it shows now: see `zabspec.conform.system`."""
        durable = self._turns.durable()
        peer = self._turns.peer
        if peer is None:
            return {"role": "Failed", "phase": "ELECTION", **durable}
        database, role = peer.database, _ROLES[peer.server_state]
        return {
            "role": role,
            "phase": peer.zab_state.name,
            "leader": peer.vote.leader if role in ("Follower", "Observer") else None,
            **durable,
            "holds": content(database),
            "last_zxid": pair(database.last_processed_zxid),
            "window": tuple(pair(one.zxid) for one in database.committed_log),
        }

    def copy(self) -> None:
        """Not possible: tasks cannot be copied."""

    def close(self) -> None:
        """It is not needed any more."""
        self._turns.close()


def _elected(turns: Turns, event: Mapping[str, Any]) -> None:
    turns.happen(happenings.Elected(event["leader"]))


def _received(turns: Turns, event: Mapping[str, Any]) -> None:
    connection = turns.connection(event["peer"])
    written = to_bytes(event["packet"], event["peer"])
    turns.happen(happenings.Delivered(connection, written))


def _link_lost(turns: Turns, event: Mapping[str, Any]) -> None:
    turns.lose(event["peer"])


def _client_request(turns: Turns, event: Mapping[str, Any]) -> None:
    request, peer = event["request"], turns.peer
    if peer is not None and peer.leader is not None and peer.zookeeper_server is not None:
        peer.leader.server.session_tracker.track_session(SESSION, _TIMEOUT)
    body = encode_record(CreateRequest(path_of(request), b"", OPEN_ACL_UNSAFE, 0))
    asked = happenings.ClientAsked(request, SESSION, request, OpCode.CREATE, body)
    turns.happen(asked)


def _log_synced(turns: Turns, event: Mapping[str, Any]) -> None:
    turns.sync_log(event["upto"])


def _txn_applied(turns: Turns, _event: Mapping[str, Any]) -> None:
    turns.apply_next()


def _limit_expired(turns: Turns, _event: Mapping[str, Any]) -> None:
    """A limit that no answer comes within, or as many ticks as a leader waits for its learners."""
    peer = turns.peer
    for _ in range(_PATIENCE):
        if peer is None or peer.server_state is ServerState.LOOKING:
            return
        limits = _limits_of(peer)
        if not limits:
            raise SimulationError("nothing limits its role")
        turns.happen(happenings.TimerFired(limits[0]))
    raise SimulationError(f"it still plays its role after {_PATIENCE} limits")


def _limits_of(peer: QuorumPeer) -> list[str]:
    """The timers that end its role or count its ticks, the earliest first."""
    clock = peer.clock
    pending = clock.pending() if isinstance(clock, SimulatedClock) else ()
    return [one.name for one in pending if one.name in _LIMITS]


def _crash(turns: Turns, event: Mapping[str, Any]) -> None:
    turns.crash(event["survives"])


_HAPPENINGS: Mapping[str, Callable[[Turns, Mapping[str, Any]], None]] = {
    "Elected": _elected,
    "Received": _received,
    "LinkLost": _link_lost,
    "ClientRequest": _client_request,
    "LogSynced": _log_synced,
    "TxnApplied": _txn_applied,
    "LimitExpired": _limit_expired,
    "Crash": _crash,
}
