"""Quorums against a naive definition, and configurations read and written."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from impl.quorum import (
    ConfigError,
    QuorumHierarchical,
    QuorumMaj,
    QuorumServer,
    SyncedLearnerTracker,
    quorum_verifier,
)

SIDS = range(1, 8)
THREE = """server.1=a:1:2:participant
server.2=b:1:2:participant
server.3=c:1:2:observer
version=0"""


def lines(voters: set[int], observers: set[int] = frozenset(), *more: str) -> str:
    of = {**dict.fromkeys(sorted(voters), "participant"), **dict.fromkeys(observers, "observer")}
    servers = [f"server.{sid}=host{sid}:2888:3888:{role}" for sid, role in of.items()]
    return "\n".join([*servers, *more, "version=0"])


def naive_majority(voters: set[int], acked: set[int]) -> bool:
    return 2 * len(voters & acked) > len(voters)


def naive_groups(groups: dict[int, list[int]], weights: dict[int, int], acked: set[int]) -> bool:
    counting = [sids for sids in groups.values() if sum(weights[sid] for sid in sids)]
    won = [
        sids
        for sids in counting
        if 2 * sum(weights[sid] for sid in sids if sid in acked) > sum(weights[sid] for sid in sids)
    ]
    return 2 * len(won) > len(counting)


@given(some.sets(some.sampled_from(SIDS), min_size=1), some.sets(some.integers(0, 12)))
def test_a_majority_is_more_than_half_of_those_who_vote(voters: set[int], acked: set[int]) -> None:
    observers = set(SIDS) - voters
    verifier = quorum_verifier(lines(voters, observers))

    assert isinstance(verifier, QuorumMaj)
    assert verifier.contains_quorum(acked) is naive_majority(voters, acked)
    assert set(verifier.voting_members) == voters
    assert set(verifier.observing_members) == observers
    assert set(verifier.all_members) == set(SIDS)


@some.composite
def hierarchies(draw: some.DrawFn) -> tuple[dict[int, list[int]], dict[int, int]]:
    of = draw(some.dictionaries(some.sampled_from(SIDS), some.integers(1, 3), min_size=1))
    weights = {sid: draw(some.integers(0, 3)) for sid in of}
    groups: dict[int, list[int]] = {}
    for sid, group in of.items():
        groups.setdefault(group, []).append(sid)
    if not any(weights.values()):
        weights[min(weights)] = 1
    return groups, weights


@given(hierarchies(), some.sets(some.sampled_from(SIDS)))
def test_a_hierarchical_quorum_is_most_groups_with_most_of_their_weight(
    hierarchy: tuple[dict[int, list[int]], dict[int, int]], acked: set[int]
) -> None:
    groups, weights = hierarchy
    verifier = quorum_verifier(
        lines(
            set(weights),
            set(SIDS) - set(weights),
            *(f"group.{group}={':'.join(map(str, sids))}" for group, sids in groups.items()),
            *(f"weight.{sid}={weight}" for sid, weight in weights.items()),
        )
    )

    assert isinstance(verifier, QuorumHierarchical)
    assert verifier.contains_quorum(acked) is naive_groups(groups, weights, acked)
    assert {sid: verifier.get_weight(sid) for sid in weights} == weights
    assert set(verifier.all_members) == set(SIDS)
    assert set(verifier.observing_members) == set(SIDS) - set(weights)


@given(hierarchies())
def test_any_two_hierarchical_quorums_have_a_server_in_common(
    hierarchy: tuple[dict[int, list[int]], dict[int, int]],
) -> None:
    groups, weights = hierarchy
    more = [f"group.{group}={':'.join(map(str, sids))}" for group, sids in groups.items()]
    more += [f"weight.{sid}={weight}" for sid, weight in weights.items()]
    verifier = quorum_verifier(lines(set(weights), set(), *more))
    sets = chain.from_iterable(combinations(weights, size) for size in range(len(weights) + 1))
    quorums = [set(one) for one in sets if verifier.contains_quorum(one)]

    assert quorums
    assert all(one & other for one in quorums for other in quorums)


@given(
    some.lists(some.sets(some.sampled_from(SIDS), min_size=1), max_size=3),
    some.lists(some.integers(0, 9)),
)
def test_every_configuration_that_is_involved_has_to_have_a_quorum(
    voters: list[set[int]], acks: list[int]
) -> None:
    tracker = SyncedLearnerTracker(*(quorum_verifier(lines(one)) for one in voters))
    everyone = set().union(*voters)

    for sid in acks:
        assert tracker.add_ack(sid) is (sid in everyone)
        assert tracker.has_sid(sid) is all(sid in one for one in voters)
    assert tracker.has_all_quorums() is all(naive_majority(one, set(acks)) for one in voters)


def test_a_configuration_that_joins_has_no_acknowledgement_yet() -> None:
    tracker = SyncedLearnerTracker()
    assert tracker.has_all_quorums()

    tracker.add_quorum_verifier(quorum_verifier(lines({1})))
    tracker.add_ack(1)
    assert tracker.has_all_quorums()

    tracker.add_quorum_verifier(quorum_verifier(lines({1, 2})))
    assert not tracker.has_all_quorums()


@pytest.mark.parametrize(
    "text",
    [
        THREE,
        "server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000003",
        "server.5=[::1]:1:2:participant;[::]:3\nserver.2=x.example:1:2:participant\nversion=0",
        """server.1=a:1:2:participant
