"""Phase 0: who leads. Fast Leader Election is outside Zab; here it is an oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from zabspec.protocol.effects import Open, Send, Step
from zabspec.protocol.events import Elected
from zabspec.protocol.messages import FollowerInfo, ObserverInfo
from zabspec.protocol.rules import on
from zabspec.protocol.state import (
    Connection,
    Ensemble,
    Follower,
    Leader,
    Looking,
    Observer,
    Phase,
    Role,
    Server,
    Zxid,
)


@frozen
class Vote:
    """For whom a server votes at first: itself. epoch: its current one. zxid: its last."""

    epoch: int
    zxid: Zxid
    sid: int


Beats = Callable[[Vote, Vote], bool]
"""Whether a server gives up the second vote for the first."""


def total_order_predicate(new: Vote, current: Vote) -> bool:
    """A later current epoch wins; with the same, a later zxid; with the same again, a greater sid.

    Models FastLeaderElection.totalOrderPredicate.
    """
    if new.epoch != current.epoch:
        return new.epoch > current.epoch
    if new.zxid != current.zxid:
        return new.zxid > current.zxid
    return new.sid > current.sid


def unbeaten(looking: Sequence[Server[Role]], beats: Beats) -> tuple[int, ...]:
    """Whose vote none of these servers gives up for another one's; nobody, where votes go round.

    Models FastLeaderElection.lookForLeader, which ends when nobody changes the vote any more.
    """
    votes = [Vote(one.disk.current_epoch, one.memory.database.zxid, one.sid) for one in looking]
    return tuple(mine.sid for mine in votes if not any(beats(other, mine) for other in votes))


def most_recent(looking: Sequence[Server[Role]]) -> tuple[int, ...]:
    """The oracle as FLE should be: the largest (currentEpoch, last zxid, sid) is elected."""
    return unbeaten(looking, total_order_predicate)


@on(Looking, Phase.ELECTION, Elected)
def server_takes_its_role(server: Server[Looking], event: Elected, ensemble: Ensemble) -> Step:
    """Lead, or connect to the leader and say which epoch was accepted last.

    Models QuorumPeer.run, Learner.connectToLeader, Learner.registerWithLeader.
    """
    if event.leader == server.sid:
        return Step(server.playing(Leader()))
    connection = Connection(event.leader)
    epoch = server.disk.accepted_epoch
    if server.sid in ensemble.observers:
        observer = server.playing(Observer(connection, Phase.DISCOVERY))
        return Step(observer, (Open(connection), Send(connection, ObserverInfo(epoch))))
    follower = server.playing(Follower(connection, Phase.DISCOVERY))
    return Step(follower, (Open(connection), Send(connection, FollowerInfo(epoch))))
