"""Each claim of "Zab: High-performance broadcast for primary-backup systems" (DSN 2011), tested.

Steps of the protocol drive one rule each; what a whole run shows is in tests/scripts/paper.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve

from zabspec.check import promises
from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.bounds import Bounds
from zabspec.check.outcomes import Outcome, outcomes
from zabspec.check.properties import Property
from zabspec.check.search import Search
from zabspec.check.world import Worlds
from zabspec.protocol.disk import AcceptedEpoch, AcceptHistory, AppendSynced
from zabspec.protocol.effects import (
    Apply,
    Broadcast,
    CloseAll,
    Effect,
    Impossible,
    Open,
    Ready,
    Send,
    Step,
    Write,
)
from zabspec.protocol.events import ClientRequest, Crash, Elected, Event, LinkLost, Received
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    FollowerInfo,
    LeaderInfo,
    NewLeader,
    Packet,
    Proposal,
    UpToDate,
)
from zabspec.protocol.paper import PAPER
from zabspec.protocol.state import (
    ZERO,
    Connection,
    Disk,
    Ensemble,
    Follower,
    History,
    Leader,
    Learner,
    Looking,
    Memory,
    Phase,
    Role,
    Server,
    Stage,
    Txn,
    Zxid,
)

THREE = Ensemble((1, 2, 3))
FIVE = Ensemble((1, 2, 3, 4, 5))
ELECTION, DISCOVERY, SYNCHRONIZATION, BROADCAST = Phase
LEADER = Connection(1)
"""The leader is 1 throughout; this is how its followers name their connection to it."""

EMPTY = Disk()
A, B, C = (Txn(Zxid(1, number), number) for number in (1, 2, 3))
NEXT = Txn(Zxid(2, 1), 4)
"""The first of a later epoch."""


def follower(phase: Phase, disk: Disk = EMPTY, applied: History = ()) -> Server[Role]:
    return Server(2, disk, Memory(applied), Follower(LEADER, phase))


def leader(
    phase: Phase, *learners: Learner, disk: Disk = EMPTY, applied: History = (), epoch: int = 2
) -> Server[Role]:
    return Server(1, disk, Memory(applied), Leader(phase, epoch, learners))


def learner(sid: int, stage: Stage, upto: Zxid = ZERO) -> Learner:
    return Learner(Connection(sid), stage, upto=upto)


def step(server: Server[Role], event: Event, ensemble: Ensemble = THREE) -> Step:
    return PAPER.step(server, event, ensemble)


def hears(
    server: Server[Role], sender: int, packet: Packet, ensemble: Ensemble = THREE
) -> tuple[Effect, ...]:
    return step(server, Received(Connection(sender), packet), ensemble).effects


def to(sid: int, packet: Packet) -> Send:
    return Send(Connection(sid), packet)


# Phase 1, discovery.


def test_a_follower_sends_the_epoch_it_last_promised_to_the_prospective_leader() -> None:
    """Step f.1.1."""
    looking = Server(2, Disk(accepted_epoch=5, current_epoch=3), Memory(), Looking())

    after, effects = step(looking, Elected(1)).server, step(looking, Elected(1)).effects

    assert effects == (Open(LEADER), to(1, FollowerInfo(5)))
    assert after.role == Follower(LEADER, DISCOVERY)


def test_a_prospective_leader_proposes_no_epoch_before_a_quorum_has_introduced_itself() -> None:
    """Step l.1.1: upon receiving CEPOCH from a quorum."""
    waiting = leader(DISCOVERY, learner(2, Stage.INTRODUCED), epoch=0)

    assert hears(leader(DISCOVERY, epoch=0), 2, FollowerInfo(0), FIVE) == ()
    assert hears(waiting, 3, FollowerInfo(0), FIVE) != ()


@pytest.mark.parametrize(("own", "theirs", "proposed"), [(0, 0, 1), (4, 2, 5), (2, 4, 5)])
def test_a_prospective_leader_proposes_an_epoch_later_than_any_its_quorum_promised(
    own: int, theirs: int, proposed: int
) -> None:
    """Step l.1.1: e' is later than any e received in a CEPOCH message. It is its own follower."""
    prospective = leader(DISCOVERY, disk=Disk(accepted_epoch=own), epoch=0)

    effects = hears(prospective, 2, FollowerInfo(theirs))

    assert effects == (Write(AcceptedEpoch(proposed)), to(2, LeaderInfo(proposed)))


