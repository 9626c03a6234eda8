"""Hypothesis strategies: values of the protocol, and what random runs reach."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from zabspec.check.actions import (
    Action,
    ApplyNext,
    Ask,
    Deliver,
    Elect,
    Expire,
    Join,
    LoseLink,
    Mark,
    Restart,
    SyncLog,
)
from zabspec.check.bounds import Bounds
from zabspec.check.walk import walk
from zabspec.check.world import Step, Worlds
from zabspec.protocol.messages import PACKETS, Packet
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Disk, History, Snapshot, Txn, Zxid
from zabspec.protocol.zab import BASELINE, FINE

SIDS = st.integers(1, 9)
NUMBERS = st.integers(0, 9)
ZXIDS = st.builds(Zxid, NUMBERS, NUMBERS)
TXNS = st.builds(Txn, st.builds(Zxid, st.integers(1, 4), st.integers(1, 4)), NUMBERS)
CRASHES = st.one_of(st.just((None, 0)), st.tuples(st.integers(1, 9), NUMBERS))

WALKED = {
    PAPER: Bounds(servers=3, txns=4, lost_links=3, crashes=2, elections=5),
    FINE: Bounds(servers=3, txns=4, lost_links=2, crashes=2, elections=4, limits=1, observers=1),
    BASELINE: Bounds(servers=3, txns=4, lost_links=2, crashes=2, elections=4, window=1),
}
"""Specs, and bounds far too large to exhaust."""
WORLDS = {spec: Worlds(spec, bounds) for spec, bounds in WALKED.items()}


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Transactions in the order of their zxids, no zxid twice."""
    txns = draw(st.lists(TXNS, max_size=5, unique_by=lambda txn: txn.zxid))
    return tuple(sorted(txns, key=lambda txn: txn.zxid))


@st.composite
def disks(draw: st.DrawFn) -> Disk:
    """Disks in any condition: a log, some of it unsynced, and snapshots."""
    log = draw(histories())
    saved = draw(st.lists(histories(), max_size=2))
    snapshots = tuple(Snapshot(holds[-1].zxid, holds) for holds in saved if holds)
    return Disk(draw(NUMBERS), draw(NUMBERS), log, draw(st.integers(0, len(log))), snapshots)


def packets() -> st.SearchStrategy[Packet]:
    """Packets of every kind."""
    return st.one_of([_of_kind(kind) for kind in PACKETS])


def _of_kind(kind: type[Packet]) -> st.SearchStrategy[Packet]:
    values = {"int": NUMBERS, "Zxid": ZXIDS, "Txn": TXNS, "History": histories(), "None": st.none()}
    return st.builds(
        kind,
        **{
            one.name: st.one_of([values[name] for name in str(one.type).split(" | ")])
            for one in attrs.fields(kind)
        },
    )


def actions() -> st.SearchStrategy[Action]:
    """Actions of every kind, whether or not they could happen anywhere."""
    items = st.one_of(st.none(), st.just(Mark.END), packets())
    members = st.lists(SIDS, min_size=1, max_size=4, unique=True).map(sorted).map(tuple)
    return st.one_of(
        st.builds(Elect, SIDS, members),
        st.builds(Join, SIDS, SIDS),
        st.builds(lambda a, b, item, cut: Deliver(a, b, item, *cut), SIDS, SIDS, items, CRASHES),
        st.builds(lambda server, cut: Ask(server, *cut), SIDS, CRASHES),
        st.builds(lambda server, upto, cut: SyncLog(server, upto, *cut), SIDS, NUMBERS, CRASHES),
        st.builds(lambda server, cut: ApplyNext(server, *cut), SIDS, CRASHES),
        st.builds(Expire, SIDS),
        st.builds(LoseLink, SIDS, SIDS, st.tuples(NUMBERS, NUMBERS)),
        st.builds(Restart, SIDS, NUMBERS),
    )


def runs(spec: Spec, longest: int = 60) -> st.SearchStrategy[tuple[Step, ...]]:
    """Random runs of a spec, within `WALKED`."""
    return st.builds(
        lambda seed, steps: walk(WORLDS[spec], (), seed, steps).run,
        st.integers(0, 2**32),
        st.integers(1, longest),
    )
