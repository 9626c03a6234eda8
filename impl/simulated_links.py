"""Connections between simulated servers: what is in flight, and in which order ends learn of cuts.

One connection is one incarnation. What one end wrote arrives in order, one write at a time. An end
that closes drops what is in flight toward it, and the other end learns of that behind all that was
written to it before. A cut may lose any end of what is in flight, and both ends learn of it then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum

from attrs import define, field, frozen

from impl.simulated_events import ConnectionBroken, ConnectionEnded, Delivered, Event


class Mark(Enum):
    """What is in flight behind the last write."""

    END = 0
    """The other end closed."""
    BREAK = 1
    """The connection was cut."""


@define(eq=False)
class Way:
    """One direction of a connection. is_open: whether the receiver still reads it."""

    name: str
    sender: int
    receiver: int
    in_flight: deque[bytes | Mark] = field(factory=deque)
    is_open: bool = True
    is_marked: bool = False
    """Whether a mark is the last that was sent."""
    has_ended: bool = False
    """Whether the receiver has met the mark."""

    def send(self, written: bytes) -> bool:
        """Whether it can still arrive."""
        if self.is_open and not self.is_marked:
            self.in_flight.append(written)
            return True
        return False

    def mark(self, mark: Mark) -> None:
        """Nothing more follows."""
        if self.is_open and not self.is_marked:
            self.in_flight.append(mark)
            self.is_marked = True

    def next(self) -> Event:
        """Take what arrives next at the receiver."""
        arrived = self.in_flight.popleft()
        self.has_ended = isinstance(arrived, Mark)
        if isinstance(arrived, bytes):
            return Delivered(self.name, arrived)
        return ConnectionEnded(self.name) if arrived is Mark.END else ConnectionBroken(self.name)

    def lose(self, survives: int, torn: int = 0) -> None:
        """Lose what is in flight but for so many writes, and so many bytes of the next one."""
        if self.has_ended or not self.is_open:
            return
        kept = list(self.in_flight)[:survives]
        if torn and survives < len(self.in_flight):
            partly = self.in_flight[survives]
            if isinstance(partly, bytes) and partly[:torn]:
                kept.append(partly[:torn])
        self.in_flight = deque(kept)
        self.is_marked = bool(kept) and isinstance(kept[-1], Mark)
        self.mark(Mark.BREAK)

    def shut(self) -> None:
        """The receiver reads no more: what is in flight is dropped."""
        self.is_open = False
        self.in_flight.clear()


@frozen(eq=False)
class Link:
    """One connection. The learner opened it."""

    name: str
    learner: int
    leader: int
    to_leader: Way
    to_learner: Way

    @property
    def ways(self) -> tuple[Way, Way]:
        """Both directions."""
        return self.to_leader, self.to_learner

    def from_(self, sid: int) -> Way:
        """The direction that this server writes to."""
        return self.to_leader if sid == self.learner else self.to_learner

    def toward(self, sid: int) -> Way:
        """The direction that this server reads."""
        return self.to_learner if sid == self.learner else self.to_leader

    @property
    def is_over(self) -> bool:
        """Whether both ends have closed."""
        return not self.to_leader.is_open and not self.to_learner.is_open


class Links:
    """All connections between the servers of an ensemble that are not over, by name."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._opened = 0
        self._busy: dict[Way, None] = {}

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def __len__(self) -> int:
        return len(self._links)

    def get(self, name: str) -> Link | None:
        """None if there is no such connection, or it is over."""
        return self._links.get(name)

    @property
    def busy(self) -> list[Way]:
        """The directions in which something is in flight; the first that became so comes first."""
        return list(self._busy)

    def of_both(self, one: int, other: int) -> list[Link]:
        """The connections between these two that are not over, the oldest first."""
        ends = {one, other}
        return [link for link in self if {link.learner, link.leader} == ends]

    def between(self, sender: int, receiver: int) -> list[Way]:
        """The ways from one to the other in which something is in flight, the oldest first."""
        ways = [link.from_(sender) for link in self.of_both(sender, receiver)]
        return [way for way in ways if way.in_flight and way.receiver == receiver]

    def open(self, learner: int, leader: int) -> Link:
        """A new connection."""
        self._opened += 1
        name = f"q{self._opened}"
        link = Link(name, learner, leader, Way(name, learner, leader), Way(name, leader, learner))
        self._links[name] = link
        return link

    def send(self, name: str, sid: int, written: bytes) -> bool:
        """This server writes. Whether that can still arrive."""
        link = self._links.get(name)
        if link is None or not link.from_(sid).send(written):
            return False
        self._busy[link.from_(sid)] = None
        return True

    def close(self, name: str, sid: int) -> bool:
        """This server closes its end. Whether the connection is over then."""
        link = self._links.get(name)
        if link is None:
            return False
        link.toward(sid).shut()
        link.from_(sid).mark(Mark.END)
        self._refresh(link)
        if link.is_over:
            del self._links[name]
        return link.is_over

    def next(self, way: Way) -> Event:
        """What arrives next in this direction."""
        event = way.next()
        if not way.in_flight:
            self._busy.pop(way, None)
        return event

    def cut(self, link: Link, survives: tuple[int, int], torn: int = 0) -> None:
        """Cut it. survives: how many writes in flight arrive nevertheless, to leader and learner.

        torn: how many bytes of the next write, in each direction, arrive too.
        """
        for way, kept in zip(link.ways, survives, strict=True):
            way.lose(kept, torn)
        self._refresh(link)

    def of(self, sid: int) -> list[Link]:
        """The connections that this server is an end of, and has not closed."""
        return [one for one in self if sid in (one.learner, one.leader) and one.toward(sid).is_open]

    def _refresh(self, link: Link) -> None:
        for way in link.ways:
            if not way.in_flight:
                self._busy.pop(way, None)
            else:
                self._busy.setdefault(way)
