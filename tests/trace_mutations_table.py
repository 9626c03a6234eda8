"""Single changes of real recordings, each judged forbidden or legal without the checker.

The table is `VERDICTS`: what is changed, and of which packets, and whether a server of the file's
release can have done it. It knows nothing of the checker. Written before it was first run, it was
then corrected where a disagreement showed the table to be wrong: what a sync sends as one piece
tells nothing of the order of forwarding, packets left out at a mark are no neighbours, a COMMIT may
not overtake what others were sent before it, and a handler's NEWLEADER and UPTODATE may come late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = sorted(f"{one.parent.name}/{one.stem}" for one in RECORDINGS.glob("*/*.jsonl"))

EPOCHS = ("FOLLOWERINFO", "OBSERVERINFO", "LEADERINFO", "NEWLEADER")
SYNCS = ("DIFF", "TRUNC", "SNAP")
ZAB = frozenset((*EPOCHS, *SYNCS, "ACKEPOCH", "UPTODATE", "PROPOSAL", "ACK", "COMMIT", "INFORM"))
HANDSHAKE = (*EPOCHS, *SYNCS, "ACKEPOCH")
BY_HANDLER = ("NEWLEADER", "UPTODATE")
FORWARDED = ("PROPOSAL", "COMMIT", "INFORM")
ONE_EPOCH = 1 << 32
LOGS_BEFORE_UPTODATE = ("3.8.0",)

Entry = dict[str, object]


@frozen
class Run:
    """A recording, up to where it is followed."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def release(self) -> str:
        return self.name.partition("/")[0]

    def zab(self) -> list[int]:
        """Where its packets of Zab are that are sent and arrive in one line."""
        return [
            at
            for at, one in enumerate(self.entries)
            if one["type"] in ZAB and not self.is_gated(at)
        ]

    def is_gated(self, at: int) -> bool:
        """Whether this line, or the one in which it arrives, was kept back by a slow link."""
        one = self.entries[at]
        return any(other.get("gated") and same_packet(one, other) for other in self.entries)

    def stream(self, at: int) -> list[int]:
        """Where the packets of Zab of this line's connection and direction are."""
        one = self.entries[at]
        return [
            other
            for other, entry in enumerate(self.entries)
            if entry["type"] in ZAB and (entry["conn"], entry["from"]) == (one["conn"], one["from"])
        ]

    def behind(self, at: int) -> list[int]:
        """What follows in that stream."""
        return [other for other in self.stream(at) if other > at]

    def forwarded(self, name: object) -> list[Entry]:
        """What stands behind NEWLEADER on a connection: before, history is sent, as one piece."""
        mine = [one for one in self.entries if one["conn"] == name]
        types = [one["type"] for one in mine]
        return mine[types.index("NEWLEADER") :] if "NEWLEADER" in types else []

    def voters(self) -> set[object]:
        """Those that the first NEWLEADER names."""
        first = next(one for one in self.entries if one["type"] == "NEWLEADER")
        text = bytes.fromhex(str(first["data"])).decode()
        servers = re.findall(r"server\.(\d+)=\S*:participant", text)
        return {int(sid) for sid in servers}

    def everywhere(self, record_type: str, zxid: int) -> list[int]:
        """Where the packets of this type and zxid are, on any connection."""
        return [
            at
            for at, one in enumerate(self.entries)
            if one["type"] == record_type and zxid_of(one) == zxid
        ]


def same_packet(one: Entry, other: Entry) -> bool:
    keys = ("conn", "from", "type", "zxid", "data")
    return all(one.get(key) == other.get(key) for key in keys)


def zxid_of(entry: Entry) -> int:
    return int(str(entry["zxid"]), 16)


def counter_of(entry: Entry) -> int:
    return zxid_of(entry) % ONE_EPOCH