def test_a_follower_promises_a_later_epoch_durably_before_it_answers() -> None:
    """Step f.1.2: f.p <- e', in stable storage, and then ACK-E(f.a, hf)."""
    disk = Disk(accepted_epoch=1, current_epoch=1, log=(A,))

    effects = hears(follower(DISCOVERY, disk), 1, LeaderInfo(2))

    assert effects == (Write(AcceptedEpoch(2)), to(1, AckEpoch(1, A.zxid, (A,))))


def test_a_follower_never_promises_an_epoch_below_its_promise() -> None:
    """Step f.1.2: only if f.p < e'."""
    result = step(follower(DISCOVERY, Disk(accepted_epoch=3)), Received(LEADER, LeaderInfo(2)))

    assert result.effects == (CloseAll(),)
    assert result.server.role == Looking()


def test_a_leader_waits_for_the_promises_of_a_quorum() -> None:
    """Step l.1.2: upon receiving ACK-E from each follower in a quorum."""
    waiting = leader(DISCOVERY, learner(2, Stage.INTRODUCED), learner(3, Stage.INTRODUCED))

    assert hears(waiting, 2, AckEpoch(0, ZERO, ()), FIVE) == ()
    assert hears(waiting, 2, AckEpoch(0, ZERO, ()), THREE) != ()


@pytest.mark.parametrize(
    ("own", "theirs", "selected"),
    [
        (Disk(2, 1, (A,)), AckEpoch(1, B.zxid, (A, B)), (A, B)),
        (Disk(2, 1, (A, B)), AckEpoch(1, A.zxid, (A,)), (A, B)),
        (Disk(2, 0, (A, B, C)), AckEpoch(1, A.zxid, (A,)), (A,)),
        (Disk(2, 1, ()), AckEpoch(0, C.zxid, (A, B, C)), ()),
    ],
    ids=["theirs is longer", "its own is longer", "their epoch is later", "its own epoch is later"],
)
def test_a_leader_selects_the_history_of_the_latest_epoch_and_of_those_the_longest(
    own: Disk, theirs: AckEpoch, selected: History
) -> None:
    """Step l.1.2: f'.a < f.a, or f'.a = f.a and the last zxid is no later."""
    effects = hears(leader(DISCOVERY, learner(2, Stage.INTRODUCED), disk=own), 2, theirs)

    assert effects[0] == Write(AcceptHistory(2, selected))


# Phase 2, synchronization.


def test_a_leader_proposes_its_history_to_every_follower_of_its_quorum() -> None:
    """Step l.2.1: NEWLEADER(e', Ie') to all followers in Q; it accepts the same itself."""
    promised = Learner(Connection(2), Stage.PROMISED, 0, 1, (A,))
    waiting = leader(DISCOVERY, promised, learner(3, Stage.INTRODUCED))

    effects = hears(waiting, 3, AckEpoch(1, B.zxid, (A, B)), FIVE)

    assert effects == (
        Write(AcceptHistory(2, (A, B))),
        to(2, NewLeader(2, (A, B))),
        to(3, NewLeader(2, (A, B))),
    )


def test_a_follower_accepts_epoch_and_history_in_one_write_and_acknowledges_then() -> None:
    """Step f.2.1: atomically, f.a <- e' and hf <- Ie', then ACK-LD."""
    disk = Disk(accepted_epoch=2, current_epoch=1, log=(A, B))

    effects = hears(follower(SYNCHRONIZATION, disk), 1, NewLeader(2, (A,)))

    assert effects == (Write(AcceptHistory(2, (A,))), to(1, Ack(Zxid(2, 0))))


