"""Channels against a plain account of what each incarnation of a connection carried.

A learner's end belongs to the incarnation that the learner opened, until it closes it or reads its
end. A leader's end belongs to that of the first packet it reads, until it closes or reads an end.
"""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zabspec.check import connections
from zabspec.check.actions import Item, Mark
from zabspec.check.connections import IDLE, Channel
from zabspec.protocol.messages import Ack, FollowerInfo
from zabspec.protocol.state import Zxid

ITEMS = st.lists(st.one_of(st.just(Mark.END), st.builds(FollowerInfo, st.integers(0, 3))))
CHANNELS = st.builds(Channel, st.booleans(), ITEMS.map(tuple))
PACKETS = st.builds(FollowerInfo, st.integers(4, 9))


class Pair(RuleBasedStateMachine):
    """One learner and one leader. A packet is an Ack of (incarnation).(its number in it)."""

    def __init__(self) -> None:
        super().__init__()
        self.up = IDLE  # from the learner to the leader
        self.down = IDLE
        self.incarnations = count(1)
        self.learner: int | None = None
        self.leader: int | None = None
        self.sent: dict[tuple[str, int], int] = {}
        self.read: dict[tuple[str, int], int] = {}

    @precondition(lambda self: self.learner is None)
    @rule()
    def learner_opens_and_introduces_itself(self) -> None:
        self.learner = next(self.incarnations)
        self.up, self.down = connections.opened(self.up, self.down)
        self._learner_sends()

    @precondition(lambda self: self.learner is not None)
    @rule()
    def learner_sends(self) -> None:
        self._learner_sends()

    @precondition(lambda self: self.leader is not None)
    @rule()
    def leader_sends(self) -> None:
        self.down = connections.sent(self.down, self.up, self._packet("down", self.leader))

    @rule()
    def learner_closes(self) -> None:
        self.up, self.down = connections.closed(self.up, self.down)
        assert self.down.items == ()
        self.learner = None

    @rule()
    def leader_closes(self) -> None:
        self.down, self.up = connections.closed(self.down, self.up)
        assert self.up.items == ()
        self.leader = None

    @precondition(lambda self: self.up.items)
    @rule()
    def leader_reads(self) -> None:
        item = self.up.items[0]
        self.up, self.down = connections.read(self.up, self.down)
        if isinstance(item, Mark):
            self.leader = None
        else:
            self.leader = self._read_in_order("up", item, self.leader)

    @precondition(lambda self: self.down.items)
    @rule()
    def learner_reads(self) -> None:
        item = self.down.items[0]
        self.down, self.up = connections.read(self.down, self.up)
        if isinstance(item, Mark):
            assert self.learner is not None, "an end was read of what was never opened"
            self.learner = None
        else:
            assert self.learner is not None
            assert self._read_in_order("down", item, self.learner) == self.learner

    @precondition(lambda self: self.up.open and self.down.open)
    @rule(kept=st.tuples(st.integers(0, 3), st.integers(0, 3)))
    def link_is_lost(self, kept: tuple[int, int]) -> None:
        self.up = connections.broken(self.up, kept[0])
        self.down = connections.broken(self.down, kept[1])

    @invariant()
    def nothing_follows_the_last_mark_of_an_end_that_is_closed(self) -> None:
        for channel in (self.up, self.down):
            if not channel.open and channel.items:
                assert channel.items[-1] is Mark.END

    @invariant()
    def an_end_that_belongs_to_a_living_connection_is_open(self) -> None:
        if self.learner is not None and self.learner == self.leader:
            ended = Mark.END in self.up.items or Mark.END in self.down.items
            assert ended or (self.up.open and self.down.open)

    def _learner_sends(self) -> None:
        self.up = connections.sent(self.up, self.down, self._packet("up", self.learner))

    def _packet(self, way: str, incarnation: int | None) -> Ack:
        assert incarnation is not None
        number = self.sent[way, incarnation] = self.sent.get((way, incarnation), 0) + 1
        return Ack(Zxid(incarnation, number))

    def _read_in_order(self, way: str, item: Item, at: int | None) -> int:
        """Each packet of an incarnation follows the one sent before it, and no other comes."""
        assert isinstance(item, Ack)
        incarnation, number = item.zxid.epoch, item.zxid.counter
        assert at in (None, incarnation), "a packet of another incarnation, and no end before it"
        assert number == self.read.get((way, incarnation), 0) + 1
        self.read[way, incarnation] = number
        return incarnation


TestPair = Pair.TestCase


@given(CHANNELS, CHANNELS, PACKETS)
def test_nothing_is_accepted_until_every_older_mark_was_read(
    out: Channel, back: Channel, packet: FollowerInfo
) -> None:
    after = connections.sent(out, back, packet)

    accepted = out.open and Mark.END not in back.items
    assert after.items == ((*out.items, packet) if accepted else out.items)
    assert after.open == out.open


@given(CHANNELS, CHANNELS)
def test_closing_drops_what_was_on_its_way_to_the_closer_and_marks_what_it_sent(
    out: Channel, back: Channel
) -> None:
    mine, theirs = connections.closed(out, back)

    marked = (Mark.END,) if out.open and back.open else ()
    assert (mine.items, theirs.items) == (out.items + marked, ())
    assert (mine.open, theirs.open) == (False, back.open)


@given(CHANNELS, CHANNELS)
def test_closing_again_leaves_no_second_mark(out: Channel, back: Channel) -> None:
    once = connections.closed(out, back)

    assert connections.closed(*once) == once


@given(CHANNELS, st.integers(0, 5))
def test_a_lost_link_keeps_a_prefix_and_ends(channel: Channel, kept: int) -> None:
    after = connections.broken(channel, kept)

    assert after.items == (*channel.items[:kept], Mark.END)
    assert not after.open


@given(CHANNELS.filter(lambda channel: channel.items), CHANNELS)
def test_reading_takes_the_oldest_and_leaves_the_other_way_in_flight(
    out: Channel, back: Channel
) -> None:
    rest, home = connections.read(out, back)

    assert (rest.items, rest.open) == (out.items[1:], out.open)
    assert home.items == back.items
    assert home.open == (back.open and (out.open or out.items[0] is not Mark.END))
