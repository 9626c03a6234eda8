"""What should be seen somewhere: signs that a model's bounds are large enough to mean anything."""

from __future__ import annotations

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.outcomes import Outcome
from zabspec.check.properties import Answer, sometimes
from zabspec.protocol.disk import AcceptHistory
from zabspec.protocol.effects import Apply, CloseAll, Ready, Send, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import Ack, AckEpoch, FollowerInfo, LeaderInfo, Proposal
from zabspec.protocol.state import Follower, Leader, Phase


def _applied_when_ready(outcome: Outcome) -> object:
    ready = any(isinstance(effect, Ready) for effect in outcome.effects)
    return outcome.after.memory.applied if ready else None


@sometimes("a transaction is committed")
def transaction_committed(outcome: Outcome) -> Answer:
    """A leader delivers while it broadcasts."""
    leads = isinstance(outcome.before.role, Leader) and _phase(outcome) is Phase.BROADCAST
    return leads and any(isinstance(effect, Apply) for effect in outcome.effects)


@sometimes("one acknowledgement commits two transactions")
def two_at_once(outcome: Outcome) -> Answer:
    """Those of one follower were on their way while another's was lost."""
    applied = sum(isinstance(effect, Apply) for effect in outcome.effects)
    return _phase(outcome) is Phase.BROADCAST and _got(outcome, Ack) and applied > 1


@sometimes("a transaction that no quorum holds is dropped")
def dropped(outcome: Outcome) -> Answer:
    """A follower's log loses what the new leader's history has not."""
    return not set(outcome.before.disk.log) <= set(outcome.after.disk.log)


@sometimes("a transaction of a dead leader survives it", looks_at=_applied_when_ready)
def survived(outcome: Outcome, monitor: AtomicBroadcast) -> Answer:
    """A new leader delivers what nobody had delivered."""
    if not any(isinstance(effect, Ready) for effect in outcome.effects):
        return False
    return not set(outcome.after.memory.applied) <= set(monitor.delivered)


@sometimes("a leader takes a history that is not its own")
def history_taken(outcome: Outcome) -> Answer:
    """A follower of the quorum held a more recent one."""
    took = any(
        isinstance(effect, Write) and isinstance(effect.change, AcceptHistory)
        for effect in outcome.effects
    )
    leads = isinstance(outcome.before.role, Leader)
    return leads and took and outcome.before.disk.log != outcome.after.disk.log


@sometimes("two epochs are established", looks_at=lambda _: 0)
def two_epochs(servers: object, monitor: AtomicBroadcast) -> Answer:
    """One after the other, or in the memory of two servers at once."""
    del servers
    return len(monitor.primaries) > 1


@sometimes("a follower refuses the epoch of a leader that is behind")
def epoch_refused(outcome: Outcome) -> Answer:
    """It promised a later one."""
    refused = any(isinstance(effect, CloseAll) for effect in outcome.effects)
    return _got(outcome, LeaderInfo) and outcome.crash_after is None and refused


@sometimes("an answer is no promise")
def no_promise(outcome: Outcome) -> Answer:
    """The epoch offered was promised before."""
    return any(
        isinstance(effect, Send)
        and isinstance(effect.packet, AckEpoch)
        and effect.packet.current_epoch is None
        for effect in outcome.effects
    )


@sometimes("a leader gives up for want of promises")
def gave_up(outcome: Outcome) -> Answer:
    """Too many of its followers had promised its epoch before."""
    leads = isinstance(outcome.before.role, Leader) and outcome.crash_after is None
    return leads and _got(outcome, AckEpoch) and not isinstance(outcome.after.role, Leader)


@sometimes("a follower joins an established leader")
def late_follower(outcome: Outcome) -> Answer:
    """The leader already broadcasts."""
    return _got(outcome, FollowerInfo) and _phase(outcome) is Phase.BROADCAST


@sometimes("a follower logs a proposal before it is up to date")
def early_proposal(outcome: Outcome) -> Answer:
    """It was sent its history, and the leader does not wait."""
    follows = isinstance(outcome.before.role, Follower)
    return follows and _got(outcome, Proposal) and _phase(outcome) is Phase.SYNCHRONIZATION


@sometimes("a crash falls between what a step writes and what it sends")
def cut_by_crash(outcome: Outcome) -> Answer:
    """The disk has it, and nobody knows."""
    written = any(isinstance(effect, Write) for effect in outcome.effects)
    sent = any(isinstance(effect, Send) for effect in outcome.effects)
    return outcome.crash_after is not None and written and not sent


def _phase(outcome: Outcome) -> Phase:
    return outcome.before.role.phase


def _got(outcome: Outcome, packet: type[object]) -> bool:
    return isinstance(outcome.event, Received) and isinstance(outcome.event.packet, packet)