def test_a_follower_that_promised_another_epoch_starts_again() -> None:
    """Step f.2.1: if f.p is not e', start a new iteration. No run within worlds gets there."""
    following = follower(SYNCHRONIZATION, Disk(accepted_epoch=3))

    result = step(following, Received(LEADER, NewLeader(2, (A,))))

    assert result.effects == (CloseAll(),)
    assert result.server.role == Looking()


def test_a_leader_commits_its_history_when_a_quorum_has_accepted_it() -> None:
    """Step l.2.2: upon ACK-LD from a quorum, COMMIT-LD to all its followers."""
    syncing = [learner(2, Stage.SYNCING), learner(3, Stage.SYNCING)]
    disk = Disk(2, 2, (A,))

    one_of_two = hears(leader(SYNCHRONIZATION, *syncing, disk=disk), 2, Ack(Zxid(2, 0)), FIVE)
    both = leader(SYNCHRONIZATION, learner(2, Stage.ACTIVE), syncing[1], disk=disk)

    assert one_of_two == ()
    assert set(hears(both, 3, Ack(Zxid(2, 0)), FIVE)) >= {
        to(2, UpToDate(A.zxid)),
        to(3, UpToDate(A.zxid)),
    }


def test_a_follower_delivers_its_initial_history_in_order_when_it_is_committed() -> None:
    """Step f.2.2."""
    following = follower(SYNCHRONIZATION, Disk(2, 2, (A, B)))

    result = step(following, Received(LEADER, UpToDate(B.zxid)))

    assert result.effects == (Apply(A), Apply(B))
    assert result.server.memory.applied == (A, B)
    assert result.server.role.phase is BROADCAST


# Phase 3, broadcast.


def test_a_leader_is_ready_once_it_is_established_and_has_delivered_its_history() -> None:
    """Step f.3.1: a follower that leads invokes ready(e')."""
    syncing = leader(SYNCHRONIZATION, learner(2, Stage.SYNCING), disk=Disk(2, 2, (A, B)))

    effects = hears(syncing, 2, Ack(Zxid(2, 0)))

    assert effects[:3] == (Apply(A), Apply(B), Ready(2))


def test_a_leader_proposes_to_its_followers_in_increasing_order_of_zxids() -> None:
    """Step l.3.1: PROPOSE(e', (v, z)) such that z succeeds all that were broadcast before."""
    serving = leader(BROADCAST, learner(2, Stage.ACTIVE), learner(3, Stage.ACTIVE))

    zxids: list[Zxid] = []
    for request in (1, 2, 3):
        asked = next(outcomes(PAPER, THREE, serving, ClientRequest(request)))
        (txn,) = (effect.txn for effect in asked.effects if isinstance(effect, Broadcast))
        assert asked.effects[1] == Write(AppendSynced((txn,)))
        assert asked.effects[2:] == (to(2, Proposal(txn)), to(3, Proposal(txn)))
        assert txn.request == request
        zxids.append(txn.zxid)
        serving = asked.after

    assert zxids == [Zxid(2, 1), Zxid(2, 2), Zxid(2, 3)]
    assert all(earlier < later for earlier, later in pairwise(zxids))


def test_a_leader_commits_what_a_quorum_has_acknowledged_and_nothing_else() -> None:
    """Step l.3.2: upon ACK from a quorum, COMMIT to all followers."""
    active = [learner(sid, Stage.ACTIVE) for sid in (2, 3)]
    serving = leader(BROADCAST, *active, disk=Disk(1, 1, (A, B)), epoch=1)

    committed = (Apply(A), to(2, Commit(A.zxid)), to(3, Commit(A.zxid)))

    assert hears(serving, 2, Ack(A.zxid), THREE) == committed
    assert hears(serving, 2, Ack(A.zxid), FIVE) == ()


