"""Does an observer learn what is committed, and count for nothing?"""

from __future__ import annotations

from zabspec.check import sync_witnesses as seen
from zabspec.check.bounds import Bounds
from zabspec.check.model import Holds, Model
from zabspec.protocol.zab import BASELINE

MODELS = (
    Model(
        "observer-2-1",
        "Do two voters and an observer keep Zab's promises?",
        BASELINE,
        Bounds(servers=2, observers=1, txns=1, lost_links=1, crashes=1, elections=2),
        Holds(worlds=100_365, steps=326_697, depth=50),
        witnesses=(seen.early_inform,),
    ),
)
