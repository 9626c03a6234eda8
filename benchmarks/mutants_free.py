"""Free runs of an ensemble of mutants, judged by their records: what no single server can show.

Sessions, reads, PINGs and time are in these, and nothing of them is in lockstep.
"""

from __future__ import annotations

import importlib
from collections.abc import Container, Mapping
from itertools import product
from typing import Any

from attrs import frozen
from mutants_imported import Line, passed

from zabspec.conform.free import judge, record_of

EVENTS, QUIET = 1_000, 300
"""Of one run: with faults, and then without."""
_LOOKS = 500
_SIZES: tuple[Mapping[str, Any], ...] = (
    {"voters": 3},
    {"voters": 3, "observers": 1, "is_varied": True},
)


@frozen
class FreeRuns:
    """Runs of so many seeds. passed: the lines that good code passed over in all of them."""

    seeds: int
    passed: frozenset[Line]

    def tell(self, file: str, lines: Container[int] | None) -> str | None:
        """What is wrong with a run of the code that is in place now; None = nothing.

        lines: of the file, which were changed; where none is passed over, nothing is run.
        """
        changed = lines is None or any(name == file and at in lines for name, at in self.passed)
        return _first_finding(self.seeds) if changed else None


def play_freely(seeds: int) -> FreeRuns:
    """Play all runs with good code, which notes its lines."""
    passed.clear()
    found = _first_finding(seeds)
    if found is not None:
        raise AssertionError(f"a free run of good code: {found}")
    return FreeRuns(seeds, frozenset(passed))


def _first_finding(seeds: int) -> str | None:
    for seed, size, is_storm in product(range(seeds), _SIZES, (False, True)):
        for finding in judge(record_of(_recorded(seed, size, is_storm=is_storm))):
            return str(finding)
    return None


def _recorded(seed: int, size: Mapping[str, Any], *, is_storm: bool) -> list[str]:
    """The lines of the record of one run. impl is imported here: it may be a mutant by now."""
    free_run, told = importlib.import_module("impl.free_run"), importlib.import_module("impl.told")
    random_run = importlib.import_module("impl.random_run")
    lines: list[str] = []
    transcript = importlib.import_module("impl.transcript").Transcript(lines.append)
    transcript.mark("a run")
    rates = random_run.STORM if is_storm else random_run.Rates()
    run = free_run.FreeRun(free_run.Size(**size), seed, rates, transcript.watch)
    run.looked = lambda held: told.tell_held(transcript, held)
    try:
        for until in range(_LOOKS, EVENTS + 1, _LOOKS):
            run.go(until)
            run.look()
        run.calm_down()
        run.go(EVENTS + QUIET)
        run.look()
    except random_run.SimulationError as error:
        run.findings.append(f"the run cannot go on: {error}")
    finally:
        run.end()
    told.tell_end(transcript, run)
    return lines
