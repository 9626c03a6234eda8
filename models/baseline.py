"""Does Zab as ZooKeeper has it keep its promises, done right?

The names say servers, transactions, lost links and crashes. The grain: what is committed is applied
at once; the log thread is an event of its own.
"""

from __future__ import annotations

from attrs import evolve

from zabspec.check import sync_witnesses as seen
from zabspec.check.bounds import Bounds
from zabspec.check.model import Holds, Model
from zabspec.protocol.rules import anyone
from zabspec.protocol.zab import BASELINE, FINE

QUESTION = "Does Zab as ZooKeeper has it, done right, keep its promises?"

MODELS = (
    Model(
        "baseline-3-1-1-0",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Holds(worlds=66_902, steps=196_685, depth=40),
        witnesses=(
            seen.equal,
            seen.ahead,
            seen.before_log,
            seen.within_window,
            seen.outstanding_forwarded,
            seen.commit_before_uptodate,
            seen.drained,
        ),
    ),
    Model(
        "baseline-3-1-0-1",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Holds(worlds=81_966, steps=212_261, depth=45),
        witnesses=(seen.epoch_recovered, seen.unsynced_lost),
    ),
    Model(
        "baseline-anyone",
        "The same, whoever is elected: the election can be wrong, and Zab must survive that.",
        evolve(BASELINE, name="baseline-anyone", oracle=anyone),
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Holds(worlds=108_751, steps=315_591, depth=39),
    ),
    Model(
        "baseline-3-2-1-0",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=2, lost_links=1, elections=3),
        Holds(worlds=652_422, steps=2_491_429, depth=49),
    ),
    Model(
        "baseline-3-2-1-1",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=2, lost_links=1, crashes=1, elections=3),
        Holds(worlds=18_882_017, steps=70_008_228, depth=69),
        slow=True,
    ),
    Model(
        "baseline-3-1-1-1",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Holds(worlds=2_283_577, steps=6_699_594, depth=63),
    ),
    Model(
        "fine-3-1-1-0",
        "The same, with the commit processor an event of its own too.",
        FINE,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Holds(worlds=99_994, steps=311_081, depth=43),
    ),
    Model(
        "fine-3-1-1-1",
        "The same, with a crash too.",
        FINE,
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=2),
        Holds(worlds=1_850_588, steps=6_314_033, depth=59),
    ),
)
