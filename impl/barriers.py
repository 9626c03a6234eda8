"""The barriers on a leader's way: its epoch proposed, promised, and its history accepted.

The leader and a handler for each learner wait at them. Who is lost is not counted any more; where
those who are left are no quorum, the leader gives up at once and not only after initLimit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

from impl.endings import LearnerRefused, RoleEnded
from impl.quorum import SyncedLearnerTracker
from impl.zxids import NO_ZXID

if TYPE_CHECKING:
    from impl.leader import Leader
    from impl.learner_handler import LearnerHandler

NO_PROMISE = -1
"""The current epoch in an ACKEPOCH that answers an epoch accepted before."""


class Stage(Enum):
    """How far a leader has brought one of its learners.

    CONNECTED: nothing heard yet. INTRODUCED: it said who it is. PROMISED: it answered the epoch.
    SYNCING: it was sent the history. ACTIVE: it acknowledged that.
    """

    CONNECTED = 0
    INTRODUCED = 1
    PROMISED = 2
    SYNCING = 3
    ACTIVE = 4


@frozen(order=True)
class StateSummary:
    """How recent a history is: by the epoch that was accepted last, then by its end."""

    current_epoch: int
    last_zxid: int


class Barriers:
    """What a leader has heard from whom on its way to being established.

    epoch: that it proposes; 0 before a quorum has introduced itself. summary: of its own history.
    """

    def __init__(self, leader: Leader, summary: StateSummary) -> None:
        self.epoch = 0
        self.summary = summary
        self._leader = leader
        loop = asyncio.get_running_loop()
        self._epoch_accepted: asyncio.Future[None] = loop.create_future()
        self._epoch_promised: asyncio.Future[None] = loop.create_future()
        self._epoch_begun: asyncio.Future[None] = loop.create_future()
        self._quorum_formed: asyncio.Future[None] = loop.create_future()
        self._started: asyncio.Future[None] = loop.create_future()

    async def get_epoch_to_propose(self, learner: LearnerHandler | None) -> int:
        """Wait until a quorum of voters has introduced itself; the epoch to offer.

        It is above all that were accepted, by observers too, and the leader accepts it durably
        before anyone is offered it. learner: None for the leader itself.
        Models Leader.getEpochToPropose.
        """
        if learner is not None:
            learner.stage = Stage.INTRODUCED
        introduced = self._leader.at(Stage.INTRODUCED)
        if not self.epoch and self.is_quorum(introduced):
            peer = self._leader.peer
            self.epoch = 1 + max([peer.accepted_epoch, *(one.accepted_epoch for one in introduced)])
            await peer.set_accepted_epoch(self.epoch)
            self._epoch_accepted.set_result(None)
        await self._wait(learner, self._epoch_accepted, "epoch from quorum")
        return self.epoch

    async def wait_for_epoch_ack(
        self, learner: LearnerHandler | None, summary: StateSummary
    ) -> None:
        """Wait until a quorum of voters has promised; a handler, until the epoch has begun, too.

        Raises LearnerRefused where the learner's history is more recent than the leader's; once a
        quorum has promised nobody's history is compared. Models Leader.waitForEpochAck.
        """
        if learner is None:
            self._count_promises()
            await self._wait(None, self._epoch_promised, "epoch to be acked by quorum")
            return
        if not self._epoch_promised.done():
            if summary.current_epoch != NO_PROMISE and summary > self.summary:
                raise LearnerRefused(f"it is ahead of the leader: {summary}, {self.summary}")
            promises = summary.current_epoch != NO_PROMISE and summary.last_zxid != NO_ZXID
            learner.has_promised = promises
        learner.stage = Stage.PROMISED
        self._count_promises()
        await self._wait(learner, self._epoch_begun, "epoch to be acked by quorum")

    def begin_epoch(self) -> None:
        """The leader's current epoch is durable: let the handlers bring learners to it."""
        self._epoch_begun.set_result(None)

    async def wait_for_new_leader_ack(self, learner: LearnerHandler | None) -> None:
        """Wait until quorums of all configurations involved have acknowledged NEWLEADER.

        Models Leader.waitForNewLeaderAck.
        """
        if learner is not None:
            learner.stage = Stage.ACTIVE
        if not self._quorum_formed.done() and self.synced().has_all_quorums():
            self._quorum_formed.set_result(None)
        await self._wait(learner, self._quorum_formed, "NEWLEADER to be acked by quorum")

    def synced(self) -> SyncedLearnerTracker:
        """Who has acknowledged NEWLEADER, the leader among them."""
        return self.acknowledged(self._leader.at(Stage.ACTIVE))

    def start(self) -> None:
        """The leader serves: let the handlers tell their learners."""
        self._started.set_result(None)

    async def wait_for_startup(self, learner: LearnerHandler) -> None:
        """Wait until the leader serves. Models Leader.waitForStartup."""
        await learner.wait_at(self._started)

    def acknowledged(self, learners: Iterable[LearnerHandler]) -> SyncedLearnerTracker:
        """These learners and the leader, counted in every configuration that is involved."""
        peer = self._leader.peer
        tracker = SyncedLearnerTracker(*peer.involved_verifiers())
        tracker.add_ack(peer.config.sid)
        for one in learners:
            tracker.add_ack(one.sid)
        return tracker

    def is_quorum(self, learners: Iterable[LearnerHandler]) -> bool:
        """Whether these learners and the leader are a quorum of the voters."""
        peer = self._leader.peer
        return peer.verifier.contains_quorum({peer.config.sid, *(one.sid for one in learners)})

    def _count_promises(self) -> None:
        if self._epoch_promised.done():
            return
        promised = [one for one in self._leader.at(Stage.PROMISED) if one.has_promised]
        if self.is_quorum(promised):
            self._epoch_promised.set_result(None)
        elif not self.is_quorum([*promised, *self._leader.at(Stage.INTRODUCED)]):
            self._leader.give_up("those who can still promise the epoch are no quorum")

    async def _wait(
        self, learner: LearnerHandler | None, barrier: asyncio.Future[None], what: str
    ) -> None:
        config = self._leader.peer.config
        name = "initLimit" if learner is None else f"initLimit-{learner.sid}"
        try:
            async with self._leader.peer.clock.limit(config.init_timeout, name):
                if learner is None:
                    await asyncio.wait({barrier})
                else:
                    await learner.wait_at(barrier)
        except TimeoutError:
            why = f"timeout while waiting for {what}"
            raise (RoleEnded(why) if learner is None else LearnerRefused(why)) from None
