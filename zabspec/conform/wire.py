"""What every run must show on the wire, whatever the release: the table of checks, and one pass.

The opener of a quorum connection is the learner, the other end the leader. A check is sound: it
refuses only what no correct server can have sent, given that a record is stamped after its sender
sent it and before its receiver could read it, and that nothing else follows across connections.

Left out, and why: the protocol before 1.0 (no LEADERINFO) and 3.4, whose synchronization may send a
transaction twice; PING, REVALIDATE, REQUEST and SYNC, which decide nothing about the history;
elections, of which only the configurations are read.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from types import ModuleType

from attrs import define, field, frozen

from zabspec.conform import wire_broadcast, wire_epochs, wire_handshake
from zabspec.conform.recording import Record
from zabspec.conform.wire_check import WireCheck
from zabspec.conform.wire_connection import Connection
from zabspec.conform.wire_progress import packet_readable, packet_sent
from zabspec.conform.wire_seen import Seen

__all__ = ["WIRE_CHECKS", "WirePass", "WireRefusal", "pass_over"]

_PASSED_THROUGH = frozenset({"PING", "REVALIDATE", "REQUEST", "SYNC"})


def _checks_of(module: ModuleType) -> list[WireCheck]:
    return [value for value in vars(module).values() if isinstance(value, WireCheck)]


WIRE_CHECKS: tuple[WireCheck, ...] = (
    *_checks_of(wire_handshake),
    *_checks_of(wire_epochs),
    *_checks_of(wire_broadcast),
)
"""Every check, in the order in which a record is held against them."""


@frozen
class WireRefusal:
    """A record that no correct sender can have sent."""

    record: Record
    possible: str
    """What would have been legal there."""
    guard: str
    """The sentence of the check that refuses it."""


@frozen
class WirePass:
    """What one pass over a recording came to."""

    refusal: WireRefusal | None
    passed_through: int
    """Records that no check looks at, up to the refused one."""


def pass_over(records: Iterable[Record], checks: Sequence[WireCheck] = WIRE_CHECKS) -> WirePass:
    """Holds each record, in order, against the checks; stops at the first that is refused."""
    watch = _Watch(_by_type(checks))
    for record in records:
        refusal = watch.refusal_of(record)
        if refusal is not None:
            return WirePass(refusal, watch.passed_through)
    return WirePass(None, watch.passed_through)


def _by_type(checks: Sequence[WireCheck]) -> dict[str, list[WireCheck]]:
    table = defaultdict(list)
    for check in checks:
        for packet_type in check.types:
            table[packet_type].append(check)
    return table


@define
class _Watch:
    """What was seen, and the packets that a slow link keeps back."""

    checks: dict[str, list[WireCheck]]
    seen: Seen = field(factory=Seen)
    passed_through: int = 0
    kept_back: dict[tuple[Connection, int | None], deque[Record]] = field(
        factory=lambda: defaultdict(deque)
    )

    def refusal_of(self, record: Record) -> WireRefusal | None:
        """The refusal of this record, or None, and then it was seen."""
        connection = self.seen.connections.get(record.connection or "")
        if record.type == "OPEN":
            self._open(record)
            return None
        if connection is None:
            self._pass_through(record)
            return None
        if self._arrives(connection, record):
            packet_readable(self.seen, connection, record)
            return None
        refusal = self._checked(connection, record)
        if refusal is None and record.type in _PASSED_THROUGH:
            self.passed_through += 1
        elif refusal is None:
            self._see(connection, record)
        return refusal

    def _open(self, record: Record) -> None:
        if record.connection is not None and record.connection.startswith("q"):
            self.seen.open(record)
        else:
            self.passed_through += 1

    def _pass_through(self, record: Record) -> None:
        self.passed_through += 1
        if record.type == "NOTIFICATION":
            self.seen.notify(record)
        if record.skipped:
            self.seen.leave_out()

    def _arrives(self, connection: Connection, record: Record) -> bool:
        """Whether this is the packet that was kept back longest in its direction, arriving now."""
        waiting = self.kept_back.get((connection, record.sender))
        if not waiting or record.gated or _content(waiting[0]) != _content(record):
            return False
        waiting.popleft()
        return True

    def _checked(self, connection: Connection, record: Record) -> WireRefusal | None:
        if connection.is_unchecked:
            return None
        for check in self.checks.get(record.type, ()):
            possible = check.refuse(self.seen, connection, record)
            if possible is not None:
                return WireRefusal(record, possible, check.sentence)
        return None

    def _see(self, connection: Connection, record: Record) -> None:
        packet_sent(self.seen, connection, record)
        if record.gated and not record.held:
            self.kept_back[connection, record.sender].append(record)
        elif not record.held:
            packet_readable(self.seen, connection, record)


def _content(record: Record) -> tuple[object, ...]:
    return record.type, record.named, record.payload
