"""Does the paper's Zab keep its promises? Within each of these bounds, in every interleaving.

The names say servers, transactions, lost links and restarts, in the order in which the published
TLC runs of `Zab.tla` are told.
"""

from __future__ import annotations

from zabspec.check import witnesses as seen
from zabspec.check.bounds import Bounds
from zabspec.check.model import Holds, Model
from zabspec.protocol.disk import AcceptHistory, CurrentEpoch, ReplaceLog
from zabspec.protocol.effects import Effect, Step, Write
from zabspec.protocol.events import Received
from zabspec.protocol.messages import NewLeader
from zabspec.protocol.paper import PAPER, follower_accepts_history
from zabspec.protocol.state import Ensemble, Follower, Server

QUESTION = "Does the paper's Zab keep its promises?"


def history_then_epoch(
    server: Server[Follower], event: Received[NewLeader], ensemble: Ensemble
) -> Step:
    step = follower_accepts_history(server, event, ensemble)
    effects: list[Effect] = []
    for effect in step.effects:
        if isinstance(effect, Write) and isinstance(effect.change, AcceptHistory):
            change = effect.change
            effects += (Write(ReplaceLog(change.history)), Write(CurrentEpoch(change.epoch)))
        else:
            effects.append(effect)
    return Step(step.server, tuple(effects))


AMENDED = PAPER.but("paper-history-then-epoch", follower_accepts_history=history_then_epoch)

MODELS = (
    Model(
        "paper-2-2-2-0",
        QUESTION,
        PAPER,
        Bounds(servers=2, txns=2, lost_links=2, elections=3),
        Holds(worlds=9_068, steps=13_722, depth=33),
    ),
    Model(
        "paper-3-1-1-0",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=1, lost_links=1, elections=2),
        Holds(worlds=26_962, steps=62_169, depth=28),
    ),
    Model(
        "paper-3-2-1-1",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=2, lost_links=1, crashes=1, elections=3),
        Holds(worlds=4_383_126, steps=11_595_276, depth=45),
    ),
    Model(
        "paper-3-2-2-1",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=2, lost_links=2, crashes=1, elections=4),
        Holds(worlds=92_498_465, steps=260_014_254, depth=54),
        slow=True,
    ),
    Model(
        "paper-3-2-1-0",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=2, lost_links=1, elections=2),
        Holds(worlds=132_025, steps=356_070, depth=34),
        witnesses=(
            seen.transaction_committed,
            seen.two_at_once,
            seen.dropped,
            seen.survived,
            seen.history_taken,
            seen.two_epochs,
            seen.no_promise,
            seen.late_follower,
            seen.early_proposal,
        ),
    ),
    Model(
        "paper-3-0-2-0",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=0, lost_links=2, elections=3),
        Holds(worlds=157_576, steps=383_928, depth=32),
        witnesses=(seen.epoch_refused, seen.gave_up),
    ),
    Model(
        "paper-3-1-0-1",
        QUESTION,
        PAPER,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Holds(worlds=29_144, steps=63_165, depth=32),
        witnesses=(seen.cut_by_crash,),
    ),
    Model(
        "paper-history-then-epoch",
        "Is it enough to write the history first and the epoch then, each durably, before the ACK?",
        AMENDED,
        Bounds(servers=3, txns=1, crashes=1, elections=2),
        Holds(worlds=29_354, steps=63_681, depth=32),
    ),
)
