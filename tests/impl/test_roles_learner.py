"""A follower's and an observer's conversations, packet by packet; a test plays the leader."""

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
    configuration,
    inform,
    proposal,
    snapshot,
    snapshot_of,
)

from impl import payloads
from impl import simulated_events as events
from impl.errors import ErrorCode
from impl.packets import PacketType, QuorumPacket
from impl.transactions import OpCode

SESSION = struct.pack(">i", 5000)
DIFF = QuorumPacket(PacketType.DIFF, 0)
SYNC = QuorumPacket(PacketType.SYNC, 0)
PING = QuorumPacket(PacketType.PING, Z(1, 1))


def new_leader(epoch: int) -> QuorumPacket:
    return payloads.new_leader_packet(epoch, configuration(3))


def trunc(zxid: int) -> QuorumPacket:
    return QuorumPacket(PacketType.TRUNC, zxid)


def registered(bench: Bench, epoch: int = 1, leader: int = 3) -> str:
    """The learner has answered the epoch."""
    name = bench.follow(leader)
    bench.send(name, payloads.leader_info_packet(epoch))
    bench.said(name)
    return name


def serving(bench: Bench, epoch: int = 1) -> str:
    name = registered(bench, epoch)
    bench.send(name, DIFF, new_leader(epoch), UPTODATE)
    bench.said(name)
    return name


def history(bench: Bench, *zxids: int) -> None:
    """The learner logs these, in a role that then ends."""
    name = serving(bench, zxids[0] >> 32)
    for zxid in zxids:
        bench.send(name, proposal(zxid), commit(zxid))
    bench.happen(events.RoleLeft())
    assert bench.log() == list(zxids)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(2)
    yield made
    made.close()


@pytest.fixture
def observer() -> Iterator[Bench]:
    made = Bench(4, observers=1)
    yield made
    made.close()


# Connecting.


def test_it_tries_five_times_to_connect(bench: Bench) -> None:
    bench.elect(3)
    for _ in range(4):
        [attempt] = bench.server.asked
        bench.happen(events.ConnectRefused(attempt))
        bench.fire("connect pause")
    assert bench.ends == []
    [attempt] = bench.server.asked

    bench.happen(events.ConnectRefused(attempt))

    assert bench.dialled == 5
    assert bench.ends == [
        "no connection to leader 3: ConnectionRefusedError('server 3 does not listen')"
    ]


def test_it_stops_trying_after_init_limit(bench: Bench) -> None:
    bench.elect(3)
    bench.fire("connect")
    bench.fire("connect pause")
    bench.fire("connect")

    assert bench.dialled == 2
    assert bench.ends == ["no connection to leader 3: TimeoutError()"]


def test_it_connects_at_a_later_try(bench: Bench) -> None:
    bench.elect(3)
    [attempt] = bench.server.asked
    bench.happen(events.ConnectRefused(attempt))
    bench.fire("connect pause")

    name = bench.connected()

    assert bench.said(name) == ["FOLLOWERINFO 0.0"]


# Phase 1.


def test_it_promises_the_epoch_durably_before_it_answers(bench: Bench) -> None:
    name = bench.follow(3)
    assert bench.said(name) == ["FOLLOWERINFO 0.0"]
    bench.syncs = False

    bench.send(name, payloads.leader_info_packet(4))

    assert bench.said(name) == []
    bench.syncs = True
    bench.settle()
    assert bench.said(name) == ["ACKEPOCH 0.0 epoch 0"]
    assert bench.peer.accepted_epoch == 4
    assert bench.peer.current_epoch == 0


def test_it_answers_an_epoch_that_it_accepted_before_without_a_promise(bench: Bench) -> None:
    name = registered(bench, 4)
    bench.happen(events.ConnectionBroken(name))
    name = bench.follow(3)

    bench.send(name, payloads.leader_info_packet(4))

    assert bench.said(name) == ["FOLLOWERINFO 4.0", "ACKEPOCH 0.0 epoch -1"]


def test_it_refuses_an_earlier_epoch(bench: Bench) -> None:
    name = registered(bench, 4)
    bench.happen(events.ConnectionEnded(name))
    name = bench.follow(3)

    bench.send(name, payloads.leader_info_packet(3))

    assert bench.ends[-1] == "leader's epoch 3 is less than accepted epoch 4"
    assert bench.closed(name)


