"""Random events over ensembles of 3 and of 5 servers, judged: `python tests/impl/million.py`.

Each run has a seed of its own, short windows and logs or usual ones, an observer or none. Whatever
is found is told with what makes the run again, and the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from attrs import frozen
from judged import judged

from impl.free_run import FreeRun, Size
from impl.random_run import STORM, Rates
from impl.simulated_events import Event
from impl.simulated_observations import Observation

CALM_EVENTS = 1500
"""At the end of each run."""


@frozen
class Plan:
    """One run. events: with faults, before it calms down."""

    size: Size
    seed: int
    rates: Rates
    events: int


def plans(voters: int, events: int, each: int, first_seed: int = 0) -> Iterator[Plan]:
    """Runs of so many events in all; one in four is a storm, one in four has an observer."""
    for number in range(-(-events // each)):
        size = Size(voters, int(number % 4 == 1), is_varied=number % 2 == 1)
        rates = STORM if number % 4 == 2 else Rates()
        yield Plan(size, first_seed + number, rates, each - CALM_EVENTS)


def found_in(plan: Plan) -> list[str]:
    """What is wrong with a run."""
    return judged(FreeRun(plan.size, plan.seed, plan.rates), plan.events, CALM_EVENTS)


def digest(plan: Plan) -> str:
    """Of all that happens in a run, and is seen of it."""
    seen = hashlib.sha256()

    def watch(sid: int, event: Event, observed: Sequence[Observation]) -> None:
        seen.update(ascii((sid, event, observed)).encode())

    run = FreeRun(plan.size, plan.seed, plan.rates, watch)
    judged(run, plan.events, CALM_EVENTS)
    return seen.hexdigest()


def main() -> int:
    """Run all, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="for each size")
    parser.add_argument("--each", type=int, default=25_000, help="events of one run")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--digest", action="store_true", help="tell what each run was like")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    wrong = False
    for voters in (3, 5):
        started, busy = time.monotonic(), time.process_time()
        for plan in plans(voters, asked.events, asked.each, asked.seed):
            for one in found_in(plan):
                wrong = True
                sys.stdout.write(f"{plan}: {one}\n")
            if asked.digest:
                sys.stdout.write(f"{plan.seed} {digest(plan)}\n")
        seconds, busy = time.monotonic() - started, time.process_time() - busy
        rates = f"{asked.events / seconds:,.0f} a second, {asked.events / busy:,.0f} of its own"
        sys.stdout.write(f"{voters} servers: {asked.events:,} events, {rates}\n")
        sys.stdout.flush()
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
