"""ZOOKEEPER-1291: A leader offers its epoch to followers before it has accepted that itself.

In the first implementation of Zab 1.0, before 3.4.0, the thread that finds the quorum wakes the
handlers, which send LEADERINFO, and it is the leader's main thread that writes `acceptedEpoch`,
later. A leader that crashes in between has offered an epoch of which its disk knows nothing, and
offers the same again when it comes back. One commit mended this, and 1282.

That makes no two established leaders in one epoch: the first attempt died with the crash, and every
other quorum holds somebody who wrote the promise down. With every promise of the checker asked, and
two crashes, whoever is elected, nothing breaks. What breaks is what the paper asks of a leader, and
what keeps an epoch from being offered twice; it is asked here as a promise of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.check.outcomes import Outcome, written
from zabspec.check.properties import Answer, every_step
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import discovery
from zabspec.protocol.effects import Send, Step
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Introduction, LeaderInfo
from zabspec.protocol.state import Ensemble, Leader, Server
from zabspec.protocol.zab import BASELINE


@every_step("an epoch that is offered is accepted durably by who offers it")
def offered_is_accepted(outcome: Outcome) -> Answer:
    """When a LEADERINFO leaves, the leader's own promise survives a crash at that moment."""
    answers = [
        written(outcome.before.disk, outcome.effects[:number]).accepted_epoch >= one.packet.epoch
        for number, one in enumerate(outcome.effects)
        if isinstance(one, Send) and isinstance(one.packet, LeaderInfo)
    ]
    return all(answers) if answers else None


def offers_before_it_accepts(
    server: Server[Leader], event: Received[Introduction], ensemble: Ensemble
) -> Step:
    step = discovery.leader_offers_epoch(server, event, ensemble)
    return evolve(step, effects=step.effects[::-1])


MODELS = (
    Model(
        "zk-1291",
        "A leader offers its epoch to its followers, and then accepts it itself.",
        BASELINE.but("zk-1291", leader_offers_epoch=offers_before_it_accepts),
        Bounds(servers=3, txns=0, elections=1),
        Broken(offered_is_accepted, 2),
    ),
)


async def _get_epoch_to_propose(self: Any, learner: Any) -> int:
    """The handlers go on as soon as there is a quorum, the main thread when it has written."""
    if learner is not None:
        learner.stage = sys.modules["impl.barriers"].Stage.INTRODUCED
    introduced = self._leader.at(sys.modules["impl.barriers"].Stage.INTRODUCED)
    peer = self._leader.peer
    if not self.epoch and self.is_quorum(introduced):
        self.epoch = 1 + max([peer.accepted_epoch, *(one.accepted_epoch for one in introduced)])
        self._epoch_accepted.set_result(None)
    await self._wait(learner, self._epoch_accepted, "epoch from quorum")
    if learner is None:
        await peer.set_accepted_epoch(self.epoch)
    return int(self.epoch)


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.barriers:Barriers.get_epoch_to_propose": _get_epoch_to_propose
}

AGAINST = Against(rows=Good(Bounds(servers=2, txns=0, elections=1)))
