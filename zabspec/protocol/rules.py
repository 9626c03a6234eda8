"""The protocol as a table: marks on rules, their collection, and specs made by replacing a row.

A rule answers one event in one role and phase. It is marked with `on`; what a server passes over is
marked with `ignore`, what cannot reach it with `never`, both with the reason. `Spec.collect`
gathers a module's marks into a table and refuses one with a hole or a row answered twice.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from types import ModuleType
from typing import Any, TypeVar, cast

from attrs import evolve, field, frozen

from zabspec.protocol.effects import Impossible, Step
from zabspec.protocol.events import Event, Received
from zabspec.protocol.messages import Packet
from zabspec.protocol.state import Ensemble, Phase, Role, Server

RuleFunction = Callable[[Server[Role], Event, Ensemble], Step]
Kind = type[Event] | type[Packet]
"""What a row answers: an event, or for `Received` the packet in it."""
Row = tuple[type[Role], Phase, Kind]
Marked = TypeVar("Marked", bound=Callable[..., Step])

_MARK = "__zab_rows__"


class SpecError(Exception):
    """A spec is no table: a row is missing, answered twice, or replaced under a name it has not.

    It is raised while a spec is put together, never while one is run. The text names the rows, and
    what to write instead.
    """


@frozen
class Rule:
    """One decision of a spec. name: the function's; because: why, where nothing is done."""

    name: str
    function: RuleFunction
    because: str | None = None


@frozen
class Decision:
    """What `ignore` and `never` leave in a module, for the collection to find."""

    rows: tuple[Row, ...]
    rule: Rule


def on(role: type[Role], phases: Phase | Iterable[Phase], kind: Kind) -> Callable[[Marked], Marked]:
    """Mark a function as the rule for an event (or packet) in a role and one or several phases."""

    def mark(function: Marked) -> Marked:
        rows: tuple[Row, ...] = getattr(function, _MARK, ())
        setattr(function, _MARK, (*rows, *_rows(role, phases, (kind,))))
        return function

    return mark


def ignore(
    role: type[Role], phases: Phase | Iterable[Phase], *kinds: Kind, because: str
) -> Decision:
    """Decide that these events change nothing in this role and these phases."""
    rule = Rule("ignore", lambda server, _event, _ensemble: Step(server), because)
    return Decision(_rows(role, phases, kinds), rule)


def never(
    role: type[Role], phases: Phase | Iterable[Phase], *kinds: Kind, because: str
) -> Decision:
    """Decide that these events cannot come in this role and these phases; the checker looks."""

    def met(server: Server[Role], _event: Event, _ensemble: Ensemble) -> Step:
        return Step(server, (Impossible(because),))

    return Decision(_rows(role, phases, kinds), Rule("never", met, because))


def _rows(
    role: type[Role], phases: Phase | Iterable[Phase], kinds: Iterable[Kind]
) -> tuple[Row, ...]:
    several = (phases,) if isinstance(phases, Phase) else tuple(phases)
    return tuple(product((role,), several, kinds))


Oracle = Callable[[Sequence[Server[Role]]], tuple[int, ...]]
Threads = Callable[[Server[Role]], Iterable[Event]]


def anyone(looking: Sequence[Server[Role]]) -> tuple[int, ...]:
    """The oracle that may elect anyone: election can be wrong, and Zab must survive that."""
    return tuple(one.sid for one in looking)


def no_threads(_server: Server[Role]) -> Iterable[Event]:
    """What the threads of a server do that has none."""
    return ()


