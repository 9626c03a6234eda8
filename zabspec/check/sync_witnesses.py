"""What should be seen of ZooKeeper's grain: each branch of syncFollower, and each recovery rule."""

from __future__ import annotations

from zabspec.check.outcomes import Outcome
from zabspec.check.properties import Answer, Property, sometimes
from zabspec.protocol.disk import CurrentEpoch, LoseUnsynced, SyncLog
from zabspec.protocol.effects import Send, Write
from zabspec.protocol.events import Crash, Received
from zabspec.protocol.messages import AckEpoch, Commit, Inform, NewLeader, Proposal
from zabspec.protocol.state import (
    Ensemble,
    Follower,
    Leader,
    Looking,
    Observer,
    Phase,
    Server,
    Stage,
    Zxid,
)
from zabspec.protocol.sync_follower import sync_follower


def _branch(name: str) -> Property:
    @sometimes(f"a leader syncs a learner by the branch: {name}")
    def taken(outcome: Outcome, ensemble: Ensemble) -> Answer:
        before = outcome.before
        if not isinstance(before.role, Leader):
            return False
        leader = before.playing(before.role)
        return any(
            sync_follower(leader, peer, ensemble).branch == name
            for peer in _synced(leader, outcome)
        )

    return taken


def _synced(leader: Server[Leader], outcome: Outcome) -> list[Zxid]:
    """The zxids of the learners that this outcome begins to sync."""
    if not isinstance(outcome.event, Received) or not isinstance(outcome.event.packet, AckEpoch):
        return []
    if not _sent(outcome, NewLeader):
        return []
    waiting = leader.role.at(Stage.PROMISED)
    return [outcome.event.packet.last_zxid, *(one.upto for one in waiting)]


equal = _branch("equal")
ahead = _branch("ahead")
within_window = _branch("within the window")
from_log = _branch("from the log")
before_log = _branch("before the log")
another_epoch = _branch("another epoch")
epoch_only = _branch("epoch only")
forced_snapshot = _branch("forced snapshot")


@sometimes("a proposal that is outstanding is sent in a sync")
def outstanding_forwarded(outcome: Outcome) -> Answer:
    """Behind what is committed, before NEWLEADER."""
    leads = isinstance(outcome.before.role, Leader)
    return leads and _sent(outcome, NewLeader) and _sent(outcome, Proposal)


@sometimes("a commit comes between NEWLEADER and UPTODATE")
def commit_before_uptodate(outcome: Outcome) -> Answer:
    """Where 4394 lives."""
    role = outcome.before.role
    accepted = isinstance(role, Follower) and role.sync is not None and role.sync.accepted
    return accepted and _got(outcome, Commit)


@sometimes("an observer is informed before it serves")
def early_inform(outcome: Outcome) -> Answer:
    """Forwarding starts with the sync."""
    role = outcome.before.role
    syncs = isinstance(role, Observer) and role.phase is Phase.SYNCHRONIZATION
    return syncs and _got(outcome, Inform)


@sometimes("a crash falls between the history and the epoch of a sync, and the restart mends it")
def epoch_recovered(outcome: Outcome) -> Answer:
    """The one recovery rule that writes."""
    return (
        outcome.crash_after is not None
        and isinstance(outcome.after.role, Looking)
        and any(
            isinstance(one, Write) and isinstance(one.change, CurrentEpoch)
            for one in outcome.effects[outcome.crash_after :]
        )
    )


@sometimes("a crash takes what was not synced")
def unsynced_lost(outcome: Outcome) -> Answer:
    """Of what survives a crash, every length is tried."""
    return isinstance(outcome.event, Crash) and any(
        isinstance(one, Write) and isinstance(one.change, LoseUnsynced) for one in outcome.effects
    )


@sometimes("a role is left with the log thread still at work")
def drained(outcome: Outcome) -> Answer:
    """It is drained before memory is loaded. Where 4712 lives."""
    leaves = outcome.crash_after is None and isinstance(outcome.after.role, Looking)
    return leaves and any(
        isinstance(one, Write) and isinstance(one.change, SyncLog) for one in outcome.effects
    )


def _sent(outcome: Outcome, packet: type[object]) -> bool:
    return any(isinstance(one, Send) and isinstance(one.packet, packet) for one in outcome.effects)


def _got(outcome: Outcome, packet: type[object]) -> bool:
    return isinstance(outcome.event, Received) and isinstance(outcome.event.packet, packet)
