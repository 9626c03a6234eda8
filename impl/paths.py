"""Paths of nodes."""

from __future__ import annotations

from impl.errors import ErrorCode, KeeperError

PROC_NODE = "/zookeeper"
QUOTA_NODE = "/zookeeper/quota"
CONFIG_NODE = "/zookeeper/config"


def split_path(path: str) -> tuple[str, str]:
    """The path of the parent ("" = the root) and the name. Raises KeeperError BAD_ARGUMENTS."""
    parent_path, slash, name = path.rpartition("/")
    if not slash or not name or parent_path == "/":
        raise KeeperError(ErrorCode.BAD_ARGUMENTS, path)
    return parent_path, name


def sequential_path(path: str, parent_cversion: int) -> str:
    """The name that a sequential create gets. parent_cversion: before it."""
    return f"{path}{parent_cversion:010d}"
