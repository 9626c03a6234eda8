"""How ZooKeeper's releases leave a role, and start again: what becomes of memory and log.

Each replaces `server_leaves_role` or `server_restarts` of the baseline.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.protocol import disk, leaving
from zabspec.protocol.database import applied, load
from zabspec.protocol.disk import LoseUnsynced, SyncLog
from zabspec.protocol.effects import CloseAll, Effect, Step, Write
from zabspec.protocol.events import Crash, RoleEnded
from zabspec.protocol.leaving import CONNECTED
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Database,
    Ensemble,
    Failed,
    Follower,
    Kind,
    Leader,
    Leaving,
    Looking,
    Memory,
    Observer,
    Phase,
    Role,
    Server,
)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_reloads_if_it_served(
    server: Server[Leaving], event: RoleEnded, ensemble: Ensemble
) -> Step:
    """Load memory from disk, but keep it as it is if the server never served.

    Models ZooKeeperServer.shutdown.
    """
    step = leaving.server_leaves_role(server, event, ensemble)
    if server.role.served:
        return step
    kept = Memory((), server.memory.database)
    return Step(evolve(step.server, memory=kept), step.effects)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_keeps_memory(server: Server[Leaving], _event: RoleEnded, ensemble: Ensemble) -> Step:
    """Keep memory, and add what the log holds beyond it, if the server served; then log the rest.

    What the log thread was still given is logged behind the back of that. 2845, 4712.
    Models ZooKeeperServer.shutdown, ZKDatabase.fastForwardDataBase.
    """
    database = server.memory.database
    if server.role.served:
        database = _fast_forward(server, database, ensemble)
    return _look(server, database)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_keeps_memory_but_snap(
    server: Server[Leaving], event: RoleEnded, ensemble: Ensemble
) -> Step:
    """The same, but a half-taken snapshot is dropped and the disk loaded. 3642."""
    if server.role.kind is Kind.SNAP:
        return leaving.server_leaves_role(server, event, ensemble)
    return server_keeps_memory(server, event, ensemble)


@on(Leaving, Phase.ELECTION, RoleEnded)
def server_drains_then_keeps_memory(
    server: Server[Leaving], event: RoleEnded, ensemble: Ensemble
) -> Step:
    """Drain and stop the log thread first; then keep memory as before, but for a half-taken SNAP.

    What was applied after a TRUNC, and is not in the log, is kept too. 5094.
    Models FollowerZooKeeperServer.shutdown, ZKDatabase.fastForwardDataBase.
    """
    if server.role.kind is Kind.SNAP:
        return leaving.server_leaves_role(server, event, ensemble)
    drained = disk.apply(SyncLog(server.disk.unsynced), server.disk)
    database = server.memory.database
    if server.role.served:
        database = _fast_forward(evolve(server, disk=drained), database, ensemble)
    return _look(server, database)


def _fast_forward(server: Server[Leaving], database: Database, ensemble: Ensemble) -> Database:
    for txn in server.disk.durable_log:
        if txn.zxid > database.zxid:
            database = applied(database, txn, ensemble.window)
    return database


def _look(server: Server[Leaving], database: Database) -> Step:
    unsynced = server.disk.unsynced
    drain: tuple[Effect, ...] = (Write(SyncLog(unsynced)),) if unsynced else ()
    return Step(Server(server.sid, server.disk, Memory((), database), Looking()), drain)


@on(Looking, Phase.ELECTION, Crash)
@on(Leader, CONNECTED, Crash)
@on(Follower, CONNECTED, Crash)
@on(Observer, CONNECTED, Crash)
def server_refuses_later_log(server: Server[Role], event: Crash, ensemble: Ensemble) -> Step:
    """Refuse to start if the log ends in a later epoch than `currentEpoch` says. 1653.

    Models QuorumPeer.loadDataBase.
    """
    left = disk.apply(LoseUnsynced(event.survives), server.disk)
    zxid = load(left, ensemble.window).zxid
    if zxid.epoch <= left.current_epoch:
        return leaving.server_restarts(server, event, ensemble)
    why = f"current epoch {left.current_epoch} is older than the last zxid {zxid}"
    write = (Write(LoseUnsynced(event.survives)),) if server.disk.unsynced else ()
    return Step(server.playing(Failed(why)), (*write, CloseAll()))
