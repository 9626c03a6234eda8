"""Every server of a recording followed by one spec, and what all of that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from zabspec.conform.follow import USUAL, Follow, Future, Keeping
from zabspec.conform.follow_beginning import beginning
from zabspec.conform.follow_explanation import CRASH, LOST, Explanation
from zabspec.conform.follow_forget import floors
from zabspec.conform.follow_refusal import Refusal, refusal
from zabspec.conform.follow_seen import Happening, Sighting, Sightings, sent_by
from zabspec.conform.recording import Record
from zabspec.protocol.messages import Snap
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import new_server

FORCED, BEGAN = "forced_snapshots", "initial_disks"


@frozen
class Followed:
    """One server, followed to its end or to its first packet that cannot be explained.

    refused: that packet. assumed: what had to be taken for granted, for all of the run.
    """

    sid: int
    follow: Follow
    refused: Record | None = None
    assumed: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """Of the refused packet; beyond every line if there is none."""
        return _NO_LINE if self.refused is None else self.refused.line

    @property
    def best(self) -> Explanation:
        """The explanation with the fewest assumptions."""
        return min(self.follow.explanations, key=lambda one: one.cost)


_NO_LINE = 1 << 62
_FORGETS_EVERY = 16


@frozen
class Verdict:
    """What a spec says of a recording. refused: the first packet that it does not explain."""

    spec: Spec
    refused: Record | None
    why: Refusal | None
    assumed: Mapping[str, object] = field(factory=dict)

    @property
    def assumptions(self) -> int:
        """How many."""
        return sum(one for one in self.assumed.values() if isinstance(one, int))

    @property
    def line(self) -> int:
        """Of the refused packet; beyond every line if there is none."""
        return _NO_LINE if self.refused is None else self.refused.line


def explain(spec: Spec, seen: Sightings, keeping: Keeping = USUAL) -> Verdict:
    """Follow every server of a recording."""
    followed = [follow_server(spec, seen, sid, keeping) for sid in sorted(seen.of)]
    first = min(followed, key=lambda one: one.line, default=None)
    assumed = _assumed(seen, followed)
    if first is None or first.refused is None or first.follow.refused is None:
        return Verdict(spec, None, None, assumed)
    why = refusal(first.follow, first.follow.refused)
    return Verdict(spec, first.refused, why, assumed)


def follow_server(spec: Spec, seen: Sightings, sid: int, keeping: Keeping = USUAL) -> Followed:
    """Follow one server. Where it was set up to send snapshots always, that is assumed."""
    plain = _follow(spec, seen, sid, keeping)
    if plain.refused is None or not _sends_snapshots(seen.of[sid]):
        return plain
    ensemble = evolve(seen.ensemble, force_snapshot=True)
    forced = _follow(spec, evolve(seen, ensemble=ensemble), sid, keeping)
    if forced.line <= plain.line:
        return plain
    return evolve(forced, assumed=(*forced.assumed, FORCED))


def _sends_snapshots(sighted: Sequence[Sighting]) -> bool:
    return any(one.what is Happening.SENT and isinstance(one.packet, Snap) for one in sighted)


def _follow(spec: Spec, seen: Sightings, sid: int, keeping: Keeping) -> Followed:
    sighted = seen.of[sid]
    server = beginning(sid, sighted)
    follow = Follow.of(spec, seen.ensemble, server, future_of(sighted), keeping)
    assumed = () if server == new_server(sid) else (BEGAN,)
    floor = floors(sighted)
    for number, one in enumerate(sighted):
        if number % _FORGETS_EVERY == 0:
            follow.forget(floor[number])
        if not carry_on(follow, one):
            return Followed(sid, follow, one.record, assumed)
    return Followed(sid, follow, None, assumed)


def carry_on(follow: Follow, one: Sighting) -> bool:
    """Carry the explanations of a server on by one thing seen of it; False if none is left."""
    if one.what is Happening.KILLED:
        follow.killed()
    elif one.what is Happening.ENDED:
        follow.ended(one.connection)
    elif one.packet is not None and one.what is Happening.READABLE:
        follow.readable(one.connection, one.packet)
    elif one.packet is not None:
        return follow.sent(one.connection, one.packet) is None
    return True


def future_of(sighted: Sequence[Sighting]) -> Future:
    """What a recording will show of one server."""
    ending = {one.connection for one in sighted if one.what is Happening.ENDED}
    return Future(sent_by(sighted), frozenset(ending))


def _assumed(seen: Sightings, followed: Sequence[Followed]) -> dict[str, object]:
    """What all explanations take for granted together; a lost link counts once for both ends."""
    counts = Counter(what for one in followed for what in (*one.assumed, *one.best.assumed))
    counts[LOST] = 0
    counts[CRASH] += sum(one.best.killed for one in followed)
    best = {one.sid: one.best for one in followed}
    for ends in seen.closed:
        if not any(sid in best and _closed(best[sid], connection) for sid, connection in ends):
            counts[LOST] += 1
    counts["left_out"] = seen.left_out
    found: dict[str, object] = {what: count for what, count in sorted(counts.items()) if count}
    if seen.until is not None:
        found["followed_up_to"] = f"line {seen.until}: {seen.because}"
    capped = [one.sid for one in followed if one.follow.capped]
    if capped:
        found["capped"] = f"servers {', '.join(map(str, capped))}: too many explanations"
    return found


def _closed(one: Explanation, connection: object) -> bool:
    return one.killed or connection in one.left
