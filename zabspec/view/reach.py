"""How much of a spec was reached, as a table of its rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from zabspec.check.coverage import RuleReach, reach_of
from zabspec.check.exploration import Reach
from zabspec.check.model import Answer
from zabspec.check.rows import Branch
from zabspec.view.terminal import Terminal


def show_reach(terminal: Terminal, answer: Answer) -> None:
    """The rows of one exploration by rule and by branch, and what it cost."""
    reach = answer.found.reach
    if reach is None:
        return
    terminal.say()
    terminal.tell(f"{answer.model.name}: {_cost(reach)}")
    terminal.say()
    terminal.say(f"{'rule':<34} {'rows':>9}  by the line of each return", style="bold")
    rules = reach_of(answer.model.spec, reach.branches)
    for one in rules:
        by_line = "  ".join(f"{line}: {rows:,}" for line, rows in one.branches.items())
        terminal.tell(f"{one.rule.name:<34} {one.rows:>9,}  {by_line}", hang=46)
    terminal.say()
    terminal.tell(_missed(rules))


def show_reach_of_all(terminal: Terminal, answers: Iterable[Answer]) -> None:
    """For each spec of models that hold, the rules that none of its explorations fired."""
    branches: dict[str, Counter[Branch]] = {}
    specs = {}
    for answer in answers:
        if answer.verdict == "holds" and answer.found.reach is not None:
            spec = specs[answer.model.spec.name] = answer.model.spec
            branches.setdefault(spec.name, Counter()).update(answer.found.reach.branches)
    if not specs:
        return
    terminal.say()
    terminal.tell("Rules fired, of those that a spec has (by branch: zabspec check MODEL):")
    for name, spec in specs.items():
        rules = reach_of(spec, branches[name])
        fired = sum(1 for one in rules if one.rows)
        never = ", ".join(one.rule.name for one in rules if not one.rows)
        told = f"; never {never}" if never else ""
        terminal.tell(f"{name}: {fired} of {len(rules)}{told}", indent=2, hang=2)


def _cost(reach: Reach) -> str:
    shared = f", shared by {reach.jobs} threads" if reach.jobs > 1 else ""
    told = (
        f"{reach.rows:,} rows of {reach.locals:,} local states, each answered once{shared}."
        f" Fingerprints of {reach.bits} bits: the odds that two worlds were taken for one are"
        f" at most {reach.odds:.1g}."
    )
    if reach.symmetry:
        worlds, steps = reach.weighed
        told += f" By symmetry they stand for {worlds:,} worlds and {steps:,} steps."
    return told


def _missed(rules: list[RuleReach]) -> str:
    never = [one.rule.name for one in rules if not one.rows]
    branches = sum(len(one.branches) for one in rules)
    missed = sum(len(one.missed) for one in rules)
    fired, taken = len(rules) - len(never), branches - missed
    told = f"{fired} of {len(rules)} rules fired, {taken} of {branches} branches taken."
    return f"{told} Never fired: {', '.join(never)}." if never else told
