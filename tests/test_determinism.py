from __future__ import annotations

import os
import subprocess
import sys

import pytest

TELL = """
from zabspec.check.model import load_models
from zabspec.check.play import retell
from zabspec.check.promises import PROMISES
from zabspec.check.search import Search
from zabspec.check.walk import walk
from zabspec.check.world import Worlds

sound = load_models()["paper-3-2-1-0"]
bug = load_models()["paper-epoch-without-history"]
taken = walk(Worlds(sound.spec, sound.bounds), PROMISES, seed=11, steps=80)
print(retell(taken.run, sound.spec, sound.bounds, PROMISES))
found = Search(Worlds(bug.spec, bug.bounds), PROMISES).run()
print(found.finding.promise.sentence, found.worlds, found.steps, found.depth)
print([found.premises[one] for one in PROMISES])
print(retell(found.finding.run, bug.spec, bug.bounds, PROMISES))
"""
"""A walk, and a search with its counterexample, as text."""


def _told(hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run(
        [sys.executable, "-c", TELL], env=environment, capture_output=True, check=True
    )
    return told.stdout


@pytest.mark.parametrize("hash_seed", ["1", "4242", "random"])
def test_a_seed_tells_the_same_bytes_however_python_hashes(hash_seed: str) -> None:
    told = _told("0")

    assert told.count(b"zabspec script 1") == 2
    assert _told(hash_seed) == told
