"""What the wire has shown so far, of all servers."""

from __future__ import annotations

from collections import defaultdict

from attrs import define, field

from zabspec.conform.recording import Record
from zabspec.conform.recording_configuration import Configuration
from zabspec.conform.recording_payload import Transaction
from zabspec.conform.wire_connection import Connection
from zabspec.conform.wire_leadership import Leadership
from zabspec.protocol.state import Zxid


@define(eq=False)
class Seen:
    """What was seen of connections, leaderships and servers, up to a line."""

    connections: dict[str, Connection] = field(factory=dict)
    open_connections: dict[str, Connection] = field(factory=dict)
    leaderships: dict[tuple[int, int], Leadership] = field(factory=dict)
    """By leader and epoch; from its first LEADERINFO."""
    latest: dict[int, Leadership] = field(factory=dict)
    """By leader: the one with the largest epoch."""
    waiting: dict[int, dict[str, Connection]] = field(factory=lambda: defaultdict(dict))
    """By leader: connections whose learner introduced itself and got no LEADERINFO yet."""
    accepted: dict[int, int] = field(factory=lambda: defaultdict(int))
    """By server: the largest epoch that it showed, as a learner, to have accepted."""
    offered: dict[int, int] = field(factory=lambda: defaultdict(int))
    """By server: the largest epoch that it offered as a leader."""
    established: dict[int, Record] = field(factory=dict)
    """By epoch: its first NEWLEADER."""
    transactions: dict[Zxid, tuple[int, Transaction]] = field(factory=dict)
    """The line where each was first seen, and what it was there."""
    configurations: dict[Configuration, None] = field(factory=dict)
    """All that were seen, in order."""
    shown_version: dict[int, int] = field(factory=dict)
    """By server: the version of the configuration in its last notification."""
    unchecked: dict[int, set[int]] = field(factory=lambda: defaultdict(set))
    """By leader: learners whose handshake with it may have been left out of the recording."""

    def leadership_of(self, connection: Connection) -> Leadership | None:
        """None before LEADERINFO."""
        return self.leaderships.get((connection.leader, connection.epoch or 0))

    def candidates(self, sid: int) -> list[Configuration]:
        """The configurations that this server may take for committed; none = none was seen."""
        floor = self.shown_version.get(sid, 0)
        return [found for found in self.configurations if found.version >= floor]

    def supporters(self, connection: Connection, sids: set[int]) -> set[int]:
        """These learners, the leader itself, and those whose packets may have been left out."""
        return sids | {connection.leader} | self.unchecked[connection.leader]

    def lacking(self, supporters: set[int], candidates: list[Configuration]) -> str:
        """What these supporters lack, for a refusal."""
        had = ", ".join(map(str, sorted(supporters)))
        return f"{had} are no quorum of {' or '.join(map(str, candidates))}"

    def leave_out(self) -> None:
        """Packets were left out of the recording here; a reconfiguration is taken not to be."""
        for connection in self.open_connections.values():
            connection.leave_out()
            if connection.is_unchecked:
                self.unchecked[connection.leader].add(connection.learner)
            leadership = self.leadership_of(connection)
            if leadership is not None:
                leadership.patchy[connection.name] = connection

    def open(self, record: Record) -> None:
        """A learner opened a connection to a leader."""
        learner, leader, name = record.sender, record.receiver, record.connection
        if learner is None or leader is None or name is None:
            return
        self.connections[name] = self.open_connections[name] = Connection(
            name=name,
            learner=learner,
            leader=leader,
            learner_accepted=max(self.accepted[learner], self.offered[learner]),
            leader_accepted=self.accepted[leader],
            leader_offered=self.offered[leader],
        )

    def accept(self, sid: int, epoch: int) -> None:
        """A server showed, as a learner, that it accepted this epoch."""
        self.accepted[sid] = max(self.accepted[sid], epoch)

    def lead(self, leadership: Leadership) -> None:
        """A leadership began; what was closed before belongs to none that follows."""
        leader, epoch = leadership.leader, leadership.epoch
        self.leaderships[leader, epoch] = leadership
        self.offered[leader] = max(self.offered[leader], epoch)
        if leader not in self.latest or self.latest[leader].epoch < epoch:
            self.latest[leader] = leadership
        still_open = {k: v for k, v in self.waiting[leader].items() if not v.is_closed}
        self.waiting[leader] = still_open

    def notify(self, record: Record) -> None:
        """A server showed its committed configuration in an election."""
        if isinstance(record.decoded, Configuration) and record.sender is not None:
            self.configurations.setdefault(record.decoded)
            self.shown_version[record.sender] = record.decoded.version
