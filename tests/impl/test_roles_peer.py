"""The main loop, what ends a role, and the places where a reconfiguration would come in."""

from __future__ import annotations

import asyncio
import struct
from functools import partial

import pytest
from roles_bench import (
    CONFIG,
    UPTODATE,
    Bench,
    Z,
    ack,
    commit,
    configuration,
    follower_info,
    proposal,
)

from impl import payloads
from impl import simulated_events as events
from impl.config import Config
from impl.packets import PacketType, QuorumPacket
from impl.paths import CONFIG_NODE
from impl.quorum import quorum_verifier
from impl.quorum_peer import QuorumPeer, Vote
from impl.simulated_files import SimulatedFiles
from impl.simulated_machine import Machine
from impl.simulated_observations import ListeningEnded, Observation
from impl.sync_limit_check import SyncLimitCheck
from impl.threads import Threads
from impl.transactions import OpCode, SetDataTxn, Transaction, TxnHeader

SESSION = struct.pack(">i", 500)
DIFF = QuorumPacket(PacketType.DIFF, 0)


def test_it_looks_then_plays_what_is_elected_then_looks_again() -> None:
    bench = Bench(2)
    seen = [bench.server.observe()["role"]]
    bench.elect(2)
    seen.append(bench.server.observe()["role"])
    bench.happen(events.RoleLeft())
    bench.follow(3)
    seen.append(bench.server.observe()["role"])
    bench.happen(events.RoleLeft())
    seen.append(bench.server.observe()["role"])

    assert seen == ["LOOKING", "LEADING", "FOLLOWING", "LOOKING"]
    assert bench.ends == ["told to", "told to"]
    bench.close()


def test_who_plays_no_role_leaves_none() -> None:
    bench = Bench(2)

    bench.happen(events.RoleLeft())

    assert bench.ends == []
    assert bench.server.is_looking
    bench.close()


def test_a_role_may_end_before_it_did_anything() -> None:
    bench = Bench(2)
    bench.step(events.Elected(2))
    bench.step(events.TaskRun("main"))
    bench.step(events.RoleLeft())
    bench.settle()

    assert bench.ends == ["told to"]
    bench.close()


def test_a_disk_that_no_server_wrote_ends_the_process() -> None:
    bench = Bench(2)
    bench.happen(events.Killed())
    bench.files.opened("version-2/currentEpoch").write(0, b"x")

    bench.happen(events.Restarted())

    assert bench.process_end is not None
    assert "currentEpoch" in bench.process_end
    bench.server.close()


def test_a_port_that_is_taken_ends_the_role() -> None:
    bench = Bench(2)
    with bench.machine.loop.entered():
        bench.machine.network.listen(lambda _: asyncio.sleep(0))

    bench.elect(2)

    assert bench.ends == ["the quorum port cannot be opened: the port is in use"]
    bench.close()


def test_a_server_whose_memory_is_ahead_of_its_epoch_file_votes_with_both() -> None:
    bench = Bench(2)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(4), DIFF, payloads.new_leader_packet(4, None))
    bench.send(name, UPTODATE, proposal(Z(4, 1)))

    bench.restart()

    [vote] = [one for one in bench.seen[-9:] if type(one).__name__ == "ElectionAsked"]
    assert (vote.leader, vote.zxid, vote.epoch) == (2, Z(4, 1), 4)
    bench.close()


def test_a_vote_names_the_epoch_once_it_is_established() -> None:
    bench = Bench(3)
    bench.elect(3)
    name = bench.accept(2)
    bench.send(name, follower_info(2), payloads.ack_epoch_packet(0, 0))
    assert bench.peer.vote.peer_epoch == 0

    bench.send(name, ack(Z(1, 0)))

    assert bench.peer.vote.peer_epoch == 1
    bench.close()


# Reconfiguration: nothing changes but the version.


def reconfig(zxid: int, text: str) -> QuorumPacket:
    header = TxnHeader(7, 1, zxid, 1000, OpCode.RECONFIG)
    data = Transaction(header, SetDataTxn(CONFIG_NODE, text.encode(), -1)).encode()
    return QuorumPacket(PacketType.PROPOSAL, zxid, data)


