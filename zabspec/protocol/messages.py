"""One frozen class for each packet that carries Zab's state, under ZooKeeper's wire names.

A field that only the paper's grain uses is None in ZooKeeper's, where the history travels as
packets of its own.
"""

from __future__ import annotations

from attrs import frozen

from zabspec.protocol.state import History, Txn, Zxid


@frozen(cache_hash=True)
class FollowerInfo:
    """A follower introduces itself (CEPOCH). accepted_epoch: the last epoch it promised."""

    accepted_epoch: int


@frozen(cache_hash=True)
class ObserverInfo:
    """An observer introduces itself. accepted_epoch: the last epoch it was offered."""

    accepted_epoch: int


@frozen(cache_hash=True)
class LeaderInfo:
    """A leader proposes its epoch (NEWEPOCH)."""

    epoch: int


@frozen(cache_hash=True)
class AckEpoch:
    """A learner answers the epoch proposed (ACK-E).

    current_epoch: the epoch whose history it holds; None (-1 on the wire) if it had promised this
        very epoch before, so that the answer is no new promise.
    last_zxid: the end of what it holds.
    history: all that it holds; None in ZooKeeper's grain.
    """

    current_epoch: int | None
    last_zxid: Zxid
    history: History | None = None


@frozen(cache_hash=True)
class Diff:
    """What the learner lacks follows, transaction by transaction. zxid: learners pass over it."""

    zxid: Zxid


@frozen(cache_hash=True)
class Trunc:
    """The learner is to forget what is behind this zxid."""

    zxid: Zxid


@frozen(cache_hash=True)
class Snap:
    """The leader's whole database. zxid: its last processed; holds: what is in it."""

    zxid: Zxid
    holds: History


@frozen(cache_hash=True)
class NewLeader:
    """A leader asks to be accepted (NEWLEADER). history: its own; None in ZooKeeper's grain."""

    epoch: int
    history: History | None = None


@frozen(cache_hash=True)
class Ack:
    """A learner made durable what the zxid names: a transaction, or with counter 0 NEWLEADER."""

    zxid: Zxid


@frozen(cache_hash=True)
class UpToDate:
    """The leader is established (COMMIT-LD).

    committed: the last zxid committed so far; None in ZooKeeper's grain.
    """

    committed: Zxid | None = None


@frozen(cache_hash=True)
class Proposal:
    """A leader proposes a transaction (PROPOSE)."""

    txn: Txn


@frozen(cache_hash=True)
class Commit:
    """A quorum has made the transaction durable, and all that were proposed before it."""

    zxid: Zxid


@frozen(cache_hash=True)
class Inform:
    """A transaction is committed: what an observer learns instead of PROPOSAL and COMMIT."""

    txn: Txn


Introduction = FollowerInfo | ObserverInfo
Packet = (
    Introduction
    | LeaderInfo
    | AckEpoch
    | Diff
    | Trunc
    | Snap
    | NewLeader
    | Ack
    | UpToDate
    | Proposal
    | Commit
    | Inform
)
PACKETS: tuple[type[Packet], ...] = (
    FollowerInfo,
    ObserverInfo,
    LeaderInfo,
    AckEpoch,
    Diff,
    Trunc,
    Snap,
    NewLeader,
    Ack,
    UpToDate,
    Proposal,
    Commit,
    Inform,
)