def test_it_tells_the_end_of_its_history(bench: Bench) -> None:
    history(bench, Z(1, 1), Z(1, 2))
    name = bench.follow(3)

    bench.send(name, payloads.leader_info_packet(2))

    assert bench.said(name) == ["FOLLOWERINFO 1.0", "ACKEPOCH 1.2 epoch 1"]


def test_a_leader_that_is_lost_before_the_answer_leaves_the_promise(bench: Bench) -> None:
    name = bench.follow(3)
    bench.syncs = False
    bench.send(name, payloads.leader_info_packet(4))
    bench.happen(events.ConnectionBroken(name))
    bench.syncs = True
    bench.settle()

    assert bench.said(name) == ["FOLLOWERINFO 0.0"]
    assert bench.ends == ["the connection to the leader is lost: connection q1 is lost"]
    assert bench.peer.accepted_epoch == 4


def test_it_gives_up_when_the_leader_says_nothing(bench: Bench) -> None:
    name = bench.follow(3)

    bench.fire("soTimeout")

    assert bench.ends == ["nothing was heard of the leader for too long"]
    assert bench.closed(name)


@pytest.mark.parametrize("packet", [UPTODATE, DIFF, PING])
def test_a_leader_begins_with_its_epoch(bench: Bench, packet: QuorumPacket) -> None:
    name = bench.follow(3)

    bench.send(name, packet)

    assert bench.ends == [f"first packet {packet.name}, expected LEADERINFO or NEWLEADER"]


def test_a_leader_from_before_1_0_begins_with_newleader(bench: Bench) -> None:
    name = bench.follow(3)
    bench.send(name, QuorumPacket(PacketType.NEWLEADER, Z(2, 0)))
    assert bench.said(name) == ["FOLLOWERINFO 0.0"]
    assert (bench.peer.accepted_epoch, bench.peer.current_epoch) == (2, 0)

    bench.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 1)), UPTODATE)

    assert bench.said(name) == ["ACK 2.0"]
    assert bench.peer.current_epoch == 2
    assert bench.log() == [Z(1, 1)]
    bench.happen(events.RoleLeft())
    again = bench.follow(3)
    bench.send(again, QuorumPacket(PacketType.NEWLEADER, Z(2, 0)))
    assert bench.ends == ["told to"]
    bench.happen(events.RoleLeft())
    again = bench.follow(3)
    bench.send(again, QuorumPacket(PacketType.NEWLEADER, Z(1, 0)))
    assert bench.ends[-1] == "leader's epoch 1 is less than accepted 2"


# Phase 2.


def test_a_normal_run(bench: Bench) -> None:
    name = registered(bench)

    bench.send(name, DIFF, new_leader(1))
    assert bench.said(name) == ["ACK 1.0"]
    assert bench.peer.current_epoch == 1
    assert bench.peer.zookeeper_server is None
    bench.send(name, UPTODATE)
    assert bench.said(name) == ["ACK 1.0"]
    assert bench.peer.zookeeper_server is not None
    bench.send(name, proposal(Z(1, 1)))
    assert bench.said(name) == ["ACK 1.1"]
    assert bench.peer.database.last_processed_zxid == 0
    bench.send(name, commit(Z(1, 1)))

    assert bench.peer.database.last_processed_zxid == Z(1, 1)
    assert bench.log() == [Z(1, 1)]


def test_behind_it_logs_then_applies_then_the_epoch_then_the_ack(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 1)), proposal(Z(1, 2)), commit(Z(1, 2)))
    bench.send(name, proposal(Z(1, 3)))
    assert bench.log() == []
    bench.syncs = False

    bench.send(name, new_leader(1))

    assert bench.log() == [Z(1, 1), Z(1, 2)]
    assert (bench.peer.current_epoch, bench.said(name)) == (0, [])
    assert bench.peer.database.last_processed_zxid == 0
    while not bench.said(name):
        assert bench.server.syncs
        bench.sync()
    assert bench.peer.current_epoch == 1
    assert bench.peer.database.last_processed_zxid == Z(1, 2)
    assert [one.zxid for one in bench.peer.database.committed_log] == [Z(1, 1), Z(1, 2)]


def test_a_crash_before_the_epoch_file_does_not_keep_it_from_starting(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 1)))
    bench.syncs = False
    bench.send(name, new_leader(1))
    while bench.peer.database.last_processed_zxid == 0:
        bench.sync()
    assert bench.peer.current_epoch == 0

    bench.syncs = True
    bench.restart(events.PowerLost())

    assert bench.server.is_looking
    assert bench.peer.database.last_processed_zxid == Z(1, 1)
    assert (bench.peer.accepted_epoch, bench.peer.current_epoch) == (1, 1)


