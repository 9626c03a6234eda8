"""ZOOKEEPER-1277: a zxid's counter overflows into its epoch.

A zxid is one number of 64 bits, with the epoch above a counter of 32. Up to 3.3.4 and 3.4.3 a
leader that had used up the counter added one as always, and so named its next transaction epoch
e + 1, counter 0, which everywhere else stands for the beginning of that epoch. Servers stopped
serving: where an ACK of counter 0 is taken for NEWLEADER's or UPTODATE's, as in later releases and
here, nothing is committed any more. Worse, who has logged it says that it has come as far as the
next epoch. The leader of that epoch, who never had any of it, believes this and sends an empty
DIFF: the server shows its clients what no quorum ever had, and goes on from there. The shortest run
cuts one link: a leader logs 1.1, 1.2 and 2.0 alone, its follower leads epoch 2 and proposes 2.1,
and the old leader joins it.

Since 3.3.5, 3.4.4 and 3.5.0 a leader refuses the request that would get the last counter and leaves
its role; what is outstanding stays in the logs, for the next epoch to decide on. The model's last
counter is 2, so that the good rule proposes one transaction an epoch. Left out: rolling over in
place (4883) and wider counters (2789), both still proposals.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.lockstep import RUN
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import broadcast
from zabspec.protocol.effects import Step
from zabspec.protocol.events import ClientRequest
from zabspec.protocol.state import Ensemble, Leader, Server, Txn, Zxid
from zabspec.protocol.zab import COARSE


def leader_counts_on(server: Server[Leader], event: ClientRequest, ensemble: Ensemble) -> Step:
    zxid = broadcast.last_proposed(server).next()
    if zxid.counter > ensemble.last_counter:
        zxid = Zxid(zxid.epoch + 1, 0)
    return broadcast.propose(server, Txn(zxid, event.request))


MODELS = (
    Model(
        "zk-1277",
        "A leader whose counter has overflowed goes on with zxids of the next epoch (1277).",
        COARSE.but("zk-1277", leader_proposes=leader_counts_on),
        Bounds(servers=3, txns=4, lost_links=1, elections=2, last_counter=2),
        Broken(promises.committed_prefixes_agree, 32),
        slow=True,
    ),
)


def next_zxid(self: Any) -> int:
    zxid: int = self.last_proposed + 1
    zxids = sys.modules["impl.zxids"]
    if zxids.counter_of(zxid) > self._leader.peer.config.last_counter:
        return int(zxids.make_zxid(zxids.epoch_of(zxid) + 1, 0))
    return zxid


def propose(self: Any, request: Any) -> bool:
    impl = sys.modules["impl.proposals"]
    packet = impl.QuorumPacket(impl.PacketType.PROPOSAL, request.zxid, request.payload)
    self.last_proposed = request.zxid
    verifiers = self._leader.peer.involved_verifiers()
    self.outstanding[request.zxid] = impl.Proposal(packet, request, verifiers)
    self._send(packet)
    return True


CODE: Mapping[str, Callable[..., Any]] = {
    "impl.proposals:Proposals.next_zxid": next_zxid,
    "impl.proposals:Proposals.propose": propose,
}

AGAINST = Against(
    rows=Good(Bounds(servers=2, txns=2, elections=1, last_counter=2)),
    lockstep=Good(evolve(RUN, last_counter=2)),
)
