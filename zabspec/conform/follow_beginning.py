"""What a server had on its disk when a recording began, as far as its first packets show it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from zabspec.check.outcomes import AnyServer
from zabspec.conform.follow_seen import Happening, Sighting
from zabspec.protocol.messages import (
    AckEpoch,
    Diff,
    FollowerInfo,
    LeaderInfo,
    ObserverInfo,
    Packet,
    Snap,
    Trunc,
)
from zabspec.protocol.state import ZERO, Database, Disk, Memory, Snapshot, Zxid, new_server


def beginning(sid: int, sighted: Sequence[Sighting]) -> AnyServer:
    """The server as it began: with nothing on its disk, unless it shows otherwise."""
    disk = _shown(sighted)
    if disk == Disk() or not _is_sound(disk):
        return new_server(sid)
    zxid = disk.snapshots[-1].zxid if disk.snapshots else ZERO
    return evolve(new_server(sid), disk=disk, memory=Memory((), Database((), zxid)))


def _is_sound(disk: Disk) -> bool:
    zxid = disk.snapshots[-1].zxid if disk.snapshots else ZERO
    is_transaction = zxid == ZERO or (zxid.epoch > 0 and zxid.counter > 0)
    return is_transaction and zxid.epoch <= disk.current_epoch <= disk.accepted_epoch


def _shown(sighted: Sequence[Sighting]) -> Disk:
    sent = [one.packet for one in sighted if one.what is Happening.SENT and one.packet]
    first = sent[0] if sent else None
    if isinstance(first, FollowerInfo | ObserverInfo):
        answer = next((one for one in sent if isinstance(one, AckEpoch)), None)
        accepted = first.accepted_epoch
        if answer is None:
            return Disk(accepted)
        said = (one.current_epoch for one in sent if isinstance(one, AckEpoch))
        later = next((epoch for epoch in said if epoch is not None), accepted)
        return _disk(accepted, min(accepted, later), answer.last_zxid)
    if isinstance(first, LeaderInfo):
        return _of_leader(first.epoch, sighted, sent)
    return Disk()


def _of_leader(epoch: int, sighted: Sequence[Sighting], sent: Sequence[Packet]) -> Disk:
    """It holds the most recent history, so what it syncs to tells where that ends."""
    come = [
        one.packet.accepted_epoch
        for one in sighted
        if one.what is Happening.READABLE and isinstance(one.packet, FollowerInfo | ObserverInfo)
    ]
    accepted = epoch - 1
    if not accepted or accepted < max(come, default=0):
        return Disk()
    ends = [one.zxid for one in sent if isinstance(one, Diff | Trunc | Snap)]
    zxid = ends[0] if ends and ends[0].epoch < epoch else ZERO
    return _disk(accepted, accepted, zxid)


def _disk(accepted: int, current: int, zxid: Zxid) -> Disk:
    snapshots = (Snapshot(zxid, ()),) if zxid > ZERO else ()
    return Disk(accepted, current, snapshots=snapshots)
