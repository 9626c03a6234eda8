"""The tree of nodes; committed transactions change it (`impl.tree_transactions`).

Left out: watches, which whoever serves clients keeps, and quotas, whose counts are local.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from attrs import frozen

from impl.acl_cache import AclCache
from impl.datanode import (
    CONTAINER_OWNER,
    DataNode,
    Stat,
    int32,
    int64,
    is_ttl,
    node_digest,
    owning_session,
)
from impl.errors import ErrorCode, KeeperError
from impl.paths import CONFIG_NODE, PROC_NODE, QUOTA_NODE, split_path
from impl.records import READ_ACL_UNSAFE, Acl, encode_record
from impl.snapshot_stream import Snapshot, SnapshotNode

DIGEST_VERSION = 2
"""Of how `DataTree.tree_digest` is computed."""


@frozen
class Change:
    """What a transaction does to one node, as far as its kind does not say. time: milliseconds."""

    zxid: int
    time: int = 0
    ephemeral_owner: int = 0
    parent_cversion: int = -1
    """Of the parent afterwards; -1 = one more than before."""


class DataTree:
    """Models DataTree.

    last_processed_zxid: of the last transaction applied. containers, ttls: paths of those nodes.
    """

    def __init__(self) -> None:
        self.last_processed_zxid = 0
        self.containers: set[str] = set()
        self.ttls: set[str] = set()
        self._acl_cache = AclCache()
        self._nodes: dict[str, DataNode] = {}
        self._ephemerals: dict[int, set[str]] = {}
        self._digest = 0
        self._not_digested: dict[str, DataNode] = {}
        self._put("", DataNode())
        self._put(PROC_NODE, DataNode())
        self._put(QUOTA_NODE, DataNode())
        self._nodes[""].children.add("zookeeper")
        self._nodes[PROC_NODE].children.add("quota")
        self.add_config_node()

    def add_config_node(self) -> None:
        """Make /zookeeper/config. Models DataTree.addConfigNode."""
        self._nodes[PROC_NODE].children.add("config")
        self._put(CONFIG_NODE, DataNode())
        self.set_acl(CONFIG_NODE, READ_ACL_UNSAFE, -1)

    def get_node(self, path: str) -> DataNode | None:
        """None: there is none. To be read only."""
        return self._nodes.get("" if path == "/" else path)

    def get_acl(self, node: DataNode) -> tuple[Acl, ...]:
        """Of this node. Raises KeeperError where the snapshot did not say it."""
        return self._acl_cache.convert_long(node.acl)

    def get_children(self, path: str) -> tuple[str, ...]:
        """Their names, sorted. Raises KeeperError NO_NODE."""
        return tuple(sorted(self._node(path).children))

    def get_ephemerals(self, session: int) -> tuple[str, ...]:
        """The paths of a session's nodes, sorted."""
        return tuple(sorted(self._ephemerals.get(session, ())))

    def get_sessions(self) -> tuple[int, ...]:
        """Those that have, or had, ephemeral nodes, sorted."""
        return tuple(sorted(self._ephemerals))

    @property
    def node_count(self) -> int:
        """The root and ZooKeeper's own included."""
        return len(self._nodes)

    def create_node(
        self, path: str, data: bytes | None, acl: tuple[Acl, ...] | None, change: Change
    ) -> Stat:
        """Raises KeeperError NO_NODE (no parent), NODE_EXISTS. Models DataTree.createNode."""
        parent_path, name = split_path(path)
        parent = self._node(parent_path)
        acl_number = self._acl_cache.convert_acls(acl)
        existing = self._nodes.get(path)
        if existing is not None:
            existing.acl = acl_number
            raise KeeperError(ErrorCode.NODE_EXISTS, path)
        self._raise_cversion(parent_path, parent, change)
        parent.children.add(name)
        node = DataNode(data, acl_number)
        node.czxid = node.mzxid = node.pzxid = change.zxid
        node.ctime = node.mtime = change.time
        node.ephemeral_owner = change.ephemeral_owner
        self._put(path, node)
        self._add_owned(path, node.ephemeral_owner)
        return node.client_stat()

    def delete_node(self, path: str, zxid: int) -> None:
        """Raises KeeperError NO_NODE. Models DataTree.deleteNode.

        Differs: what is below goes too. Nothing is, except where a delete is replayed on a tree
        from a later time, which has made the node and its children anew; ZooKeeper keeps those
        children without a parent, and their creates, replayed, find that they exist.
        """
        parent_path, name = split_path(path)
        parent = self._node(parent_path)
        parent.children.discard(name)
        # The parent changes although the node may be gone: a snapshot taken meanwhile lacks it.
        if zxid > parent.pzxid:
            self._before_change(parent_path, parent)
            parent.pzxid = zxid
        if path not in self._nodes:
            raise KeeperError(ErrorCode.NO_NODE, path)
        for below, _ in list(self._walk(path)):
            self._remove(below)

    def set_data(self, path: str, data: bytes | None, version: int, change: Change) -> Stat:
        """Raises KeeperError NO_NODE. Models DataTree.setData."""
        node = self._node(path)
        self._before_change(path, node)
        node.data = data
        node.version = version
        node.mzxid = change.zxid
        node.mtime = change.time
        return node.client_stat()

    def set_acl(self, path: str, acl: tuple[Acl, ...] | None, version: int) -> Stat:
        """Raises KeeperError NO_NODE. Models DataTree.setACL."""
        node = self._node(path)
        self._acl_cache.remove_usage(node.acl)
        self._before_change(path, node)
        node.aversion = version
        node.acl = self._acl_cache.convert_acls(acl)
        return node.client_stat()

    def set_cversion_pzxid(self, path: str, change: Change) -> None:
        """Raises KeeperError NO_NODE. Models DataTree.setCversionPzxid."""
        self._raise_cversion(path, self._node(path), change)

    def kill_session(self, session: int, zxid: int, named: Iterable[str] = ()) -> None:
        """Delete the ephemerals of a session: those named, then what else it has.

        Models DataTree.killSession.
        """
        owned = self._ephemerals.pop(session, set())
        for path in [*named, *sorted(owned.difference(named))]:
            try:
                self.delete_node(path, zxid)
            except KeeperError:
                continue  # gone already, where a snapshot was taken meanwhile

    def tree_digest(self) -> int:
        """ZooKeeper's digest, version 2: of every node that is not below /zookeeper.

        Models DataTree.getTreeDigest. Differs: computed when it is asked for.
        """
        for path, node in self._not_digested.items():
            node.digest = node_digest(path, node.data, node.stat)
            self._digest += node.digest
        self._not_digested.clear()
        self._digest = int64(self._digest)
        return self._digest

    def content_digest(self) -> str:
        """Of what clients see: paths, bytes, ACLs and stats, not below /zookeeper; as hex.

        Equal where two trees are, whatever numbers their ACLs have.
        """
        content = hashlib.sha256()
        for path, node in self._walk():
            if not path.startswith("/zookeeper/"):
                content.update(ascii((path, node.data, self._known_acl(node))).encode())
                content.update(encode_record(node.stat))
        return content.hexdigest()

    def to_snapshot(self, sessions: dict[int, int]) -> Snapshot:
        """As it is now. Sessions, ACLs and the nodes of one parent are sorted.

        Models SerializeUtils.serializeSnapshot.
        """
        nodes = [SnapshotNode(path, node.data, node.acl, node.stat) for path, node in self._walk()]
        return Snapshot(tuple(sorted(sessions.items())), self._acl_cache.numbered(), tuple(nodes))

    def load(self, snapshot: Snapshot) -> None:
        """Put these nodes in place of all; `last_processed_zxid` stays. Models deserialize."""
        self._acl_cache.load(snapshot.acls)
        for kept in (self._nodes, self._not_digested, self._ephemerals):
            kept.clear()
        self.containers.clear()
        self.ttls.clear()
        self._digest = 0
        for one in snapshot.nodes:
            node = DataNode.from_snapshot(one)
            self._put(one.path, node)
            self._acl_cache.add_usage(node.acl)
            if one.path:
                parent_path, _, name = one.path.rpartition("/")
                self._nodes[parent_path].children.add(name)
                self._add_owned(one.path, node.ephemeral_owner)
        self._acl_cache.purge_unused()

    def _node(self, path: str) -> DataNode:
        node = self.get_node(path)
        if node is None:
            raise KeeperError(ErrorCode.NO_NODE, path)
        return node

    def _put(self, path: str, node: DataNode) -> None:
        self._nodes[path] = node
        self._not_digested[path] = node

    def _remove(self, path: str) -> None:
        node = self._nodes[path]
        self._before_change(path, node)
        del self._not_digested[path]
        del self._nodes[path]
        self._acl_cache.remove_usage(node.acl)
        self._remove_owned(path, node.ephemeral_owner)

    def _before_change(self, path: str, node: DataNode) -> None:
        """Take the node out of the digest until that is asked for."""
        if node.digest is not None:
            self._digest -= node.digest
            node.digest = None
        self._not_digested["" if path == "/" else path] = node

    def _raise_cversion(self, path: str, node: DataNode, change: Change) -> None:
        """Replaying a create must not take these back, so they only grow."""
        cversion = change.parent_cversion
        if cversion == -1:
            cversion = int32(node.cversion + 1)
        if cversion > node.cversion:
            self._before_change(path, node)
            node.cversion = cversion
            node.pzxid = change.zxid

    def _add_owned(self, path: str, owner: int) -> None:
        if owner == CONTAINER_OWNER:
            self.containers.add(path)
        elif is_ttl(owner):
            self.ttls.add(path)
        elif owner:
            self._ephemerals.setdefault(owner, set()).add(path)

    def _remove_owned(self, path: str, owner: int) -> None:
        self.containers.discard(path)
        self.ttls.discard(path)
        if owning_session(owner) in self._ephemerals:
            self._ephemerals[owner].discard(path)

    def _known_acl(self, node: DataNode) -> tuple[Acl, ...] | None:
        try:
            return self.get_acl(node)
        except KeeperError:
            return None

    def _walk(self, top: str = "") -> Iterator[tuple[str, DataNode]]:
        """A node and all below it, depth first, parents before children, sorted."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            node = self._nodes[path]
            yield path, node
            names = sorted(node.children, reverse=True)
            waiting.extend([f"{path}/{name}" for name in names])
