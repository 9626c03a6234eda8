"""What a server's later packets tell of what it did before, and what was not seen then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from zabspec.conform.follow_packets import UNSEEN
from zabspec.protocol.messages import (
    AckEpoch,
    Commit,
    Diff,
    Inform,
    Packet,
    Proposal,
    Snap,
    Trunc,
)
from zabspec.protocol.state import ZERO, Connection, Zxid

_NEVER = 1 << 62

Places = Mapping[tuple[Connection, Zxid], int]
"""By connection and transaction, the first packet about it: how many come before it there."""


@frozen
class Later:
    """What all packets that one server sends tell together.

    named: the transactions that they name. last: by epoch, the last of them. requests: the
    content of each that they show. spoken: the connections on which anything is sent. proposed,
    committed: where.
    """

    named: frozenset[Zxid] = frozenset()
    last: Mapping[int, Zxid] = field(factory=dict)
    requests: Mapping[Zxid, int] = field(factory=dict)
    spoken: frozenset[Connection] = frozenset()
    proposed: Places = field(factory=dict)
    committed: Places = field(factory=dict)

    @classmethod
    def of(cls, sent: Mapping[Connection, Sequence[Packet]]) -> Later:
        """What these packets tell, by connection."""
        named: set[Zxid] = set()
        requests: dict[Zxid, int] = {}
        proposed: dict[tuple[Connection, Zxid], int] = {}
        committed: dict[tuple[Connection, Zxid], int] = {}
        for connection, packets in sent.items():
            for place, packet in enumerate(packets):
                zxid = _named(packet)
                named.add(zxid)
                if isinstance(packet, Proposal | Inform):
                    requests.setdefault(zxid, packet.txn.request)
                if isinstance(packet, Proposal):
                    proposed.setdefault((connection, zxid), place)
                elif isinstance(packet, Commit | Inform):
                    committed.setdefault((connection, zxid), place)
        last = {zxid.epoch: zxid for zxid in sorted(named)}
        return cls(frozenset(named), last, requests, frozenset(sent), proposed, committed)

    def request(self, zxid: Zxid) -> int:
        """The content of this transaction, if any packet shows it."""
        return self.requests.get(zxid, UNSEEN)

    def is_proposed_first(self, connection: Connection, proposed: Zxid, committed: Zxid) -> bool:
        """Whether one is proposed there before the other, an older one, is committed."""
        place = self.proposed.get((connection, proposed), _NEVER)
        return place < self.committed.get((connection, committed), _NEVER)


def _named(packet: Packet) -> Zxid:
    """The transaction that a packet names; ACKs aside, which name what others proposed."""
    if isinstance(packet, Proposal | Inform):
        return packet.txn.zxid
    if isinstance(packet, AckEpoch):
        return packet.last_zxid
    return packet.zxid if isinstance(packet, Diff | Trunc | Snap | Commit) else ZERO
