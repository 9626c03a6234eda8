"""What was measured, kept as JSON, so that it can be drawn again and single runs be replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from apart import Run, Task, run_from
from attrs import asdict, frozen
from machine import Machine

NAME = "published.json"


@frozen
class Record:
    """A task, its run, and where that was."""

    task: Task
    run: Run
    machine: Machine

    @property
    def kind(self) -> tuple[str, bool, bool, int, bool]:
        """What a later run of the same kind replaces: limits are no part of it."""
        task = self.task
        return task.what, task.plain, task.numpy, task.jobs, task.symmetry


def merged(records: Sequence[Record], record: Record) -> list[Record]:
    """These records and one more, in the place of an earlier one of its kind."""
    by_kind = {one.kind: one for one in records}
    by_kind[record.kind] = record
    return list(by_kind.values())


def load(results: Path) -> list[Record]:
    """The records kept in a folder: none, where there is no file."""
    path = results / NAME
    if not path.exists():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    return [
        Record(Task(**one["task"]), run_from(one["run"]), Machine(**one["machine"])) for one in told
    ]


def save(results: Path, records: Sequence[Record]) -> None:
    """Keep them, in the place of what is there."""
    written = results / f"{NAME}.new"
    text = json.dumps([asdict(record) for record in records], indent=1)
    written.write_text(text + "\n", encoding="utf-8")
    written.replace(results / NAME)