@frozen(eq=False)
class Spec:
    """A protocol: for every row a rule. name: as scripts and the command line say it.

    oracle: which of the servers of a quorum, all looking, may be elected.
    threads: the events that a server's own threads may bring about next.
    fused: those of them that happen at once, as part of the step that made them possible; every run
        of such a coarse spec is a run of the fine one.
    """

    name: str
    table: Mapping[Row, Rule] = field(repr=False)
    oracle: Oracle = anyone
    threads: Threads = no_threads
    fused: tuple[type[Event], ...] = ()

    @classmethod
    def collect(cls, name: str, *modules: ModuleType) -> Spec:
        """The spec that the marks in these modules make."""
        table: dict[Row, Rule] = {}
        for rows, rule in _marks(modules):
            for row in rows:
                if row in table:
                    raise SpecError(
                        f"spec {name}: {_text(row)} is answered by {table[row].name} and by"
                        f" {rule.name}; take the mark from one of them"
                    )
                table[row] = rule
        _refuse_holes(name, table)
        return cls(name, table)

    def but(
        self,
        name: str,
        *marked: Callable[[Any, Any, Ensemble], Step],
        **replacements: Callable[[Any, Any, Ensemble], Step],
    ) -> Spec:
        """This spec under another name, with the rules of these names replaced.

        marked: rules that bring their own marks, and replace whatever answered those rows.
        """
        names = {rule.name for rule in self.table.values()}
        for replaced in replacements:
            if replaced not in names:
                raise SpecError(
                    f"spec {name}: {self.name} has no rule {replaced}; its rules are"
                    f" {', '.join(sorted(names - {'ignore', 'never'}))}"
                )
        table = {
            row: Rule(rule.name, replacements[rule.name]) if rule.name in replacements else rule
            for row, rule in self.table.items()
        }
        for function in marked:
            rows: tuple[Row, ...] = getattr(function, _MARK, ())
            table |= dict.fromkeys(rows, Rule(function.__name__, function))
        return evolve(self, name=name, table=table)

    def rule(self, server: Server[Role], event: Event) -> Rule:
        """The rule that answers this event in this server's role and phase."""
        kind = type(event.packet) if isinstance(event, Received) else type(event)
        return self.table[type(server.role), server.role.phase, kind]

    def acts(self, server: Server[Role], event: Event) -> bool:
        """Whether a rule, and not a decision to do nothing, answers this event here."""
        rule = self.table.get((type(server.role), server.role.phase, type(event)))
        return rule is not None and rule.because is None

    def step(self, server: Server[Role], event: Event, ensemble: Ensemble) -> Step:
        """What this event does to this server."""
        return self.rule(server, event).function(server, event, ensemble)

    def rules(self) -> Iterator[tuple[Rule, list[Row]]]:
        """Each rule with the rows it answers, in the order of the protocol."""
        rows: dict[RuleFunction, tuple[Rule, list[Row]]] = {}
        for row, rule in self.table.items():
            rows.setdefault(rule.function, (rule, []))[1].append(row)
        yield from rows.values()

    def fingerprint(self) -> str:
        """Eight hex digits that change when a rule's own source, a decision, or the grain does.

        What rules share with each other is not part of it.
        """
        digest = hashlib.sha256()
        digest.update(f"{self.oracle.__name__} {self.threads.__name__} {self.fused}".encode())
        for row, rule in sorted(self.table.items(), key=lambda pair: _text(pair[0])):
            source = rule.because or inspect.getsource(rule.function)
            digest.update(f"{_text(row)} {rule.name} {source}".encode())
        return digest.hexdigest()[:8]


def _marks(modules: Iterable[ModuleType]) -> Iterator[tuple[tuple[Row, ...], Rule]]:
    for module in modules:
        for name, value in vars(module).items():
            found = value if isinstance(value, tuple) else (value,)
            for decision in found:
                if isinstance(decision, Decision):
                    yield decision.rows, decision.rule
            if hasattr(value, _MARK) and value.__module__ == module.__name__:
                yield getattr(value, _MARK), Rule(name, cast("RuleFunction", value))


def _refuse_holes(name: str, table: Mapping[Row, Rule]) -> None:
    places = dict.fromkeys((role, phase) for role, phase, _ in table)
    kinds = dict.fromkeys(kind for _, _, kind in table)
    holes = [
        _text((role, phase, kind))
        for (role, phase), kind in product(places, kinds)
        if (role, phase, kind) not in table
    ]
    if holes:
        raise SpecError(
            f"spec {name}: nothing answers {'; '.join(holes)}; mark a rule with `on`, or say why"
            " not with `ignore` or `never`"
        )


def _text(row: Row) -> str:
    role, phase, kind = row
    return f"{role.__name__}/{phase.name} {kind.__name__}"
