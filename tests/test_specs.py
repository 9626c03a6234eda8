from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.promises import PROMISES
from zabspec.check.properties import always, every_step, sometimes
from zabspec.check.search import Search
from zabspec.check.world import Worlds
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Elected, LinkLost
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import Spec, SpecError, ignore, on
from zabspec.protocol.state import Ensemble, Follower, Leader, Looking, Phase, Role, Server


def says_nothing(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
    return Step(server)


def writes_past_the_disk(server: Server[Follower], _event: object, _ensemble: Ensemble) -> Step:
    return Step(evolve(server, disk=evolve(server.disk, accepted_epoch=9)))


def _module(*marked: Callable[..., Step] | object) -> ModuleType:
    module = ModuleType("some_module")
    for one in marked:
        name = getattr(one, "__name__", "DECISION")
        if callable(one):
            one.__module__ = module.__name__
        setattr(module, name, one)
    return module


def test_a_row_that_is_answered_twice_is_refused() -> None:
    @on(Looking, Phase.ELECTION, Elected)
    def one(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
        return Step(server)

    @on(Looking, Phase.ELECTION, Elected)
    def other(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
        return Step(server)

    with pytest.raises(SpecError) as caught:
        Spec.collect("doubtful", _module(one, other))

    assert str(caught.value) == (
        "spec doubtful: Looking/ELECTION Elected is answered by one and by other; take the mark"
        " from one of them"
    )


def test_a_hole_in_the_table_is_refused() -> None:
    @on(Looking, Phase.ELECTION, Elected)
    def one(server: Server[Role], _event: object, _ensemble: Ensemble) -> Step:
        return Step(server)

    decision = ignore(Leader, Phase.BROADCAST, LinkLost, because="it likes to be alone")

    with pytest.raises(SpecError) as caught:
        Spec.collect("doubtful", _module(one, decision))

    assert str(caught.value) == (
        "spec doubtful: nothing answers Looking/ELECTION LinkLost; Leader/BROADCAST Elected;"
        " mark a rule with `on`, or say why not with `ignore` or `never`"
    )


def test_a_rule_that_a_spec_has_not_cannot_be_replaced() -> None:
    with pytest.raises(SpecError) as caught:
        PAPER.but("better", leader_procrastinates=says_nothing)

    text = str(caught.value)
    assert text.startswith("spec better: paper has no rule leader_procrastinates; its rules are ")
    assert "follower_accepts_history, follower_accepts_proposal, " in text
    assert "never" not in text


@pytest.mark.parametrize("mark", [always, every_step, sometimes])
def test_a_property_that_reads_what_there_is_not_is_refused(
    mark: Callable[[str], Callable[[Callable[..., bool]], object]],
) -> None:
    def lucky(weather: object, ensemble: Ensemble) -> bool:
        return bool(weather) and bool(ensemble)

    with pytest.raises(
        SpecError, match=r"property lucky reads \(weather, ensemble\); it may read "
    ):
        mark("the weather is good")(lucky)


def test_a_property_of_worlds_cannot_read_an_outcome_nor_one_of_steps_a_server() -> None:
    with pytest.raises(SpecError, match="it may read server; server, other; "):
        always("all is well")(lambda outcome: outcome is not None)
    with pytest.raises(SpecError, match=r"it may read outcome; outcome, monitor$"):
        every_step("all is well")(lambda server: server is not None)


def test_a_rule_that_assigns_the_disk_is_refused() -> None:
    spec = PAPER.but("paper-past-the-disk", follower_promises_epoch=writes_past_the_disk)

    with pytest.raises(SpecError) as caught:
        Search(Worlds(spec, Bounds(servers=2)), PROMISES).run()

    assert str(caught.value) == (
        "rule follower_promises_epoch of paper-past-the-disk assigns the disk; return a Write"
        " instead"
    )


def test_another_rule_makes_another_fingerprint_and_another_name_does_not() -> None:
    renamed = PAPER.but("renamed")
    other = PAPER.but("paper", follower_promises_epoch=says_nothing)

    assert renamed.fingerprint() == PAPER.fingerprint()
    assert other.fingerprint() != PAPER.fingerprint()


def test_every_row_of_a_spec_has_one_rule_and_every_decision_a_reason() -> None:
    rows = [row for _, answered in PAPER.rules() for row in answered]

    assert sorted(map(str, rows)) == sorted(map(str, PAPER.table))
    for rule, _ in PAPER.rules():
        assert (rule.because is None) == (rule.name not in {"ignore", "never"})
        assert rule.because != ""
