"""The data tree in memory: loading it from disk, applying to it, keeping the window."""

from __future__ import annotations

from zabspec.protocol.state import ZERO, Database, Disk, Follower, History, Leader, Server, Txn


def load(disk: Disk, window: int) -> Database:
    """What a server has in memory when it has read its disk.

    The newest snapshot, then every later record of the log, committed or not; each record read from
    the log is in the window too. Models ZKDatabase.loadDataBase.
    """
    held = disk.held()
    base = disk.snapshots[-1] if disk.snapshots else None
    read = held[len(base.holds) :] if base else held
    zxid = read[-1].zxid if read else base.zxid if base else ZERO
    return Database(held, zxid, _last(read, window))


def applied(database: Database, txn: Txn, window: int) -> Database:
    """The database with one more transaction; applying it again changes nothing.

    Models DataTree.processTxn, ZKDatabase.addCommittedProposal.
    """
    if txn in database.holds:
        return database
    zxid = max(database.zxid, txn.zxid)
    return Database((*database.holds, txn), zxid, _last((*database.window, txn), window))


def pending(server: Server[Leader] | Server[Follower]) -> History:
    """What is logged, and neither committed nor applied. Models Follower.pendingTxns."""
    known = {*server.memory.database.holds, *server.role.to_apply}
    newest = max((txn.zxid for txn in known), default=ZERO)
    return tuple(txn for txn in server.disk.log if txn.zxid > newest)


def _last(history: History, window: int) -> History:
    return history[-window:] if window else ()
