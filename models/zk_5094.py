"""ZOOKEEPER-5094: A learner lost after a TRUNC keeps in memory what came after it, and not on disk.

After a TRUNC a learner applies what is committed to memory at once, and logs none of it: the
snapshot at NEWLEADER will hold it. Since 2678 (3.4.10, 3.5.3, 3.6.0) memory outlives a role. A
learner that loses its leader before NEWLEADER answers the next one with what it has in memory, is
sent a DIFF from there, saves no snapshot, and logs on behind a hole. A restart fails, or loses what
was in the hole. It is 3642 for TRUNC, and open: 3.9.4 does it.

In the issue a TRUNC cuts off what was never committed. The search needs less: a leader decides by
what it has applied (as every ZooKeeper does; the protocol done right decides by what is committed),
so a learner that comes back with a transaction that is committed and not yet applied is told to cut
it off, and is sent it again with its COMMIT. That is the smallest run: the link is lost once for
the learner to come back, and once after the COMMIT; the third time it is sent an empty DIFF, and
acknowledges what is not on its disk. Leaving is as in 3.9.4, and what a learner does after a DIFF
or SNAP as it should be. The commit processor is an event of its own, the log thread is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import LINKS, Against, Good
from zabspec.protocol import acceptance, leaving_variants, synchronization, variants
from zabspec.protocol.effects import Step
from zabspec.protocol.events import LogSynced, Received, RoleEnded
from zabspec.protocol.messages import AckEpoch, Commit, NewLeader
from zabspec.protocol.state import Ensemble, Follower, Kind, Leader, Server
from zabspec.protocol.sync_follower import Style
from zabspec.protocol.zab import FINE


def applies_after_trunc(
    server: Server[Follower], event: Received[Commit], ensemble: Ensemble
) -> Step:
    if synchronization.sync_of(server).kind is Kind.TRUNC:
        return variants.learner_applies_at_once(server, event, ensemble)
    return synchronization.learner_keeps_commit(server, event, ensemble)


def saves_after_trunc(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    if synchronization.sync_of(server).kind is Kind.TRUNC:
        return acceptance.learner_logs_committed(server, event, ensemble)
    return synchronization.learner_accepts_leader(server, event, ensemble)


def decides_by_what_is_applied(
    server: Server[Leader], event: Received[AckEpoch], ensemble: Ensemble
) -> Step:
    style = Style(sees_committed=False)
    return synchronization.sync_late_learner(server, event, ensemble, style)


KEEPS = evolve(FINE, fused=(RoleEnded, LogSynced)).but(
    "zk-5094",
    leaving_variants.server_drains_then_keeps_memory,
    learner_keeps_commit=applies_after_trunc,
    learner_accepts_leader=saves_after_trunc,
    leader_syncs_late_learner=decides_by_what_is_applied,
)

MODELS = (
    Model(
        "zk-5094",
        "A learner that was lost after a TRUNC keeps what it applied since in memory alone; a DIFF"
        " follows, and it acknowledges what is not on its disk.",
        KEEPS,
        Bounds(servers=3, txns=1, lost_links=2, elections=1),
        Broken(promises.acknowledged_is_durable, 34),
    ),
    Model(
        "zk-5094-b",
        "The same: it logs on behind the hole, and a restart will fail, or lose what was in it.",
        KEEPS,
        Bounds(servers=3, txns=2, lost_links=2, elections=1),
        Broken(promises.no_gaps, 38),
        slow=True,
    ),
)


async def sync_with_leader(self: Any, epoch: int) -> None:
    """After a TRUNC, what is committed is applied as it comes, and never logged."""
    await self._take(await self._learner.read_packet())
    self._peer.init_config_in_database()
    packet = await self._learner.read_packet()
    while packet.name != "UPTODATE":
        if packet.name == "NEWLEADER":
            await _save_after_trunc(self)
            await self._accept_leader(packet, epoch)
        else:
            self._keep(packet)
            if self.kind.name == "TRUNC" and not self.is_accepted:
                _apply(self)
        packet = await self._learner.read_packet()
    await self._serve(epoch)


async def _save_after_trunc(sync: Any) -> None:
    if sync.kind.name == "TRUNC":
        await sync._peer.storage.save(sync._peer.database)


def _apply(sync: Any) -> None:
    for request in sync._take_committed():
        sync._peer.database.process_txn(request.transaction)
        sync._peer.database.add_committed_proposal(request.zxid, request.payload)


async def _leave(self: Any, threads: Any) -> None:
    """Memory stays, but for a half-taken SNAP; if the server had served, the log is added to it."""
    server, learner = self._role.server, self.follower or self.observer
    served = server.log_thread is not None
    await threads.stop(keep=server.log_thread)
    await server.shutdown()
    await threads.stop()
    self.leader = self.follower = self.observer = None
    kind = learner.sync.kind if learner is not None else None
    if kind is not None and kind.name == "SNAP" and not learner.sync.is_accepted:
        await self.load_database()
    elif served:
        self.storage.fast_forward(self.database)


def sync_follower(self: Any, last_zxid: int) -> Any:
    """What is committed and on its way to the database is not looked at, if that makes a TRUNC."""
    module = sys.modules["impl.sync_follower"]
    window = [(one.zxid, one.payload) for one in self.peer.database.committed_log]
    applied = module.CommittedHistory(self.peer.database.last_processed_zxid, window)
    plan = module.sync_follower(last_zxid, applied)
    if plan.branch == "ahead":
        return plan
    later = [(one.zxid, one.request.payload) for one in self.proposals.to_be_applied]
    last = max([applied.last_processed, *(zxid for zxid, _ in later)])
    read_log = self._read_log if self.peer.config.snapshot_size_factor >= 0 else None
    whole = (window + later)[-self.peer.config.commit_log_count :]
    history = module.CommittedHistory(last, whole, read_log)
    return module.sync_follower(last_zxid, history, force_snapshot=self.peer.config.force_snap_sync)


def start_forwarding(self: Any, learner: Any, last_seen: int) -> None:
    """What is committed and on its way to the database is sent, too, where the sync left it out."""
    for proposal in self.to_be_applied:
        if proposal.zxid > last_seen:
            learner.queue_packet(proposal.packet)
            commit = sys.modules["impl.packets"].PacketType.COMMIT
            learner.queue_packet(type(proposal.packet)(commit, proposal.zxid))
    if learner.observes:
        self.observing_learners.append(learner)
        return
    for zxid, proposal in self.outstanding.items():
        if zxid > last_seen:
            learner.queue_packet(proposal.packet)
    self.forwarding_followers.append(learner)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync.sync_with_leader": sync_with_leader,
    "impl.quorum_peer:QuorumPeer._leave": _leave,
    "impl.leader:Leader.sync_follower": sync_follower,
    "impl.proposals:Proposals.start_forwarding": start_forwarding,
}

AGAINST = Against(
    rows=Good(Bounds(servers=3, txns=1, lost_links=2, elections=1), FINE),
    lockstep=Good(LINKS, FINE),
)
