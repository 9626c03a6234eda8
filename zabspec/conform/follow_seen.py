"""A recording as each of its servers saw it: what it sent, what it could read, what befell it."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from enum import Enum

from attrs import define, field, frozen

from zabspec.conform.follow_left_out import LeftOut, left_out
from zabspec.conform.follow_packets import Contents
from zabspec.conform.recording import Record
from zabspec.conform.recording_configuration import Configuration
from zabspec.protocol.messages import Packet
from zabspec.protocol.state import Connection, Ensemble

_KILLED = re.compile(r"SIGKILL\D*(\d+)")
_ACTIVATES = ("COMMITANDACTIVATE", "INFORMANDACTIVATE")


NOWHERE = Connection(0)


class Happening(Enum):
    """What a server went through on one line."""

    SENT = 0
    READABLE = 1
    ENDED = 2
    KILLED = 3


@frozen
class Sighting:
    """One thing that a line shows of one server. packet: None where it is not about one."""

    record: Record
    what: Happening
    connection: Connection = NOWHERE
    packet: Packet | None = None


@define
class Sightings:
    """What a recording shows of each of its servers, in order.

    until: the line from which on it is not followed; None = followed to its end. because: why.
    closed: the quorum connections that ended, each as both ends name it.
    left_out: how many packets were left out of the file, and are put back.
    """

    ensemble: Ensemble
    contents: Contents
    of: dict[int, list[Sighting]] = field(factory=lambda: defaultdict(list))
    until: int | None = None
    because: str = ""
    closed: list[tuple[tuple[int, Connection], tuple[int, Connection]]] = field(factory=list)
    left_out: int = 0


def sightings(records: Sequence[Record]) -> Sightings:
    """What these records show of each server."""
    ensemble = ensemble_of(records)
    watch = _Watch(Sightings(ensemble, Contents.of(records)))
    for index, record in enumerate(records):
        if record.type in _ACTIVATES:
            watch.stop(record, "a reconfiguration is activated there")
        elif record.skipped:
            watch.put_back(record, left_out(records, index, ensemble))
        if watch.seen.until is not None:
            break
        watch.see(record)
    return watch.seen


def ensemble_of(records: Sequence[Record]) -> Ensemble:
    """The first configuration seen; where none is, everyone who is in the recording votes."""
    ends = {sid for record in records for sid in (record.sender, record.receiver) if sid}
    observers = {record.sender for record in records if record.type == "OBSERVERINFO"}
    found = (one.decoded for one in records if isinstance(one.decoded, Configuration))
    first = next(found, None)
    voters = set(first.voters) if first else ends - observers
    watching = {sid for sid in observers if sid} | (set(first.observers) if first else set())
    return Ensemble(tuple(sorted(voters - watching)), tuple(sorted(watching)))


@define
class _Watch:
    """Reads records one after the other; knows what a slow link keeps back."""

    seen: Sightings
    numbers: dict[str, int] = field(factory=dict)
    gated: dict[tuple[str, int], deque[Record]] = field(factory=lambda: defaultdict(deque))

    def stop(self, record: Record, because: str) -> None:
        """Follow nobody from here on."""
        self.seen.until, self.seen.because = record.line, because

    def put_back(self, mark: Record, packets: LeftOut | None) -> None:
        """See what was left out, if that can be told from the rest; else stop here."""
        if packets is None:
            self.stop(mark, f"{mark.skipped} packets were left out of the file there")
            return
        self.seen.left_out += mark.skipped
        for record, packet in packets:
            self._sent(record, packet)
            self._readable(record, packet)

    def see(self, record: Record) -> None:
        """See one record."""
        killed = _KILLED.match(record.text or "")
        if killed:
            self.seen.of[int(killed[1])].append(Sighting(record, Happening.KILLED))
        name = record.connection or ""
        if not name.startswith("q"):
            return
        self.numbers.setdefault(name, len(self.numbers) + 1)
        if record.type == "CLOSE":
            self._closed(record)
            return
        packet = self.seen.contents.packet(record)
        if packet is None:
            return
        if not self._arrives(record):
            self._sent(record, packet)
            if record.gated and not record.held:
                self.gated[name, record.sender or 0].append(record)
        if not record.held and not record.gated:
            self._readable(record, packet)

    def _arrives(self, record: Record) -> bool:
        waiting = self.gated[record.connection or "", record.sender or 0]
        if not waiting or record.gated or _content(waiting[0]) != _content(record):
            return False
        waiting.popleft()
        return True

    def _ends(self, record: Record) -> tuple[tuple[int, Connection], tuple[int, Connection]]:
        """The sender and the receiver, each with its name for the connection."""
        number = self.numbers[record.connection or ""]
        sender, receiver = record.sender or 0, record.receiver or 0
        return (sender, Connection(receiver, number)), (receiver, Connection(sender, number))

    def _sent(self, record: Record, packet: Packet) -> None:
        (sender, connection), _ = self._ends(record)
        self.seen.of[sender].append(Sighting(record, Happening.SENT, connection, packet))

    def _readable(self, record: Record, packet: Packet) -> None:
        _, (receiver, connection) = self._ends(record)
        self.seen.of[receiver].append(Sighting(record, Happening.READABLE, connection, packet))

    def _closed(self, record: Record) -> None:
        ends = self._ends(record)
        self.seen.closed.append(ends)
        for sid, connection in ends:
            self.seen.of[sid].append(Sighting(record, Happening.ENDED, connection))


def _content(record: Record) -> tuple[object, ...]:
    return record.type, record.named, record.payload


def sent_by(found: Iterable[Sighting]) -> dict[Connection, list[Packet]]:
    """Per connection all that was sent, in order."""
    sent: dict[Connection, list[Packet]] = defaultdict(list)
    for one in found:
        if one.what is Happening.SENT and one.packet is not None:
            sent[one.connection].append(one.packet)
    return sent
