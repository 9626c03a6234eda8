"""Free runs judged as clients see them, and implementations with a bug that are found out."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest
from judged import client_history, judge, judged
from million import Plan, digest, found_in, plans
from mistaken import MISTAKES

from impl.errors import ErrorCode
from impl.free_run import FreeRun, Size
from impl.random_run import STORM, Rates
from impl.simulated_requests import Operation as Asked
from zabspec.conform.client_history import (
    BAD_VERSION,
    OK,
    Create,
    Delete,
    Node,
    Operation,
    Read,
    SetData,
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


BUGS = {
    "a leader commits without a quorum": (
        "any-ack",
        (7, Rates()),
        "/r1: not linearizable",
    ),
    "servers acknowledge before their fsync": (
        "ack-first",
        (102, Rates(burst=100, fault=40)),
        "/r1: not linearizable",
    ),
    "TRUNC keeps a transaction": (
        "trunc-keeps",
        (21, Rates()),
        "servers 1 and 2 differ",
    ),
    "TRUNC keeps a transaction, and another is logged behind it": (
        "trunc-keeps",
        (19, Rates()),
        "server 1 ended: StorageError",
    ),
    "a follower that is behind serves whoever comes": (
        "behind-serves",
        (98, STORM),
        "session 0x300000000650001 goes back",
    ),
}
"""The mistake, the run that shows it, and how it is seen."""


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found_out_and_without_it_the_same_seed_is_right(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mistake, (seed, rates), seen = BUGS[name]
    changed, method, mistaken = MISTAKES[mistake]
    assert judged(FreeRun(Size(), seed, rates), 8000) == []
    monkeypatch.setattr(changed, method, mistaken)

    found = judged(FreeRun(Size(), seed, rates), 8000)

    assert any(one.startswith(seen) for one in found), found


@pytest.mark.parametrize("voters", [3, 5])
def test_clients_see_what_zookeeper_promises(voters: int) -> None:
    for plan in plans(voters, 20_000, 5000):
        assert found_in(plan) == [], plan


@pytest.mark.nightly
@pytest.mark.parametrize("voters", [3, 5])
def test_a_million_events_show_nothing_that_no_run_may_show(voters: int) -> None:
    for plan in plans(voters, 1_000_000, 25_000):
        assert found_in(plan) == [], plan


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_runs_are_the_same_whatever_order_sets_have(hash_seed: str) -> None:
    events = ["--events", "30000", "--each", "15000", "--digest"]
    told = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("million.py")), *events],
        check=True,
        env={**environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )
    digests = [line for line in told.stdout.splitlines() if "servers" not in line]

    assert digests == [
        f"{plan.seed} {digest(plan)}" for voters in (3, 5) for plan in plans(voters, 30_000, 15_000)
    ]


def test_the_history_of_a_run_has_every_kind_of_answer() -> None:
    run = FreeRun(Size(), 2)
    judged(run, 12_000)
    history = client_history(run.history)
    seen = Counter((type(one.request).__name__, _kind(one)) for one in history)

    assert {
        *((kind, "unanswered") for kind in ("Create", "SetData", "Delete")),
        *((kind, "right") for kind in ("Create", "SetData", "Delete", "Read")),
        *((kind, "refused") for kind in ("Create", "SetData", "Delete", "Read")),
    } <= set(seen)
    assert any(one.client < 0 for one in history)
    assert any(one.result == BAD_VERSION for one in history)
    assert len({one.client for one in history}) > 10


def _kind(one: Operation) -> str:
    if one.result is None:
        return "unanswered"
    return "right" if one.result == OK or isinstance(one.result, Node) else "refused"


def test_what_a_client_was_told_becomes_what_zabspec_judges() -> None:
    created = Asked(1, 1, 7, 2, "create", "/e", "w1", -1, 10, 12, 0, 101, is_ephemeral=True)
    lost = Asked(2, 1, 7, 2, "set", "/e", "w2", 3, 13)
    expired = Asked(3, 1, 7, 2, "delete", "/e", None, -1, 20, 22, -112, 103)
    read = Asked(4, 1, 8, 3, "get", "/e", None, -1, 30, 31, 0, 104, "w1", 0)
    others = [
        Asked(5, 1, 8, 3, name, path, None, -1, 40, 41, 0, 105)
        for name, path in (("sync", "/e"), ("close", None), ("session", None), ("reopen", None))
    ]

    assert client_history([created, lost, expired, read, *others]) == [
        Operation(7, 10.5, 12, Create("/e", b"w1"), OK, 101),
        Operation(-1, 10.5, None, Delete("/e"), None),
        Operation(7, 13.5, None, SetData("/e", b"w2", 3), None),
        Operation(7, 20.5, None, Delete("/e"), None, 103),
        Operation(8, 30.5, 31, Read("/e"), Node(b"w1", 0), 104),
    ]


def test_a_lost_write_and_a_session_that_goes_back_are_told() -> None:
    written = Asked(1, 1, 7, 2, "create", "/a", "w1", -1, 10, 12, 0, 101)
    again = Asked(2, 2, 8, 2, "create", "/a", "w2", -1, 20, 22, 0, 102)
    behind = Asked(3, 2, 8, 3, "get", "/a", None, -1, 30, 31, 0, 100, "w1", 0)
    refused = Asked(4, 2, 8, 3, "set", "/a", "w3", 9, 32, 33, ErrorCode.BAD_VERSION, 103)

    lost, back = judge([written, again, behind, refused])
    assert lost.startswith("/a: not linearizable, after 1 operations")
    assert back.startswith("session 0x8 goes back")
    assert judge([written, refused]) == []


def test_a_plan_is_of_so_many_events() -> None:
    made = list(plans(3, 40_000, 10_000, 5))

    assert [plan.seed for plan in made] == [5, 6, 7, 8]
    assert made[1] == Plan(Size(3, 1, is_varied=True), 6, Rates(), 8500)
    assert {plan.rates for plan in made} == {Rates(), STORM}
