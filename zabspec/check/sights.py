"""What promises look at: values that are equal where a promise makes no difference.

None: its premise cannot hold there.
"""

from __future__ import annotations

from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.protocol.effects import Broadcast, Ready, Write
from zabspec.protocol.state import Follower, History, Leader, Phase, Txn, Zxid


def applied_by(server: AnyServer) -> History | None:
    """What a server has delivered."""
    return server.memory.applied or None


def serving(server: AnyServer) -> tuple[History, Zxid] | None:
    """What a server that serves shows, and where it says it is."""
    database = server.memory.database
    if server.role.phase is not Phase.BROADCAST or not database.holds:
        return None
    return server.memory.applied, database.zxid


def durable_on(server: AnyServer) -> History:
    """What survives a loss of power."""
    return server.disk.durable


def made_ready(outcome: Outcome) -> tuple[object, ...] | None:
    """Who became ready, in which epochs."""
    return (outcome.before.sid, *ready) if (ready := ready_in(outcome)) else None


def held_when_ready(outcome: Outcome) -> tuple[object, ...] | None:
    """What a server held when it became ready."""
    return (outcome.after.disk.held(), *ready) if (ready := ready_in(outcome)) else None


def rewritten(outcome: Outcome) -> tuple[History, int, History] | None:
    """What was durable before a write, and after it."""
    before, after = outcome.before.disk, outcome.after.disk
    if not before.durable or not any(isinstance(effect, Write) for effect in outcome.effects):
        return None
    return before.durable, before.accepted_epoch, after.durable


def what_is_shown(outcome: Outcome) -> tuple[object, ...] | None:
    """What the outside sees, and behind how much that was delivered."""
    if not outcome.shown:
        return None
    return outcome.before.sid, len(outcome.before.memory.applied), outcome.shown


def broadcasting(outcome: Outcome) -> tuple[object, ...] | None:
    """What is broadcast, and what was delivered before."""
    broadcast = broadcast_by(outcome)
    return (outcome.before.memory.applied, *broadcast) if broadcast else None


def ready_in(outcome: Outcome) -> list[int]:
    """The epochs in which an outcome makes its server ready."""
    return [effect.epoch for effect in outcome.shown if isinstance(effect, Ready)]


def broadcast_by(outcome: Outcome) -> list[Txn]:
    """The transactions that an outcome broadcasts."""
    return [effect.txn for effect in outcome.effects if isinstance(effect, Broadcast)]


def led_by(server: AnyServer) -> int:
    """Who leads a server that serves: itself, or another; 0 if it does not serve."""
    role = server.role
    if role.phase is not Phase.BROADCAST:
        return 0
    if isinstance(role, Leader):
        return server.sid
    return role.connection.peer if isinstance(role, Follower) else 0
