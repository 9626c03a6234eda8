"""Which promises do ZooKeeper's releases break, and by which shortest run?

Each release is the fine grain with its historical behaviour in place of the baseline's; here what
is committed is applied at once. The oracle elects the most recent of a quorum. See `releases.py`.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.protocol.releases import RELEASES
from zabspec.protocol.zab import BASELINE

ONE_LINK = Bounds(servers=3, txns=1, lost_links=1, elections=2)
ONE_CRASH = Bounds(servers=3, txns=1, crashes=1, elections=2)
BOTH = Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3)


def _model(release: str, what: str, bounds: Bounds, broken: Broken, *, slow: bool = False) -> Model:
    spec = RELEASES[release]
    merged = evolve(spec, name=spec.name.removesuffix("-fine"), fused=BASELINE.fused)
    name = f"{merged.name}-{what.partition(':')[0].replace(' ', '-')}"
    question = f"ZooKeeper {release}, {what}"
    return Model(name, question, merged, bounds, broken, slow=slow)


STALE_ACK = (
    "stale ack: a follower that comes back is told to cut off what it acknowledged, and its ACK"
    " still counts: what is committed then is on no quorum's disk."
)
REFUSES = (
    "refuses to start: a learner crashes between its history and its epoch, and never starts"
    " again (1653)."
)
LOGGED_TWICE = (
    "logged twice: a learner lost between NEWLEADER and UPTODATE is sent again what it logged."
)
NOT_LOGGED = "not logged: a learner acknowledges NEWLEADER before it logs the DIFF (3911)."
DIRTY_SNAPSHOT = (
    "dirty snapshot: who begins to lead saves what no quorum has, and a TRUNC leaves that there"
    " (1549)."
)

MODELS = (
    *(
        _model(release, STALE_ACK, ONE_LINK, Broken(promises.committed_is_durable, 24))
        for release in RELEASES
    ),
    *(
        _model(release, REFUSES, ONE_CRASH, Broken(promises.starts_again, 13))
        for release in RELEASES
    ),
    _model("3.5.8", NOT_LOGGED, ONE_LINK, Broken(promises.acknowledged_is_durable, 28)),
    _model("3.8.0", LOGGED_TWICE, ONE_LINK, Broken(promises.no_gaps, 22)),
    _model("3.8.6", LOGGED_TWICE, ONE_LINK, Broken(promises.no_gaps, 22)),
    _model("3.9.4", DIRTY_SNAPSHOT, BOTH, Broken(promises.refines, 26)),
)