def test_a_leader_counts_an_acknowledgement_once() -> None:
    """Step l.3.2: from a quorum of followers, not so many times."""
    serving = leader(
        BROADCAST,
        learner(2, Stage.ACTIVE, upto=A.zxid),
        learner(3, Stage.ACTIVE),
        disk=Disk(1, 1, (A,)),
    )

    assert hears(serving, 2, Ack(A.zxid), FIVE) == ()


def test_a_follower_logs_a_proposal_behind_all_earlier_ones_and_acknowledges_it() -> None:
    """Step f.3.2."""
    following = follower(BROADCAST, Disk(1, 1, (A,)))

    assert hears(following, 1, Proposal(B)) == (Write(AppendSynced((B,))), to(1, Ack(B.zxid)))
    assert hears(follower(BROADCAST, Disk(2, 2, (A,))), 1, Proposal(NEXT)) == (
        Write(AppendSynced((NEXT,))),
        to(1, Ack(NEXT.zxid)),
    )


def test_a_follower_that_is_sent_a_proposal_out_of_order_meets_the_impossible() -> None:
    """Step f.3.2: connections keep their order. No run within worlds gets there."""
    following = follower(BROADCAST, Disk(1, 1, (A,)))

    assert hears(following, 1, Proposal(C)) == (Impossible("proposal 1.3 behind 1.1"),)


def test_a_follower_delivers_a_committed_transaction_when_all_earlier_ones_are_delivered() -> None:
    """Step f.3.3."""
    following = follower(BROADCAST, Disk(1, 1, (A, B)), applied=(A,))

    result = step(following, Received(LEADER, Commit(B.zxid)))

    assert result.effects == (Apply(B),)
    assert result.server.memory.applied == (A, B)


@pytest.mark.parametrize("log", [(), (A, B)], ids=["it is not logged", "another is due"])
def test_a_follower_that_is_told_to_commit_before_its_turn_meets_the_impossible(
    log: History,
) -> None:
    """Step f.3.3: only once all earlier ones are committed. No run within worlds gets there."""
    following = follower(BROADCAST, Disk(1, 1, log))

    assert hears(following, 1, Commit(B.zxid)) == (Impossible("commit 1.2 before its turn"),)


def test_a_leader_offers_its_epoch_and_then_its_history_to_a_late_follower() -> None:
    """Step l.3.3: upon CEPOCH while it broadcasts: NEWEPOCH(e'), then NEWLEADER(e', history)."""
    serving = leader(BROADCAST, learner(2, Stage.ACTIVE), disk=Disk(2, 2, (A, NEXT)))

    came = step(serving, Received(Connection(3), FollowerInfo(0)))
    answered = step(came.server, Received(Connection(3), AckEpoch(0, ZERO, ())))

    assert came.effects == (to(3, LeaderInfo(2)),)
    assert answered.effects == (to(3, NewLeader(2, (A, NEXT))),)


def test_a_leader_brings_a_late_follower_up_to_date_and_counts_on_it_from_then_on() -> None:
    """Step l.3.4: upon its ACK-LD, COMMIT-LD, and Q <- Q and f."""
    serving = leader(
        BROADCAST,
        learner(2, Stage.ACTIVE),
        learner(3, Stage.SYNCING),
        disk=Disk(1, 1, (A,)),
        applied=(A,),
        epoch=1,
    )

    joined = step(serving, Received(Connection(3), Ack(Zxid(1, 0))))

    assert joined.effects == (to(3, UpToDate(A.zxid)),)
    longer = evolve(joined.server, disk=Disk(1, 1, (A, B)))
    assert to(3, Commit(B.zxid)) in hears(longer, 3, Ack(B.zxid))


# Whoever loses its leader or its quorum goes back to phase 0.


