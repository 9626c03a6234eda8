"""What a server is told before it starts: what a `zoo.cfg` says."""

from __future__ import annotations

from attrs import frozen

from impl.jute import MAX_LENGTH
from impl.quorum import QuorumVerifier
from impl.storage import PRE_ALLOC_SIZE
from impl.zxids import COUNTER_MASK


@frozen
class Config:
    """One server's settings, under the names and with the units of `zoo.cfg`.

    sid: `myid`. verifier: the configuration it starts with, observers included.
    tick_time: in milliseconds. init_limit, sync_limit: in ticks.
    snap_count: a snapshot is saved after half to all of so many records.
    commit_log_count: how many transactions are kept in memory to bring learners up to date.
    snapshot_size_factor: how much of the log, as a part of the newest snapshot's size, is sent in
        place of a snapshot; below 0, the log is never read for that.
    force_snap_sync: always send a snapshot. leader_serves: whether a leader takes clients.
    sync_enabled: whether an observer logs what it is informed of.
    connect_pause: milliseconds between two tries to connect to a leader.
    max_batch: how many records the log thread writes before it syncs.
    pre_alloc_size: by how many bytes a log file is extended at a time.
    max_buffer: the longest data of a packet, in bytes.
    last_counter: of a zxid; no transaction is given it, and a leader that comes to it leaves its
        role. ZooKeeper has no such setting: there it is what the lower 32 bits hold at most.
    reconfig_enabled: whether an ensemble's first configuration gets a version of its own.
    digest_enabled: whether transactions carry a digest of the tree.
    """

    sid: int
    verifier: QuorumVerifier
    tick_time: int = 2000
    init_limit: int = 10
    sync_limit: int = 5
    snap_count: int = 100_000
    commit_log_count: int = 500
    snapshot_size_factor: float = 0.33
    force_snap_sync: bool = False
    leader_serves: bool = True
    sync_enabled: bool = True
    connect_pause: int = 100
    max_batch: int = 1000
    pre_alloc_size: int = PRE_ALLOC_SIZE
    reconfig_enabled: bool = False
    digest_enabled: bool = True
    max_buffer: int = MAX_LENGTH
    last_counter: int = COUNTER_MASK

    @property
    def tick(self) -> float:
        """One tick in seconds."""
        return self.tick_time / 1000

    @property
    def init_timeout(self) -> float:
        """In seconds: initLimit."""
        return self.init_limit * self.tick

    @property
    def sync_timeout(self) -> float:
        """In seconds: syncLimit."""
        return self.sync_limit * self.tick

    @property
    def min_session_timeout(self) -> int:
        """In milliseconds."""
        return 2 * self.tick_time

    @property
    def max_session_timeout(self) -> int:
        """In milliseconds."""
        return 20 * self.tick_time
