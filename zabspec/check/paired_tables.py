"""Two specs side by side as tables: a local state is a pair of servers, a row a pair of rows.

Events that either side allows are rows; one that only one side allows parts the two. So a step of
paired worlds is one that both specs take, or the first that others can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from attrs import evolve

from zabspec.check.audit import Audit
from zabspec.check.bounds import Bounds
from zabspec.check.carry import Batch, Columns
from zabspec.check.expand import Expander
from zabspec.check.kernels import Kernels, Keys
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.pairing import Pair, Pairing, Sides, paired
from zabspec.check.parts import World
from zabspec.check.properties import every_step
from zabspec.check.tables import Tables
from zabspec.check.world import Worlds
from zabspec.protocol.events import Crash, Elected, Event, LimitExpired
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Leader, Looking

_BOTH = 3
"""The bits of both sides: 1 of A, 2 of B."""
_DIFFERS = 8
"""In a row of `oracle`: from this bit on, whom only one side elects."""


@every_step("both specs do the same", looks_at=lambda outcome: outcome.after.apart)
def same(outcome: Outcome) -> bool:
    """Others see no difference between the two."""
    return not cast("Pair", outcome.after).apart


class PairedWorlds(Worlds):
    """Where the worlds of both specs start: with equal servers."""

    def __init__(self, pairing: Pairing, bounds: Bounds) -> None:
        either = evolve(pairing.specs[0], threads=pairing.threads)
        super().__init__(either, bounds)

    def start(self) -> World:
        """The world in which nobody has ever run."""
        world = super().start()
        return world._replace(servers=tuple(paired(one, one) for one in world.servers))


class PairedTables(Tables):
    """The tables of two specs. `joins` and `leads` hold a bit for each side.

    The monitor stays as it was at the start: what it is shown is seen, and so the same.
    """

    def __init__(self, specs: tuple[Spec, Spec], bounds: Bounds, kernels: Kernels) -> None:
        self.pairing = Pairing(specs, bounds.ensemble)
        self._look = 0
        self._to_cut: dict[int, tuple[Outcome, Sides]] = {}
        audit = Audit([same], bounds.ensemble)
        super().__init__(PairedWorlds(self.pairing, bounds), audit, kernels)

    def local(self, server: AnyServer) -> int:
        """A local state's number; a new one gets its rows."""
        before = len(self.locals)
        number = super().local(server)
        if number == before:
            self._note_sides(number, cast("Pair", server))
        return number

    def _note_sides(self, number: int, pair: Pair) -> None:
        roles = [side.role for side in pair.sides]
        looks, leads = (
            sum(1 << at for at, role in enumerate(roles) if isinstance(role, kind))
            for kind in (Looking, Leader)
        )
        self.joins.array[number], self.leads.array[number] = looks, leads
        votes = pair.sid in self.ensemble.voters
        self.looking.array[number] = self._look if looks and votes else -1
        self._look += bool(looks and votes)
        unsynced = max(side.disk.unsynced for side in pair.sides)
        self.unsynced.array[number] = unsynced
        while self.crash_events.size <= unsynced:
            self.crash_events.append(self.events.number(Crash(self.crash_events.size)))

    def spec_acts(self, server: AnyServer, event: Event) -> bool:
        """Whether a rule of either side answers this event here."""
        return self.pairing.acts(server, event)

    def fill_row(self, key: int) -> None:
        """Ask both rules of a row."""
        pair, event = self.locals.values[key >> 24], self.event(key & 0xFFFFFF)
        sides = self.pairing.sides(pair, event)
        outcome = self.pairing.joined(pair, event, sides)
        number = self._outcome(outcome)
        if self.worlds.bounds.crashes and not isinstance(event, Elected | Crash | LimitExpired):
            self._to_cut[number] = outcome, sides
            self.cut_count.array[number] = -1
        self.rows.put(key, number)

    def fill_cuts(self, number: int) -> None:
        """Ask where a crash may cut both sides of an outcome."""
        whole, sides = self._to_cut.pop(number)
        start = self.after.size
        for found in self.pairing.cuts(sides):
            self._outcome(self.pairing.joined(whole.before, whole.event, found))
        self.cut_start.array[number] = start
        self.cut_count.array[number] = self.after.size - start

    def fill_oracle(self, key: int, members: Sequence[int]) -> None:
        """Ask both oracles which of these local states may be elected."""
        pairs = [cast("Pair", self.locals.values[number]) for number in members]
        one, other = (
            _elected(spec, servers)
            for spec, servers in zip(
                self.pairing.specs, zip(*(pair.sides for pair in pairs), strict=True), strict=True
            )
        )
        self.oracle.put(key, one | other | (one ^ other) << _DIFFERS)

    def _showing(self, outcome: Outcome) -> int:  # noqa: ARG002  nothing is shown to the monitor
        return 0


def _elected(spec: Spec, servers: Sequence[AnyServer]) -> int:
    """Who of a quorum may be elected, as bits."""
    if not all(isinstance(one.role, Looking) for one in servers):
        return 0
    named = spec.oracle(servers)
    return sum(1 << at for at, one in enumerate(servers) if one.sid in named)


class PairedExpander(Expander):
    """All the steps that either spec allows; those of one alone part the two."""

    def _joins(self, worlds: Columns, at: int, leader: int) -> Iterator[Batch]:
        joins, leads = self.tables.joins.array, self.tables.leads.array
        for batch in super()._joins(worlds, at, leader):
            sides = joins[worlds[at][batch.parent]] & leads[worlds[leader][batch.parent]]
            batch.broken[sides != _BOTH] = 0
            yield batch

    def _election(
        self, worlds: Columns, parent: Keys, members: Sequence[int], leader: int
    ) -> Batch:
        batch = super()._election(worlds, parent, members, leader)
        bits = self._leaders(worlds, parent, members) >> _DIFFERS + members.index(leader)
        batch.broken[bits & 1 > 0] = 0
        return batch
