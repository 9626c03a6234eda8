"""Changes of real recordings, each made for one check that must refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

RECORDINGS = Path(__file__).parent / "recordings"
ALL_RECORDINGS = sorted(RECORDINGS.glob("*/*.jsonl"))

CLEAN_START = "3.8.0/a_clean_start"
FOLLOWER_RESTART = "3.5.8/b_follower_restart_diff"
SNAP_FORCED = "3.8.0/c2_snap_forced"
OLD_LEADER = "3.8.0/d_trunc_old_leader"
OBSERVER = "3.8.0/f_observer"
RECONFIG = "3.8.0/h_reconfig"
OUTSTANDING = "3.8.0/j_outstanding_at_sync_commit_before_uptodate"


class Lines(list[dict[str, object]]):
    """The lines of a recording; every position is a line number, from 1."""

    def find(self, connection: str, record_type: str, zxid: str | None = None, nth: int = 1) -> int:
        found = [
            number
            for number, entry in enumerate(self, start=1)
            if entry["conn"] == connection
            and entry["type"] == record_type
            and zxid in {None, entry.get("zxid")}
        ]
        return found[nth - 1]

    def change(self, line: int, **keys: object) -> int:
        self[line - 1] = self[line - 1] | keys
        return line

    def copy_to(self, line: int, to: int) -> int:
        self.insert(to - 1, dict(self[line - 1]))
        return to

    def move_to(self, line: int, to: int) -> int:
        self.insert(to - 1, self.pop(line - 1))
        return to

    def text(self, line: int, key: str) -> str:
        return str(self[line - 1][key])

    def write(self, folder: Path) -> Path:
        path = folder / "mutated.jsonl"
        path.write_text("".join(json.dumps(entry) + "\n" for entry in self), encoding="utf-8")
        return path


Mutate = Callable[[Lines], int]


@frozen
class Mutation:
    """A change of a real recording that one check must refuse, on the line it returns."""

    sentence: str
    recording: str
    mutate: Mutate

    def apply(self, folder: Path) -> tuple[Path, int]:
        lines = read_lines(self.recording)
        line = self.mutate(lines)
        return lines.write(folder), line


MUTATIONS: list[Mutation] = []


def mutation(sentence: str, recording: str) -> Callable[[Mutate], Mutate]:
    def mark(mutate: Mutate) -> Mutate:
        MUTATIONS.append(Mutation(sentence, recording, mutate))
        return mutate

    return mark


def read_lines(recording: str) -> Lines:
    text = (RECORDINGS / f"{recording}.jsonl").read_text(encoding="utf-8")
    return Lines(json.loads(line) for line in text.splitlines())
