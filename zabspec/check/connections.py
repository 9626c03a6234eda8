"""Connections, as TCP gives them: what one side sent arrives in order, or not at all.

Each ordered pair of servers has a channel. A connection is one incarnation of a pair, opened by a
learner. Its end shows as a mark behind the last packet; what is sent the other way is lost until
every older mark has been read. A pair's incarnations follow each other in its channels.
"""

from __future__ import annotations

from attrs import evolve, frozen

from zabspec.check.actions import Item, Mark


@frozen(cache_hash=True)
class Channel:
    """From one server to another.

    open: the sender's end of the newest incarnation is open, as far as the network knows.
    items: in flight, oldest first.
    """

    open: bool = False
    items: tuple[Item, ...] = ()


IDLE = Channel()


def opened(out: Channel, back: Channel) -> tuple[Channel, Channel]:
    """A learner connects. `out` leads from it to the leader, `back` from the leader to it."""
    return evolve(out, open=True), evolve(back, open=True)


def sent(out: Channel, back: Channel, item: Item) -> Channel:
    """`out` after its server sends: nothing arrives where this end, or the other, has ended."""
    if not out.open or Mark.END in back.items:
        return out
    return evolve(out, items=(*out.items, item))


def closed(out: Channel, back: Channel) -> tuple[Channel, Channel]:
    """A server closes its end: what was on its way to it is dropped, a mark ends what it sent."""
    items = out.items
    if out.open and back.open:
        items = (*items, Mark.END)
    return Channel(open=False, items=items), evolve(back, items=())


def read(out: Channel, back: Channel) -> tuple[Channel, Channel]:
    """The receiver of `out` reads the next item; with a mark, its own end of that incarnation ends.

    `back` leads from that receiver. It stays open where the other server has connected anew.
    """
    rest = evolve(out, items=out.items[1:])
    if out.items[0] is Mark.END and not out.open:
        back = evolve(back, open=False)
    return rest, back


def broken(channel: Channel, kept: int) -> Channel:
    """One direction of a lost link: the first `kept` items arrive, then the end shows."""
    return Channel(open=False, items=(*channel.items[:kept], Mark.END))
