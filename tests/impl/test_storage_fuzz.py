"""A few mutated files of each kind; `fuzz_files.py` runs as many as one likes."""

from __future__ import annotations

from fuzz_files import fuzz


def test_mutated_files_are_read_right_or_refused() -> None:
    ended = fuzz(seed=5, first=0, count=1500)

    assert set(ended) >= {
        "read all",
        "read a part",
        "refused mutated files",
        "forged log read",
        "refused forged log",
        "forged snapshot read",
        "refused forged snapshot",
    }
    assert sum(ended.values()) == 1500
