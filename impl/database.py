"""What a server has in memory: the tree, the sessions, and a window of committed proposals."""

from __future__ import annotations

from collections import deque

from attrs import frozen

from impl.datatree import DIGEST_VERSION, Change, DataTree
from impl.jute import encode_text
from impl.packets import PacketType, QuorumPacket
from impl.paths import CONFIG_NODE
from impl.snapshot_stream import Snapshot
from impl.transactions import (
    CreateSessionTxn,
    OpCode,
    Transaction,
    TxnDigest,
    decode_transaction,
)
from impl.tree_transactions import ProcessTxnResult, process_txn
from impl.zxids import epoch_of, zxid_text

COMMIT_LOG_COUNT = 500
"""zookeeper.commitLogCount: how many committed proposals a server keeps for its learners."""


class DatabaseError(RuntimeError):
    """The database refuses what it is given: the server cannot go on with it."""


@frozen
class CommittedProposal:
    """One of the window. payload: PROPOSAL's data."""

    zxid: int
    payload: bytes

    @property
    def packet(self) -> QuorumPacket:
        """As a learner is sent it."""
        return QuorumPacket(PacketType.PROPOSAL, self.zxid, self.payload)


class Database:
    """Models ZKDatabase; its files are in `impl.storage`.

    tree: a new one after each `clear`. sessions_with_timeouts: {session: milliseconds}, one
    dictionary for good, which the session trackers share. initialized: whether it was loaded since
    the last `clear`; whoever loads sets it. committed_log: the window, ascending.
    min_committed_log, max_committed_log: its ends; 0 when it is empty. digest_mismatch: the zxid
    from which on the tree is not what the leader's digests say; None = all agreed, or none came.
    """

    def __init__(self, commit_log_count: int = COMMIT_LOG_COUNT) -> None:
        if commit_log_count < 1:
            raise ValueError(f"read commit_log_count {commit_log_count}, expected 1 or more")
        self.commit_log_count = commit_log_count
        self.sessions_with_timeouts: dict[int, int] = {}
        self.committed_log: deque[CommittedProposal] = deque()
        self.clear()

    def clear(self) -> None:
        """Forget everything. Models ZKDatabase.clear."""
        self.tree = DataTree()
        self.sessions_with_timeouts.clear()
        self.committed_log.clear()
        self.min_committed_log = 0
        self.max_committed_log = 0
        self.initialized = False
        self.digest_mismatch: int | None = None

    @property
    def last_processed_zxid(self) -> int:
        """Of the last transaction applied, or what was set since."""
        return self.tree.last_processed_zxid

    @last_processed_zxid.setter
    def last_processed_zxid(self, zxid: int) -> None:
        self.tree.last_processed_zxid = zxid

    def process_txn(self, transaction: Transaction) -> ProcessTxnResult:
        """Apply a transaction; sessions come and go with it.

        Models ZKDatabase.processTxn and FileTxnSnapLog.processTransaction.
        """
        header, body = transaction.header, transaction.body
        if isinstance(body, CreateSessionTxn):
            self.sessions_with_timeouts[header.client_id] = body.timeout
        elif header.type == OpCode.CLOSE_SESSION:
            self.sessions_with_timeouts.pop(header.client_id, None)
        result = process_txn(self.tree, header, body)
        if transaction.digest is not None:
            self._compare_digest(header.zxid, transaction.digest)
        return result

    def replay(self, payload: bytes) -> Transaction:
        """Apply a record of the log, and add it to the window.

        Raises JuteError, DatabaseError. Models FileTxnSnapLog.fastForwardFromEdits, for one record.
        """
        transaction = decode_transaction(payload)
        self.process_txn(transaction)
        self.add_committed_proposal(transaction.zxid, payload)
        return transaction

    def add_committed_proposal(self, zxid: int, payload: bytes) -> None:
        """Put a proposal at the end of the window; one that is not above it is left out.

        Raises DatabaseError where proposals of its epoch are missing before it (as from 3.9.4 on).
        Models ZKDatabase.addCommittedProposal.
        """
        if not self.committed_log:
            self.min_committed_log = zxid
        elif zxid <= self.max_committed_log:
            return
        elif zxid != self.max_committed_log + 1 and epoch_of(zxid) <= epoch_of(
            self.max_committed_log
        ):
            last = zxid_text(self.max_committed_log)
            raise DatabaseError(f"read proposal {zxid_text(zxid)} after {last}, expected the next")
        self.committed_log.append(CommittedProposal(zxid, payload))
        self.max_committed_log = zxid
        if len(self.committed_log) > self.commit_log_count:
            self.committed_log.popleft()
            self.min_committed_log = self.committed_log[0].zxid

    def to_snapshot(self) -> Snapshot:
        """As it is now; what is applied later is not in it. Models serializeSnapshot."""
        return self.tree.to_snapshot(self.sessions_with_timeouts)

    def serialize_snapshot(self) -> bytes:
        """The bytes of `to_snapshot`: the body of a snapshot."""
        return self.to_snapshot().encode()

    def deserialize_snapshot(self, snapshot: Snapshot) -> None:
        """Forget everything, then take over what a snapshot holds.

        The last processed zxid is 0 then: it is in the packet, or in the file's name. Models
        ZKDatabase.deserializeSnapshot.
        """
        self.clear()
        self.sessions_with_timeouts.update(snapshot.sessions)
        self.tree.load(snapshot)

    def init_config(self, configuration: str, version: int, time: int) -> None:
        """Write /zookeeper/config. version: the configuration's; time: milliseconds since 1970.

        Models ZKDatabase.initConfigInZKDatabase.
        """
        if self.tree.get_node(CONFIG_NODE) is None:
            self.tree.add_config_node()
        self.tree.set_data(CONFIG_NODE, encode_text(configuration), -1, Change(version, time))

    def kill_dead_sessions(self) -> tuple[int, ...]:
        """Delete the ephemerals of sessions that do not exist; those sessions.

        Models ZooKeeperServer.loadData.
        """
        sessions = self.tree.get_sessions()
        dead = tuple(one for one in sessions if one not in self.sessions_with_timeouts)
        for session in dead:
            self.tree.kill_session(session, self.last_processed_zxid)
        return dead

    def content_digest(self) -> str:
        """Of what clients see; equal where two trees are."""
        return self.tree.content_digest()

    def _compare_digest(self, zxid: int, digest: TxnDigest) -> None:
        """Models DataTree.compareDigest."""
        if digest.version != DIGEST_VERSION:
            return
        if digest.tree_digest == self.tree.tree_digest():
            self.digest_mismatch = None
        elif self.digest_mismatch is None:
            self.digest_mismatch = zxid
