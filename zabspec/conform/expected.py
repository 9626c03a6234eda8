"""What a server that keeps to the spec is seen to do, held against what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from zabspec.check.outcomes import AnyServer
from zabspec.conform.plain import Plain, plain_disk, plain_packet, plain_server
from zabspec.protocol import disk
from zabspec.protocol.effects import Close, CloseAll, Effect, Open, Send, Write
from zabspec.protocol.state import Disk, Failed

Sends = Mapping[int, tuple[Plain, ...]]
DURABLE = ("accepted_epoch", "current_epoch", "durable", "snapshot")
BROKEN = "broken"
"""What a system shows of a disk that no server would load, and the spec never."""


@frozen
class Difference:
    """One thing that is not as it should be. what: as `sent to 2` or `durable`."""

    what: str
    expected: object
    seen: object


@frozen(eq=False)
class Expected:
    """What is to be seen.

    sends: by peer, each with what was durable when it was sent. opens, closes: peers; closes is
    None where every connection is closed. shown: of the server afterwards.
    """

    after: AnyServer
    effects: tuple[Effect, ...]
    sends: Sends
    opens: frozenset[int]
    closes: frozenset[int] | None
    shown: Plain

    @property
    def is_failed(self) -> bool:
        """Whether it has met a disk from which it does not start."""
        return isinstance(self.after.role, Failed)

    @classmethod
    def of(cls, before: Disk, effects: tuple[Effect, ...], after: AnyServer) -> Expected:
        """What these effects of one step look like."""
        sends: dict[int, tuple[Plain, ...]] = {}
        opens, closes, every = set[int](), set[int](), False
        for effect in effects:
            if isinstance(effect, Write):
                before = disk.apply(effect.change, before)
            elif isinstance(effect, Send):
                packet = plain_packet(effect.packet)
                sent = {"packet": packet, **plain_disk(before)}
                peer = effect.connection.peer
                sends[peer] = (*sends.get(peer, ()), sent)
            elif isinstance(effect, Open):
                opens.add(effect.connection.peer)
            elif isinstance(effect, Close):
                closes.add(effect.connection.peer)
            every = every or isinstance(effect, CloseAll)
        closed = None if every else frozenset(closes)
        return cls(after, effects, sends, frozenset(opens), closed, plain_server(after))


@frozen(eq=False)
class Seen:
    """What was seen, as the system told it; the fields are those of `Expected`."""

    sends: Sends
    opens: frozenset[int]
    closes: frozenset[int]
    shown: Plain

    @classmethod
    def of(cls, effects: Sequence[Plain], shown: Plain) -> Seen:
        """What a system told. Raises KeyError, TypeError for what is no answer."""
        sends: dict[int, tuple[Plain, ...]] = {}
        opens, closes = set[int](), set[int]()
        for effect in effects:
            kind = effect["type"]
            if kind == "Send":
                peer = effect["peer"]
                sends[peer] = (*sends.get(peer, ()), effect)
            elif kind == "Open":
                opens.add(effect["peer"])
            elif kind == "Close":
                closes.add(effect["peer"])
            elif kind != "Write":
                raise KeyError(kind)
        return cls(sends, frozenset(opens), frozenset(closes), shown)


def differences(expected: Expected, seen: Seen, connected: frozenset[int]) -> Iterator[Difference]:
    """Everything in which they differ. connected: the peers of connections open before."""
    for peer in sorted({*expected.sends, *seen.sends}):
        yield from _of_sends(peer, expected.sends.get(peer, ()), seen.sends.get(peer, ()))
    if expected.opens != seen.opens:
        yield Difference("connects to", sorted(expected.opens), sorted(seen.opens))
    closes = connected if expected.closes is None else expected.closes & connected
    if closes != seen.closes & connected:
        yield Difference("closes", sorted(closes), sorted(seen.closes & connected))
    for key, shown in seen.shown.items():
        if shown != expected.shown.get(key, shown) or (key == BROKEN and not expected.is_failed):
            yield Difference(key, expected.shown.get(key), shown)


def _of_sends(peer: int, expected: Sequence[Plain], seen: Sequence[Plain]) -> Iterator[Difference]:
    packets = tuple(one["packet"] for one in expected)
    told = tuple(one["packet"] for one in seen)
    if packets != told:
        yield Difference(f"sent to {peer}", packets, told)
        return
    for one, other in zip(expected, seen, strict=True):
        for key in (*DURABLE, BROKEN):
            if key in other and other[key] != one.get(key):
                what = f"{key} when {one['packet']['type']} was sent to {peer}"
                yield Difference(what, one.get(key), other[key])


def matches(expected: Expected, seen: Seen, connected: frozenset[int]) -> bool:
    """Whether nothing differs."""
    return next(differences(expected, seen, connected), None) is None


def connected_after(
    connected: frozenset[int], opens: frozenset[int], closes: frozenset[int] | None
) -> frozenset[int]:
    """The peers of the connections that are open then."""
    return opens if closes is None else (connected - closes) | opens
