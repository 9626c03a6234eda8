"""What a leader does when its epoch has no zxid left, and how a bound on that is written down."""

from __future__ import annotations

import pytest
from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.model import ask, load_models
from zabspec.check.promises import PROMISES
from zabspec.check.script import ScriptError, parse_script, show_script
from zabspec.check.search import Search
from zabspec.check.world import Worlds
from zabspec.cli import main
from zabspec.protocol.broadcast import leader_proposes
from zabspec.protocol.effects import Broadcast, CloseAll
from zabspec.protocol.events import ClientRequest
from zabspec.protocol.state import (
    Disk,
    Ensemble,
    Leader,
    Leaving,
    Memory,
    Outstanding,
    Phase,
    Server,
    Txn,
    Zxid,
)
from zabspec.protocol.zab import BASELINE

USUAL = 0xFFFFFFFF


def _leader(proposed: int) -> Server[Leader]:
    outstanding = (Outstanding(Txn(Zxid(1, proposed), 1)),)
    role = Leader(Phase.BROADCAST, epoch=1, outstanding=outstanding)
    return Server(1, Disk(accepted_epoch=1, current_epoch=1), Memory(), role)


@pytest.mark.parametrize("last_counter", [3, USUAL])
def test_the_last_counter_is_given_to_no_transaction(last_counter: int) -> None:
    ensemble = Ensemble((1, 2, 3), last_counter=last_counter)

    before = leader_proposes(_leader(last_counter - 2), ClientRequest(2), ensemble)
    at = leader_proposes(_leader(last_counter - 1), ClientRequest(2), ensemble)

    assert before.effects[0] == Broadcast(Txn(Zxid(1, last_counter - 1), 2))
    assert at.effects == (CloseAll(),)
    assert isinstance(at.server.role, Leaving)


def test_without_a_bound_the_last_counter_is_that_of_32_bits() -> None:
    assert Bounds().ensemble == Ensemble((1, 2, 3), last_counter=USUAL)


def test_leaders_that_come_to_the_last_counter_keep_every_promise() -> None:
    bounds = Bounds(servers=2, txns=3, elections=3, last_counter=2)

    found = Search(Worlds(BASELINE, bounds), PROMISES).run()

    assert found.complete
    assert found.finding is None


def test_the_bug_needs_the_last_counter_to_be_met() -> None:
    bug = load_models()["zk-1277"]
    beyond = evolve(bug, bounds=evolve(bug.bounds, txns=2), expected=None)

    assert ask(beyond).verdict == "holds"


def test_a_script_says_the_last_counter_only_where_it_is_not_the_usual_one() -> None:
    small = Bounds(3, observers=1, window=2, force_snapshot=True, last_counter=2)

    told = show_script("baseline", "00000000", small, ())
    usual = show_script("baseline", "00000000", Bounds(3), ())

    assert told.splitlines()[2] == "servers 3 observers 1 window 2 snapshots forced last counter 2"
    assert usual.splitlines()[2] == "servers 3"
    assert parse_script(told).bounds == evolve(Bounds(), **_setup(small))
    assert parse_script(usual).bounds.last_counter == USUAL


def _setup(bounds: Bounds) -> dict[str, int]:
    names = ("servers", "observers", "window", "force_snapshot", "last_counter")
    return {name: getattr(bounds, name) for name in names}


@pytest.mark.parametrize("said", ["0", "-1", "02", "one", "4294967295000", ""])
def test_a_script_with_no_such_counter_is_refused(said: str) -> None:
    text = f"zabspec script 1\nspec baseline\nservers 3 last counter {said}\n"

    with pytest.raises(ScriptError, match=r"script:3: read .*, expected servers 2"):
        parse_script(text)


@pytest.mark.parametrize("last_counter", [0, -1, USUAL + 1])
def test_a_counter_that_32_bits_do_not_hold_is_no_bound(last_counter: int) -> None:
    with pytest.raises(ValueError, match="last_counter"):
        Bounds(last_counter=last_counter)


def test_bounds_say_the_last_counter_only_where_it_is_not_the_usual_one() -> None:
    assert str(Bounds(last_counter=2)) == f"{Bounds()}, a last counter of 2"


def test_the_command_line_takes_a_last_counter(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "baseline-3-1-1-0", "--servers", "2", "--last-counter"]

    assert main([*arguments, "1"]) == 0
    said = capsys.readouterr().out
    assert main([*arguments, "0"]) == 2

    assert "baseline-3-1-1-0" in said
    assert "--last-counter" in capsys.readouterr().err
