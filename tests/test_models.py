from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import pytest
from attrs import evolve

from zabspec import check
from zabspec.check import witnesses
from zabspec.check.bounds import Bounds
from zabspec.check.explore import Explorer
from zabspec.check.model import Answer, Broken, Holds, Model, ask, load_models, load_specs
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property
from zabspec.check.world import Worlds
from zabspec.protocol.rules import Spec

MODELS = load_models()
GOOD = [model for model in MODELS.values() if isinstance(model.expected, Holds)]
BUGS = [model for model in MODELS.values() if isinstance(model.expected, Broken)]
NIGHTLY = {
    "baseline-3-2-1-1",
    "paper-3-2-2-1",
    "zk-2846",
    "zk-3911",
    "zk-4646",
    "zk-5094-b",
}
"""Those that take a minute or so."""


@cache
def answer(name: str) -> Answer:
    return ask(MODELS[name])


def _params(models: list[Model]) -> Iterator[object]:
    for model in models:
        mark = pytest.mark.nightly if model.name in NIGHTLY else pytest.mark.slow
        marks = [mark] if model.slow else []
        yield pytest.param(model, id=model.name, marks=marks)


def _witnesses() -> set[Property]:
    """Every `sometimes` of a module of zabspec.check."""
    modules = [
        import_module(f"zabspec.check.{found.name}") for found in iter_modules(check.__path__)
    ]
    values = [value for module in modules for value in vars(module).values()]
    several = [one for value in values if isinstance(value, tuple) for one in value]
    return {one for one in (*values, *several) if isinstance(one, Property) and one.sometimes}


def _origin(bug: Model) -> Spec:
    """The good spec of the same grain that shares most rows with this one."""
    return max(
        dict.fromkeys(model.spec for model in GOOD),
        key=lambda spec: (
            spec.fused == bug.spec.fused,
            sum(spec.table.get(row) == rule for row, rule in bug.spec.table.items()),
            spec.oracle == bug.spec.oracle,
        ),
    )


def _bugs_at(spec: Spec, bounds: Bounds) -> list[Model]:
    return [bug for bug in BUGS if bug.bounds == bounds and _origin(bug) is spec]


def _promises_of_bugs_at(spec: Spec, bounds: Bounds) -> set[Property]:
    bugs = _bugs_at(spec, bounds)
    return {bug.expected.promise for bug in bugs if isinstance(bug.expected, Broken)}


def _is_large(spec: Spec, bounds: Bounds) -> bool:
    """Whether only the zoo asks for these bounds, and they hold millions of worlds."""
    of_zoo = all(bug.name.startswith("zk-") for bug in _bugs_at(spec, bounds))
    faults = bounds.lost_links + bounds.crashes + bounds.limits
    return of_zoo and bounds.servers + bounds.observers > 2 and bounds.txns * faults > 0


def _bounds_of_bugs_alone() -> Iterator[object]:
    """Where bugs are sought, and no good model says what holds without them."""
    told = {(model.spec, model.bounds) for model in GOOD}
    for spec, bounds in dict.fromkeys((_origin(bug), bug.bounds) for bug in BUGS):
        if (spec, bounds) not in told:
            marks = [pytest.mark.nightly] if _is_large(spec, bounds) else []
            yield pytest.param(spec, bounds, id=f"{spec.name}: {bounds}", marks=marks)


@pytest.mark.parametrize("model", list(_params(GOOD)))
def test_a_good_model_answers_as_expected(model: Model) -> None:
    got = answer(model.name)

    assert got.surprises == ()
    assert got.verdict == "holds"
    assert [
        one for one in _promises_of_bugs_at(model.spec, model.bounds) if not got.found.premises[one]
    ] == []


@pytest.mark.parametrize("model", list(_params(BUGS)))
def test_a_seeded_bug_breaks_its_promise_by_a_run_of_the_pinned_length(model: Model) -> None:
    got = answer(model.name)

    assert got.surprises == ()
    assert got.verdict == "broken"
    assert got.found.finding is not None
    assert len(got.found.finding.run) == got.found.depth


