"""How far a model is explored. Bounds live in models, never in rules."""

from __future__ import annotations

import attrs
from attrs import field, frozen, validators

from zabspec.protocol.state import Ensemble

_at_most_32_bits = [validators.instance_of(int), validators.le(0xFFFFFFFF)]
_at_least_0 = [validators.instance_of(int), validators.ge(0)]


@frozen
class Bounds:
    """How many of each there may be in one run.

    servers: all vote; their sids are 1 to `servers`.
    txns: requests that clients make.
    lost_links: connections cut, with any suffix of what was in flight.
    crashes: servers that crash, each restarting from its disk.
    elections: leaders named. Joining a server that leads already costs none.
    limits: time limits that expire.
    observers: servers without a vote; their sids follow.
    window: how many transactions a database keeps to bring learners up to date.
    force_snapshot: leaders always send their snapshot.
    last_counter: no transaction is given it: a leader that comes to it leaves its role. In the
        paper's grain counters have no end.
    """

    servers: int = field(default=3, validator=[validators.instance_of(int), validators.ge(2)])
    txns: int = field(default=1, validator=_at_least_0)
    lost_links: int = field(default=0, validator=_at_least_0)
    crashes: int = field(default=0, validator=_at_least_0)
    elections: int = field(default=1, validator=_at_least_0)
    limits: int = field(default=0, validator=_at_least_0)
    observers: int = field(default=0, validator=_at_least_0)
    window: int = field(default=500, validator=_at_least_0)
    force_snapshot: bool = False
    last_counter: int = field(default=0xFFFFFFFF, validator=[validators.ge(1), *_at_most_32_bits])

    @property
    def ensemble(self) -> Ensemble:
        """The servers, as rules see them."""
        voters = tuple(range(1, self.servers + 1))
        observers = tuple(range(self.servers + 1, self.servers + self.observers + 1))
        return Ensemble(
            voters,
            observers,
            self.window,
            self.force_snapshot,
            last_counter=self.last_counter,
        )

    def __str__(self) -> str:
        counted = [_count(getattr(self, name), name) for name in _ALWAYS_SAID]
        counted += [
            _count(getattr(self, name), name)
            for name in ("limits", "observers")
            if getattr(self, name)
        ]
        usual = attrs.fields(type(self))
        if self.window != usual.window.default:
            counted.append(f"a window of {self.window}")
        if self.force_snapshot:
            counted.append("snapshots forced")
        if self.last_counter != usual.last_counter.default:
            counted.append(f"a last counter of {self.last_counter}")
        return ", ".join(counted)


_ALWAYS_SAID = ("servers", "txns", "lost_links", "crashes", "elections")


def _count(number: int, plural: str) -> str:
    words = plural.replace("_", " ").replace("txns", "transactions")
    singular = {"crashes": "crash"}.get(words, words.removesuffix("s"))
    return f"{number} {singular if number == 1 else words}"


NOT_COVERED = (
    "runs with more of anything that is bounded",
    "elections by more than a bare quorum at once (the others join a moment later)",
    "two connections of one pair read out of their order",
    "what the threads of one server do in an order that the grain of the spec fuses",
    "reconfiguration, and loss of what a disk had promised to keep",
)
"""What a bounded "holds" says nothing of, to be printed beside it."""
