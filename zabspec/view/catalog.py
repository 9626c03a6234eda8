"""What there is: the models with their questions, and the rules of a spec with their sources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

from zabspec.check.model import Holds, Model
from zabspec.protocol.rules import Row, Rule, Spec
from zabspec.view.terminal import Terminal

_STEP = re.compile(r"\bSteps? [fl]\.\d[^:;]*?\.(?!\d)")
_SOURCE = re.compile(r"(?=\b(?:Differs: |Models [A-Z]))")


def show_models(terminal: Terminal, models: Iterable[Model]) -> None:
    """Name and spec, question, bounds and expected answer of each."""
    for model in models:
        slow = ", slow" if model.slow else ""
        terminal.say(f"{model.name:<33} spec {model.spec.name}{slow}", style="bold")
        terminal.tell(model.question, indent=4)
        terminal.tell(f"within {model.bounds}", indent=4)
        terminal.tell(expected_of(model), indent=4, hang=2)


def expected_of(model: Model) -> str:
    """The expected answer as a sentence."""
    expected = model.expected
    if isinstance(expected, Holds):
        return (
            f"expected to hold, with {expected.worlds:,} worlds, {expected.steps:,} steps, depth"
            f" {expected.depth}"
        )
    if expected is None:
        return "nothing is expected"
    return f"expected to break at depth {expected.depth}: {expected.promise.sentence}"


def show_rules(terminal: Terminal, spec: Spec) -> None:
    """For each role and phase, what answers which event, and where that stands."""
    terminal.say(f"spec {spec.name} {spec.fingerprint()}: who, in which phase, answers what, how")
    told: set[str] = set()
    for place, decided in _by_place(spec.table).items():
        terminal.say()
        terminal.say(place, style="bold")
        for rule, kinds in decided:
            if rule.because is None:
                terminal.tell(f"{', '.join(kinds)}: {rule.name}", indent=2, hang=2)
                if rule.name not in told:
                    _show_sources(terminal, rule)
                    told.add(rule.name)
            else:
                terminal.tell(
                    f"{', '.join(kinds)}: {rule.name}, because {rule.because}", indent=2, hang=2
                )


def _by_place(table: Mapping[Row, Rule]) -> dict[str, list[tuple[Rule, list[str]]]]:
    """Rules in the order of the protocol, decisions behind them; equal ones share a line."""
    places: dict[str, list[tuple[Rule, list[str]]]] = {}
    for (role, phase, kind), rule in table.items():
        decided = places.setdefault(f"{role.__name__} {phase.name}", [])
        for known, kinds in decided:
            if (known.name, known.because) == (rule.name, rule.because):
                kinds.append(kind.__name__)
                break
        else:
            decided.append((rule, [kind.__name__]))
    for decided in places.values():
        decided.sort(key=lambda one: one[0].because is not None)
    return places


def _show_sources(terminal: Terminal, rule: Rule) -> None:
    for text in sources_of(rule):
        terminal.tell(text, indent=6, hang=2, style="dim")


def sources_of(rule: Rule) -> list[str]:
    """What a rule says of itself: its first line, then what it models, cites, and does otherwise.

    A rule that replaces another is named, with the module it stands in.
    """
    function = rule.function
    first, _, rest = (inspect.getdoc(function) or "").partition("\n")
    name = getattr(function, "__name__", rule.name)
    module = function.__module__.replace("zabspec_models", "models")
    where = [f"Replaced by {module}.{name}."] if name != rule.name else []
    parts = [" ".join(one.split()) for one in rest.split("\n\n")]
    return [*where, *filter(None, [first]), *(told for part in parts for told in _sources(part))]


def _sources(paragraph: str) -> Iterator[str]:
    for part in _SOURCE.split(paragraph):
        if part.startswith(("Differs: ", "Models ")):
            yield part.strip()
        else:
            yield from (f"Also {step}" for step in _STEP.findall(part))
