"""A leader's conversations, packet by packet; a test plays its learners."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from roles_bench import (
    UPTODATE,
    Bench,
    Z,
    ack,
    commit,
    follower_info,
    inform,
    proposal,
)

from impl import payloads
from impl import simulated_events as events
from impl.client_records import CreateRequest, SetDataRequest
from impl.errors import ErrorCode
from impl.packets import PacketType, QuorumPacket
from impl.records import OPEN_ACL_UNSAFE, encode_record
from impl.transactions import OpCode, decode_transaction

SESSION = struct.pack(">i", 5000)


def introduced(bench: Bench, sid: int, accepted: int = 0, *, observes: bool = False) -> str:
    """A learner that connected and said who it is."""
    name = bench.accept(sid)
    bench.send(name, follower_info(sid, accepted, observes=observes))
    return name


def established(bench: Bench, *, learner: int = 2) -> str:
    """The leader serves, with this learner."""
    bench.elect(bench.config.sid)
    name = introduced(bench, learner)
    epoch = bench.peer.accepted_epoch
    bench.send(name, payloads.ack_epoch_packet(0, 0), ack(Z(epoch, 0)), ack(Z(epoch, 0)))
    assert bench.said(name)[-1] == "UPTODATE -1"
    return name


def session_of(bench: Bench, learner: str) -> int:
    """A session that is created, and acknowledged by this learner."""
    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(learner, ack(bench.peer.leader.proposals.last_proposed))
    answer = bench.answer(number)
    assert answer is not None
    return answer.session


def create(bench: Bench, session: int, path: str, cxid: int = 1) -> int:
    body = encode_record(CreateRequest(path, b"", OPEN_ACL_UNSAFE, 0))
    return bench.ask(session, cxid, OpCode.CREATE, body)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(3)
    yield made
    made.close()


@pytest.fixture
def five() -> Iterator[Bench]:
    made = Bench(5, voters=5)
    yield made
    made.close()


# Phase 1.


def test_an_epoch_is_offered_when_a_quorum_has_introduced_itself(five: Bench) -> None:
    five.elect(5)
    first = introduced(five, 1, accepted=4)
    assert five.said(first) == []

    second = introduced(five, 2, accepted=6)

    assert five.said(first) == ["LEADERINFO 7.0"]
    assert five.said(second) == ["LEADERINFO 7.0"]
    assert five.peer.accepted_epoch == 7
    late = introduced(five, 3, accepted=9)
    assert five.said(late) == ["LEADERINFO 7.0"]


def test_the_epoch_is_durable_before_it_is_offered(bench: Bench) -> None:
    bench.elect(3)
    bench.syncs = False
    name = introduced(bench, 2)

    assert bench.said(name) == []
    late = introduced(bench, 1)
    assert bench.said(late) == []
    bench.syncs = True
    bench.settle()
    assert bench.said(name) == ["LEADERINFO 1.0"]
    assert bench.said(late) == ["LEADERINFO 1.0"]


def test_an_observers_accepted_epoch_counts_and_it_does_not() -> None:
    bench = Bench(3, observers=1)
    bench.elect(3)
    watching = introduced(bench, 4, accepted=8, observes=True)
    assert bench.said(watching) == []

    voting = introduced(bench, 1)

    assert bench.said(watching) == bench.said(voting) == ["LEADERINFO 9.0"]
    bench.close()


def test_a_leader_without_a_quorum_gives_up_after_init_limit(bench: Bench) -> None:
    bench.elect(3)

    bench.fire("initLimit")

    assert bench.ends == ["timeout while waiting for epoch from quorum"]
    assert bench.server.is_looking
    assert not bench.server.is_listening


def test_a_learner_that_waits_too_long_for_the_epoch_is_closed(five: Bench) -> None:
    five.elect(5)
    name = introduced(five, 1)

    five.fire("initLimit-1")

    assert five.closed(name)
    assert five.ends == ["not sufficient followers are left"]


def test_a_learner_that_is_lost_while_it_waits_is_not_counted(five: Bench) -> None:
    five.elect(5)
    lost, stays = five.accept(1), five.accept(2)
    five.send(stays, follower_info(2))
    five.happen(events.ConnectionEnded(lost))
    assert five.ends == []

    five.happen(events.ConnectionBroken(stays))

    assert five.closed(stays)
    assert five.ends == ["not sufficient followers are left"]


def test_a_promise_is_no_promise_where_the_epoch_was_accepted_before(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2, 3)]
    five.send(names[0], payloads.ack_epoch_packet(payloads.EPOCH_NOT_ACKED, 0))
    five.send(names[1], payloads.ack_epoch_packet(0, 0))
    assert five.peer.current_epoch == 0

    five.send(names[2], payloads.ack_epoch_packet(0, 0))

    assert five.peer.current_epoch == 1
    assert five.said(names[0]) == ["LEADERINFO 1.0", "DIFF 0.0", "NEWLEADER 1.0"]


def test_a_promise_without_a_zxid_does_not_count(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2, 3)]

    for name in names[:2]:
        five.send(name, payloads.ack_epoch_packet(0, -1))

    assert five.ends == ["those who can still promise the epoch are no quorum"]


def test_a_learner_that_is_ahead_is_refused() -> None:
    bench = Bench(5, voters=5)
    bench.elect(5)
    ahead, other, third = (introduced(bench, sid) for sid in (1, 2, 3))

    bench.send(ahead, payloads.ack_epoch_packet(0, Z(1, 1)))

    assert bench.closed(ahead)
    assert not bench.closed(other)
    bench.send(other, payloads.ack_epoch_packet(0, 0))
    bench.send(third, payloads.ack_epoch_packet(0, 0))
    late = introduced(bench, 1)
    bench.send(late, payloads.ack_epoch_packet(3, Z(3, 3)))
    assert bench.said(late) == ["LEADERINFO 1.0", "TRUNC 0.0", "NEWLEADER 1.0"]
    bench.close()


def test_the_leader_gives_up_when_too_few_can_still_promise(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)

    bench.send(name, payloads.ack_epoch_packet(payloads.EPOCH_NOT_ACKED, 0))

    assert bench.ends == ["those who can still promise the epoch are no quorum"]


def test_the_leader_gives_up_when_the_promises_come_too_late(bench: Bench) -> None:
    bench.elect(3)
    introduced(bench, 2)

    bench.fire("initLimit")

    assert bench.ends == ["timeout while waiting for epoch to be acked by quorum"]


def test_a_learner_that_waits_too_long_for_others_to_promise_is_closed(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2, 3)]
    five.send(names[0], payloads.ack_epoch_packet(0, 0))

    five.fire("initLimit-1")

    assert five.closed(names[0])
    assert five.ends == []


def test_the_current_epoch_is_durable_before_the_history_is_sent(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)
    bench.said(name)
    bench.syncs = False

    bench.send(name, payloads.ack_epoch_packet(0, 0))

    assert bench.said(name) == []
    bench.syncs = True
    bench.settle()
    assert bench.said(name) == ["DIFF 0.0", "NEWLEADER 1.0"]
    assert bench.peer.current_epoch == 1


# Who is refused.


@pytest.mark.parametrize(
    "packet",
    [
        ack(0),
        QuorumPacket(PacketType.FOLLOWERINFO, 0, b"123"),
        payloads.learner_info_packet(payloads.LearnerInfo(2, config_version=5), 0),
        b"\x00\x00\x00\x0b" + bytes(8) + b"\x7f\xff\xff\xff",
    ],
    ids=["no introduction", "a broken one", "a later configuration", "too long"],
)
def test_who_does_not_introduce_itself_well_is_closed(
    bench: Bench, packet: QuorumPacket | bytes
) -> None:
    bench.elect(3)
    name = bench.accept(2)

    bench.send(name, packet)

    assert bench.closed(name)
    assert bench.said(name) == []
    assert bench.ends == []


def test_who_says_nothing_is_closed(bench: Bench) -> None:
    bench.elect(3)
    name = bench.accept(None)

    bench.fire("soTimeout-None")

    assert bench.closed(name)


def test_who_does_not_answer_the_epoch_with_an_ackepoch_is_closed(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)

    bench.send(name, ack(Z(1, 0)))

    assert bench.closed(name)
    assert bench.ends == ["not sufficient followers are left"]


def test_who_does_not_acknowledge_newleader_is_closed(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)

    bench.send(name, payloads.ack_epoch_packet(0, 0), QuorumPacket(PacketType.PING, 0, b""))

    assert bench.closed(name)


def test_a_learner_from_before_1_0_is_asked_for_nothing(bench: Bench) -> None:
    bench.elect(3)
    old, older = bench.accept(2), bench.accept(1)
    bench.send(
        old, QuorumPacket(PacketType.FOLLOWERINFO, 0, payloads.LearnerInfo(2, None).encode())
    )
    bench.send(older, QuorumPacket(PacketType.FOLLOWERINFO, 0, None))

    assert bench.said(old) == ["NEWLEADER 1.0", "DIFF 0.0"]
    assert bench.said(older) == ["NEWLEADER 1.0", "DIFF 0.0"]
    assert [one.sid for one in bench.peer.leader.learners] == [2, -1]
    bench.send(older, ack(Z(1, 0)))
    assert bench.said(older) == []
    bench.send(old, ack(Z(1, 0)))
    assert bench.said(old) == ["UPTODATE -1"]
    assert bench.said(older) == ["UPTODATE -1"]


def test_a_learner_of_3_4_sends_no_configuration(bench: Bench) -> None:
    bench.elect(3)
    name = bench.accept(2)

    info = payloads.LearnerInfo(2, config_version=None)
    bench.send(name, payloads.learner_info_packet(info, 0))

    assert bench.said(name) == ["LEADERINFO 1.0"]


# Phase 2.


def test_uptodate_follows_when_a_quorum_accepted(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2, 3)]
    for name in names:
        five.send(name, payloads.ack_epoch_packet(0, 0))
    five.send(names[0], ack(Z(1, 0)))
    assert five.said(names[0])[-1] == "NEWLEADER 1.0"
    assert five.peer.zookeeper_server is None

    five.send(names[1], ack(Z(1, 0)))

    assert five.said(names[0]) == ["UPTODATE -1"]
    assert five.said(names[1])[-1] == "UPTODATE -1"
    assert five.said(names[2])[-1] == "NEWLEADER 1.0"
    assert five.peer.zookeeper_server is not None
    assert five.peer.database.last_processed_zxid == Z(1, 0)


def test_a_stale_ack_in_place_of_newleaders_is_passed_over(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)
    bench.send(name, payloads.ack_epoch_packet(0, 0), ack(Z(0, 0)), ack(Z(1, 1)))
    assert bench.said(name)[-1] == "NEWLEADER 1.0"

    bench.send(name, ack(Z(1, 0)))

    assert bench.said(name) == ["UPTODATE -1"]


def test_the_leader_says_that_init_limit_may_be_too_short(bench: Bench) -> None:
    bench.elect(3)
    name = introduced(bench, 2)
    bench.send(name, payloads.ack_epoch_packet(0, 0))

    bench.fire("initLimit")

    hint = "Enough followers present. Perhaps the initTicks need to be increased."
    assert bench.ends == [f"waiting for a quorum of followers, only synced with sids: [  ]. {hint}"]


def test_the_leader_says_who_accepted_where_too_few_came(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2)]
    for name in names:
        five.send(name, payloads.ack_epoch_packet(0, 0))
    five.send(names[0], ack(Z(1, 0)))
    five.step(events.ConnectionBroken(names[1]))
    five.step(events.TimerFired("initLimit"))
    five.step(events.TaskRun("lead"))
    five.settle()

    assert five.ends == [
        (
            "waiting for a quorum of followers, only synced with sids: [ 1 ]. "
            "Enough followers present. Perhaps the initTicks need to be increased."
        )
    ]


def test_a_server_without_a_vote_is_no_quorum_however_it_comes(bench: Bench) -> None:
    bench.elect(3)
    stranger = introduced(bench, 9)
    assert bench.said(stranger) == []

    name = introduced(bench, 2)
    bench.send(stranger, payloads.ack_epoch_packet(0, 0))
    assert bench.said(stranger) == ["LEADERINFO 1.0"]
    bench.send(name, payloads.ack_epoch_packet(0, 0))
    assert bench.said(stranger) == ["DIFF 0.0", "NEWLEADER 1.0"]
    bench.send(stranger, ack(Z(1, 0)))
    assert bench.peer.zookeeper_server is None
    bench.send(name, ack(Z(1, 0)))
    assert bench.said(stranger) == ["UPTODATE -1"]


def test_an_observer_is_told_what_is_committed_and_asked_nothing() -> None:
    bench = Bench(3, observers=1)
    voting = established(bench)
    watching = introduced(bench, 4, observes=True)
    bench.send(watching, payloads.ack_epoch_packet(0, 0), ack(Z(1, 0)), ack(Z(1, 0)))
    assert bench.said(watching)[-1] == "UPTODATE -1"

    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(watching, ack(Z(1, 1)))
    assert bench.said(watching) == []
    bench.send(voting, ack(Z(1, 1)))

    assert bench.said(watching) == ["INFORM 1.1"]
    assert bench.said(voting) == ["PROPOSAL 1.1", "COMMIT 1.1"]
    bench.close()


def test_a_leader_that_alone_is_a_quorum_serves_alone() -> None:
    bench = Bench(1, voters=1)
    bench.elect(1)

    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)

    assert bench.answer(number) is not None
    assert bench.log() == [Z(1, 1)]
    for _ in range(4):
        bench.fire("tick")
    assert bench.ends == []
    bench.close()


# Phase 3.


def test_a_proposal_is_sent_before_it_is_logged_and_committed_by_a_quorum(bench: Bench) -> None:
    name = established(bench)
    bench.syncs = False
    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    assert bench.said(name) == ["PROPOSAL 1.1"]
    assert bench.log() == [Z(1, 1)]

    bench.send(name, ack(Z(1, 1)))
    assert bench.said(name) == []
    bench.syncs = True
    bench.settle()

    assert bench.said(name) == ["COMMIT 1.1"]
    assert bench.answer(number) is not None
    assert bench.peer.database.last_processed_zxid == Z(1, 1)


def test_commits_are_in_order_and_acks_count_once(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2)]
    for name in names:
        five.send(name, payloads.ack_epoch_packet(0, 0))
    for name in names:
        five.send(name, ack(Z(1, 0)))
    for name in names:
        five.said(name)
    for _ in range(2):
        five.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    five.send(names[0], ack(Z(1, 2)), ack(Z(1, 2)), ack(Z(1, 1)), ack(Z(1, 1)), ack(Z(1, 7)))
    assert five.said(names[0]) == ["PROPOSAL 1.1", "PROPOSAL 1.2"]

    five.send(names[1], ack(Z(1, 2)))
    assert five.said(names[1]) == ["PROPOSAL 1.1", "PROPOSAL 1.2"]
    five.send(names[1], ack(Z(1, 1)))
    assert five.said(names[1]) == ["COMMIT 1.1"]
    five.send(names[1], ack(Z(1, 1)), ack(Z(1, 2)))

    assert five.said(names[1]) == ["COMMIT 1.2"]


def test_who_comes_late_is_sent_what_is_outstanding(bench: Bench) -> None:
    first = established(bench)
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(first, ack(Z(1, 1)))

    late = introduced(bench, 1)
    bench.send(late, payloads.ack_epoch_packet(0, 0))

    assert bench.said(late) == ["LEADERINFO 1.0", "SNAP 1.1", "PROPOSAL 1.2", "NEWLEADER 1.0"]
    bench.send(first, ack(Z(1, 2)))
    assert bench.said(late) == ["COMMIT 1.2"]
    bench.send(late, ack(Z(1, 0)))
    assert bench.said(late) == ["UPTODATE -1"]


def test_an_unnecessary_snapshot_is_avoided(bench: Bench) -> None:
    first = established(bench)
    for counter in (1, 2, 3):
        bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
        bench.send(first, ack(Z(1, counter)))

    behind = introduced(bench, 1)
    bench.send(behind, payloads.ack_epoch_packet(0, Z(1, 1)))

    assert bench.said(behind)[1:] == [
        "DIFF 1.3",
        "PROPOSAL 1.2",
        "COMMIT 1.2",
        "PROPOSAL 1.3",
        "COMMIT 1.3",
        "NEWLEADER 1.0",
    ]


def test_what_fell_out_of_the_window_is_read_from_the_log() -> None:
    bench = Bench(3, commit_log_count=2, snapshot_size_factor=100.0)
    first = established(bench)
    for counter in range(1, 6):
        bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
        bench.send(first, ack(Z(1, counter)))

    behind = introduced(bench, 1)
    bench.send(behind, payloads.ack_epoch_packet(0, Z(1, 2)))

    said = bench.said(behind)
    assert said[1] == "DIFF 1.5"
    assert [text for text in said if "PROPOSAL" in text] == [
        "PROPOSAL 1.3",
        "PROPOSAL 1.4",
        "PROPOSAL 1.5",
    ]
    bench.close()


@pytest.mark.parametrize("factor", [0.33, -1.0])
def test_a_long_log_is_not_read_for_a_learner(factor: float) -> None:
    bench = Bench(3, commit_log_count=2, snapshot_size_factor=factor)
    first = established(bench)
    for counter in range(1, 6):
        bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
        bench.send(first, ack(Z(1, counter)))

    behind = introduced(bench, 1)
    bench.send(behind, payloads.ack_epoch_packet(0, Z(1, 2)))

    assert bench.said(behind)[1] == "SNAP 1.5"
    bench.close()


def test_what_is_committed_counts_before_it_is_applied(bench: Bench) -> None:
    first = established(bench)
    late = introduced(bench, 1)
    bench.said(late)
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.syncs = True
    held = bench.peer.leader.server.commit_processor
    held._next = lambda _: None  # noqa: SLF001 - the commit processor never comes to it

    bench.send(first, ack(Z(1, 1)))
    bench.send(late, payloads.ack_epoch_packet(0, Z(1, 1)))

    assert bench.peer.database.last_processed_zxid == Z(1, 0)
    assert bench.said(late) == ["DIFF 1.1", "NEWLEADER 1.0"]
    other = introduced(bench, 1)
    bench.send(other, payloads.ack_epoch_packet(0, 0))
    assert bench.said(other)[1] == "SNAP 1.1"
    assert len(bench.snapshot.sessions) == 1


def test_acks_given_on_an_earlier_connection_are_forgotten(five: Bench) -> None:
    five.elect(5)
    names = [introduced(five, sid) for sid in (1, 2)]
    for name in names:
        five.send(name, payloads.ack_epoch_packet(0, 0))
    for name in names:
        five.send(name, ack(Z(1, 0)))
    five.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    five.send(names[0], ack(Z(1, 1)))

    again = introduced(five, 1)
    five.send(again, payloads.ack_epoch_packet(0, Z(1, 1)))
    assert five.said(again)[1:] == ["TRUNC 1.0", "PROPOSAL 1.1", "NEWLEADER 1.0"]
    five.send(names[0], ack(Z(1, 1)))
    five.send(names[1], ack(Z(1, 1)))

    assert five.said(names[1])[-1] == "PROPOSAL 1.1"
    five.send(again, ack(Z(1, 0)), ack(Z(1, 0)), ack(Z(1, 1)))
    assert five.said(names[1]) == ["COMMIT 1.1"]


def test_the_leader_steps_down_when_a_quorum_is_silent_for_sync_limit(bench: Bench) -> None:
    established(bench)
    ticks = 0
    while not bench.ends:
        bench.fire("tick")
        ticks += 1

    assert bench.ends == ["not sufficient followers synced, only synced with sids: [  ]"]
    assert ticks == 2 * (bench.config.sync_limit + 1)


def test_a_learner_that_answers_pings_keeps_the_leader(bench: Bench) -> None:
    name = established(bench)
    for _ in range(30):
        bench.fire("tick")
        [ping] = bench.sent(name)
        assert (ping.type, ping.zxid, ping.data) == (PacketType.PING, Z(1, 0), None)
        bench.send(name, payloads.ping_answer(ping, ()))

    assert bench.ends == []


def test_a_transaction_timeout_closes_the_learner() -> None:
    bench = Bench(3, tick_time=1000, sync_limit=2)
    name = established(bench)
    other = introduced(bench, 1)
    bench.send(other, payloads.ack_epoch_packet(0, 0), ack(Z(1, 0)))
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(other, ack(Z(1, 1)))
    while not bench.closed(name):
        bench.fire("tick")
        for one in (name, other):
            for ping in bench.sent(one):
                if ping.type == PacketType.PING:
                    bench.send(one, payloads.ping_answer(ping, ()))

    assert bench.server.now >= 2
    assert not bench.closed(other)
    assert bench.ends == []
    bench.close()


def test_a_learner_that_is_silent_is_closed(bench: Bench) -> None:
    name = established(bench)

    bench.fire("soTimeout-2")

    assert bench.closed(name)
    assert bench.ends == ["not sufficient followers are left"]


def test_the_leader_leaves_when_its_last_zxid_is_used(bench: Bench) -> None:
    name = established(bench)
    bench.peer.leader.proposals.last_proposed = Z(1, 0xFFFFFFFE)

    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)

    assert bench.ends == ["the zxid's lower 32 bits have rolled over: a new epoch is needed"]
    assert bench.said(name) == []
    answer = bench.answer(number)
    assert answer is not None
    assert answer.error == ErrorCode.CONNECTION_LOSS


def test_a_request_of_a_learner_becomes_a_proposal(bench: Bench) -> None:
    name = established(bench)
    asked = payloads.ForwardedRequest(77, 0, OpCode.CREATE_SESSION, SESSION)

    bench.send(name, payloads.request_packet(asked, None))

    [packet] = bench.sent(name)
    header = decode_transaction(packet.data).header
    assert (header.client_id, header.zxid) == (77, Z(1, 1))


def test_a_sync_is_answered_behind_what_was_proposed_before(bench: Bench) -> None:
    name = established(bench)
    sync = payloads.request_packet(payloads.ForwardedRequest(7, 1, OpCode.SYNC), None)
    bench.send(name, sync)
    assert bench.said(name) == ["SYNC 0.0"]

    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(name, sync)
    assert bench.said(name) == ["PROPOSAL 1.1"]
    bench.send(name, ack(Z(1, 1)))

    assert bench.said(name) == ["COMMIT 1.1", "SYNC 0.0"]


def test_a_session_is_revalidated_for_the_learner_that_owns_it_then(bench: Bench) -> None:
    name = established(bench)
    session = session_of(bench, name)
    bench.said(name)

    bench.send(name, payloads.revalidate_packet(session, 5000))
    bench.send(name, payloads.revalidate_packet(session + 1, 5000))

    known, unknown = bench.sent(name)
    assert payloads.revalidate_answer(known) == (session, True)
    assert payloads.revalidate_answer(unknown) == (session + 1, False)
    number = create(bench, session, "/a")
    bench.send(name, ack(Z(1, 2)))
    moved = bench.answer(number)
    assert moved is not None
    assert moved.error == ErrorCode.SESSION_MOVED


def test_sessions_are_touched_by_pings_and_expire_without(bench: Bench) -> None:
    name = established(bench)
    asked = payloads.ForwardedRequest(77, 0, OpCode.CREATE_SESSION, struct.pack(">i", 400))
    bench.send(name, payloads.request_packet(asked, None), ack(Z(1, 1)))
    bench.said(name)
    for _ in range(10):
        ping = QuorumPacket(PacketType.PING, Z(1, 1))
        bench.send(name, payloads.ping_answer(ping, ((77, 400),)))
        bench.fire("session expiry")
    assert bench.said(name) == []

    while not bench.said(name):
        bench.fire("session expiry")

    assert bench.peer.leader.proposals.last_proposed == Z(1, 2)


def test_a_packet_that_no_learner_sends_is_passed_over(bench: Bench) -> None:
    name = established(bench)

    bench.send(name, commit(Z(1, 1)), UPTODATE, inform(Z(1, 1)), proposal(Z(1, 1)))

    assert bench.said(name) == []
    assert not bench.closed(name)


def test_bytes_that_are_no_packet_close_the_learner(bench: Bench) -> None:
    name = established(bench)

    bench.send(name, QuorumPacket(PacketType.REQUEST, -1, b"short"))

    assert bench.closed(name)


def test_a_lost_connection_ends_the_sender_too(bench: Bench) -> None:
    name = established(bench)
    other = introduced(bench, 1)
    bench.send(other, payloads.ack_epoch_packet(0, 0), ack(Z(1, 0)))
    bench.syncs = False
    bench.step(events.ConnectionBroken(other))
    bench.step(events.ClientAsked(50, 0, 0, OpCode.CREATE_SESSION, SESSION))
    bench.step(events.TaskRun("sender-1"))
    bench.syncs = True
    bench.settle()

    assert bench.closed(other)
    assert bench.said(name) == ["PROPOSAL 1.1"]
    assert bench.ends == []


def test_a_leader_that_does_not_serve_takes_no_clients() -> None:
    bench = Bench(3, leader_serves=False)
    established(bench)

    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)

    answer = bench.answer(number)
    assert answer is not None
    assert answer.error == ErrorCode.CONNECTION_LOSS
    bench.close()


def test_what_the_leader_had_in_memory_only_is_gone_when_it_leaves(bench: Bench) -> None:
    name = established(bench)
    session_of(bench, name)
    bench.syncs = False
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.happen(events.RoleLeft())
    assert not bench.server.is_looking

    bench.syncs = True
    bench.settle()

    assert bench.ends == ["told to"]
    assert bench.server.is_looking
    assert bench.peer.database.last_processed_zxid == Z(1, 2)
    assert [one.zxid for one in bench.peer.database.committed_log] == [Z(1, 1), Z(1, 2)]
    assert bench.peer.zookeeper_server is None


def test_who_connects_while_the_leader_leaves_is_closed(bench: Bench) -> None:
    name = established(bench)
    session_of(bench, name)
    bench.step(events.ConnectionAccepted("late", 1))
    bench.step(events.ConnectionBroken(name))
    while others := [one for one in bench.server.runnable if one != "accepted-late"]:
        bench.step(events.TaskRun(others[0]))
    assert not bench.server.is_listening
    assert bench.server.syncs

    bench.step(events.TaskRun("accepted-late"))

    assert bench.closed("late")
    assert "handler-1" not in bench.server.runnable
    bench.settle()
    assert bench.server.is_looking


def test_a_leader_leads_again_with_all_it_logged(bench: Bench) -> None:
    name = established(bench)
    session = session_of(bench, name)
    create(bench, session, "/a")
    bench.happen(events.ConnectionBroken(name))

    bench.elect(3)
    again = introduced(bench, 2, accepted=1)
    bench.send(again, payloads.ack_epoch_packet(1, Z(1, 1)))

    assert bench.said(again) == [
        "LEADERINFO 2.0",
        "DIFF 1.2",
        "PROPOSAL 1.2",
        "COMMIT 1.2",
        "NEWLEADER 2.0",
    ]


def test_a_first_configuration_gets_a_version_where_reconfiguration_is_enabled() -> None:
    bench = Bench(3, reconfig_enabled=True)
    bench.elect(3)
    name = introduced(bench, 2)
    bench.send(name, payloads.ack_epoch_packet(0, 0))
    *_, new_leader = bench.sent(name)
    text = payloads.new_leader_configuration(new_leader)
    assert text is not None
    assert text.endswith("version=100000000")

    bench.send(name, ack(Z(1, 0)))

    assert bench.peer.verifier.version == Z(1, 0)
    assert bench.peer.involved_verifiers() == (bench.peer.verifier,)
    bench.close()


def test_a_set_data_carries_the_version_that_will_be(bench: Bench) -> None:
    name = established(bench)
    session = session_of(bench, name)
    create(bench, session, "/a")
    body = encode_record(SetDataRequest("/a", b"x", -1))
    bench.ask(session, 2, OpCode.SET_DATA, body)
    bench.said(name)
    number = bench.ask(session, 3, OpCode.SET_DATA, encode_record(SetDataRequest("/a", b"y", 1)))

    [packet] = bench.sent(name)

    body = decode_transaction(packet.data).body
    assert (body.path, body.data, body.version) == ("/a", b"y", 2)
    assert bench.answer(number) is None
