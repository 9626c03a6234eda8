"""ZOOKEEPER-2355: A learner takes the zxid of a DIFF for its own before what the DIFF names came.

Until 3.4.11, 3.5.4 and 3.6.0 a learner that read DIFF set its last processed zxid to the packet's,
and only then read the transactions. If the link was lost in between, it claimed what it lacked: a
server that had not served kept its memory. Its next leader found it up to date, or it was elected
itself. Reported for an ephemeral node that one server alone never deleted. The smallest run
needs two servers: 2 alone logs a second transaction, and leads again; 1 is sent that as a DIFF, and
its link is lost when it has read the DIFF and no more; at the next election it is found to have
everything, acknowledges, and goes on with the third transaction without the second.

Memory is kept only of a learner that never served in its role, as in the releases before 2678, and
only of a DIFF, so that 3642 is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import leaving, leaving_variants, variants
from zabspec.protocol.effects import Step
from zabspec.protocol.events import RoleEnded
from zabspec.protocol.state import Ensemble, Kind, Leaving, Server
from zabspec.protocol.zab import COARSE


def keeps_half_a_diff(server: Server[Leaving], event: RoleEnded, ensemble: Ensemble) -> Step:
    if server.role.kind is Kind.DIFF:
        return leaving_variants.server_reloads_if_it_served(server, event, ensemble)
    return leaving.server_leaves_role(server, event, ensemble)


MODELS = (
    Model(
        "zk-2355",
        "A learner claims the DIFF's zxid before it has what the DIFF names, loses its leader, and"
        " the next one finds nothing to send it.",
        COARSE.but(
            "zk-2355",
            variants.learner_claims_diff,
            server_leaves_role=keeps_half_a_diff,
        ),
        Bounds(servers=2, txns=3, lost_links=2, elections=3),
        Broken(promises.committed_prefixes_agree, 35),
    ),
)


async def sync_with_leader(self: Any, epoch: int) -> None:
    """The first packet's zxid is the database's from then on, a DIFF's too."""
    first = await self._learner.read_packet()
    await self._take(first)
    self._peer.database.last_processed_zxid = first.zxid
    self._peer.init_config_in_database()
    packet = await self._learner.read_packet()
    while packet.name != "UPTODATE":
        if packet.name == "NEWLEADER":
            await self._accept_leader(packet, epoch)
        else:
            self._keep(packet)
        packet = await self._learner.read_packet()
    await self._serve(epoch)


async def _leave(self: Any, threads: Any) -> None:
    """Memory is loaded from disk, but not after half a DIFF."""
    server, learner = self._role.server, self.follower or self.observer
    kind = learner.sync.kind if learner is not None else None
    half = kind is not None and kind.name == "DIFF" and server.log_thread is None
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    if not half:
        await self.load_database()


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync.sync_with_leader": sync_with_leader,
    "impl.quorum_peer:QuorumPeer._leave": _leave,
}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=2, elections=3)), lockstep=Good(PAIR)
)