def test_a_follower_without_its_leader_and_a_leader_without_its_quorum_start_again() -> None:
    """Section IV: the next iteration."""
    following = step(follower(BROADCAST), LinkLost(LEADER))
    alone = step(leader(BROADCAST, learner(2, Stage.ACTIVE)), LinkLost(Connection(2)))
    supported = step(
        leader(BROADCAST, learner(2, Stage.ACTIVE), learner(3, Stage.ACTIVE)),
        LinkLost(Connection(2)),
    )

    assert following.server.role == alone.server.role == Looking()
    assert following.effects == alone.effects == (CloseAll(),)
    assert supported.server.role == Leader(BROADCAST, 2, (learner(3, Stage.ACTIVE),))
    assert supported.effects == ()


def test_a_server_that_restarts_keeps_its_disk_and_delivers_anew() -> None:
    """Section II: processes crash and recover, with what is in stable storage."""
    disk = Disk(1, 1, (A,))

    result = step(follower(BROADCAST, disk, applied=(A,)), Crash())

    assert result == Step(Server(2, disk, Memory(), Looking()), (CloseAll(),))


# Where we differ from the paper; each is marked `Differs:` in the rule that does.


def test_differs_an_epoch_promised_before_is_answered_and_is_no_promise() -> None:
    """Step f.1.2 leaves this follower waiting."""
    following = follower(DISCOVERY, Disk(2, 1, (A,)))

    assert hears(following, 1, LeaderInfo(2)) == (to(1, AckEpoch(None, A.zxid, (A,))),)


def test_differs_an_answer_that_is_no_promise_does_not_make_a_quorum() -> None:
    """Step l.1.2 knows of none. Counted, it would establish two leaders of one epoch."""
    waiting = leader(DISCOVERY, learner(2, Stage.INTRODUCED), learner(3, Stage.INTRODUCED))

    result = step(waiting, Received(Connection(2), AckEpoch(None, ZERO, ())))

    assert result.effects == ()
    assert isinstance(result.server.role, Leader)
    assert result.server.role.phase is DISCOVERY


def test_differs_a_leader_gives_up_when_those_who_can_still_promise_are_no_quorum() -> None:
    """Step l.1.2 waits for ever."""
    waiting = leader(DISCOVERY, learner(2, Stage.INTRODUCED))

    result = step(waiting, Received(Connection(2), AckEpoch(None, ZERO, ())))

    assert result.server.role == Looking()
    assert result.effects == (CloseAll(),)


def test_differs_a_late_follower_delivers_only_what_is_committed_of_its_history() -> None:
    """Step f.2.2 delivers all of it; steps l.3.3 and l.3.4 put what is not committed into it."""
    following = follower(SYNCHRONIZATION, Disk(1, 1, (A, B)))

    assert hears(following, 1, UpToDate(A.zxid)) == (Apply(A),)
    assert hears(following, 1, UpToDate(ZERO)) == ()


def test_differs_a_leader_proposes_to_followers_that_have_not_acknowledged_their_history() -> None:
    """Step l.3.1 says Q, which f joins only at l.3.4: what is proposed in between would be lost."""
    serving = leader(
        BROADCAST,
        learner(2, Stage.ACTIVE),
        learner(3, Stage.SYNCING),
        learner(4, Stage.INTRODUCED),
    )

    sends = [
        effect for effect in step(serving, ClientRequest(4)).effects if isinstance(effect, Send)
    ]

    assert sends == [to(2, Proposal(NEXT)), to(3, Proposal(NEXT))]


# Sections II and III: what is promised of all runs. Each promise tells right from wrong here, and
# holds for every run within small bounds; tests/test_models.py has the large ones, and the bugs.


def served(
    before: Server[Role], *effects: Effect, applied: History = (), log: History = ()
) -> Outcome:
    after = evolve(before, memory=Memory(applied), disk=evolve(before.disk, log=log))
    return Outcome(before, ClientRequest(1), after, effects)


SERVING = leader(BROADCAST)


