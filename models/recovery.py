"""Can every world recover? Once there are no more faults, does somebody come to lead a quorum?"""

from __future__ import annotations

from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Holds, Model
from zabspec.check.promises import PROMISES, quorum_is_led
from zabspec.protocol import paper
from zabspec.protocol.effects import Close, Step
from zabspec.protocol.events import LinkLost, Received
from zabspec.protocol.messages import FollowerInfo
from zabspec.protocol.paper import PAPER
from zabspec.protocol.state import Ensemble, Leader, Server
from zabspec.protocol.zab import BASELINE

QUESTION = "Once there are no more faults, does somebody come to lead a quorum?"


def never_forgets(server: Server[Leader], _event: LinkLost, _ensemble: Ensemble) -> Step:
    return Step(server)


def refuses_who_comes_back(
    server: Server[Leader], event: Received[FollowerInfo], ensemble: Ensemble
) -> Step:
    if server.role.knows(event.connection):
        return Step(server, (Close(event.connection),))
    return paper.leader_offers_epoch(server, event, ensemble)


MODELS = (
    Model(
        "paper-recovers",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Holds(worlds=26_962, steps=62_169, depth=28),
        promises=(*PROMISES, quorum_is_led),
    ),
    Model(
        "paper-recovers-from-crash",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Holds(worlds=29_144, steps=63_165, depth=32),
        promises=(*PROMISES, quorum_is_led),
    ),
    Model(
        "baseline-recovers",
        QUESTION,
        BASELINE,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Holds(worlds=81_966, steps=212_261, depth=45),
        promises=(*PROMISES, quorum_is_led),
    ),
    Model(
        "paper-refuses-who-comes-back",
        "A leader does not forget who has gone, and refuses it: it comes again, for ever.",
        PAPER.but(
            "paper-refuses-who-comes-back",
            leader_loses_learner=never_forgets,
            leader_offers_epoch=refuses_who_comes_back,
        ),
        Bounds(servers=2, txns=1, lost_links=1, elections=2),
        Broken(quorum_is_led, 2),
    ),
)