def run_of(name: str) -> Run:
    text = (RECORDINGS / f"{name}.jsonl").read_text("utf-8")
    entries: list[Entry] = []
    for line in text.splitlines():
        entry = json.loads(line)
        if entry["type"] == "COMMITANDACTIVATE":
            break
        entries.append(entry)
    return Run(name, tuple(entries))


Judge = Callable[[Run, int], bool]


# What may be left out: only what is the last thing of its kind that anybody could have missed.


def always(_run: Run, _at: int) -> bool:
    return True


def dropped_proposal(run: Run, at: int) -> bool:
    """Forbidden if the next proposal, its commit or its ACK on the connection shows the gap."""
    one = run.entries[at]
    mine = [run.entries[other] for other in run.behind(at)]
    acked = any(
        run.entries[other]["conn"] == one["conn"] for other in run.everywhere("ACK", zxid_of(one))
    )
    return acked or any(other["type"] in {"PROPOSAL", "COMMIT", "NEWLEADER"} for other in mine)


def dropped_ack(run: Run, at: int) -> bool:
    """Forbidden if a later ACK of the stream shows the gap, or a commit now lacks its quorum.

    An ACK of UPTODATE may come behind those of what was synced, where that is logged earlier.
    """
    one = run.entries[at]
    later = [run.entries[other] for other in run.behind(at) if run.entries[other]["type"] == "ACK"]
    if not counter_of(one):
        return is_first_ack(run, at) or any(
            not is_synced_early(run, at, zxid_of(other)) for other in later
        )
    return bool(later) or lacks_quorum(run, at)


def is_first_ack(run: Run, at: int) -> bool:
    """Whether this is the ACK of NEWLEADER, and UPTODATE follows."""
    stream = run.stream(at)
    earlier = [run.entries[other]["type"] for other in stream if other < at]
    answered = [
        other
        for other, entry in enumerate(run.entries)
        if entry["conn"] == run.entries[at]["conn"] and entry["type"] == "UPTODATE" and other > at
    ]
    return "ACK" not in earlier and bool(answered or run.behind(at))


def is_synced_early(run: Run, at: int, zxid: int) -> bool:
    """Whether this transaction was proposed there before NEWLEADER, and logged at once."""
    name = run.entries[at]["conn"]
    for entry in run.entries:
        if entry["conn"] == name and entry["type"] == "NEWLEADER":
            return False
        is_it = entry["type"] == "PROPOSAL" and zxid_of(entry) == zxid
        if entry["conn"] == name and is_it:
            return run.release in LOGS_BEFORE_UPTODATE
    return False


def lacks_quorum(run: Run, at: int) -> bool:
    """Whether the first COMMIT or INFORM of it then comes before the ACKs of a quorum."""
    zxid = zxid_of(run.entries[at])
    commits = [*run.everywhere("COMMIT", zxid), *run.everywhere("INFORM", zxid)]
    return bool(commits) and not has_quorum(run, zxid, min(commits), at)


def has_quorum(run: Run, zxid: int, before: int, without: int = -1) -> bool:
    """Whether a quorum, the leader in it, has ACKed before a line; an ACK may be left out."""
    voters = run.voters()
    acked = {
        run.entries[each]["from"]
        for each in run.everywhere("ACK", zxid)
        if each < before and each != without and not run.entries[each].get("gated")
    }
    return 2 * (1 + len(acked & voters)) > len(voters)


def dropped_in_order(run: Run, at: int) -> bool:
    """Forbidden if what follows shows the gap: by itself, or as others got it."""
    one, behind = run.entries[at], [run.entries[other] for other in run.behind(at)]
    return any(
        other["type"] in {one["type"], "NEWLEADER"} or is_ordered_elsewhere(run, one, other)
        for other in behind
    )


def dropped_handshake(run: Run, at: int) -> bool:
    """Forbidden if anything follows on the connection: it all rests on the handshake."""
    name = run.entries[at]["conn"]
    behind = run.entries[at + 1 :]
    return any(one["conn"] == name and one["type"] in ZAB for one in behind)