server.2=a:3:4:participant
server.3=a:5:6:participant
server.4=a:7:8:observer
group.2=2
group.1=1:3
weight.2=0
weight.1=1
weight.3=5
version=7fffffffffffffff""",
    ],
)
def test_a_configuration_that_zookeeper_wrote_is_written_the_same(text: str) -> None:
    verifier = quorum_verifier(text)

    assert str(verifier) == text
    assert quorum_verifier(str(verifier)) == verifier


@pytest.mark.parametrize(
    ("line", "server"),
    [
        ("server.1=a:1:2", QuorumServer(1, "a", 1, 2)),
        (" server.1 = a:1:2:PARTICIPANT ", QuorumServer(1, "a", 1, 2)),
        ("server.1=a:1:2;3", QuorumServer(1, "a", 1, 2, client="0.0.0.0:3")),
        ("server.1=a:1:2:observer;b:3", QuorumServer(1, "a", 1, 2, "observer", "b:3")),
        ("server.0=[1::2]:1:2", QuorumServer(0, "[1::2]", 1, 2)),
    ],
)
def test_what_may_be_left_out_of_a_server_is_filled_in(line: str, server: QuorumServer) -> None:
    verifier = quorum_verifier(f"# a comment\n\n!another\n{line}\nserver.9=z:1:2\nversion=A\n")

    assert verifier.all_members[server.sid] == server
    assert verifier.version == 10


def test_weights_that_are_not_given_are_one_and_written() -> None:
    verifier = quorum_verifier("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nweight.2=3")

    assert [verifier.get_weight(sid) for sid in (1, 2, 3)] == [1, 3, 0]
    assert str(verifier).splitlines()[2:] == [
        "group.1=1:2",
        "weight.2=3",
        "weight.1=1",
        "version=0",
    ]


def test_a_version_is_replaced_and_nothing_else() -> None:
    for text in (THREE, "server.1=a:1:2\ngroup.1=1"):
        verifier = quorum_verifier(text)
        later = verifier.with_version(0x100000000)

        assert (verifier.version, later.version) == (0, 0x100000000)
        assert str(later).endswith("version=100000000")
        assert later.with_version(0) == verifier
        assert verifier.get_weight(1) == 1
        assert verifier.observing_members == later.observing_members


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no server takes part"),
        ("server.1=a:1:2:observer", "no server takes part"),
        ("server.1", "'server.1': expected server.N=, group.N=, weight.N= or version="),
        ("server.x=a:1:2", "expected server.N="),
        ("server.1=a:1:2\nserver.1=b:1:2", "'server.1=b:1:2': expected each name once"),
        ("server.1=a:1:2\nversion=0\nversion=1", "expected each name once"),
        ("server.1=a:1:2\nversion=", "expected a hexadecimal number"),
        ("server.1=a:1:2\nversion=ffffffffffffffff", "expected no more than 7fffffffffffffff"),
        ("server.1=a:1", "expected host:port:port"),
        ("server.1=a:1:2:leader", "expected host:port:port"),
        ("server.1=a:1:2|b:1:2", "expected host:port:port"),
        ("server.1=a:1:2;", "expected host:port:port"),
        ("server.1=a:1:1", "expected two different ports up to 65535"),
        ("server.1=a:1:65536", "expected two different ports up to 65535"),
        ("server.1=a:1:2\ngroup.1=1:1", "expected each server in one group"),
        ("server.1=a:1:2\ngroup.1=1\ngroup.2=1", "expected each server in one group"),
        ("server.1=a:1:2\ngroup.1=1:", "expected sids and colons"),
        ("server.1=a:1:2\ngroup.1=1\nweight.1=-1", "expected a number"),
        ("server.1=a:1:2\ngroup.1=1:2", "server 2 is in a group, expected a line server.2="),
        ("server.1=a:1:2\nweight.1=1", "server.1 is in no group, expected each voter in one"),
        ("server.1=a:1:2\ngroup.1=1\nweight.1=0", "no group in which a server weighs anything"),
    ],
)
def test_a_configuration_that_no_ensemble_can_have_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("|", r"\|")):
        quorum_verifier(text)


@given(
    some.text()
    | some.lists(
        some.sampled_from(
            [
                "server.1=",
                "server.2=a:1:2",
                "group.1=",
                "weight.1=",
                "version=",
                ":",
                "1",
                "2",
                "\n",
                ";",
            ]
        )
    ).map("".join)
)
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    try:
        verifier = quorum_verifier(text)
    except ConfigError:
        return
    assert quorum_verifier(str(verifier)).contains_quorum(verifier.voting_members)
