"""Free runs judged as they are made, with no record: what clients saw, and what servers held.

What zabspec makes of a record is in `zabspec.conform.free`; here it is asked without writing one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from impl.free_run import FreeRun
from impl.simulated_requests import Operation as Asked
from impl.simulated_run import Held as Looked
from impl.told import digest, operations
from zabspec.conform.client_history import Operation
from zabspec.conform.free import judge_held, judge_history
from zabspec.conform.recording_entry import Entry
from zabspec.conform.told import Held, operation_of


def judge(history: Iterable[Asked]) -> list[str]:
    """What no client may see, as text."""
    return [one.text for one in judge_history(client_history(history))]


def client_history(history: Iterable[Asked]) -> list[Operation]:
    """What clients asked and were told, as zabspec takes it. A client there is a session here."""
    return [
        operation_of(Entry(Path("history"), asked.number, told))
        for asked in history
        for told in operations(asked)
    ]


def judged(run: FreeRun, events: int, calm: int = 1500, every: int = 500) -> list[str]:
    """Go on for so many events, and some without faults; what is wrong with the run.

    Servers that have come equally far must have the same content, whenever that is looked at.
    """
    held: list[Held] = []

    def looked(one: Looked) -> None:
        held.append(Held(one.sid, one.zxid, digest(one.content)))

    run.looked = looked
    try:
        for until in (*range(every, events, every), events):
            run.go(until)
            run.look()
        run.calm_down()
        run.go(events + calm)
        run.look()
    finally:
        run.end()
    found = [one.text for one in judge_held(held)]
    return [*run.findings, *found, *judge(run.history)]
