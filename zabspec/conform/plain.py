"""The protocol's values as plain ones: what a system under test is told, and what it answers.

A value of the protocol is an object whose "type" is the name of its class, and its fields; a zxid
is [epoch, counter], a transaction [epoch, counter, request], a connection the sid of the peer,
since a harness keeps no two of one pair open. `docs/system.md` is the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs

from zabspec.check.outcomes import AnyServer
from zabspec.protocol.events import Event
from zabspec.protocol.messages import Packet
from zabspec.protocol.state import (
    ZERO,
    Connection,
    Disk,
    Ensemble,
    Failed,
    Follower,
    Leaving,
    Txn,
    Zxid,
)

Plain = Mapping[str, Any]
_KEPT = 1 << 18


@lru_cache(_KEPT)
def plain_event(event: Event) -> Plain:
    """An event, as a server is told it."""
    return _fields(event)


@lru_cache(_KEPT)
def plain_packet(packet: Packet) -> Plain:
    """A packet; what only the paper's grain has is left out where it is None."""
    return _fields(packet)


def plain_ensemble(ensemble: Ensemble) -> Plain:
    """Who is in it, and how it is set up."""
    return attrs.asdict(ensemble)


def plain_vote(server: AnyServer) -> Plain:
    """For whom a server that looks for a leader votes at first: itself."""
    zxid = _zxid(server.memory.database.zxid)
    return {"epoch": server.disk.current_epoch, "zxid": zxid, "sid": server.sid}


@lru_cache(_KEPT)
def plain_disk(disk: Disk) -> Plain:
    """What a loss of power would leave of a disk."""
    return {
        "accepted_epoch": disk.accepted_epoch,
        "current_epoch": disk.current_epoch,
        "durable": tuple(_txn(txn) for txn in disk.durable),
        "snapshot": _zxid(disk.snapshots[-1].zxid if disk.snapshots else ZERO),
    }


@lru_cache(_KEPT)
def plain_server(server: AnyServer) -> Plain:
    """All that a server can show.

    role, phase, leader (None where it follows nobody); accepted_epoch, current_epoch, durable and
    snapshot, as a loss of power would leave them; holds, last_zxid, window: its database; holds in
    the order of zxids.
    """
    role, database = server.role, server.memory.database
    shown: dict[str, Any] = {
        "role": "Looking" if isinstance(role, Leaving) else type(role).__name__,
        "phase": role.phase.name,
        **plain_disk(server.disk),
    }
    if isinstance(role, Failed):
        return shown
    return {
        **shown,
        "leader": role.connection.peer if isinstance(role, Follower) else None,
        "holds": tuple(sorted(_txn(txn) for txn in database.holds)),
        "last_zxid": _zxid(database.zxid),
        "window": tuple(_zxid(txn.zxid) for txn in database.window),
    }


def _fields(value: Any) -> Plain:  # noqa: ANN401 - any class of the protocol
    told: dict[str, Any] = {"type": type(value).__name__}
    for one in attrs.fields(type(value)):
        inner = getattr(value, one.name)
        if isinstance(inner, Connection):
            told["peer"] = inner.peer
        elif inner is not None or one.name == "current_epoch":
            told[one.name] = _plain(inner)
    return told


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Zxid):
        return _zxid(value)
    if isinstance(value, Txn):
        return _txn(value)
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return _fields(value) if attrs.has(type(value)) else value


def _zxid(zxid: Zxid) -> tuple[int, int]:
    return zxid.epoch, zxid.counter


def _txn(txn: Txn) -> tuple[int, int, int]:
    return txn.zxid.epoch, txn.zxid.counter, txn.request
