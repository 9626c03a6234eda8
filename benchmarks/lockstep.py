"""How fast a system is held against the model, and what of that is whose.

    python benchmarks/lockstep.py --runs 200

One process, the same runs for each line: with Hypothesis, which draws its own; the whole without
it; the model alone; the system alone, told the same events; what was seen compared with what was
expected. Events a second of processor time, and each as a part of the whole.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from time import process_time

from attrs import define, field

from impl.under_test import ServersUnderTest
from zabspec.check.audit import Audit
from zabspec.check.world import Choice, Worlds
from zabspec.conform.beside import Rulebook
from zabspec.conform.expected import Expected, Seen, matches
from zabspec.conform.lockstep import Lockstep, Task
from zabspec.conform.machine import Profile, conform
from zabspec.conform.plain import Plain, plain_ensemble, plain_server

CHOICES, KINDS = 128, 8


@define
class Told:
    """What servers were told in one run, and what it looked like."""

    events: list[tuple[int, Plain, int | None, int]] = field(factory=list)
    pairs: list[tuple[Expected, Seen, frozenset[int]]] = field(factory=list)


class Watched:
    """A system that remembers what it was told."""

    def __init__(self) -> None:
        self.system = ServersUnderTest()
        self.takes, self.shows = self.system.takes, self.system.shows
        self.told: list[tuple[int, Plain, int | None, int]] = []

    def start(self, sid: int, ensemble: Plain, held: list[str]) -> WatchedServer:
        """A server that is watched."""
        return WatchedServer(self, sid, self.system.start(sid, ensemble, held))


class WatchedServer:
    """A server that remembers what it was told."""

    def __init__(self, watched: Watched, sid: int, server: object) -> None:
        self.watched, self.sid, self.server = watched, sid, server
        self.observe, self.copy, self.close = server.observe, server.copy, server.close

    def step(self, event: Plain, stop_after: int | None = None, order: int = 0) -> list[Plain]:
        """As the server does."""
        self.watched.told.append((self.sid, event, stop_after, order))
        return self.server.step(event, stop_after, order)


def numbers(seed: int) -> Iterator[int]:
    """The choices of one run."""
    draw = random.Random(seed)  # noqa: S311 - a schedule is no secret
    return (draw.randrange(1 << 16) for _ in range(CHOICES))


def beside(task: Task, runs: int, system: object) -> int:
    """The whole, without Hypothesis: how many events."""
    worlds = Worlds(task.spec, task.bounds)
    rulebook = Rulebook(task.spec, task.bounds.ensemble, system, worlds.uncut)
    events = 0
    for seed in range(runs):
        lockstep = Lockstep(worlds, rulebook, task.properties)
        for number in numbers(seed):
            if lockstep.choose(number) is not None:
                raise SystemExit(f"seed {seed}: a difference; this measures a system that has none")
        events += lockstep.events
        lockstep.close()
    return events


def model_alone(task: Task, runs: int) -> int:
    """As many choices, taken by worlds alone; the promises asked, too."""
    worlds, events = Worlds(task.spec, task.bounds), 0
    for seed in range(runs):
        world, audit = worlds.start(), Audit(task.properties, worlds.ensemble)
        for number in numbers(seed):
            possible: list[Choice] = list(worlds.progress(world, cut=False))
            if number % KINDS == 0:
                possible = list(worlds.faults(world)) or possible
            if not possible:
                break
            step = worlds.take(possible[number // KINDS % len(possible)])
            audit.step(world, step)
            audit.world(step.world, world, step)
            world, events = step.world, events + len(step.outcomes)
    return events


def system_alone(task: Task, told: list[list[tuple[int, Plain, int | None, int]]]) -> int:
    """The same events, told to servers of the system."""
    system, ensemble = ServersUnderTest(), plain_ensemble(task.bounds.ensemble)
    for run in told:
        servers = {
            sid: system.start(sid, ensemble, ["fsync"]) for sid in task.bounds.ensemble.servers
        }
        for sid, event, stop_after, order in run:
            servers[sid].step(event, stop_after, order)
            servers[sid].observe()
        for server in servers.values():
            server.close()
    return sum(map(len, told))


def comparison_alone(pairs: list[tuple[Expected, list[Plain], Plain]], times: int) -> int:
    """What was seen, against what was expected."""
    for _ in range(times):
        for expected, effects, shown in pairs:
            matches(expected, Seen.of(effects, shown), frozenset())
    return times * len(pairs)


def recorded(task: Task, runs: int) -> list[list[tuple[int, Plain, int | None, int]]]:
    """What each run tells its servers."""
    worlds, watched, told = Worlds(task.spec, task.bounds), Watched(), []
    rulebook = Rulebook(task.spec, task.bounds.ensemble, watched, worlds.uncut)
    for seed in range(runs):
        watched.told = []
        lockstep = Lockstep(worlds, rulebook)
        for number in numbers(seed):
            lockstep.choose(number)
        lockstep.close()
        told.append(watched.told)
    return told


def pairs_of(task: Task) -> list[tuple[Expected, list[Plain], Plain]]:
    """What one server of each shows, step by step, in the first runs."""
    worlds, found = Worlds(task.spec, task.bounds), []
    rulebook = Rulebook(task.spec, task.bounds.ensemble, ServersUnderTest(), worlds.uncut)
    for seed in range(5):
        world = worlds.start()
        for number in numbers(seed):
            possible = list(worlds.progress(world, cut=False))
            if not possible:
                break
            step = worlds.take(possible[number % len(possible)])
            for outcome in step.outcomes:
                (expected,) = rulebook.expected(outcome.before, outcome.event)
                sends = [
                    {"type": "Send", "peer": peer, **one}
                    for peer, sent in expected.sends.items()
                    for one in sent
                ]
                found.append((expected, sends, plain_server(outcome.after)))
            world = step.world
    return found


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """How many events, and how many of them a second of processor time."""
    start = process_time()
    events = work()
    return events, events / (process_time() - start)


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    task = Task()
    told, pairs = recorded(task, runs), pairs_of(task)
    lines = {
        "with Hypothesis": timed(lambda: conform(ServersUnderTest, task, Profile(runs)).events),
        "without, promises asked": timed(lambda: beside(task, runs, ServersUnderTest())),
        "without, no promises": timed(
            lambda: beside(Task(properties=()), runs, ServersUnderTest())
        ),
        "model alone": timed(lambda: model_alone(task, runs)),
        "system alone": timed(lambda: system_alone(task, told)),
        "comparison alone": timed(lambda: comparison_alone(pairs, 50)),
    }
    whole = lines["without, promises asked"][1]
    print(f"{'':<26}{'events':>10}{'events/s':>10}{'of the whole':>14}")
    for name, (events, rate) in lines.items():
        print(f"{name:<26}{events:>10,}{rate:>10,.0f}{rate / whole:>13.1f}x")


if __name__ == "__main__":
    main()
