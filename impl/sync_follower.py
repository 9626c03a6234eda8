"""How a leader decides what brings a learner up to date: DIFF, TRUNC or SNAP, and what follows.

P is the zxid that the learner answered with, L the leader's last processed one, [low, high] its
window; an empty window counts as [L, L].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from impl.packets import PacketType, QuorumPacket
from impl.zxids import counter_of, epoch_of

Logged = tuple[int, bytes]
"""A transaction as it stands in the log: its zxid, its bytes."""

ReadLog = Callable[[int], Iterable[Logged]]
"""The log from the file on that may hold this zxid; nothing where more would have to be read than
a snapshot is worth."""


@frozen
class CommittedHistory:
    """What a leader has committed.

    last_processed: L. window: the latest transactions, oldest first. read_log: None where the log
    must not be read for a learner.
    """

    last_processed: int
    window: Sequence[Logged]
    read_log: ReadLog | None = None

    @property
    def low(self) -> int:
        """Where the window begins."""
        return self.window[0][0] if self.window else self.last_processed

    @property
    def high(self) -> int:
        """Where the window ends."""
        return self.window[-1][0] if self.window else self.last_processed


@frozen
class Plan:
    """What brings a learner up to date.

    branch: why it is this. packets: in order; SNAP stands for its stream, too. upto: the zxid from
    which proposals are forwarded.
    """

    branch: str
    packets: tuple[QuorumPacket, ...]
    upto: int

    @property
    def needs_snapshot(self) -> bool:
        """Whether it begins with SNAP."""
        return self.packets[0].type == PacketType.SNAP


def sync_follower(peer: int, history: CommittedHistory, *, force_snapshot: bool = False) -> Plan:
    """What to send a learner whose last zxid is `peer`. Models LearnerHandler.syncFollower.

    A log that ends before the window begins leaves a hole and is not used (ZOOKEEPER-2418). After
    SNAP, what is behind L is forwarded (ZOOKEEPER-3140).
    """
    low, high = history.low, history.high
    if force_snapshot:
        return _snapshot(history, "forced snapshot")
    if peer == history.last_processed:
        return Plan("equal", (QuorumPacket(PacketType.DIFF, peer),), peer)
    if peer > high and counter_of(peer):
        return Plan("ahead", (QuorumPacket(PacketType.TRUNC, high),), high)
    if low <= peer <= high:
        queue = _Queue(peer, high)
        decided = queue.add(history.window)
        return queue.plan() if decided else _snapshot(history, "another epoch")
    if peer < low and history.read_log is not None:
        return _from_log(peer, history, history.read_log) or _snapshot(history, "before the log")
    return _snapshot(history, "epoch only" if peer > high else "before the window")


def _snapshot(history: CommittedHistory, branch: str) -> Plan:
    snap = QuorumPacket(PacketType.SNAP, history.last_processed)
    return Plan(branch, (snap,), history.last_processed)


def _from_log(peer: int, history: CommittedHistory, read_log: ReadLog) -> Plan | None:
    queue = _Queue(peer, history.high)
    if not queue.add(_below(read_log(peer), peer, history.low)) or queue.upto < history.low:
        return None
    queue.peer = queue.upto
    return queue.plan("from the log") if queue.add(history.window) else None


def _below(log: Iterable[Logged], peer: int, limit: int) -> Iterable[Logged]:
    """The log up to the limit; nothing where it begins behind what the learner has."""
    begins = False
    for zxid, payload in log:
        if zxid > limit or (zxid > peer and not begins):
            return
        begins = True
        yield zxid, payload


@define
class _Queue:
    """Models LearnerHandler.queueCommittedProposals.

    peer: behind which proposals are queued. upto: the last one queued.
    """

    peer: int
    high: int
    upto: int = field(init=False)
    branch: str = field(init=False, default="")
    packets: list[QuorumPacket] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.upto = self.peer

    def add(self, proposals: Iterable[Logged]) -> bool:
        """Queue what the learner lacks of these; False where a TRUNC would cross an epoch."""
        previous = -1
        for zxid, payload in proposals:
            if zxid < self.peer:
                previous = zxid
                continue
            if not self.packets and not self._begin(zxid, previous):
                return False
            if zxid > self.upto:
                self.packets.append(QuorumPacket(PacketType.PROPOSAL, zxid, payload))
                self.packets.append(QuorumPacket(PacketType.COMMIT, zxid))
                self.upto = zxid
        if not self.packets and not counter_of(self.peer):
            self._diff("epoch within the window")
        return bool(self.packets)

    def plan(self, branch: str = "") -> Plan:
        """What was queued."""
        return Plan(branch or self.branch, tuple(self.packets), self.upto)

    def _begin(self, zxid: int, previous: int) -> bool:
        if zxid == self.peer or not counter_of(self.peer):
            self._diff("within the window")
        elif epoch_of(zxid) != epoch_of(self.peer):
            return False
        else:
            self.packets.append(QuorumPacket(PacketType.TRUNC, previous))
            self.branch = "a missing one"
            self.upto = previous
        return True

    def _diff(self, branch: str) -> None:
        self.packets.append(QuorumPacket(PacketType.DIFF, self.high))
        self.branch = branch
