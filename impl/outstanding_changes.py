"""What the tree will be once all that is proposed is applied: needed to prepare what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, evolve

from impl.database import Database
from impl.datanode import int64, node_digest
from impl.errors import ErrorCode, KeeperError
from impl.snapshot_stream import StatPersisted


@define(eq=False)
class ChangeRecord:
    """A node as a transaction will leave it. Models ZooKeeperServer.ChangeRecord.

    zxid: of the transaction; -1 = as it is in the tree. stat: None = it is deleted. digest: what
    it adds to the tree's.
    """

    zxid: int
    path: str
    stat: StatPersisted | None
    child_count: int = 0
    data: bytes | None = None
    digest: int = 0


class OutstandingChanges:
    """The changes that are proposed and not applied, oldest first, and the latest of each node.

    tree_digest: of the tree with all of them. Models outstandingChanges, outstandingChangesForPath.
    """

    def __init__(self, database: Database, *, digest_enabled: bool) -> None:
        self.tree_digest = database.tree.tree_digest() if digest_enabled else 0
        self.digest_enabled = digest_enabled
        self._database = database
        self._changes: deque[ChangeRecord] = deque()
        self._latest: dict[str, ChangeRecord] = {}

    def get_record_for_path(self, path: str) -> ChangeRecord:
        """The node as it will be; "/" is the root, as "" is. Raises KeeperError NO_NODE."""
        path = "" if path == "/" else path
        record = self._latest.get(path)
        if record is None:
            node = self._database.tree.get_node(path)
            if node is None:
                raise KeeperError(ErrorCode.NO_NODE, path)
            record = ChangeRecord(-1, path, node.stat, len(node.children), node.data)
            record.digest = self._digest(record)
        if record.stat is None:
            raise KeeperError(ErrorCode.NO_NODE, path)
        return record

    def exists(self, path: str) -> bool:
        """Whether the node will be there."""
        try:
            self.get_record_for_path(path)
        except KeeperError:
            return False
        return True

    def add(self, change: ChangeRecord) -> None:
        """A transaction was prepared that leaves a node so."""
        change.digest = self._digest(change)
        before = self.get_record_for_path(change.path).digest if self.exists(change.path) else 0
        self.tree_digest = int64(self.tree_digest - before + change.digest)
        self._changes.append(change)
        self._latest[change.path] = change

    def applied(self, zxid: int) -> None:
        """This transaction, and with it all before it, is in the tree."""
        while self._changes and self._changes[0].zxid <= zxid:
            change = self._changes.popleft()
            if self._latest.get(change.path) is change:
                del self._latest[change.path]

    def pending(self, paths: Iterable[str]) -> tuple[int, dict[str, ChangeRecord]]:
        """What `roll_back` needs to know before a multi that touches these nodes is prepared."""
        known = {path: self._latest[path] for path in paths if path in self._latest}
        return self.tree_digest, known

    def roll_back(self, zxid: int, pending: tuple[int, dict[str, ChangeRecord]]) -> None:
        """Forget what a multi changed, since one of its operations failed.

        Models PrepRequestProcessor.rollbackPendingChanges.
        """
        self.tree_digest, known = pending
        while self._changes and self._changes[-1].zxid == zxid:
            self._latest.pop(self._changes.pop().path, None)
        self._latest.update(known)

    def owned_by(self, session: int) -> tuple[str, ...]:
        """The ephemeral nodes that a session will have, sorted."""
        paths = set(self._database.tree.get_ephemerals(session))
        for change in self._changes:
            if change.stat is None:
                paths.discard(change.path)
            elif change.stat.ephemeral_owner == session:
                paths.add(change.path)
        return tuple(sorted(paths))

    def _digest(self, record: ChangeRecord) -> int:
        if record.stat is None or not self.digest_enabled:
            return 0
        return node_digest(record.path, record.data, record.stat)


def changed(record: ChangeRecord, zxid: int, child_count: int, **stat: int) -> ChangeRecord:
    """A node as this transaction will leave it. stat: the fields of it that change."""
    assert record.stat is not None  # noqa: S101 - only who exists is changed
    return ChangeRecord(zxid, record.path, evolve(record.stat, **stat), child_count, record.data)