def test_what_is_kept_until_uptodate_is_logged_acknowledged_and_committed(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, DIFF, proposal(Z(1, 1)), new_leader(1))
    bench.send(name, commit(Z(1, 1)), proposal(Z(1, 2)), proposal(Z(1, 3)), commit(Z(1, 2)), PING)
    assert bench.said(name) == ["ACK 1.0"]
    assert bench.log() == []

    bench.send(name, UPTODATE)

    assert bench.said(name) == ["ACK 1.0", "ACK 1.1", "ACK 1.2", "ACK 1.3"]
    assert bench.log() == [Z(1, 1), Z(1, 2), Z(1, 3)]
    assert bench.peer.database.last_processed_zxid == Z(1, 2)
    bench.send(name, commit(Z(1, 3)))
    assert bench.peer.database.last_processed_zxid == Z(1, 3)


def test_ahead_it_cuts_its_log_and_loads_again(bench: Bench) -> None:
    history(bench, Z(1, 1), Z(1, 2), Z(1, 3))
    name = registered(bench, 2)

    bench.send(name, trunc(Z(1, 1)), proposal(Z(2, 1)), commit(Z(2, 1)), new_leader(2))

    assert bench.said(name) == ["ACK 2.0"]
    assert bench.log() == [Z(1, 1), Z(2, 1)]
    assert bench.peer.database.last_processed_zxid == Z(2, 1)
    bench.restart(events.PowerLost())
    assert bench.peer.database.last_processed_zxid == Z(2, 1)


def test_a_snapshot_takes_the_place_of_all_it_had(bench: Bench) -> None:
    history(bench, Z(1, 1), Z(1, 2))
    name = registered(bench, 2)
    bench.send(name, snapshot(Z(1, 7), Z(1, 5), Z(1, 7)), proposal(Z(1, 8)), commit(Z(1, 8)))
    assert bench.log() == [Z(1, 1), Z(1, 2)]

    bench.send(name, new_leader(2))

    assert bench.said(name) == ["ACK 2.0"]
    assert bench.log() == [Z(1, 8)]
    bench.restart(events.PowerLost())
    tree = bench.peer.database.tree
    assert bench.peer.database.last_processed_zxid == Z(1, 8)
    assert [tree.get_node(f"/n1-{counter}") is not None for counter in (1, 2, 5, 7, 8)] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_snapshot_that_is_not_accepted_leaves_the_disk_as_it_was(bench: Bench) -> None:
    history(bench, Z(1, 1))
    name = registered(bench, 2)
    bench.send(name, snapshot(Z(1, 7), Z(1, 7)))
    assert bench.peer.database.last_processed_zxid == Z(1, 7)

    bench.happen(events.ConnectionEnded(name))

    assert bench.server.is_looking
    assert bench.peer.database.last_processed_zxid == Z(1, 1)
    assert bench.peer.current_epoch == 1


def test_a_snapshot_must_be_signed(bench: Bench) -> None:
    name = registered(bench)

    bench.send(name, snapshot(Z(1, 1), signature="BenWasNot!"))

    assert bench.ends == ["signature behind a snapshot: read 'BenWasNot!', expected BenWasHere"]


def test_a_snapshot_must_come_within_init_limit(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, snapshot(Z(1, 1), Z(1, 1))[:40])

    bench.fire("snapshot")

    assert bench.ends == ["nothing was heard of the leader for too long"]


def test_who_cannot_cut_its_snapshot_asks_for_another(bench: Bench) -> None:
    name = registered(bench, 1)
    bench.send(name, snapshot(Z(1, 7), Z(1, 7)), new_leader(1))
    bench.happen(events.RoleLeft())
    name = registered(bench, 2)

    bench.send(name, trunc(Z(1, 2)))

    assert bench.ends[-1] == "exit 13: not able to truncate the log to 0x100000002"
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(3))
    assert bench.said(name) == ["FOLLOWERINFO 2.0", "ACKEPOCH 4.0 epoch 1"]
    bench.happen(events.RoleLeft())
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(4))
    assert bench.said(name) == ["FOLLOWERINFO 3.0", "ACKEPOCH 1.7 epoch 1"]


