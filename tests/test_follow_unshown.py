"""What a server does unseen, and only its later packets, or none, tell of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve, frozen

from zabspec.conform.follow import Follow, Future
from zabspec.conform.follow_explanation import CRASH, LOST, SAVED, UNSENT
from zabspec.protocol.messages import (
    Ack,
    AckEpoch,
    Commit,
    Diff,
    FollowerInfo,
    Inform,
    LeaderInfo,
    NewLeader,
    ObserverInfo,
    Packet,
    Proposal,
    Snap,
    UpToDate,
)
from zabspec.protocol.state import ZERO, Connection, Ensemble, Txn, Zxid, new_server
from zabspec.protocol.zab import FINE

SID = 3
ENSEMBLE = Ensemble((1, 2, 3), (4,))
A, B, C, OBSERVER = Connection(1, 1), Connection(2, 2), Connection(1, 3), Connection(4, 4)

LATE = Snap(Zxid(1, 0), ())
"""What who comes with nothing is sent, once epoch 1 is established."""


@frozen
class Sent:
    link: Connection
    packet: Packet


@frozen
class Read:
    link: Connection
    packet: Packet


@frozen
class Ended:
    link: Connection


@frozen
class Killed:
    pass


Seen = Sent | Read | Ended | Killed


def followed(*seen: Seen) -> Follow:
    """Server 3, followed through all of this, or to what it cannot have sent."""
    sent: dict[Connection, list[Packet]] = {}
    for one in seen:
        if isinstance(one, Sent):
            sent.setdefault(one.link, []).append(one.packet)
    ending = frozenset(one.link for one in seen if isinstance(one, Ended))
    follow = Follow.of(FINE, ENSEMBLE, new_server(SID), Future(sent, ending))
    for one in seen:
        match one:
            case Sent(link, packet):
                if follow.sent(link, packet) is not None:
                    break
            case Read(link, packet):
                follow.readable(link, packet)
            case Ended(link):
                follow.ended(link)
            case Killed():
                follow.killed()
    return follow


def refused(*seen: Seen) -> Packet | None:
    found = followed(*seen).refused
    return None if found is None else found.packet


def assumed(*seen: Seen) -> Sequence[str]:
    follow = followed(*seen)
    assert follow.refused is None, follow.refused
    return follow.explanations[0].assumed


def txn(counter: int, epoch: int = 1) -> Txn:
    return Txn(Zxid(epoch, counter), 10 * epoch + counter)


def leads(link: Connection) -> tuple[Seen, ...]:
    """Server 3 is established in epoch 1, with one learner."""
    return (*begins(link), *synced(link))


def begins(link: Connection, sync: Packet | None = None) -> tuple[Seen, ...]:
    introduces = ObserverInfo(0) if link.peer in ENSEMBLE.observers else FollowerInfo(0)
    return (
        Read(link, introduces),
        Sent(link, LeaderInfo(1)),
        Read(link, AckEpoch(0, ZERO)),
        Sent(link, sync or Diff(ZERO)),
        Sent(link, NewLeader(1)),
    )


def synced(link: Connection) -> tuple[Seen, ...]:
    ack = Ack(Zxid(1, 0))
    return Read(link, ack), Sent(link, UpToDate()), Read(link, ack)


def commits(link: Connection, counter: int) -> tuple[Seen, ...]:
    one = txn(counter)
    return Sent(link, Proposal(one)), Read(link, Ack(one.zxid)), Sent(link, Commit(one.zxid))


def leads_again(link: Connection, last: Zxid) -> tuple[Seen, ...]:
    """It leads epoch 2, with a learner whose history ends here."""
    return (
        Read(link, FollowerInfo(1)),
        Sent(link, LeaderInfo(2)),
        Read(link, AckEpoch(1, last)),
    )


def pairs(*txns: Txn) -> tuple[Seen, ...]:
    return tuple(Sent(C, packet) for one in txns for packet in (Proposal(one), Commit(one.zxid)))


@pytest.mark.parametrize("unsent", [1, 2, 40])
def test_what_a_leader_logged_and_sent_to_nobody_is_what_it_syncs_to_later(unsent: int) -> None:
    first = (*leads(A), *commits(A, 1), Ended(A))
    behind = [txn(counter) for counter in range(2, 2 + unsent)]
    again = (*leads_again(C, Zxid(1, 1)), Sent(C, Diff(behind[-1].zxid)))

    run = (*first, *again, *pairs(*behind), Sent(C, NewLeader(2)))

    assert assumed(*run) == (UNSENT, LOST)


def test_it_is_held_to_what_it_said_of_that() -> None:
    first = (*leads(A), *commits(A, 1), Ended(A), *leads_again(C, Zxid(1, 1)))
    ahead, short = Sent(C, Diff(Zxid(1, 3))), Sent(C, Diff(Zxid(1, 2)))

    assert refused(*first, ahead, *pairs(txn(2)), Sent(C, NewLeader(2))) is not None
    assert refused(*first, short, *pairs(txn(2), txn(3)), Sent(C, NewLeader(2))) is not None
    assert refused(*first, short, Sent(C, NewLeader(2))) == NewLeader(2)


def test_who_answers_as_a_learner_may_hold_what_it_sent_to_nobody() -> None:
    first = (*leads(A), *commits(A, 1), Ended(A))
    follows = (Sent(B, FollowerInfo(1)), Read(B, LeaderInfo(2)))

    assert refused(*first, *follows, Sent(B, AckEpoch(1, Zxid(1, 3)))) is None
    assert refused(*first, *follows, Sent(B, AckEpoch(1, Zxid(2, 3)))) is not None


def test_only_who_led_an_epoch_has_proposals_of_it_that_nobody_was_sent() -> None:
    follows = (
        Sent(A, FollowerInfo(0)),
        Read(A, LeaderInfo(1)),
        Sent(A, AckEpoch(0, ZERO)),
        Read(A, Diff(ZERO)),
        Read(A, NewLeader(1)),
        Sent(A, Ack(Zxid(1, 0))),
        Ended(A),
        *leads_again(C, ZERO),
    )

    assert refused(*follows, Sent(C, Diff(ZERO)), Sent(C, NewLeader(2))) is None
    assert refused(*follows, Sent(C, Diff(Zxid(1, 1)))) == Diff(Zxid(1, 1))


def test_a_leader_may_have_accepted_an_epoch_and_offered_it_to_nobody() -> None:
    came = (Read(A, FollowerInfo(0)), Ended(A))
    twice = (*came, Read(C, FollowerInfo(0)), Ended(C))

    assert assumed(*came, Sent(B, FollowerInfo(1))) == (LOST,)
    assert assumed(*twice, Sent(B, FollowerInfo(2))) == (LOST, LOST)


def test_it_did_not_without_a_quorum_that_came_and_was_lost() -> None:
    came, later = Read(A, FollowerInfo(0)), Sent(B, FollowerInfo(1))

    assert refused(later) == later.packet
    assert refused(came, later) == later.packet
    assert refused(came, Ended(A), evolve(later, packet=FollowerInfo(2))) == FollowerInfo(2)
    watches = Read(OBSERVER, ObserverInfo(0)), Ended(OBSERVER)
    assert refused(*watches, later) == later.packet


def test_an_observer_is_informed_while_a_proposal_of_before_waits_for_the_follower() -> None:
    both = (*leads(A), *begins(OBSERVER, LATE), *synced(OBSERVER))
    one, two = txn(1), txn(2)
    acked = (*both, Sent(A, Proposal(one)), Read(A, Ack(one.zxid)), Sent(OBSERVER, Inform(one)))

    assert refused(*acked, Sent(A, Proposal(two)), Sent(A, Commit(one.zxid))) is None
    assert refused(*acked, Sent(A, Commit(one.zxid)), Sent(A, Proposal(two))) is None
    assert refused(*acked, Sent(A, Proposal(two)), Sent(OBSERVER, Inform(two))) == Inform(two)


def test_a_late_learner_is_told_between_proposals_that_another_was_sent_before() -> None:
    one, two = Proposal(txn(1)), Proposal(txn(2))
    late = (*leads(A), *begins(B, LATE))
    ack, told = Read(B, Ack(Zxid(1, 0))), Sent(B, UpToDate())
    sent = (Sent(A, one), Sent(A, two), Sent(B, one))

    assert refused(*late, ack, *sent, told, Sent(B, two)) is None
    assert refused(*late, *sent, told, Sent(B, two)) == UpToDate()


def test_a_window_begins_with_a_snapshot_that_was_saved_before_the_role() -> None:
    three = (*leads(A), *commits(A, 1), *commits(A, 2), *commits(A, 3))
    snapped = Sent(C, Snap(Zxid(1, 3), ()))

    run = (*three, Ended(A), *leads_again(C, Zxid(1, 1)), snapped, Sent(C, NewLeader(2)))

    assert assumed(*run) == (LOST, SAVED)


def test_it_holds_all_that_was_committed_since_the_leader_serves() -> None:
    three = (*leads(A), *commits(A, 1), *commits(A, 2), *commits(A, 3))
    late = (Read(B, FollowerInfo(1)), Sent(B, LeaderInfo(1)), Read(B, AckEpoch(None, Zxid(1, 1))))
    snapped = Sent(B, Snap(Zxid(1, 3), ()))

    assert refused(*three, *late, snapped) == snapped.packet


@pytest.mark.parametrize("left", range(4))
def test_a_crash_leaves_a_beginning_of_what_a_learner_appends_at_once(left: int) -> None:
    txns = [txn(counter) for counter in (1, 2, 3)]
    sync = [Read(A, packet) for one in txns for packet in (Proposal(one), Commit(one.zxid))]
    last = Zxid(1, left) if left else ZERO
    crashes: tuple[Seen, ...] = (
        Sent(A, FollowerInfo(0)),
        Read(A, LeaderInfo(2)),
        Sent(A, AckEpoch(0, ZERO)),
        Read(A, Diff(txns[-1].zxid)),
        *sync,
        Read(A, NewLeader(2)),
        Killed(),
        Ended(A),
        Sent(B, FollowerInfo(2)),
        Read(B, LeaderInfo(2)),
    )

    assert assumed(*crashes, Sent(B, AckEpoch(None, last))) == (CRASH,)
    assert refused(*crashes, Sent(B, AckEpoch(None, Zxid(1, 4)))) is not None
