"""Does it keep its promises with fsync fused with the step that caused it?

Every run here is a run of the baseline, so what is found here is real; what is not found proves
nothing. It reaches further for the same work.
"""

from __future__ import annotations

from zabspec.check import sync_witnesses as seen
from zabspec.check.bounds import Bounds
from zabspec.check.model import Holds, Model
from zabspec.protocol.zab import COARSE

QUESTION = "Does it keep its promises where what is logged is synced at once?"

MODELS = (
    Model(
        "coarse-3-2-1-0",
        QUESTION,
        COARSE,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Holds(worlds=192_765, steps=533_147, depth=44),
    ),
    Model(
        "coarse-3-1-1-1",
        QUESTION,
        COARSE,
        Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=3),
        Holds(worlds=1_527_539, steps=3_899_311, depth=60),
        witnesses=(seen.epoch_only,),
    ),
)