def knows(broadcast: History, delivered: History = ()) -> AtomicBroadcast:
    return AtomicBroadcast(broadcast, delivered, ((1, 1),))


def delivering(*applied: Txn) -> Server[Role]:
    return follower(BROADCAST, applied=applied)


def test_integrity_what_is_delivered_was_broadcast() -> None:
    """Section II, integrity."""
    integrity = promises.integrity.function
    forged = evolve(A, request=9)

    assert integrity(served(SERVING, Apply(A)), knows((A,))) is True
    assert integrity(served(SERVING, Apply(A)), knows(())) is False
    assert integrity(served(SERVING, Apply(forged)), knows((A,))) is False
    assert integrity(served(SERVING), knows((A,))) is None


def test_total_order_what_two_servers_deliver_they_deliver_in_one_order() -> None:
    """Section II, total order."""
    total_order = promises.total_order.function

    assert total_order(delivering(A, B), delivering(A, B, C)) is True
    assert total_order(delivering(A, B), delivering(B, A)) is False
    assert total_order(delivering(A, B), delivering(B)) is False
    assert total_order(delivering(A), delivering(B)) is None


def test_agreement_of_two_servers_one_has_delivered_all_that_the_other_has() -> None:
    """Section II, agreement."""
    agreement = promises.agreement.function

    assert agreement(delivering(A), delivering(A, B)) is True
    assert agreement(delivering(A, B), delivering(A, C)) is False
    assert agreement(delivering(), delivering(A)) is None


def test_committed_prefixes_agree_in_each_place() -> None:
    """Sections II and III together: what two servers have delivered is one sequence, cut short."""
    prefixes = promises.committed_prefixes_agree.function

    assert prefixes(delivering(A, B), delivering(A)) is True
    assert prefixes(delivering(A, B), delivering(A, C)) is False
    assert prefixes(delivering(), delivering(A)) is None


def test_local_primary_order_what_a_primary_broadcast_is_delivered_in_that_order() -> None:
    """Section III, local primary order."""
    local_order = promises.local_primary_order.function

    assert local_order(delivering(A, B), knows((A, B))) is True
    assert local_order(delivering(B), knows((A, B))) is False
    assert local_order(delivering(B, A), knows((A, B))) is False
    assert local_order(delivering(A), knows((A, B))) is None


def test_global_primary_order_what_earlier_primaries_broadcast_is_delivered_first() -> None:
    """Section III, global primary order."""
    global_order = promises.global_primary_order.function

    assert global_order(delivering(A, B, NEXT)) is True
    assert global_order(delivering(A, NEXT, B)) is False
    assert global_order(delivering(A, B)) is None


def test_primary_integrity_a_primary_has_delivered_what_earlier_ones_committed() -> None:
    """Section III, primary integrity: before it broadcasts."""
    primary_integrity = promises.primary_integrity.function
    complete = leader(BROADCAST, applied=(A,))

    assert primary_integrity(served(complete, Broadcast(NEXT)), knows((A,), (A,))) is True
    assert primary_integrity(served(SERVING, Broadcast(NEXT)), knows((A,), (A,))) is False
    assert primary_integrity(served(SERVING, Broadcast(A)), knows((A,), (A,))) is None
    assert primary_integrity(served(SERVING), knows((A,), (A,))) is None


@pytest.mark.parametrize(
    "promise",
    [
        promises.integrity,
        promises.total_order,
        promises.agreement,
        promises.local_primary_order,
        promises.global_primary_order,
        promises.primary_integrity,
    ],
    ids=lambda promise: promise.function.__name__,
)
def test_every_run_of_two_servers_keeps_what_sections_two_and_three_promise(
    promise: Property,
) -> None:
    bounds = Bounds(servers=2, txns=2, lost_links=1, elections=2)

    found = Search(Worlds(PAPER, bounds), [promise]).run()

    assert found.complete
    assert found.premises[promise] > 0
