"""What is in flight between two servers, as integers: a link is the two channels of a pair."""

from __future__ import annotations

from itertools import product

from zabspec.check import connections
from zabspec.check.actions import Item
from zabspec.check.connections import IDLE, Channel
from zabspec.check.interning import Column, Interned, IntMap
from zabspec.check.kernels import Kernels
from zabspec.check.outcomes import Outcome
from zabspec.protocol.effects import CloseAll, Open, Send

Link = tuple[Channel, Channel]
"""From the lower sid to the higher, and back."""
Program = tuple[int, tuple[Item | str, ...]]
"""What an outcome does to one link: which side its server is (0 the lower sid), and in order the
items that it sends, `open` or `close`."""

NOTHING = 0
"""The program that does nothing, and what an item means where nothing is in flight."""


class LinkTables:
    """Links, what is next on them, and what becomes of them.

    head: by link and side, the item that this side has sent and that is read next; NOTHING if none.
    read: by link and side, the link when that item has left it.
    open: whether both ends are open, so that the link can be lost.
    broken_start, broken_count: where in `broken` the links stand that a loss leaves; a count of -1:
        not asked yet.
    changed: from link and program, as `key` packs them, to the link afterwards.
    """

    def __init__(self, kernels: Kernels) -> None:
        self.links: Interned[Link] = Interned()
        self.items: Interned[Item | None] = Interned()
        self.programs: Interned[Program] = Interned()
        self.head, self.read = Column(2), Column(2)
        self.open = Column()
        self.broken_start, self.broken_count = Column(), Column(blank=-1)
        self.broken = Column()
        self.changed = IntMap(kernels)
        self.items.number(None)
        self.programs.number((0, ()))
        self.number((IDLE, IDLE))

    def number(self, link: Link) -> int:
        """The link's number; a new one gets its rows."""
        before = len(self.links)
        number = self.links.number(link)
        if number == before:
            out, back = link
            self.head.append([self._head(out), self._head(back)])
            self.open.append(out.open and back.open)
            self.broken_start.append(0)
            self.broken_count.append(-1)
            self.read.append(0)
            self.read.array[number] = [self._read(link, side) for side in (0, 1)]
        return number

    def program(self, outcome: Outcome, peer: int) -> int:
        """What the outcome does to its server's link with a peer."""
        steps: list[Item | str] = []
        for effect in outcome.on_links:
            if isinstance(effect, CloseAll):
                steps.append("close")
            elif effect.connection.peer == peer:
                if isinstance(effect, Send):
                    steps.append(effect.packet)
                else:
                    steps.append("open" if isinstance(effect, Open) else "close")
        if not steps:
            return NOTHING
        return self.programs.number((int(outcome.after.sid > peer), tuple(steps)))

    @staticmethod
    def key(link: int, program: int) -> int:
        """The key of `changed`."""
        return link << 24 | program

    def change(self, link: int, program: int) -> None:
        """Fill in what a program makes of a link."""
        side, steps = self.programs.values[program]
        pair = self.links.values[link]
        out, back = (pair[1], pair[0]) if side else pair
        for step in steps:
            if step == "open":
                out, back = connections.opened(out, back)
            elif step == "close":
                out, back = connections.closed(out, back)
            else:
                out = connections.sent(out, back, step)  # type: ignore[arg-type]
        after = self.number((back, out) if side else (out, back))
        self.changed.put(self.key(link, program), after)

    def break_link(self, link: int) -> None:
        """Fill in what a loss of this link can leave, in the order of what arrives."""
        out, back = self.links.values[link]
        self.broken_start.array[link] = self.broken.size
        kept = list(product(range(len(out.items) + 1), range(len(back.items) + 1)))
        for first, second in kept:
            left = connections.broken(out, first), connections.broken(back, second)
            self.broken.append(self.number(left))
        self.broken_count.array[link] = len(kept)

    def _head(self, channel: Channel) -> int:
        return self.items.number(channel.items[0]) if channel.items else NOTHING

    def _read(self, link: Link, side: int) -> int:
        out, back = (link[1], link[0]) if side else link
        if not out.items:
            return 0
        out, back = connections.read(out, back)
        return self.number((back, out) if side else (out, back))