def dropped_by_handler(run: Run, at: int) -> bool:
    """NEWLEADER and UPTODATE are queued by a thread of their own, perhaps too late to be seen.

    Forbidden if anything follows that rests on them, and not just what is forwarded meanwhile.
    """
    name = run.entries[at]["conn"]
    behind = [one for one in run.entries[at + 1 :] if one["conn"] == name and one["type"] in ZAB]
    return any(one["type"] not in FORWARDED for one in behind)


# What may be swapped with the next packet of its stream.


def swapped(run: Run, at: int) -> bool:
    one, other = (run.entries[each] for each in (at, run.behind(at)[0]))
    if same_packet(one, other):
        return False
    types = (one["type"], other["type"])
    if types == ("ACK", "ACK"):
        later = [each for each in (one, other) if counter_of(each)]
        is_early = len(later) == 1 and is_synced_early(run, at, zxid_of(later[0]))
        return not is_early or is_first_ack(run, at)
    if types in {("COMMIT", "PROPOSAL"), ("PROPOSAL", "COMMIT")}:
        return zxid_of(one) == zxid_of(other) or swapped_commit(run, at)
    if types[0] in BY_HANDLER and types[1] in FORWARDED:
        return swapped_handler(run, at)
    return True


def swapped_handler(run: Run, at: int) -> bool:
    """Forbidden if it was answered before it now comes, or the other is now sent too early."""
    after = run.behind(at)[0]
    one, other = run.entries[at], run.entries[after]
    between = run.entries[at:after]
    answered = any(each["conn"] == one["conn"] and each["type"] == "ACK" for each in between)
    is_early = other["type"] != "PROPOSAL" and not has_quorum(run, zxid_of(other), at)
    return answered or is_early or is_ordered_elsewhere(run, one, other)


def swapped_commit(run: Run, at: int) -> bool:
    """A leader proposes and commits under one lock: every learner sees both in one order.

    Forbidden if the other order is seen elsewhere, or one of them would be sent too early or late.
    """
    after = run.behind(at)[0]
    one, other = run.entries[at], run.entries[after]
    if is_ordered_elsewhere(run, one, other) or is_synced_between(run, at, after):
        return True
    if "NEWLEADER" in {run.entries[each]["type"] for each in run.behind(at)}:
        return True
    if other["type"] == "COMMIT":
        return not has_quorum(run, zxid_of(other), at)
    return any(each < after for each in run.everywhere("ACK", zxid_of(one)) if each > at)


def is_ordered_elsewhere(run: Run, one: Entry, other: Entry) -> bool:
    """Whether another learner, to whom all is forwarded, got `one` and not `other` before it."""
    for name in {entry["conn"] for entry in run.entries} - {one["conn"]}:
        seen = [(entry["type"], entry.get("zxid")) for entry in run.forwarded(name)]
        wanted, moved = ((each["type"], each["zxid"]) for each in (one, other))
        if wanted in seen and moved not in seen[: seen.index(wanted)]:
            return True
    return False


def is_synced_between(run: Run, at: int, after: int) -> bool:
    """Whether another learner was synced meanwhile: what is outstanding then, it is sent first."""
    between = run.entries[at:after]
    return any(one["type"] == "NEWLEADER" for one in between)


VERDICTS: dict[tuple[str, str], Judge] = {
    **{("dropped", kind): dropped_handshake for kind in HANDSHAKE},
    **{("dropped", kind): dropped_by_handler for kind in BY_HANDLER},
    ("dropped", "PROPOSAL"): dropped_proposal,
    ("dropped", "ACK"): dropped_ack,
    ("dropped", "COMMIT"): dropped_in_order,
    ("dropped", "INFORM"): dropped_in_order,
    **{("doubled", kind): always for kind in ZAB},
    **{("swapped", kind): swapped for kind in ZAB},
    **{("changed", kind): always for kind in ZAB},
    ("hurried", "COMMIT"): always,
}
"""By what is changed and the type of the packet: whether it is forbidden."""
