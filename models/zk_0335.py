"""ZOOKEEPER-335: A server knows of epochs only what the last zxid of its log says.

Before Zab 1.0 (3.4.0) nothing on disk told which epoch a server had promised to follow, or whose
history it had accepted. A leader took the epoch behind its own last zxid; a follower refused one
that was below its own. An epoch in which nothing was written left no trace. So two leaders, one
after the other, served in one epoch, and one zxid could stand for two transactions; and a leader
whose last zxid had run ahead, though nobody had followed it, was followed by nobody, and all looked
for a leader again and again (1081, 1082). Mended in 3.4.0 by the files `acceptedEpoch` and
`currentEpoch`, and by the exchange before NEWLEADER.

Here both files are as good as gone whenever a server begins to look for a leader: what it knows
then is its last zxid's epoch. The rest of discovery is as in 3.4.0, so that what breaks is this.
The first model finds two leaders of one epoch, the second a transaction that takes the place of
another with the same zxid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zabspec.check import promises
from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model
from zabspec.conform.zoo import Against, Good
from zabspec.protocol import leaving
from zabspec.protocol.disk import AcceptedEpoch, CurrentEpoch
from zabspec.protocol.effects import Step, Write
from zabspec.protocol.events import Crash, RoleEnded
from zabspec.protocol.state import Ensemble, Leaving, Role, Server
from zabspec.protocol.zab import COARSE


def _forgets_epochs(step: Step) -> Step:
    epoch = step.server.memory.database.zxid.epoch
    forget = (Write(AcceptedEpoch(epoch)), Write(CurrentEpoch(epoch)))
    return Step(step.server, (*step.effects, *forget))


def leaves_with_zxid_alone(server: Server[Leaving], event: RoleEnded, ensemble: Ensemble) -> Step:
    return _forgets_epochs(leaving.server_leaves_role(server, event, ensemble))


def restarts_with_zxid_alone(server: Server[Role], event: Crash, ensemble: Ensemble) -> Step:
    return _forgets_epochs(leaving.server_restarts(server, event, ensemble))


SPEC = COARSE.but(
    "zk-0335",
    server_leaves_role=leaves_with_zxid_alone,
    server_restarts=restarts_with_zxid_alone,
)

MODELS = (
    Model(
        "zk-0335",
        "Nothing but the last zxid tells a server which epochs there were, and two leaders serve in"
        " one.",
        SPEC,
        Bounds(servers=3, txns=0, lost_links=1, elections=2),
        Broken(promises.one_leader_an_epoch, 16),
    ),
    Model(
        "zk-0335-b",
        "The same: one zxid comes to stand for two transactions.",
        SPEC,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Broken(promises.committed_prefixes_agree, 31),
    ),
)


async def _load(self: Any, last_zxid: int) -> None:
    """Whatever the files say."""
    self.accepted_epoch = self.current_epoch = max(0, last_zxid >> 32)


CODE: Mapping[str, Callable[..., Any]] = {"impl.epochs:EpochFiles.load": _load}

AGAINST = Against(rows=Good(Bounds(servers=2, txns=1, lost_links=1, elections=2)))
