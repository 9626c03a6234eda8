"""Zab as ZooKeeper has it: the whole table, done right. Releases are this with rules replaced.

election.py         who leads                         leaving.py  lost links, limits, crashes
discovery.py        epoch proposal, epoch ack         database.py what is in memory
sync_follower.py    DIFF, TRUNC or SNAP: the leader's decision
synchronization.py  the learner's side, NEWLEADER, the start of service
broadcast.py        request, PROPOSAL, ACK, COMMIT, INFORM
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from attrs import evolve

from zabspec.protocol import broadcast, discovery, election, leaving, synchronization
from zabspec.protocol.events import (
    ClientRequest,
    Crash,
    Elected,
    Event,
    LimitExpired,
    LinkLost,
    LogSynced,
    RoleEnded,
    TxnApplied,
)
from zabspec.protocol.messages import (
    PACKETS,
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    Inform,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Proposal,
    Snap,
    Trunc,
    UpToDate,
)
from zabspec.protocol.rules import Spec, ignore, never
from zabspec.protocol.state import (
    Failed,
    Follower,
    Leader,
    Leaving,
    Looking,
    Observer,
    Phase,
    Role,
    Server,
)

ELECTION, DISCOVERY, SYNCHRONIZATION, BROADCAST = Phase
CONNECTED = leaving.CONNECTED
EARLY = (DISCOVERY, SYNCHRONIZATION)
TO_LEADERS = (FollowerInfo, ObserverInfo, AckEpoch, Ack)
OPERATIONS = (Diff, Trunc, Snap)
TO_LEARNERS = (LeaderInfo, *OPERATIONS, NewLeader, UpToDate, Proposal, Commit, Inform)
THREADS = (LogSynced, TxnApplied)

_DRAINED = "the log thread is drained, and the commit processor stopped, before a role is left"
_AT_ONCE = "a role that ends is left at once"
_NOT_STARTED = "its request processors start with its service"


def threads(server: Server[Role]) -> Iterator[Event]:
    """What a server's own threads can do next: sync some of the log, apply what is committed."""
    if isinstance(server.role, Leaving):
        yield RoleEnded()
        return
    for upto in range(1, server.disk.unsynced + 1):
        yield LogSynced(upto)
    if isinstance(server.role, Leader | Follower) and server.role.to_apply:
        yield TxnApplied()


DECISIONS = (
    ignore(Failed, ELECTION, *PACKETS, Elected, LinkLost, because="it does not run"),
    ignore(Failed, ELECTION, *THREADS, ClientRequest, because="it does not run"),
    ignore(Failed, ELECTION, LimitExpired, RoleEnded, Crash, because="it does not run"),
    never(Leaving, ELECTION, *PACKETS, Elected, LinkLost, because=_AT_ONCE),
    never(Leaving, ELECTION, *THREADS, ClientRequest, because=_AT_ONCE),
    never(Leaving, ELECTION, LimitExpired, Crash, because=_AT_ONCE),
    never(Looking, ELECTION, RoleEnded, because=_AT_ONCE),
    never(Leader, CONNECTED, RoleEnded, because=_AT_ONCE),
    never(Follower, CONNECTED, RoleEnded, because=_AT_ONCE),
    never(Observer, CONNECTED, RoleEnded, because=_AT_ONCE),
    ignore(Looking, ELECTION, ClientRequest, LimitExpired, because="it has no leader"),
    ignore(Leader, EARLY, ClientRequest, because="it does not serve yet"),
    ignore(Follower, CONNECTED, ClientRequest, because="a follower passes it to its leader"),
    ignore(Observer, CONNECTED, ClientRequest, because="an observer passes it to its leader"),
    never(Looking, ELECTION, *PACKETS, LinkLost, because="it has no connection"),
    never(Looking, ELECTION, *THREADS, because=_DRAINED),
    never(Leader, CONNECTED, *TO_LEARNERS, because="it is a leader"),
    never(Leader, CONNECTED, Elected, because="only who looks is elected"),
    never(Leader, DISCOVERY, Ack, because="it has sent nothing to acknowledge"),
    never(Leader, EARLY, *THREADS, because=_NOT_STARTED),
    never(Follower, CONNECTED, *TO_LEADERS, because="it is a follower"),
    never(Follower, CONNECTED, Elected, because="only who looks is elected"),
    never(Follower, DISCOVERY, *TO_LEARNERS[1:], because="a leader offers its epoch first"),
    never(Follower, EARLY, *THREADS, because=_NOT_STARTED),
    never(Follower, SYNCHRONIZATION, LeaderInfo, because="an epoch is offered once"),
    never(Follower, EARLY[1:], Inform, because="a follower is sent PROPOSAL and COMMIT"),
    never(Follower, BROADCAST, LeaderInfo, NewLeader, UpToDate, because="it is up to date"),
    never(Follower, BROADCAST, *OPERATIONS, because="a leader syncs a learner once"),
    never(Follower, BROADCAST, Inform, because="a follower is sent PROPOSAL and COMMIT"),
    never(Observer, CONNECTED, *TO_LEADERS, because="it is an observer"),
    never(Observer, CONNECTED, Elected, because="only who looks is elected"),
    never(Observer, DISCOVERY, *TO_LEARNERS[1:], because="a leader offers its epoch first"),
    never(Observer, EARLY, *THREADS, because=_NOT_STARTED),
    never(Observer, SYNCHRONIZATION, LeaderInfo, because="an epoch is offered once"),
    never(Observer, BROADCAST, LeaderInfo, NewLeader, UpToDate, because="it is up to date"),
    never(Observer, BROADCAST, *OPERATIONS, because="a leader syncs a learner once"),
    never(Observer, BROADCAST, Proposal, Commit, because="an observer is sent INFORM"),
)

_MODULES = (election, discovery, synchronization, broadcast, leaving, sys.modules[__name__])

FINE = evolve(
    Spec.collect("fine", *_MODULES),
    oracle=election.most_recent,
    threads=threads,
    fused=(RoleEnded,),
)
"""Every thread an event of its own."""

BASELINE = evolve(FINE, name="baseline", fused=(RoleEnded, TxnApplied))
"""The log thread an event of its own; what is committed is applied at once."""

COARSE = evolve(FINE, name="coarse", fused=(RoleEnded, *THREADS))
"""One thread: what is logged is synced at once, too."""
