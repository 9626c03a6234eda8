"""One quorum connection, as far as its records were seen."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from zabspec.conform.recording import NO_ZXID, Record
from zabspec.protocol.state import Zxid

INTRODUCTIONS = ("FOLLOWERINFO", "OBSERVERINFO")
SYNC_KINDS = ("DIFF", "TRUNC", "SNAP")
COMMITS = ("COMMIT", "COMMITANDACTIVATE")
INFORMS = ("INFORM", "INFORMANDACTIVATE")

FROM_LEARNER = frozenset({*INTRODUCTIONS, "ACKEPOCH", "ACK"})
FROM_LEADER = frozenset(
    {"LEADERINFO", *SYNC_KINDS, "SNAPSTREAM", "PROPOSAL", *COMMITS, *INFORMS, "NEWLEADER"}
    | {"UPTODATE"}
)


@define(eq=False)
class Connection:
    """What was sent on a connection, and what of it its receiver could have read.

    Sent: stamped. Could be read: stamped, not held, and not gated any more.
    """

    name: str
    learner: int
    leader: int
    learner_accepted: int
    """The largest epoch that the learner had shown to have accepted, when it opened this."""
    leader_accepted: int
    """The largest epoch that the leader had shown, as a learner, to have accepted by then."""
    leader_offered: int
    """The largest epoch that the leader had offered by then."""

    sent: dict[str, Record] = field(factory=dict)
    """Per type the first of these packets."""
    readable: set[str] = field(factory=set)
    """The types of which the receiver could have read one."""
    is_closed: bool = False
    is_unchecked: bool = False
    """Packets of its handshake may have been left out of the recording."""

    latest_from_leader: str = ""
    """Type of the last packet from the leader, PING and what answers clients aside."""
    epochs_acked: int = 0
    """How many ACKs of (epoch, 0) the learner sent."""
    unacked: set[Zxid] = field(factory=set)
    """PROPOSALs that the learner could have read and did not ACK."""
    last: Zxid | None = None
    """Where the transactions sent so far end; None = anything may follow."""
    uncommitted: deque[Zxid] = field(factory=deque)
    """PROPOSALs sent and not yet committed on this connection."""
    last_committed: Zxid = NO_ZXID

    is_patchy: bool = False
    """Transactions, ACKs or COMMITs may have been left out of the recording."""
    first_since_patch: Zxid | None = None
    """The first transaction seen since then; None = none yet."""

    @property
    def introduction(self) -> Record | None:
        """FOLLOWERINFO or OBSERVERINFO."""
        return self.sent.get("FOLLOWERINFO") or self.sent.get("OBSERVERINFO")

    @property
    def is_observer(self) -> bool:
        """Whether the learner called itself an observer."""
        return "OBSERVERINFO" in self.sent

    @property
    def accepted(self) -> int:
        """The accepted epoch of the learner's introduction; 0 before it."""
        return self.introduction.named.epoch if self.introduction else 0

    @property
    def epoch(self) -> int | None:
        """The epoch that the leader offered here; None before LEADERINFO."""
        offer = self.sent.get("LEADERINFO")
        return offer.named.epoch if offer else None

    @property
    def epoch_zxid(self) -> Zxid | None:
        """What NEWLEADER names, and the learner ACKs twice."""
        return None if self.epoch is None else Zxid(self.epoch, 0)

    @property
    def sync(self) -> Record | None:
        """DIFF, TRUNC or SNAP."""
        return next((self.sent[kind] for kind in SYNC_KINDS if kind in self.sent), None)

    @property
    def is_introduced(self) -> bool:
        """Whether the leader could have read the introduction."""
        return not self.readable.isdisjoint(INTRODUCTIONS)

    def may_have_missed(self, zxid: Zxid) -> bool:
        """Whether packets about this zxid may have been left out of the recording."""
        return self.is_patchy and (self.first_since_patch is None or zxid < self.first_since_patch)

    def leave_out(self) -> None:
        """Packets were left out of the recording here."""
        if "UPTODATE" not in self.sent:
            self.is_unchecked = True
        self.is_patchy = True
        self.first_since_patch = None
        self.uncommitted.clear()

    def send_transaction(self, zxid: Zxid) -> None:
        """A PROPOSAL or INFORM was sent."""
        self.last = zxid
        if self.first_since_patch is None:
            self.first_since_patch = zxid

    def commit(self, zxid: Zxid) -> None:
        """A COMMIT was sent."""
        if self.uncommitted and self.uncommitted[0] == zxid:
            self.uncommitted.popleft()
        self.last_committed = max(self.last_committed, zxid)
