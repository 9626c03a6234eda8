"""ZOOKEEPER-2418: A leader whose log ends before its window begins sends a learner the hole.

From 3.5.0 on a leader reads its log for a learner that the window does not reach, and sends what
the log has up to the window, then the window. A commit needs a quorum, not the leader's own disk:
where that is slow, what others logged and committed can be further ahead of the leader's log than
the window is long. What lies between was left out, and the learner went on behind a hole. Mended in
3.6.0: where the log ends before the window, a SNAP is sent.

The smallest run has a window of one transaction and an observer, 3, with the first; 2 leads a new
epoch, and two more are committed; 3 comes back, and is sent the last one alone. How late the
leader's disk is, is decided the worst way: it shows nothing yet of the leader's own epoch. (To let
the log thread itself be that late takes two quick followers beside the slow leader, and worlds by
the ten million.) With the gap looked for, the same leader breaks nothing within these bounds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import AckEpoch
from zabspec.protocol.state import Ensemble, Leader, Server
from zabspec.protocol.sync_follower import Style
from zabspec.protocol.synchronization import sync_late_learner
from zabspec.protocol.zab import COARSE


def sends_the_hole(server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble) -> Step:
    shown = tuple(txn for txn in server.disk.log if txn.zxid.epoch < server.role.epoch)
    reader = evolve(server, disk=evolve(server.disk, log=shown, unsynced=0))
    step = sync_late_learner(reader, event, ensemble, Style(sends_holes=True))
    return Step(evolve(step.server, disk=server.disk), step.effects)


MODELS = (
    Model(
        "zk-2418",
        "A leader whose log ends before its window begins sends a DIFF that leaves out what is in"
        " between.",
        COARSE.but("zk-2418", leader_syncs_late_learner=sends_the_hole),
        Bounds(servers=2, observers=1, txns=3, lost_links=1, elections=2, window=1),
        Broken(promises.committed_prefixes_agree, 47),
    ),
)


def _from_log(peer: int, history: Any, read_log: Callable[[int], Any]) -> Any:
    """Whether the log reaches the window is not asked."""
    module = sys.modules[type(history).__module__]
    queue = module._Queue(peer, history.high)
    if not queue.add(module._below(read_log(peer), peer, history.low)):
        return None
    queue.peer = queue.upto
    return queue.plan("from the log") if queue.add(history.window) else None


CODE: Mapping[str, Callable[..., Any]] = {"impl.sync_follower:_from_log": _from_log}

AGAINST = Against(
    rows=Good(Bounds(servers=2, observers=1, txns=3, lost_links=1, elections=2, window=1), COARSE)
)
