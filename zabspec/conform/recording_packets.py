"""The packets of the quorum port, and what else a recording has lines for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zabspec.protocol.state import Zxid

PACKET_NUMBERS: Final[Mapping[str, int]] = {
    "REQUEST": 1,
    "PROPOSAL": 2,
    "ACK": 3,
    "COMMIT": 4,
    "PING": 5,
    "REVALIDATE": 6,
    "SYNC": 7,
    "INFORM": 8,
    "COMMITANDACTIVATE": 9,
    "NEWLEADER": 10,
    "FOLLOWERINFO": 11,
    "UPTODATE": 12,
    "DIFF": 13,
    "TRUNC": 14,
    "SNAP": 15,
    "OBSERVERINFO": 16,
    "LEADERINFO": 17,
    "ACKEPOCH": 18,
    "INFORMANDACTIVATE": 19,
}
"""QuorumPacket.type of every packet of the quorum port."""

NO_ZXID: Final = Zxid.unpack(-1)
"""What a packet carries that names no zxid: UPTODATE, REQUEST, REVALIDATE."""

ELECTION_TYPES = frozenset({"FLE_INIT", "NOTIFICATION"})
CONNECTION_TYPES = frozenset({"OPEN", "CLOSE"})
QUORUM_TYPES = frozenset(PACKET_NUMBERS) | {"SNAPSTREAM"}
RECORD_TYPES = ELECTION_TYPES | CONNECTION_TYPES | QUORUM_TYPES | {"MARK"}
