"""A run as a transcript: JSON lines, as a recorder between the servers would write them.

A packet that is sent is `gated` until the line comes again: then it can be read. `held`: it never
can. A connection is closed on its last line, when both ends have closed it. What a recorder cannot
see stands in `MARK`s: each event, with `sid`, `event` and what was `seen` but for packets.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field

from impl import simulated_events as events
from impl.packets import PacketType, QuorumPacket, decode_packet
from impl.simulated_events import EVENTS, Event
from impl.simulated_observations import (
    OBSERVATIONS,
    ConnectionClosed,
    Observation,
    ProcessEnded,
    Sent,
)
from impl.snapshot_stream import SIGNATURE, decode_snapshot

_SHOWN_BYTES = 4096
"""Of a payload: what is behind is left out, as recorders do."""

Line = dict[str, object]


@define
class _Connection:
    """What was seen of a connection. sent: by sender, the lines of each write not yet arrived.

    leader: 0 until it has accepted. A learner that gave up dialling closes it before.
    """

    name: str
    learner: int
    leader: int = 0
    sent: dict[int, deque[tuple[bytes, list[Line]]]] = field(factory=dict)
    closed_by: list[int] = field(factory=list)

    def other(self, sid: int) -> int:
        return self.leader if sid == self.learner else self.learner


class Transcript:
    """Writes a run, event by event. write: is given each line, without its end."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._connections: dict[str, _Connection] = {}
        self._events = 0

    def mark(self, text: str, **more: object) -> None:
        """A mark of whoever runs it."""
        self._line({"conn": None, "type": "MARK", "text": text, **more})

    def watch(self, sid: int, event: Event, seen: Sequence[Observation]) -> None:
        """Write what happened to a server, and what was seen of it."""
        self._events += 1
        if isinstance(event, events.ConnectAnswered):
            self._connections[event.connection] = _Connection(event.connection, sid)
        elif isinstance(event, events.ConnectionAccepted):
            self._open(self._connections[event.connection], sid)
        elif isinstance(event, events.Delivered):
            self._arrived(sid, event)
        unsent = [OBSERVATIONS.to_json(one) for one in seen if not isinstance(one, Sent)]
        self.mark(_text(sid, event), sid=sid, event=EVENTS.to_json(event), seen=unsent)
        for one in seen:
            if isinstance(one, Sent):
                self._sent(sid, one)
            elif isinstance(one, ConnectionClosed):
                self._closed(sid, self._connections[one.connection])
        if isinstance(event, events.Killed | events.PowerLost) or _has_ended(seen):
            for connection in tuple(self._connections.values()):
                self._closed(sid, connection)

    def _open(self, connection: _Connection, leader: int) -> None:
        connection.leader = leader
        ends = {"conn": connection.name, "from": connection.learner, "to": leader}
        self._line({**ends, "type": "OPEN", "kind": "quorum"})

    def _sent(self, sid: int, sent: Sent) -> None:
        connection = self._connections.get(sent.connection)
        if connection is None:
            return
        ends = {"conn": sent.connection, "from": sid, "to": connection.other(sid)}
        lines: list[Line] = [{**ends, **one} for one in _packets(sent.written)]
        is_held = bool(connection.closed_by)
        for line in lines:
            self._line({**line, "held" if is_held else "gated": True})
        if not is_held:
            connection.sent.setdefault(sid, deque()).append((sent.written, lines))

    def _arrived(self, sid: int, event: events.Delivered) -> None:
        connection = self._connections[event.connection]
        written, lines = connection.sent[connection.other(sid)].popleft()
        for line in lines if written == event.written else ():
            self._line(line)

    def _closed(self, sid: int, connection: _Connection) -> None:
        if sid not in (connection.learner, connection.leader) or sid in connection.closed_by:
            return
        connection.closed_by.append(sid)
        if len(connection.closed_by) == len({connection.learner, connection.leader}):
            first = connection.closed_by[0]
            ends = {"conn": connection.name, "from": first, "to": connection.other(first)}
            self._line({**ends, "type": "CLOSE"})
            del self._connections[connection.name]

    def _line(self, line: Line) -> None:
        self._write(json.dumps({"t": self._events / 1_000_000, **line}))


def _packets(written: bytes) -> Iterator[Line]:
    at = 0
    while at < len(written):
        packet, at = decode_packet(written, at)
        yield _shown(packet)
        if packet.type == PacketType.SNAP:
            _, end = decode_snapshot(written, at)
            end += 4 + len(SIGNATURE)
            stream = written[at:end]
            yield {"type": "SNAPSTREAM", "len": len(stream), "data": _hex(stream)}
            at = end


def _shown(packet: QuorumPacket) -> Line:
    zxid = f"0x{packet.zxid & 0xFFFFFFFFFFFFFFFF:x}"
    return {"type": packet.name, "zxid": zxid, "data": _hex(packet.data)}


def _hex(written: bytes | None) -> str | None:
    if written is None or len(written) <= _SHOWN_BYTES:
        return None if written is None else written.hex()
    return f"{written[:_SHOWN_BYTES].hex()}... {len(written)} bytes"


def _text(sid: int, event: Event) -> str:
    """A recording's reader takes SIGKILL for what it is, and other texts for a comment."""
    if isinstance(event, events.Killed):
        return f"SIGKILL server {sid}"
    if isinstance(event, events.PowerLost):
        return f"SIGKILL, by a loss of power, of server {sid}"
    return f"server {sid}: {type(event).__name__}"


def _has_ended(seen: Sequence[Observation]) -> bool:
    return any(isinstance(one, ProcessEnded) for one in seen)