def version(number: int, voters: int = 3, observers: int = 0) -> str:
    return configuration(voters, observers).replace("version=0", f"version={number:x}")


@pytest.mark.parametrize("during_sync", [True, False])
def test_a_configuration_of_the_same_servers_is_activated(*, during_sync: bool) -> None:
    bench = Bench(2, reconfig_enabled=True)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(1), DIFF)
    if not during_sync:
        bench.send(name, payloads.new_leader_packet(1, version(0)), UPTODATE)

    bench.send(name, reconfig(Z(1, 1), version(Z(1, 1))))
    assert bench.peer.last_seen_verifier.version == Z(1, 1)
    assert len(bench.peer.involved_verifiers()) == 2
    bench.send(name, payloads.commit_and_activate_packet(Z(1, 1), 3))
    if during_sync:
        bench.send(name, payloads.new_leader_packet(1, version(Z(1, 1))), UPTODATE)

    assert bench.peer.verifier.version == Z(1, 1)
    assert bench.peer.database.last_processed_zxid == Z(1, 1)
    assert bench.peer.database.tree.get_node(CONFIG_NODE).data == version(Z(1, 1)).encode()
    assert bench.ends == []
    bench.close()


@pytest.mark.parametrize("during_sync", [True, False])
def test_an_observer_activates_what_it_is_informed_of(*, during_sync: bool) -> None:
    bench = Bench(4, observers=1, reconfig_enabled=True)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(1), DIFF)
    text = version(Z(1, 1), observers=1)
    if not during_sync:
        bench.send(name, payloads.new_leader_packet(1, None), UPTODATE)

    transaction = reconfig(Z(1, 1), text).data
    bench.send(name, payloads.inform_and_activate_packet(Z(1, 1), 3, transaction))
    if during_sync:
        bench.send(name, payloads.new_leader_packet(1, None), UPTODATE)

    assert bench.peer.verifier.version == Z(1, 1)
    assert bench.peer.database.last_processed_zxid == Z(1, 1)
    bench.close()


@pytest.mark.parametrize(
    ("text", "leader"), [(version(Z(1, 1)), 1), (version(Z(1, 1), voters=1, observers=1), 3)]
)
def test_a_change_of_roles_ends_the_role(text: str, leader: int) -> None:
    bench = Bench(2, reconfig_enabled=True)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(1), DIFF)
    bench.send(name, payloads.new_leader_packet(1, None), UPTODATE, reconfig(Z(1, 1), text))

    bench.send(name, payloads.commit_and_activate_packet(Z(1, 1), leader))

    assert bench.ends == ["changes proposed in reconfig"]
    bench.close()


def test_what_is_activated_must_be_a_configuration() -> None:
    for enabled, ends in (
        (True, ["a configuration is to be activated, and none is pending"]),
        (False, []),
    ):
        bench = Bench(2, reconfig_enabled=enabled)
        name = bench.follow(3)
        bench.send(name, payloads.leader_info_packet(1), DIFF)
        bench.send(name, payloads.new_leader_packet(1, None), UPTODATE, proposal(Z(1, 1)))

        bench.send(name, payloads.commit_and_activate_packet(Z(1, 1), 3))

        assert bench.ends == ends
        bench.close()


def test_an_older_configuration_is_passed_over() -> None:
    bench = Bench(2, reconfig_enabled=True)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(1), DIFF)
    bench.send(name, reconfig(Z(1, 1), version(8)), reconfig(Z(1, 2), version(5)))

    assert bench.peer.last_seen_verifier.version == 8
    bench.close()


# Parts.


def test_the_proposal_clock_watches_one_proposal_and_the_newest() -> None:
    check = SyncLimitCheck()
    check.update_proposal(1, 0.0)
    assert check.check(99.0, 5.0)

    check.start()
    check.update_proposal(2, 10.0)
    check.update_proposal(3, 11.0)
    check.update_proposal(4, 12.0)
    check.update_ack(3)
    assert not check.check(15.0, 5.0)
    check.update_ack(2)
    assert check.check(15.0, 5.0)
    assert not check.check(17.0, 5.0)
    check.update_proposal(5, 13.0)
    check.update_ack(5)
    check.update_ack(4)

    assert check.check(99.0, 5.0)


