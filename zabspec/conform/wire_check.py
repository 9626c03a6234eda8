"""A check of what every run must show on the wire: a true sentence, and where it is looked at."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from zabspec.conform.recording import Record
from zabspec.conform.wire_connection import Connection
from zabspec.conform.wire_seen import Seen

Refuse = Callable[[Seen, Connection, Record], str | None]
"""What would have been legal instead of this record, after what was seen; None = it is legal."""


@frozen
class WireCheck:
    """One claim about the wire, looked at whenever a packet of one of `types` was sent."""

    sentence: str
    types: frozenset[str]
    refuse: Refuse


def wire_check(sentence: str, *types: str) -> Callable[[Refuse], WireCheck]:
    """Marks a function as the check of this sentence, for packets of these types."""

    def mark(refuse: Refuse) -> WireCheck:
        return WireCheck(sentence, frozenset(types), refuse)

    return mark
