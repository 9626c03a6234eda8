"""Old history forgotten, so that to follow a long run takes time in proportion to its length.

A rule reads of a history what is named, and where it ends. What is older than all that any later
packet names is cut off, but for a little: the packets that follow are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from zabspec.check.outcomes import AnyServer
from zabspec.conform.follow_seen import Sighting
from zabspec.protocol.messages import AckEpoch, Inform, Packet, Proposal
from zabspec.protocol.state import ZERO, Database, Disk, History, Memory, Zxid

_LITTLE = 8
"""How many transactions are kept that could be forgotten."""


def floors(sighted: Sequence[Sighting]) -> list[Zxid | None]:
    """At each sighting, the oldest transaction that is named there or later; None = none is.

    Who comes with nothing asks for all: it is sent a snapshot, or what names the transactions.
    """
    found: list[Zxid | None] = []
    oldest: Zxid | None = None
    for one in reversed(sighted):
        zxid = None if one.packet is None else _named(one.packet)
        if zxid is not None and (oldest is None or zxid < oldest):
            oldest = zxid
        found.append(oldest)
    return found[::-1]


def _named(packet: Packet) -> Zxid | None:
    if isinstance(packet, Proposal | Inform):
        return packet.txn.zxid
    if isinstance(packet, AckEpoch):
        return packet.last_zxid if packet.last_zxid > ZERO else None
    zxid = getattr(packet, "zxid", None)
    return zxid if isinstance(zxid, Zxid) and zxid.counter else None


def forget(server: AnyServer, floor: Zxid) -> AnyServer:
    """The server without what it holds of before `floor`, but for a little."""
    disk, database = server.disk, server.memory.database
    log = _without(disk.log, floor, len(disk.log) - disk.unsynced)
    snapshots = tuple(evolve(one, holds=_without(one.holds, floor)) for one in disk.snapshots)
    kept = Database(
        _without(database.holds, floor), database.zxid, _without(database.window, floor)
    )
    memory = Memory(_without(server.memory.applied, floor), kept)
    less = Disk(disk.accepted_epoch, disk.current_epoch, log, disk.unsynced, snapshots)
    return evolve(server, disk=less, memory=memory)


def _without(history: History, floor: Zxid, durable: int | None = None) -> History:
    """A history from a little before `floor` on; of its durable part, a little is always left."""
    most = len(history) if durable is None else durable
    cut = 0
    while cut < most and history[cut].zxid < floor:
        cut += 1
    return history[max(0, cut - _LITTLE) :]