def test_the_first_failure_ends_a_role_and_the_rest_is_cancelled() -> None:
    ended: list[str] = []

    async def thread(name: str, wait: float, error: Exception | None) -> None:
        try:
            await asyncio.sleep(wait)
            if error is not None:
                raise error
        finally:
            ended.append(name)

    async def role() -> None:
        threads = Threads(lambda: ended.append("left"))
        threads.start("later", partial(thread, "later", 9, None))
        threads.start("wrong", partial(thread, "wrong", 0, ValueError("first")))
        with pytest.raises(ValueError, match="first"):
            await threads.run("role", partial(thread, "role", 9, None))
        threads.fail(ValueError("second"))
        await threads.stop()
        await threads.stop()

    asyncio.run(role())

    assert ended == ["wrong", "left", "later", "role"]


def test_a_process_that_is_cancelled_ends_its_role() -> None:
    seen: list[Observation] = []
    machine = Machine(SimulatedFiles(), 0.0, seen.append)
    config = Config(1, quorum_verifier(configuration(1)), **CONFIG)
    loop = machine.loop

    async def elect(vote: Vote) -> Vote:
        return vote

    peer = QuorumPeer(config, machine.clock, machine.network, machine.disk, elect)
    running = loop.create_task(peer.run(), name="main")
    while peer.zookeeper_server is None:
        loop.settle()
        for name in machine.disk.syncs:
            machine.disk.complete(name)
    with loop.entered():
        running.cancel()
    loop.settle()

    assert running.cancelled()
    assert loop.tasks() == ()
    assert ListeningEnded() in seen
    assert loop.unhandled == []
    loop.kill()


def test_a_handshake_that_is_early_is_read_in_its_turn() -> None:
    bench = Bench(5, voters=5)
    bench.elect(5)
    name = bench.accept(1)
    bench.send(name, follower_info(1), payloads.ack_epoch_packet(0, 0))
    assert bench.said(name) == []

    other = bench.accept(2)
    bench.send(other, follower_info(2), payloads.ack_epoch_packet(0, 0))

    assert bench.said(name) == ["LEADERINFO 1.0", "DIFF 0.0", "NEWLEADER 1.0"]
    bench.close()


def test_who_is_not_yet_synced_is_not_pinged() -> None:
    bench = Bench(3)
    bench.elect(3)
    name, late = bench.accept(2), bench.accept(1)
    bench.send(name, follower_info(2), payloads.ack_epoch_packet(0, 0), ack(Z(1, 0)))
    bench.said(name)

    bench.fire("tick")

    assert bench.said(name) == ["PING 1.0"]
    assert bench.said(late) == []
    bench.close()


def test_a_committed_proposal_may_be_asked_for_again_by_nobody() -> None:
    bench = Bench(3)
    bench.elect(3)
    name = bench.accept(2)
    bench.send(name, follower_info(2), payloads.ack_epoch_packet(0, 0), ack(Z(1, 0)))
    bench.ask(0, 0, OpCode.CREATE_SESSION, SESSION)
    bench.send(name, ack(Z(1, 1)), ack(Z(1, 1)), commit(Z(1, 1)))

    assert bench.said(name)[-1] == "COMMIT 1.1"
    bench.close()


def test_a_learner_reads_without_asking_its_leader() -> None:
    bench = Bench(2)
    name = bench.follow(3)
    bench.send(name, payloads.leader_info_packet(1), DIFF)
    bench.send(name, payloads.new_leader_packet(1, None), UPTODATE)
    bench.said(name)

    number = bench.ask(7, 1, OpCode.GET_CHILDREN, struct.pack(">i", 1) + b"/\0")

    answer = bench.answer(number)
    assert answer is not None
    assert answer.error == 0
    assert bench.said(name) == []
    bench.close()
