"""A row on which a system differs, as text: a whole run of the model, or what one server met."""

from __future__ import annotations

from collections.abc import Iterator

from zabspec.check.explore import Explorer
from zabspec.check.model import Model
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.properties import every_step
from zabspec.check.world import Worlds
from zabspec.conform.accounting import AccountingLockstep, AccountingRulebook, Met
from zabspec.conform.exhaust import Replayed, RowDivergence
from zabspec.conform.findings import Diverged, script_of, show_divergence, show_event, show_failure
from zabspec.conform.lockstep import Taken, replay
from zabspec.conform.system import System
from zabspec.protocol.state import new_server


def rows_diverged(replayed: Replayed, model: Model, system: System) -> Diverged:
    """The first divergence: the model's shortest run to that row where the system differs in it.

    Otherwise, where only another history shows it, what the server met.
    """
    first, more = replayed.divergences[0], len(replayed.divergences) - 1
    found = _as_run(first, model, system) or Diverged("\n".join(_history(first)))
    others = f"\n\nof {replayed.rows} rows, so many more differ: {more}" if more else ""
    return Diverged(f"{found}{others}", found.script, found.actions)


def _as_run(row: RowDivergence, model: Model, system: System) -> Diverged | None:
    worlds = Worlds(model.spec, model.bounds)
    server = _server_at(row, worlds)

    @every_step("this row is not met")
    def unmet(outcome: Outcome) -> bool:
        return (outcome.before, outcome.event) != (server, row.divergence.event)

    finding = Explorer(worlds, [unmet]).run().finding
    if finding is None:
        return None
    rulebook = AccountingRulebook.of(worlds, system, Met())
    run = [Taken(step.action) for step in finding.run]
    failure = replay(AccountingLockstep(worlds, rulebook), run)
    if failure is None:
        return None
    script = script_of(failure, model.spec, model.bounds)
    return Diverged(show_failure(failure, model.spec, model.bounds), script, len(failure.run))


def _server_at(row: RowDivergence, worlds: Worlds) -> AnyServer:
    server: AnyServer = new_server(row.sid)
    for event in row.history:
        server = worlds.uncut(server, event).after
    return server


def _history(row: RowDivergence) -> Iterator[str]:
    yield f"server {row.sid}, alone, one event after the other:"
    yield from (f"    {show_event(event)}" for event in row.history)
    yield from show_divergence(row.divergence)
