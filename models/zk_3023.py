"""ZOOKEEPER-3023: A follower serves before its commit processor has applied what the sync brought.

Since 2678 (3.4.10, 3.5.3, 3.6.0) what a DIFF commits is not applied while a follower synchronizes.
At UPTODATE it goes to the commit processor, a thread of its own, and the follower takes clients at
once: they read a database without transactions that an earlier epoch committed, and that the
follower itself has acknowledged as part of its leader's history. For years this was known as a test
that fails at times. The smallest run needs no fault of the follower: it misses a transaction, a new
leader sends it by DIFF, and UPTODATE comes before the commit processor's turn. Mended in 3.9.3, in
which what is committed before NEWLEADER is applied before that is acknowledged; 3.8 never was.

A follower that is behind with what the epoch itself commits is as it should be, so the promise that
is broken here is one of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.outcomes import AnyServer
from zabspec.check.properties import Answer, always
from zabspec.conform.zoo import PAIR, Against, Good
from zabspec.protocol import acceptance, synchronization
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.rules import on
from zabspec.protocol.state import Ensemble, Follower, Phase, Server
from zabspec.protocol.synchronization import SYNCHRONIZATION, settle, sync_of
from zabspec.protocol.zab import FINE


@always("whoever serves shows what earlier epochs committed")
def shows_earlier_epochs(server: AnyServer, monitor: AtomicBroadcast) -> Answer:
    """A leader that serves has a quorum that holds it; its followers have taken it over."""
    if server.role.phase is not Phase.BROADCAST:
        return None
    epoch = server.disk.current_epoch
    earlier = {txn for txn in monitor.delivered if txn.zxid.epoch < epoch}
    return earlier <= set(server.memory.applied) if earlier else None


@on(Follower, SYNCHRONIZATION, NewLeader)
def follower_logs_and_does_not_apply(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = synchronization.learner_accepts_leader(server, event, ensemble)
    sync = sync_of(server)
    _, rest = settle(sync)
    kept = evolve(sync, not_logged=rest.not_logged, accepted=True)
    return Step(server.playing(evolve(server.role, sync=kept)), step.effects)


MODELS = (
    Model(
        "zk-3023",
        "A follower is up to date, takes clients, and shows them less than earlier epochs"
        " committed.",
        FINE.but("zk-3023", follower_logs_and_does_not_apply, acceptance.follower_commits_logged),
        Bounds(servers=2, txns=2, lost_links=1, elections=2),
        Broken(shows_earlier_epochs, 24),
    ),
)


async def _settle(self: Any, epoch: int) -> None:
    """Everything but to apply what a follower was sent."""
    peer = self._peer
    if self.kind is not None and self.kind.name == "SNAP":
        await peer.storage.install(peer.database)
    self.unapplied = self._take_committed()
    if self._logs:
        for request in self.unapplied:
            peer.storage.append(request.payload)
        await peer.storage.commit()
    for request in self.unapplied if self._learner.observes else ():
        peer.database.process_txn(request.transaction)
        peer.database.add_committed_proposal(request.zxid, request.payload)
    await peer.set_current_epoch(epoch)


async def _serve(self: Any, epoch: int) -> None:
    """What is logged and not applied goes to the commit processor first."""
    module = sys.modules["impl.learner_sync"]
    learner, peer, server = self._learner, self._peer, self._learner.server
    if self._new_verifier is not None:
        peer.process_reconfig(self._new_verifier)
    if not self.is_accepted:
        await self._settle(epoch)
    acknowledge = module.QuorumPacket(module.PacketType.ACK, module.make_zxid(epoch, 0))
    learner.write_packet(acknowledge)
    learner.expect_sync_limit()
    server.startup()
    peer.update_election_vote(epoch)
    settled = self._take_committed()
    if learner.observes:
        for request in settled:
            server.commit_request(request)
    else:
        for request in self.unapplied:
            server.commit_processor.commit(request)
        for request in (*settled, *self.not_logged):
            server.log_request(request)
        for request in settled:
            server.commit(request.zxid)
    self.not_logged.clear()
    self.committed.clear()
    peer.enter_broadcast(server)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.learner_sync:LearnerSync._settle": _settle,
    "impl.learner_sync:LearnerSync._serve": _serve,
}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, lost_links=1, elections=2), FINE), lockstep=Good(PAIR, FINE)
)
