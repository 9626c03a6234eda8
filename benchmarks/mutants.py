"""Mutants of the code, and which of them the `ci` profile tells from the good code.

    python benchmarks/mutants.py [--of impl|protocol] [--sample N] [--only FILE] [--again]

Each mutant is judged in a process of its own. What became of it is kept in mutants-impl.jsonl, a
line each: a run that was ended goes on where it stopped. It writes mutants.md.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from arguments import at_least_1, parser
from attrs import evolve, frozen
from mutants_free import play_freely
from mutants_imported import note_lines
from mutants_judged import Verdict, judge
from mutants_kept import Record, TableError, keep, load, sayings, write_whole
from mutants_made import Mutant, mutants_of, places_of
from mutants_model import judge_model, pinned
from mutants_played import play
from mutants_report import Report, is_outside

from zabspec.conform.profiles import HELD

ROOT = Path(__file__).parents[1]
SYSTEM = "impl.under_test:ServersUnderTest"
ENOUGH = 0.95
"""Of the mutants of impl that are neither equivalent nor outside, so many are killed at least."""
IMPL = (
    "leader.py",
    "barriers.py",
    "proposals.py",
    "learner_handler.py",
    "sync_follower.py",
    "learner.py",
    "learner_sync.py",
    "follower.py",
    "observer.py",
    "quorum_peer.py",
    "leader_server.py",
    "learner_server.py",
    "processors.py",
    "sync_request_processor.py",
    "commit_processor.py",
    "epochs.py",
    "quorum.py",
    "zxids.py",
    "endings.py",
    "sync_limit_check.py",
    "vote_order.py",
)
"""What a server of impl does of Zab, from an election to a commit. Files, sessions, the tree and
the wire have tests of their own; what is simulated is no part of a server."""


PROTOCOL = (
    "acceptance.py",
    "broadcast.py",
    "database.py",
    "discovery.py",
    "disk.py",
    "election.py",
    "leaving.py",
    "roles.py",
    "rules.py",
    "state.py",
    "sync_follower.py",
    "synchronization.py",
    "zab.py",
    "zxid.py",
)
"""What the baseline is made of. The paper's grain, releases and variants are other specs."""


@frozen
class Subject:
    """Whose mutants. enough: so many are killed of those that count; None = it is only told."""

    name: str
    folder: Path
    files: tuple[str, ...]
    enough: float | None = None

    def records(self, results: Path) -> Path:
        """Where what became of them is kept."""
        return results / f"mutants-{self.name}.jsonl"


SUBJECTS = {
    "impl": Subject("impl", ROOT / "impl", IMPL, ENOUGH),
    "protocol": Subject("protocol", ROOT / "zabspec" / "protocol", PROTOCOL),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, and write what came of it; 1 where too few are killed."""
    made = _parser()
    told = sys.argv[1:] if arguments is None else arguments
    asked = made.parse_args(told)
    subject = SUBJECTS[asked.of]
    if unknown := set(asked.only or ()) - set(subject.files):
        made.error(f"--only {min(unknown)}: expected one of {', '.join(subject.files)}")
    try:
        asked.results.mkdir(parents=True, exist_ok=True)
        said, made_here = sayings(), list(_mutants(asked, subject))
        counted = [one for one in made_here if not is_outside(one, said, subject.folder)]
        _judge_all(asked, subject, counted)
        outside = Counter(dict.fromkeys(asked.only or subject.files, 0))
        outside.update(one.file for one in set(made_here).difference(counted))
        report = Report(subject.name, [], said, subject.folder, outside, " ".join(told))
        score = _write(asked.results, subject, counted, report)
    except (OSError, TableError) as error:
        made.error(str(error))
    except KeyboardInterrupt:
        print("mutants.py: interrupted; what was judged is kept", file=sys.stderr)
        return 130
    if subject.enough is not None and score < subject.enough:
        print(f"mutants.py: {score:.1%} are killed, expected {ENOUGH:.0%}", file=sys.stderr)
        return 1
    return 0


def _write(results: Path, subject: Subject, mutants: Sequence[Mutant], report: Report) -> float:
    """The report on these mutants; how many are killed of those that count."""
    path = subject.records(results)
    records = load(path)
    write_whole(path, records.values())
    report = evolve(report, records=[records[one.key] for one in mutants if one.key in records])
    name = "mutants.md" if subject.name == "impl" else f"mutants-{subject.name}.md"
    (results / name).write_text(report.text(), encoding="utf-8")
    print(report.head())
    return report.score


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--of", choices=SUBJECTS, default="impl", help="whose mutants (impl)")
    made.add_argument(
        "--sample", type=at_least_1, metavar="N", help="so many mutants, drawn by seed (all)"
    )
    made.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    made.add_argument("--only", action="append", metavar="FILE", help="of this file")
    made.add_argument("--again", action="store_true", help="judge those again that survived")
    made.add_argument("--redraw", action="store_true", help="judge none, and write the report")
    made.add_argument(
        "--most", type=at_least_1, metavar="N", help="give each so many histories at most (all)"
    )
    made.add_argument("--no-free", action="store_true", help="no free runs of who survives")
    made.add_argument("--jobs", type=at_least_1, default=2, metavar="N", help="processes (2)")
    made.add_argument("--profile", choices=HELD, default="ci", help="what they are held against")
    return made


def _mutants(asked: argparse.Namespace, subject: Subject) -> Iterator[Mutant]:
    """Of each file its share, where they are sampled."""
    paths = [subject.folder / name for name in asked.only or subject.files]
    sample = asked.sample
    places = {path: places_of(path) for path in paths} if sample else {}
    for path in paths:
        share = round(sample * places[path] / sum(places.values())) if sample else None
        yield from mutants_of(path, share, asked.seed)


def _judge_all(asked: argparse.Namespace, subject: Subject, mutants: Sequence[Mutant]) -> None:
    path = subject.records(asked.results)
    known = load(path)
    left = [
        one
        for one in mutants
        if one.key not in known or (asked.again and not known[one.key].verdict.by)
    ]
    if asked.redraw or not left:
        return
    logging.disable(logging.CRITICAL)
    judging = _judging_impl(asked) if subject.name == "impl" else _judging_protocol()
    print(f"{len(left)} mutants", file=sys.stderr, flush=True)
    _in_parallel(asked.jobs, left, lambda one: keep(path, Record.of(one, judging(one))))


def _judging_impl(asked: argparse.Namespace) -> Callable[[Mutant], Verdict]:
    note_lines(ROOT / "impl", IMPL)
    module, _, name = SYSTEM.partition(":")
    held, make = HELD[asked.profile], getattr(importlib.import_module(module), name)
    kept = play(held, make, ROOT / "impl")
    free = None if asked.no_free else play_freely(held.free)
    kept.most = asked.most
    return lambda one: judge(one, kept, SYSTEM, free)


def _judging_protocol() -> Callable[[Mutant], Verdict]:
    importlib.import_module(SYSTEM.partition(":")[0])
    good = pinned()
    return lambda one: judge_model(one, good)


def _in_parallel(jobs: int, mutants: Sequence[Mutant], work: Callable[[Mutant], object]) -> None:
    """Each in one of so many forks of this process."""
    children = []
    for number in range(jobs):
        child = os.fork()
        if not child:
            status = 1
            try:
                for one in mutants[number::jobs]:
                    work(one)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    if any(ended):
        raise OSError(f"a process that judges ended with {max(ended)}")


if __name__ == "__main__":
    sys.exit(main())
