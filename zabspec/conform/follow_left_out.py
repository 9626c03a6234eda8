"""What a recorder left out of a file, where the rest of the file tells what it was."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from zabspec.conform.follow_packets import UNSEEN
from zabspec.conform.recording import Record
from zabspec.protocol.messages import Ack, Commit, Packet, Proposal
from zabspec.protocol.state import Ensemble, Txn, Zxid

LeftOut = list[tuple[Record, Packet]]
"""The packets, each with a record that stands for it."""

_TRANSACTIONS = ("PROPOSAL", "INFORM")


def left_out(records: Sequence[Record], at: int, ensemble: Ensemble) -> LeftOut | None:
    """The packets left out at this mark: whole transactions, proposed, ACKed and committed.

    None if they do not come to as many as the mark says: it was something else.
    """
    mark, before, after = records[at], records[:at], records[at + 1 :]
    packets: LeftOut = []
    for zxid in _missing(before, after):
        for name, (learner, leader) in _synced(before, ensemble).items():
            for record_type, packet in _life(zxid):
                ends = (learner, leader) if record_type == "ACK" else (leader, learner)
                stands = evolve(
                    mark,
                    connection=name,
                    sender=ends[0],
                    receiver=ends[1],
                    type=record_type,
                    zxid=zxid,
                )
                if not any(_same(stands, one) for one in after):
                    packets.append((stands, packet))
    return packets if len(packets) == mark.skipped else None


def _life(zxid: Zxid) -> tuple[tuple[str, Packet], ...]:
    proposed = Proposal(Txn(zxid, UNSEEN))
    return ("PROPOSAL", proposed), ("ACK", Ack(zxid)), ("COMMIT", Commit(zxid))


def _same(one: Record, other: Record) -> bool:
    return (one.connection, one.type, one.zxid) == (other.connection, other.type, other.zxid)


def _missing(before: Sequence[Record], after: Sequence[Record]) -> list[Zxid]:
    """The zxids between the last transaction before the mark and the first new one behind it."""
    last = max((one.named for one in before if one.type in _TRANSACTIONS), default=None)
    if last is None:
        return []
    later = (one.named for one in after if one.type in _TRANSACTIONS and one.named > last)
    first = next(later, last)
    return [Zxid(last.epoch, number) for number in range(last.counter + 1, first.counter)]


def _synced(before: Sequence[Record], ensemble: Ensemble) -> dict[str, tuple[int, int]]:
    """The open connections whose learner, no observer, is up to date: (learner, leader)."""
    found: dict[str, tuple[int, int]] = {}
    for record in before:
        name, ends = record.connection or "", (record.receiver or 0, record.sender or 0)
        if record.type == "UPTODATE" and ends[0] not in ensemble.observers:
            found[name] = ends
        elif record.type == "CLOSE":
            found.pop(name, None)
    return found