@pytest.mark.parametrize("packet", [UPTODATE, PING, ack(0), proposal(Z(1, 1))])
def test_a_sync_begins_with_its_operation(bench: Bench, packet: QuorumPacket) -> None:
    name = registered(bench)

    bench.send(name, packet)

    expected = "expected DIFF, TRUNC or SNAP"
    assert bench.ends == [f"exit 13: unexpected {packet.name} from the leader, {expected}"]


@pytest.mark.parametrize(
    ("first", "second", "is_gap"),
    [
        (Z(1, 1), Z(1, 3), True),
        (Z(1, 2), Z(1, 1), True),
        (Z(1, 1), Z(3, 1), False),
        (Z(1, 1), Z(2, 2), True),
        (Z(2, 1), Z(1, 2), True),
        (Z(1, 4), Z(1, 5), False),
    ],
)
def test_a_gap_ends_the_sync(bench: Bench, first: int, second: int, *, is_gap: bool) -> None:
    name = registered(bench, 3)

    bench.send(name, DIFF, proposal(first), proposal(second))

    assert bool(bench.ends) is is_gap
    assert all(why.endswith(": a gap") for why in bench.ends)


def test_a_commit_of_what_is_not_next_waits(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 2)), new_leader(1), UPTODATE)

    assert bench.said(name) == ["ACK 1.0", "ACK 1.0", "ACK 1.1"]
    assert bench.peer.database.last_processed_zxid == 0
    bench.send(name, commit(Z(1, 1)))
    assert bench.peer.database.last_processed_zxid == Z(1, 1)


def test_a_leader_that_is_lost_before_newleader_leaves_nothing(bench: Bench) -> None:
    name = registered(bench)
    bench.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 1)))

    bench.happen(events.ConnectionBroken(name))

    assert bench.log() == []
    assert bench.peer.current_epoch == 0
    assert bench.server.is_looking


@pytest.mark.parametrize("enabled", [True, False])
def test_a_configuration_is_read_where_reconfiguration_is_enabled(*, enabled: bool) -> None:
    bench = Bench(2, reconfig_enabled=enabled)
    name = registered(bench)

    bench.send(name, DIFF, payloads.new_leader_packet(1, "no configuration"))

    assert bench.said(name) == ([] if enabled else ["ACK 1.0"])
    assert [why.partition(":")[0] for why in bench.ends] == (
        ["a configuration that cannot be read"] if enabled else []
    )
    bench.close()


def test_a_transaction_that_cannot_be_read_ends_the_sync(bench: Bench) -> None:
    name = registered(bench)

    bench.send(name, DIFF, QuorumPacket(PacketType.PROPOSAL, Z(1, 1), b"short"))

    assert bench.ends == ["proposal, byte 0: read 5 bytes, expected client_id of 8 bytes"]


# Phase 3.


def test_acks_are_sent_when_the_log_is_synced(bench: Bench) -> None:
    name = serving(bench)
    bench.send(name, proposal(Z(1, 1)))
    assert bench.said(name) == ["ACK 1.1"]
    bench.syncs = False
    bench.send(name, proposal(Z(1, 2)))
    bench.send(name, proposal(Z(1, 3)), proposal(Z(1, 4)))
    assert bench.log() == [Z(1, 1), Z(1, 2)]

    bench.sync()
    assert bench.said(name) == ["ACK 1.2"]
    assert bench.log() == [Z(1, 1), Z(1, 2), Z(1, 3), Z(1, 4)]
    bench.sync()

    assert bench.said(name) == ["ACK 1.3", "ACK 1.4"]


def test_a_commit_of_another_transaction_ends_the_role(bench: Bench) -> None:
    name = serving(bench)
    bench.send(name, commit(Z(1, 9)))
    assert bench.ends == []

    bench.send(name, proposal(Z(1, 1)), commit(Z(1, 2)))

    assert bench.ends == ["exit 12: COMMIT 0x100000002, and 0x100000001 is next"]


def test_it_drains_its_log_when_it_leaves(bench: Bench) -> None:
    name = serving(bench)
    bench.syncs = False
    bench.send(name, proposal(Z(1, 1)), proposal(Z(1, 2)))
    bench.happen(events.ConnectionBroken(name))
    assert not bench.server.is_looking

    bench.syncs = True
    bench.settle()

    assert bench.said(name) == []
    assert bench.log() == [Z(1, 1), Z(1, 2)]
    assert bench.peer.database.last_processed_zxid == Z(1, 2)