@pytest.mark.parametrize(("spec", "bounds"), list(_bounds_of_bugs_alone()))
def test_without_its_bug_a_promise_holds_within_the_same_bounds(spec: Spec, bounds: Bounds) -> None:
    promises = _promises_of_bugs_at(spec, bounds)

    found = Explorer(Worlds(spec, bounds), promises).run()

    assert promises
    assert found.complete
    assert [one.sentence for one in promises if not found.premises[one]] == []


def test_every_promise_is_put_to_the_test_by_a_good_model() -> None:
    smallest_first = sorted(GOOD, key=lambda model: getattr(model.expected, "worlds", 0))
    untested = set(PROMISES)

    for model in smallest_first:
        if untested and not model.slow:
            premises = answer(model.name).found.premises
            untested -= {one for one in untested if premises[one]}

    assert [one.sentence for one in untested] == []


def test_every_promise_is_broken_by_a_model_of_a_plain_check() -> None:
    broken = {
        bug.expected.promise for bug in BUGS if isinstance(bug.expected, Broken) and not bug.slow
    }

    assert [one.sentence for one in PROMISES if one not in broken] == []


def test_every_witness_is_named_by_a_model() -> None:
    named = {witness for model in GOOD for witness in model.witnesses}

    assert [one.sentence for one in _witnesses() if one not in named] == []


def test_a_model_names_as_witnesses_what_is_seen_sometimes() -> None:
    named = {witness for model in MODELS.values() for witness in model.witnesses}

    assert [one.sentence for one in named if not one.sometimes] == []
    assert [one.sentence for one in PROMISES if one.sometimes] == []


def test_a_witness_that_is_not_seen_is_a_surprise() -> None:
    model = evolve(MODELS["paper-2-2-2-0"], witnesses=(witnesses.cut_by_crash,))

    got = ask(model)

    sentence = "a crash falls between what a step writes and what it sends"
    assert got.surprises == (f'never saw that "{sentence}"',)


def test_other_counts_than_expected_are_surprises() -> None:
    model = evolve(MODELS["paper-2-2-2-0"], expected=Holds(worlds=1, steps=13_722, depth=34))

    got = ask(model)

    assert got.surprises == ("expected 1 worlds, counted 9068", "expected 34 depth, counted 33")


def test_a_promise_that_holds_where_a_bug_was_expected_is_a_surprise() -> None:
    sound = MODELS["paper-2-2-2-0"]
    promise = PROMISES[0]

    got = ask(evolve(sound, expected=Broken(promise, 9), promises=(promise,)))

    assert got.surprises == (f'expected to break "{promise.sentence}", and it holds',)


def test_another_depth_or_promise_than_expected_is_a_surprise() -> None:
    bug = MODELS["paper-commits-alone"]
    assert isinstance(bug.expected, Broken)
    sentence = bug.expected.promise.sentence

    later = ask(evolve(bug, expected=Broken(bug.expected.promise, 8)))
    unexpected = ask(evolve(bug, expected=Holds(1, 1, 1), promises=PROMISES))

    assert later.surprises == (
        f'expected to break "{sentence}" at depth 8, broke "{sentence}" at 7',
    )
    assert unexpected.surprises == (f'broke "{sentence}" at depth 7',)


def test_specs_of_one_name_are_one_spec() -> None:
    by_name = load_specs()
    used = dict.fromkeys(model.spec for model in MODELS.values())

    for spec in used:
        same = by_name[spec.name]
        assert spec is same or spec.fingerprint() == same.fingerprint()


def test_the_paper_is_exhausted_within_the_bounds_of_its_published_runs() -> None:
    asked = {(m.bounds.servers, m.bounds.txns, m.bounds.lost_links, m.bounds.crashes) for m in GOOD}

    assert asked >= {(2, 2, 2, 0), (3, 1, 1, 0), (3, 2, 1, 0)}
