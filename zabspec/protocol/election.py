"""Phase 0: who leads. Fast Leader Election is outside Zab; here it is an oracle."""

from __future__ import annotations

from collections.abc import Sequence

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
)


def most_recent(looking: Sequence[Server[Role]]) -> tuple[int, ...]:
    """The oracle as FLE should be: the largest (currentEpoch, last zxid, sid) is elected.

    Models FastLeaderElection.totalOrderPredicate.
    """
    best = max(looking, key=lambda one: (one.disk.current_epoch, one.memory.database.zxid, one.sid))
    return (best.sid,)


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
