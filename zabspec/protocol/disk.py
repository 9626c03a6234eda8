"""The changes a server can make to its disk, and `apply`, the only way a disk changes.

A change is one durable step: a crash falls before it or after it, never inside.
"""

from __future__ import annotations

from functools import singledispatch

from attrs import evolve, frozen

from zabspec.protocol.state import Disk, History, Snapshot, Zxid


@frozen(cache_hash=True)
class AcceptedEpoch:
    """Write the promise not to follow a leader of an earlier epoch."""

    epoch: int


@frozen(cache_hash=True)
class CurrentEpoch:
    """Write that the history of this epoch's leader has been accepted."""

    epoch: int


@frozen(cache_hash=True)
class ReplaceLog:
    """Put a leader's whole history in place of the log, synced."""

    history: History


@frozen(cache_hash=True)
class AcceptHistory:
    """Both at once, as the paper's Step f.2.1 asks: the current epoch and the leader's history."""

    epoch: int
    history: History


@frozen(cache_hash=True)
class Append:
    """Write transactions behind the log. Not synced until a `SyncLog`."""

    txns: History


@frozen(cache_hash=True)
class AppendSynced:
    """Write transactions behind the log, and wait until they, and all before them, are durable."""

    txns: History


@frozen(cache_hash=True)
class SyncLog:
    """Wait until the first `upto` of the unsynced transactions are durable."""

    upto: int


@frozen(cache_hash=True)
class Truncate:
    """Cut the log behind this zxid."""

    zxid: Zxid


@frozen(cache_hash=True)
class SaveSnapshot:
    """Write a snapshot."""

    snapshot: Snapshot


@frozen(cache_hash=True)
class InstallSnapshot:
    """Put a leader's snapshot, synced, in place of all snapshots and logs."""

    snapshot: Snapshot


@frozen(cache_hash=True)
class TruncateExactly:
    """Cut both the log and the snapshots behind this zxid."""

    zxid: Zxid


@frozen(cache_hash=True)
class LoseUnsynced:
    """What a power loss does: of the unsynced transactions, only the first `survives` are left."""

    survives: int


Change = (
    AcceptedEpoch
    | CurrentEpoch
    | ReplaceLog
    | AcceptHistory
    | Append
    | AppendSynced
    | SyncLog
    | Truncate
    | SaveSnapshot
    | InstallSnapshot
    | TruncateExactly
    | LoseUnsynced
)


@singledispatch
def apply(change: Change, disk: Disk) -> Disk:
    """The disk after this change."""
    raise TypeError(f"{change!r} changes no disk, so not {disk!r}")


@apply.register
def _(change: AcceptedEpoch, disk: Disk) -> Disk:
    return evolve(disk, accepted_epoch=change.epoch)


@apply.register
def _(change: CurrentEpoch, disk: Disk) -> Disk:
    return evolve(disk, current_epoch=change.epoch)


@apply.register
def _(change: ReplaceLog, disk: Disk) -> Disk:
    return evolve(disk, log=change.history, unsynced=0)


@apply.register
def _(change: AcceptHistory, disk: Disk) -> Disk:
    return evolve(disk, current_epoch=change.epoch, log=change.history, unsynced=0)


@apply.register
def _(change: Append, disk: Disk) -> Disk:
    return evolve(disk, log=disk.log + change.txns, unsynced=disk.unsynced + len(change.txns))


@apply.register
def _(change: AppendSynced, disk: Disk) -> Disk:
    return evolve(disk, log=disk.log + change.txns, unsynced=0)


@apply.register
def _(change: SyncLog, disk: Disk) -> Disk:
    return evolve(disk, unsynced=max(0, disk.unsynced - change.upto))


@apply.register
def _(change: Truncate, disk: Disk) -> Disk:
    kept = tuple(txn for txn in disk.log if txn.zxid <= change.zxid)
    synced = min(len(kept), len(disk.log) - disk.unsynced)
    return evolve(disk, log=kept, unsynced=len(kept) - synced)


@apply.register
def _(change: SaveSnapshot, disk: Disk) -> Disk:
    return evolve(disk, snapshots=(*disk.snapshots, change.snapshot))


@apply.register
def _(change: InstallSnapshot, disk: Disk) -> Disk:
    return evolve(disk, snapshots=(change.snapshot,), log=(), unsynced=0)


@apply.register
def _(change: TruncateExactly, disk: Disk) -> Disk:
    cut = apply(Truncate(change.zxid), disk)
    return evolve(cut, snapshots=tuple(_cut_snapshot(one, change.zxid) for one in cut.snapshots))


def _cut_snapshot(snapshot: Snapshot, zxid: Zxid) -> Snapshot:
    holds = tuple(txn for txn in snapshot.holds if txn.zxid <= zxid)
    return Snapshot(min(snapshot.zxid, zxid), holds)


@apply.register
def _(change: LoseUnsynced, disk: Disk) -> Disk:
    lost = max(0, disk.unsynced - change.survives)
    return evolve(disk, log=disk.log[: len(disk.log) - lost], unsynced=0)
