"""ZOOKEEPER-3911: A follower acknowledges NEWLEADER with the history of the DIFF in memory only.

Since 2678 (3.4.10, 3.5.3, 3.6.0) a learner that is sent a DIFF saves no snapshot at NEWLEADER. What
the DIFF brought stays in a list, and goes to the log only after UPTODATE. The ACK of NEWLEADER says
that the history is durable, so a leader serves, and shows clients its whole history, when it alone
may have that on disk. The smallest run: 1 and 2 have a transaction, 2 alone has the next; 2 leads
again, together with 1, which acknowledges; clients of 2 see both; 1 and 2 lose each other, and with
that 1 loses its list; 1 and 3 elect 1, which never logged the second. Nobody has to crash. (A
server that has nothing is sent a SNAP, which is saved; hence the first transaction.) Mended in
3.5.10, 3.6.3 and 3.7.0: what was proposed goes to the log thread before the ACK, which is too
little (4646).

The first model asks for that whole run, the second for the moment at which it cannot be mended any
more: what clients see is on one disk only. The releases wrote the epoch before the ACK, and so does
this; that it stands before the history is 4643.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import acceptance
from zabspec.protocol.zab import COARSE

SPEC = COARSE.but("zk-3911", acceptance.learner_acks_before_it_logs)

MODELS = (
    Model(
        "zk-3911",
        "A follower acknowledges NEWLEADER before the history is in its log; who leads next lacks"
        " what clients have seen.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=2, elections=3),
        Broken(promises.leader_is_complete, 32),
        slow=True,
    ),
    Model(
        "zk-3911-b",
        "The same: what clients see of a new leader is on its disk alone.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.committed_is_durable, 23),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """Only a snapshot is made durable. `_serve` hands the log thread what the lists still hold."""
    if self.kind is not None and self.kind.name == "SNAP":
        await self._peer.storage.install(self._peer.database)
    await self._peer.set_current_epoch(epoch)


CODE: Mapping[str, Callable[..., Any]] = {"impl.learner_sync:LearnerSync._settle": _settle}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2)), lockstep=Good(PAIR)
)
