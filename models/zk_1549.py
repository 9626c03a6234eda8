"""ZOOKEEPER-1549: A TRUNC leaves the snapshot in which a leader saved what no quorum has.

Who begins to lead loads all of its log, what is not committed too, and saves it as a snapshot
before anybody has acknowledged anything. If it then loses its quorum, others may go on without what
only it has. When it comes back, they send it a TRUNC, which cuts the log and not the snapshot; what
is loaded next, at once or at the next start, holds the transaction that was to be forgotten. The
smallest run: 2 logs a transaction alone; it is elected again, saves it, and is lost; 1 and 3 begin
a later epoch without it; 2 joins, is sent a TRUNC, and shows clients a transaction that was never
committed. All 3.4 and 3.5, and master to this day. 1558 is the leader's half: in 3.4.6 to 3.4.14 it
saves nothing when it begins to lead; with that alone there is nothing that a TRUNC could leave.

Either half alone breaks nothing (3 servers, 1 transaction, 2 lost links, 3 elections), so both
models have both. The second goes on until the later epoch commits a transaction: two servers then
show different ones in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import LINKS, Against, Good
from zabspec.protocol import variants
from zabspec.protocol.rules import anyone
from zabspec.protocol.zab import COARSE

SPEC = COARSE.but("zk-1549", variants.leader_saves_snapshot, variants.learner_truncates_log)

MODELS = (
    Model(
        "zk-1549",
        "A server saves what only it has as it begins to lead, is told to cut that off, and shows"
        " it all the same.",
        SPEC,
        Bounds(servers=3, txns=1, lost_links=2, elections=3),
        Broken(promises.refines, 28),
    ),
    Model(
        "zk-1558",
        "The same: two servers show different transactions in the same place.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=2, elections=3),
        Broken(promises.committed_prefixes_agree, 32),
        slow=True,
    ),
)


async def _run(self: Any) -> None:
    """Who is elected saves what it loaded."""
    await self.load_database()
    while True:
        self.vote = await self._elect(self._own_vote())
        if self.vote.leader == self.config.sid:
            await self.storage.save(self.database)
        await self._play(self.vote.leader)


async def _truncate_log(self: Any, zxid: int) -> bool:
    """Of snapshots, nothing is cut."""
    await self.txn_log.truncate(zxid)
    return True


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.quorum_peer:QuorumPeer.run": _run,
    "impl.storage:Storage.truncate_log": _truncate_log,
}

AGAINST = Against(
    rows=Good(
        Bounds(servers=2, txns=1, lost_links=2, elections=3),
        evolve(COARSE, name="coarse-anyone", oracle=anyone),
    ),
    lockstep=Good(LINKS),
)