def test_what_was_not_synced_may_be_lost_with_the_power(bench: Bench) -> None:
    name = serving(bench)
    bench.send(name, proposal(Z(1, 1)))
    bench.syncs = False
    bench.send(name, proposal(Z(1, 2)))

    bench.syncs = True
    bench.restart(events.PowerLost())

    assert bench.said(name) == ["ACK 1.1"]
    assert bench.peer.database.last_processed_zxid == Z(1, 1)


def test_pings_are_answered_with_the_sessions_heard_of(bench: Bench) -> None:
    name = serving(bench)
    bench.happen(events.SessionTouched(77, 5000))
    bench.happen(events.SessionTouched(78, 6000))

    bench.send(name, PING, PING)

    first, second = bench.sent(name)
    assert payloads.touched_sessions(first) == ((77, 5000), (78, 6000))
    assert (second.type, second.zxid, second.data) == (PacketType.PING, Z(1, 1), b"")


def test_a_silent_leader_is_left_after_sync_limit(bench: Bench) -> None:
    serving(bench)
    [timer] = [one for one in bench.server.timers if one.name == "soTimeout"]
    assert timer.due - bench.server.now == pytest.approx(bench.config.sync_timeout)

    bench.fire("soTimeout")

    assert bench.ends == ["nothing was heard of the leader for too long"]


def test_writes_and_syncs_go_to_the_leader(bench: Bench) -> None:
    name = serving(bench)
    number = bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    [asked] = map(payloads.forwarded_request, bench.sent(name))
    most = struct.pack(">i", bench.config.max_session_timeout)
    assert (asked.cxid, asked.op, asked.body) == (0, OpCode.CREATE_SESSION, most)
    sync = bench.ask(7, 1, OpCode.SYNC, struct.pack(">i", 1) + b"/")
    assert bench.said(name) == ["REQUEST -1"]
    assert bench.answer(number) is bench.answer(sync) is None

    bench.send(name, SYNC, SYNC)

    answer = bench.answer(sync)
    assert answer is not None
    assert answer.error == 0


def test_clients_are_told_when_the_role_ends(bench: Bench) -> None:
    name = serving(bench)
    number = bench.ask(7, 1, OpCode.DELETE, b"")
    reopened = 50
    bench.happen(events.SessionReopened(reopened, 7, 5000))
    assert bench.said(name) == ["REQUEST -1", "REVALIDATE -1"]

    bench.happen(events.ConnectionBroken(name))

    errors = [bench.answer(one).error for one in (number, reopened)]
    assert errors == [ErrorCode.CONNECTION_LOSS, ErrorCode.SESSION_EXPIRED]


def test_a_session_is_revalidated_by_the_leader(bench: Bench) -> None:
    name = serving(bench)
    for number, session in ((50, 7), (51, 7), (52, 8)):
        bench.happen(events.SessionReopened(number, session, 5000))
    questions = bench.sent(name)
    assert [payloads.revalidate_question(one)[0] for one in questions] == [7, 7, 8]

    for question, is_valid in zip(questions, (True, False, True), strict=True):
        session, _ = payloads.revalidate_question(question)
        answer = payloads.revalidate_answer_packet(question, session, is_valid=is_valid)
        bench.send(name, answer)
    bench.send(name, payloads.revalidate_answer_packet(questions[0], 7, is_valid=True))

    errors = [bench.answer(number).error for number in (50, 51, 52)]
    assert errors == [0, ErrorCode.SESSION_EXPIRED, 0]


def test_a_client_that_waits_no_longer_is_told_nothing(bench: Bench) -> None:
    name = serving(bench)
    loop, server = bench.machine.loop, bench.peer.zookeeper_server
    with loop.entered():
        waiting = loop.create_task(server.reopen_session(7, 5000), name="client")
    bench.settle()
    [question] = bench.sent(name)
    with loop.entered():
        waiting.cancel()
    bench.settle()

    bench.send(name, payloads.revalidate_answer_packet(question, 7, is_valid=True))

    assert bench.ends == []
    assert waiting.cancelled()


@pytest.mark.parametrize("packet", [UPTODATE, DIFF, ack(0), inform(Z(1, 1)), QuorumPacket(99, 0)])
def test_a_packet_that_no_follower_is_sent_is_passed_over(
    bench: Bench, packet: QuorumPacket
) -> None:
    name = serving(bench)

    bench.send(name, packet)

    assert bench.said(name) == []
    assert bench.ends == []
    assert bench.log() == []


