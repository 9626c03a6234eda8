"""Which promises does each of ZooKeeper's releases break, by which mistake and shortest run?

Each release is the fine grain with its historical behaviour in place of the baseline's; here what
is committed is applied at once. The oracle elects the most recent of a quorum. See
`zabspec/protocol/releases.py`. `zabspec releases` asks every promise of each; one model for each
mistake of each release is there to be asked by name.

Which mistake explains a run was decided by looking at it, when its depth was pinned.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.every_promise import Breaks, Mistake, Release, Within
from zabspec.check.model import Broken, Model
from zabspec.protocol import releases
from zabspec.protocol.zab import BASELINE

ONE_LINK = Bounds(servers=3, txns=1, lost_links=1, elections=2)
ONE_CRASH = Bounds(servers=3, txns=1, crashes=1, elections=2)
TWO_SERVERS = Bounds(servers=2, txns=2, lost_links=1, elections=2)
BOTH = Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3)

STALE_ACK = Mistake(
    "stale-ack",
    "no issue",
    "a follower that comes back is told to cut off what it acknowledged, and its ACK still counts:"
    " what is committed then is on no quorum's disk.",
)
REFUSES = Mistake(
    "refuses-to-start",
    "1653",
    "a learner crashes between its history and its epoch, and never starts again.",
)
FORGETS_LOG = Mistake(
    "forgets-log",
    "2845",
    "who leaves a role keeps its memory and adds nothing of its log: it votes, syncs and leads as"
    " if what it logged were not there.",
)
LOGS_LATE = Mistake(
    "logs-late",
    "4712",
    "the log thread still logs what it was given when a server has left its role: it votes with"
    " less than it has, and is sent again what it logged.",
)
SHIPS_HOLE = Mistake(
    "ships-hole",
    "2418",
    "a leader whose log ends before its window begins sends a DIFF all the same: a follower keeps"
    " what is in the leader's log, by 4712, and not in its memory.",
)
HALF_SNAPSHOT = Mistake(
    "half-snapshot",
    "3642",
    "a learner that was lost after a SNAP keeps it in memory alone; a DIFF follows, and it"
    " acknowledges what is not on its disk.",
)
DIRTY_SNAPSHOT = Mistake(
    "dirty-snapshot",
    "1549",
    "who begins to lead saves what no quorum has, and a TRUNC leaves that there.",
)


def _release(version: str, *asked: Within) -> Release:
    spec = releases.RELEASES[version]
    merged = evolve(spec, name=spec.name.removesuffix("-fine"), fused=BASELINE.fused)
    return Release(version, releases.STANDS_FOR[version], merged, asked)


_DURABLE = Breaks(promises.committed_is_durable, 24, STALE_ACK)
_HALF = Breaks(promises.acknowledged_is_durable, 28, HALF_SNAPSHOT)
_TWICE = Breaks(promises.no_gaps, 22, LOGS_LATE)
_TWICE_LATER = Breaks(promises.no_gaps, 24, LOGS_LATE)
_HOLE = Breaks(promises.refines, 29, SHIPS_HOLE)

_ONCE_CRASHED = Within(ONE_CRASH, (Breaks(promises.starts_again, 13, REFUSES),))
_TWO_TXNS = Within(TWO_SERVERS)
_DIRTY = Within(BOTH, (Breaks(promises.refines, 26, DIRTY_SNAPSHOT),), whole=False)
_INCOMPLETE = Breaks(promises.leader_is_complete, 38, STALE_ACK)
_LOST = (_INCOMPLETE, Breaks(promises.nothing_committed_is_truncated, 40, STALE_ACK))
_LATE = Within(BOTH, (Breaks(promises.refines, 26, LOGS_LATE),), whole=False)
_REVIVED = (
    Breaks(promises.nothing_committed_is_truncated, 33, LOGS_LATE),
    Breaks(promises.leader_is_complete, 34, LOGS_LATE),
)

RELEASES = (
    _release(
        "3.5.2",
        Within(ONE_LINK, (_DURABLE,)),
        _ONCE_CRASHED,
        _TWO_TXNS,
        _DIRTY,
        Within(BOTH, _LOST, whole=False, slow=True),
    ),
    _release(
        "3.5.3",
        Within(
            ONE_LINK,
            (
                Breaks(promises.refines, 23, FORGETS_LOG),
                Breaks(promises.no_gaps, 24, FORGETS_LOG),
                Breaks(promises.nothing_committed_is_truncated, 26, FORGETS_LOG),
                Breaks(promises.committed_is_durable, 26, FORGETS_LOG),
                _HALF,
            ),
        ),
        Within(
            ONE_CRASH,
            (
                Breaks(promises.starts_again, 13, REFUSES),
                Breaks(promises.leader_is_complete, 34, FORGETS_LOG),
            ),
        ),
        Within(ONE_CRASH, (Breaks(promises.committed_is_durable, 23, STALE_ACK),), whole=False),
        _TWO_TXNS,
    ),
    _release(
        "3.5.8",
        Within(ONE_LINK, (_TWICE_LATER, _DURABLE, _HALF, _HOLE)),
        _ONCE_CRASHED,
        _TWO_TXNS,
        Within(
            BOTH,
            (Breaks(promises.nothing_committed_is_truncated, 33, LOGS_LATE), _INCOMPLETE),
            whole=False,
            slow=True,
        ),
    ),
    _release("3.5.10", Within(ONE_LINK, (_TWICE, _DURABLE, _HOLE)), _ONCE_CRASHED, _TWO_TXNS),
    _release(
        "3.6.2", Within(ONE_LINK, (_TWICE_LATER, _DURABLE, _HALF)), _ONCE_CRASHED, _TWO_TXNS, _LATE
    ),
    *(
        _release(
            version,
            Within(ONE_LINK, (_TWICE, _DURABLE)),
            _ONCE_CRASHED,
            _TWO_TXNS,
            _LATE,
            Within(BOTH, _REVIVED, whole=False, slow=True),
        )
        for version in ("3.8.0", "3.8.6")
    ),
    _release("3.9.3", Within(ONE_LINK, (_DURABLE,)), _ONCE_CRASHED, _TWO_TXNS, _DIRTY),
    _release(
        "3.9.4",
        Within(ONE_LINK, (_DURABLE,)),
        _ONCE_CRASHED,
        _TWO_TXNS,
        _DIRTY,
        Within(BOTH, _LOST, slow=True),
    ),
)


def _models() -> Iterator[Model]:
    """One for each mistake of each release; a plain check asks those of the latest that has it."""
    latest = {
        breaks.mistake: release
        for release in RELEASES
        for within in release.asked
        for breaks in within.breaks
        if not within.slow
    }
    for release in RELEASES:
        told: set[Mistake] = set()
        for within in release.asked:
            for breaks in within.breaks:
                if breaks.mistake not in told:
                    told.add(breaks.mistake)
                    slow = within.slow or latest[breaks.mistake] is not release
                    yield _model(release, within.bounds, breaks, slow=slow)


def _model(release: Release, bounds: Bounds, breaks: Breaks, *, slow: bool) -> Model:
    mistake = breaks.mistake
    name = f"{release.spec.name}-{mistake.name}"
    words = mistake.name.replace("-", " ")
    question = f"ZooKeeper {release.version}, {words} ({mistake.issue}): {mistake.says}"
    broken = Broken(breaks.promise, breaks.depth)
    return Model(name, question, release.spec, bounds, broken, slow=slow)


MODELS = tuple(_models())
