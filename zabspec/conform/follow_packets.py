"""The packets of a recording as the protocol's values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field

from zabspec.conform.recording import Record
from zabspec.conform.recording_payload import CurrentEpoch, Transaction
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    Inform,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Packet,
    Proposal,
    Snap,
    Trunc,
    UpToDate,
)
from zabspec.protocol.state import Txn, Zxid

UNSEEN = 0
"""The request of a transaction whose content no record shows."""

_BY_EPOCH: Mapping[str, Callable[[int], Packet]] = {
    "FOLLOWERINFO": FollowerInfo,
    "OBSERVERINFO": ObserverInfo,
    "LEADERINFO": LeaderInfo,
    "NEWLEADER": NewLeader,
}
_BY_ZXID: Mapping[str, Callable[[Zxid], Packet]] = {
    "DIFF": Diff,
    "TRUNC": Trunc,
    "ACK": Ack,
    "COMMIT": Commit,
}
_BY_TXN: Mapping[str, Callable[[Txn], Packet]] = {"PROPOSAL": Proposal, "INFORM": Inform}
ZAB_TYPES = frozenset({*_BY_EPOCH, *_BY_ZXID, *_BY_TXN, "ACKEPOCH", "SNAP", "UPTODATE"})
"""The record types that carry Zab's state."""


@define
class Contents:
    """What was seen of transactions. numbers: each content's, from 1; the same bytes, the same one.

    committed: what is known to be committed, now or later in the recording.
    """

    numbers: dict[bytes, int] = field(factory=dict)
    transactions: dict[Zxid, Txn] = field(factory=dict)
    committed: set[Zxid] = field(factory=set)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Contents:
        """What these records say of transactions."""
        contents = cls()
        for record in records:
            if isinstance(record.decoded, Transaction):
                contents.transactions.setdefault(record.named, contents.txn(record))
            if record.type in {"COMMIT", "INFORM"}:
                contents.committed.add(record.named)
        return contents

    def packet(self, record: Record) -> Packet | None:
        """The packet of this record; None if it carries nothing of Zab's state."""
        zxid = record.named
        if record.type in _BY_EPOCH:
            return _BY_EPOCH[record.type](zxid.epoch)
        if record.type in _BY_ZXID:
            return _BY_ZXID[record.type](zxid)
        if record.type in _BY_TXN:
            return _BY_TXN[record.type](self.txn(record))
        if record.type == "ACKEPOCH":
            said = record.decoded.epoch if isinstance(record.decoded, CurrentEpoch) else 0
            return AckEpoch(None if said < 0 else said, zxid)
        if record.type == "SNAP":
            return Snap(zxid, self.held(zxid))
        return UpToDate() if record.type == "UPTODATE" else None

    def txn(self, record: Record) -> Txn:
        """The transaction of a PROPOSAL or INFORM, its content as a number."""
        if not isinstance(record.decoded, Transaction):
            return Txn(record.named, UNSEEN)
        content = record.decoded.content
        return Txn(record.named, self.numbers.setdefault(content, len(self.numbers) + 1))

    def held(self, zxid: Zxid) -> tuple[Txn, ...]:
        """What a database with this last zxid holds, as far as it is known to be committed.

        A recording shows a snapshot as a stream only, so its content is taken from what was
        proposed before.
        """
        known = self.committed | {zxid}
        return tuple(
            txn
            for _, txn in sorted(self.transactions.items(), key=lambda pair: pair[0])
            if txn.zxid <= zxid and txn.zxid in known
        )


def matches(expected: Packet, seen: Packet) -> bool:
    """Whether both are one packet, as far as a recording shows it."""
    if isinstance(expected, Snap) and isinstance(seen, Snap):
        return expected.zxid == seen.zxid
    return expected == seen