def test_bytes_that_are_no_packet_end_the_role(bench: Bench) -> None:
    name = serving(bench)

    bench.send(name, bytes(12) + b"\x7f" * 8)

    assert bench.ends == [
        "packet type 0: read data of 2139062143 bytes, expected 0 to 2097150 bytes, or -1"
    ]


def test_a_disk_that_fails_ends_the_process(bench: Bench) -> None:
    name = serving(bench)
    bench.step(events.DiskFails())

    bench.send(name, proposal(Z(1, 1)))

    assert bench.process_end is not None
    assert bench.process_end.startswith("OSError")
    assert bench.said(name) == []
    bench.happen(events.Restarted())
    assert bench.server.is_looking
    assert bench.log() == []


def test_a_sync_of_the_log_that_fails_ends_the_process(bench: Bench) -> None:
    name = serving(bench)
    bench.syncs = False
    bench.send(name, proposal(Z(1, 1)))
    [sync] = bench.server.syncs

    bench.happen(events.SyncFailed(sync))

    assert bench.process_end is not None
    bench.syncs = True
    bench.happen(events.Restarted())
    assert bench.peer.database.last_processed_zxid == Z(1, 1)


def test_a_sync_that_fails_as_the_role_ends_ends_the_process(bench: Bench) -> None:
    name = serving(bench)
    bench.syncs = False
    bench.send(name, proposal(Z(1, 1)))
    bench.happen(events.ConnectionBroken(name))
    [sync] = bench.server.syncs

    bench.happen(events.SyncFailed(sync))

    assert bench.process_end is not None
    assert bench.process_end.startswith("OSError")


# Observers.


def test_an_observer_in_a_normal_run(observer: Bench) -> None:
    name = observer.follow(3)
    assert observer.said(name) == ["OBSERVERINFO 0.0"]
    observer.send(name, payloads.leader_info_packet(1), DIFF, new_leader(1), UPTODATE)
    assert observer.said(name) == ["ACKEPOCH 0.0 epoch 0", "ACK 1.0", "ACK 1.0"]

    observer.send(name, inform(Z(1, 1)), PING, SYNC, proposal(Z(1, 2)), commit(Z(1, 2)))

    assert observer.said(name) == ["PING 1.1"]
    assert observer.log() == [Z(1, 1)]
    assert observer.peer.database.last_processed_zxid == Z(1, 1)
    answer = payloads.revalidate_answer_packet(QuorumPacket(6, -1), 7, is_valid=True)
    observer.send(name, answer)
    assert observer.ends == []


def test_an_observer_takes_proposals_and_informs_of_a_sync(observer: Bench) -> None:
    name = registered(observer)
    observer.send(name, DIFF, proposal(Z(1, 1)), commit(Z(1, 1)), inform(Z(1, 2)), new_leader(1))
    assert observer.log() == [Z(1, 1), Z(1, 2)]
    assert observer.peer.database.last_processed_zxid == Z(1, 2)

    observer.send(name, inform(Z(1, 3)), proposal(Z(1, 4)), UPTODATE)

    assert observer.said(name) == ["ACK 1.0", "ACK 1.0"]
    assert observer.log() == [Z(1, 1), Z(1, 2), Z(1, 3)]
    assert observer.peer.database.last_processed_zxid == Z(1, 3)


def test_an_observer_may_keep_no_log() -> None:
    observer = Bench(4, observers=1, sync_enabled=False)
    name = registered(observer)
    observer.send(name, DIFF, inform(Z(1, 1)), new_leader(1), UPTODATE, inform(Z(1, 2)))

    assert observer.log() == []
    assert observer.peer.database.last_processed_zxid == Z(1, 2)
    observer.happen(events.RoleLeft())
    assert observer.peer.database.last_processed_zxid == 0
    observer.close()


def test_a_server_that_its_configuration_does_not_name_follows_without_a_vote() -> None:
    bench = Bench(9)

    name = bench.follow(3)

    assert bench.said(name) == ["FOLLOWERINFO 0.0"]
    bench.close()


def test_snapshot_of_says_what_it_holds() -> None:
    assert len(snapshot_of(Z(1, 1)).nodes) > len(snapshot_of().nodes)
