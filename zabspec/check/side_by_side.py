"""A run of two specs at once, in plain worlds: one world under each, and the same for all others.

It is what the tables of pairs stand for; from it a run is told, and where the two part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from zabspec.check.actions import Action, ApplyNext, Ask, Deliver, Restart, SyncLog
from zabspec.check.bounds import Bounds
from zabspec.check.pairing import Pair, seen
from zabspec.check.world import Step, World, Worlds
from zabspec.protocol.rules import Spec

Run = tuple[Step, ...]
Both = tuple[World, World]
"""Under A and under B."""


@frozen
class Move:
    """What both did. cut: a crash cut it. runs: the steps under A, and under B.

    That is one step each; but a crash that cuts only one of the two is a step of its own in the
    other, just before what happened or just behind it.
    """

    action: Action
    cut: bool
    runs: tuple[Run, Run]


@frozen
class Parting:
    """Where two specs part, after these moves.

    action: what happens then. steps: what that leads to; None: it cannot happen there.
    hidden: others could not tell if the crash of a cut move had fallen elsewhere, behind the same
    that they saw: then B could have done what A did to the end; and A, what B did.
    """

    moves: tuple[Move, ...]
    action: Action
    steps: tuple[Step | None, Step | None]
    hidden: tuple[bool, bool] = (False, False)

    @property
    def runs(self) -> tuple[Run, Run]:
        """Under A and under B: what both did before, and the last step where it can happen."""
        one, other = (
            (*(step for move in self.moves for step in move.runs[side]), *([last] if last else ()))
            for side, last in enumerate(self.steps)
        )
        return one, other


class SideBySide:
    """The worlds of two specs within the same bounds."""

    def __init__(self, specs: tuple[Spec, Spec], bounds: Bounds) -> None:
        self._worlds = tuple(Worlds(spec, bounds) for spec in specs)
        self._servers = bounds.ensemble.servers

    def parting(self, path: Sequence[World]) -> Parting:
        """Where two runs part that lead through these worlds of pairs, from the first to the last.

        They part in what follows the last one.
        """
        one, other = (worlds.start() for worlds in self._worlds)
        moves: list[Move] = []
        for world in path[1:]:
            moves.append(self._move((one, other), _split(world)))
            one, other = (run[-1].world for run in moves[-1].runs)
        parting = Parting(tuple(moves), *self._difference((one, other)))
        return evolve(parting, hidden=(self._is_hidden(parting, 0), self._is_hidden(parting, 1)))

    def _is_hidden(self, parting: Parting, side: int) -> bool:
        """Whether the other side, its crashes elsewhere, can do all that this one was seen to."""
        last, other = parting.steps[side], self._worlds[1 - side]
        if last is None or not any(move.cut for move in parting.moves):
            return False
        worlds = [other.start()]
        for move in parting.moves:
            wanted = (move.action, move.cut), self._seen_of(move.runs[side])
            found = (
                run[-1].world
                for world in worlds
                for label, run in _moves(other, world)
                if (label, self._seen_of(run)) == wanted
            )
            worlds = list({world[:3]: world for world in found}.values())
        wanted = (parting.action, False), self._seen_of((last,))
        moves = (move for world in worlds for move in _moves(other, world))
        return any((label, self._seen_of(run)) == wanted for label, run in moves)

    def _seen_of(self, run: Run) -> dict[tuple[int, int], tuple[object, ...]]:
        """What was seen of each server, by each who sees it, in a run."""
        told: dict[tuple[int, int], tuple[object, ...]] = {}
        for outcome in (one for step in run for one in step.outcomes):
            for by, effects in enumerate(seen(outcome, self._servers)):
                if effects:
                    key = outcome.before.sid, by
                    told[key] = told.get(key, ()) + effects
        return told

    def _difference(self, worlds: Both) -> tuple[Action, tuple[Step | None, Step | None]]:
        """The first event that only one of two worlds allows, or in which others can tell them."""
        ones, others = (
            {step.action: step for step in these.steps(world) if not _is_cut(step.action)}
            for these, world in zip(self._worlds, worlds, strict=True)
        )
        for action in dict.fromkeys((*ones, *others)):
            one, other = ones.get(action), others.get(action)
            if one is None or other is None or self._seen_of((one,)) != self._seen_of((other,)):
                return action, (one, other)
        raise AssertionError("the tables know a difference that the plain worlds do not")

    def _move(self, before: Both, after: Both) -> Move:
        """The steps, under each spec, that lead both from these worlds to those."""
        ones, others = (
            dict(_moves_to(*at, target))
            for at, target in zip(zip(self._worlds, before, strict=True), after, strict=True)
        )
        for label, run in ones.items():
            if label in others:
                return Move(*label, (run, others[label]))
        raise AssertionError("the tables know a step that the plain worlds do not")


def _moves_to(
    worlds: Worlds, world: World, target: World
) -> Iterator[tuple[tuple[Action, bool], Run]]:
    """The moves from one world to another, each label once: in a single step, if there is one."""
    found = [move for move in _moves(worlds, world) if _equal(move[1][-1].world, target)]
    yield from sorted(found, key=lambda move: -len(move[1]))


def _split(world: World) -> Both:
    """The world under A, and the one under B, of a world of pairs."""
    sides = zip(*(one.sides for one in world.servers if isinstance(one, Pair)), strict=True)
    one, other = (world._replace(servers=servers) for servers in sides)
    return one, other


def _equal(one: World, other: World) -> bool:
    """But for the monitor, which worlds of pairs have none of."""
    return one[:3] == other[:3]


def _moves(worlds: Worlds, world: World) -> Iterator[tuple[tuple[Action, bool], Run]]:
    """Each step, with what happens and whether a crash cuts it; a cut may be a step of its own."""
    for step in worlds.steps(world):
        action = step.action
        if not isinstance(action, Deliver | SyncLog | ApplyNext | Ask):
            yield (action, False), (step,)
        elif action.crash_after is not None:
            yield (evolve(action, crash_after=None, survives=0), True), (step,)
        else:
            yield (action, False), (step,)
            sid = step.outcomes[0].before.sid
            yield from (((action, True), (step, one)) for one in _restarts(worlds, step.world, sid))
            if not isinstance(action, Ask):
                yield from (((action, True), (one,)) for one in _restarts(worlds, world, sid))


def _restarts(worlds: Worlds, world: World, sid: int) -> Iterator[Step]:
    for step in worlds.steps(world):
        if isinstance(step.action, Restart) and step.action.server == sid:
            yield step


def _is_cut(action: Action) -> bool:
    return getattr(action, "crash_after", None) is not None
