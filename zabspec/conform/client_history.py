"""What clients of ZooKeeper asked and were told, and what they should have been told.

A path holds a node, or none. Nothing else of a tree is here: no parents, children or owners, so a
history may hold no answer that depends on these. A node that goes with its session is deleted by
whoever is said to: an unanswered `Delete` of a client of its own.
"""

from __future__ import annotations

from attrs import frozen

OK = 0
NO_NODE = -101
BAD_VERSION = -103
NODE_EXISTS = -110
ANY_VERSION = -1


@frozen
class Node:
    """What is at a path. content: None = not looked at, in an answer only."""

    content: bytes | None
    version: int


@frozen
class Create:
    """Answered with OK or NODE_EXISTS."""

    path: str
    content: bytes


@frozen
class Delete:
    """Answered with OK, NO_NODE or BAD_VERSION."""

    path: str
    version: int = ANY_VERSION


@frozen
class SetData:
    """Answered with what the node is then, or OK if nobody looked; NO_NODE or BAD_VERSION."""

    path: str
    content: bytes
    version: int = ANY_VERSION


@frozen
class Read:
    """getData or exists. Answered with what the node is, or NO_NODE."""

    path: str


@frozen
class Sync:
    """Answered with OK: the server had then all that was committed before the call."""


Request = Create | Delete | SetData | Read | Sync
Result = Node | int
"""A node, OK, or ZooKeeper's number of an error."""


@frozen
class Operation:
    """What one client asked, and what it was told.

    client: the session. call, returned: times of one clock; returned None = it was never told, or
    told nothing that says what became of it, such as a connection loss: it may have taken effect
    at any time after the call, or not at all. The operations of one client are in the order of
    their calls, equal ones in the order of the history. result: None where returned is.
    zxid: the last one that the server had processed as it answered, None where nobody looked.
    """

    client: int
    call: float
    returned: float | None
    request: Request
    result: Result | None
    zxid: int | None = None

    def __attrs_post_init__(self) -> None:
        if (self.returned is None) is not (self.result is None):
            raise ValueError(f"{self}: a result without a return, or a return without a result")
        if self.returned is not None and self.returned < self.call:
            raise ValueError(f"{self}: returned before it was called")


def answer(node: Node | None, request: Request) -> tuple[Node | None, Result]:
    """What a request makes of a node (None = there is none), and what it is answered."""
    if isinstance(request, Sync):
        return node, OK
    if isinstance(request, Create):
        return (Node(request.content, 0), OK) if node is None else (node, NODE_EXISTS)
    if node is None or isinstance(request, Read):
        return node, NO_NODE if node is None else node
    if request.version not in (ANY_VERSION, node.version):
        return node, BAD_VERSION
    changed = None if isinstance(request, Delete) else Node(request.content, node.version + 1)
    return changed, OK if changed is None else changed


def fits(request: Request, right: Result, seen: Result | None) -> bool:
    """Whether a client that was told this may have been told the right thing."""
    if isinstance(right, Node) and isinstance(seen, Node):
        return seen.version == right.version and seen.content in (None, right.content)
    return seen == right or (
        isinstance(request, SetData) and isinstance(right, Node) and seen == OK
    )
