"""ZOOKEEPER-4394: A COMMIT between NEWLEADER and UPTODATE finds its proposal gone from the list.

The repair of 3911 empties a follower's list of proposals at NEWLEADER: they are on their way to the
log, or in it. A COMMIT that comes before UPTODATE is still held against the head of that list, and
the list is empty: a NullPointerException, the sync ends, the follower looks for its leader again,
and may meet the same there as long as clients write (3.5.10, 3.6.3, 3.6.4, 3.7.x, 3.8.0 to 3.8.6,
3.9.0 to 3.9.2; mended in 3.9.3, where what is not committed stays in the list). The smallest run: a
follower joins while a proposal is outstanding, is sent that before NEWLEADER, and its COMMIT
behind. No fault, no crash.

The rest is what 3.8.6 does at NEWLEADER and UPTODATE. The exception is told as an impossibility
that was met; the role ends with it, as in ZooKeeper.
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
from zabspec.protocol import acceptance, leaving, synchronization
from zabspec.protocol.effects import Impossible, Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Commit
from zabspec.protocol.rules import on
from zabspec.protocol.state import Ensemble, Follower, Server
from zabspec.protocol.synchronization import SYNCHRONIZATION, sync_of
from zabspec.protocol.zab import COARSE


@on(Follower, SYNCHRONIZATION, Commit)
def follower_needs_a_proposal(
    server: Server[Follower], event: Received[Commit], ensemble: Ensemble
) -> Step:
    if sync_of(server).not_logged:
        return synchronization.learner_keeps_commit(server, event, ensemble)
    ended = leaving.leave_role(server)
    why = f"commit {event.packet.zxid}, and no proposal is kept"
    return evolve(ended, effects=(Impossible(why), *ended.effects))


MODELS = (
    Model(
        "zk-4394",
        "A follower that logged a proposal in its sync is sent the COMMIT before UPTODATE, looks"
        " for the proposal where it is no more, and fails.",
        COARSE.but(
            "zk-4394",
            acceptance.follower_logs_everything,
            acceptance.follower_commits_logged,
            follower_needs_a_proposal,
        ),
        Bounds(servers=3, txns=1, elections=1),
        Broken(promises.no_impossibility, 20),
    ),
)


async def _sync_with_leader(self: Any, epoch: int) -> None:
    """A COMMIT needs a proposal that came behind NEWLEADER; those before it count as gone."""
    gone = 0
    await self._take(await self._learner.read_packet())
    self._peer.init_config_in_database()
    while True:
        packet = await self._learner.read_packet()
        if packet.name == "UPTODATE":
            break
        if packet.name == "NEWLEADER":
            await self._accept_leader(packet, epoch)
            gone = len(self.not_logged)
        elif packet.name == "COMMIT" and len(self.not_logged) == gone:
            why = "a COMMIT, and no proposal is kept"
            raise sys.modules["impl.endings"].RoleEnded(why)
        else:
            self._keep(packet)
    await self._serve(epoch)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync.sync_with_leader": _sync_with_leader
}

AGAINST = Against(
    rows=Good(Bounds(servers=3, txns=1, elections=1)),
    lockstep=Good(Bounds(servers=3, txns=2, elections=1)),
)
