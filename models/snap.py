"""Do learners that the window does not reach end up with the same history?"""

from __future__ import annotations

from zabspec.check import sync_witnesses as seen
from zabspec.check.bounds import Bounds
from zabspec.check.model import Holds, Model
from zabspec.protocol.zab import COARSE

QUESTION = "Are learners right that the window does not reach?"

MODELS = (
    Model(
        "snap-window-1",
        QUESTION,
        COARSE,
        Bounds(servers=3, txns=2, lost_links=1, elections=2, window=1),
        Holds(worlds=192_765, steps=533_147, depth=44),
        witnesses=(seen.before_log,),
    ),
    Model(
        "snap-forced",
        "The same, where every learner is sent a snapshot.",
        COARSE,
        Bounds(servers=3, txns=1, lost_links=1, elections=2, force_snapshot=True),
        Holds(worlds=35_727, steps=87_796, depth=37),
        witnesses=(seen.forced_snapshot,),
    ),
    Model(
        "snap-log",
        "The same, where the window holds one transaction and the log reaches further back.",
        COARSE,
        Bounds(servers=2, observers=1, txns=3, lost_links=1, elections=1, window=1),
        Holds(worlds=31_049, steps=94_869, depth=42),
        witnesses=(seen.from_log,),
    ),
    Model(
        "snap-across-epochs",
        "The same, where a dead leader comes back with a transaction that the window steps over.",
        COARSE,
        Bounds(servers=3, txns=3, lost_links=1, elections=2),
        Holds(worlds=985_006, steps=2_948_578, depth=51),
        witnesses=(seen.another_epoch,),
    ),
)
