"""Mutants of the model: told from it by what it counts, or by the good code beside it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from attrs import frozen
from mutants_imported import replace
from mutants_judged import Hangs, Verdict, apart, one_line, within
from mutants_made import Mutant

SEEDS = 30
"""Of runs of lockstep, in each of the ways."""
_LONG = 90.0

Counts = tuple[int, int, int]


@frozen
class Pinned:
    """What the good model counts in each of the small models: worlds, steps, depth."""

    counts: tuple[Counts, ...]


def pinned() -> Pinned:
    """Count."""
    return Pinned(tuple(_counts()))


def judge_model(mutant: Mutant, good: Pinned) -> Verdict:
    """Have a mutant of the model judged."""
    return apart(lambda: (*_judged(mutant, good), 0))


def _judged(mutant: Mutant, good: Pinned) -> tuple[str, str]:
    try:
        replace({f"zabspec.protocol.{mutant.file.removesuffix('.py')}": mutant.source})
        importlib.import_module("zabspec.conform.profiles")
    except Exception as error:  # noqa: BLE001 - whatever a mutant raises
        return "import", one_line(error)
    try:
        with within(_LONG):
            return _told(good) or ("", "")
    except Hangs:
        return "hang", "it does not end"
    except Exception as error:  # noqa: BLE001 - as above
        return "failure", one_line(error)


def _told(good: Pinned) -> tuple[str, str] | None:
    for expected, counted in zip(good.counts, _counts(), strict=True):
        if expected != counted:
            return "counts", f"expected {expected} worlds, steps and depth, counted {counted}"
    return _rows() or _lockstep()


def _profiles() -> Any:  # noqa: ANN401 - of the mutant, by now
    return importlib.import_module("zabspec.conform.profiles")


def _counts() -> Iterator[Counts]:
    profiles = _profiles()
    explore = importlib.import_module("zabspec.check.explore")
    world = importlib.import_module("zabspec.check.world")
    for rows in (profiles.CUT, *profiles.SMALL):
        found = explore.Explorer(world.Worlds(rows.spec, rows.bounds), ()).run()
        yield found.worlds, found.steps, found.depth


def _rows() -> tuple[str, str] | None:
    exhaust = importlib.import_module("zabspec.conform.exhaust")
    beside = importlib.import_module("zabspec.conform.beside")
    local_graph = importlib.import_module("zabspec.conform.local_graph").local_graph
    profiles = _profiles()
    for rows in (profiles.CUT, *profiles.SMALL):
        rulebook = beside.Rulebook(rows.spec, rows.bounds.ensemble, _system())
        graph = local_graph(rows.model, with_cuts=rows.with_cuts)
        replayed = exhaust.exhaust(graph, rulebook, exhaust.Budget(first=True))
        if replayed.divergences:
            return "rows", str(replayed.divergences[0].divergence.event)
    return None


def _lockstep() -> tuple[str, str] | None:
    rounds = importlib.import_module("zabspec.conform.rounds")
    for task in _profiles().TASKS:
        played = rounds.play_round(_system(), task, range(SEEDS))
        if played.failure is not None:
            return "lockstep", f"seed {played.seed}"
    return None


def _system() -> Any:  # noqa: ANN401 - the good code
    return importlib.import_module("impl.under_test").ServersUnderTest()
