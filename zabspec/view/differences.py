"""What came of comparing two specs: as text, as JSON, and as a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import asdict

from zabspec.check.bounds import NOT_COVERED
from zabspec.check.difference import Comparison
from zabspec.check.play import outputs, retell
from zabspec.check.promises import PROMISES
from zabspec.check.script import show_action
from zabspec.check.side_by_side import Parting, Run
from zabspec.check.world import Step
from zabspec.view.answers import with_comments
from zabspec.view.terminal import Terminal

_NEVER = "cannot happen"


def show_comparison(terminal: Terminal, comparison: Comparison) -> None:
    """The run to the difference, or that there is none, and what that says nothing of."""
    if comparison.parting is not None:
        terminal.say(script_of_difference(comparison).rstrip())
        terminal.say()
    terminal.tell(verdict_of(comparison))
    if comparison.same:
        terminal.tell("It says nothing of")
        terminal.list(NOT_COVERED)
        if comparison.left_out:
            terminal.list([f"{comparison.left_out:,} crashes that cut only one of the two so"])


def verdict_of(comparison: Comparison) -> str:
    """In a sentence."""
    one, other = (spec.name for spec in comparison.specs)
    met = f"{comparison.worlds:,} worlds, {comparison.steps:,} steps, {comparison.seconds:.1f} s"
    if comparison.parting is not None:
        return f"{one} (A) and {other} (B) differ at depth {comparison.depth}: {met}."
    return (
        f"{one} and {other}: no difference within these bounds, {comparison.bounds}: {met}, depth"
        f" {comparison.depth}."
    )


def comparison_to_json(comparison: Comparison) -> dict[str, object]:
    """As one JSON object, with exactly these keys. a, b: null where the action cannot happen."""
    parting = comparison.parting
    one, other = parting.steps if parting else (None, None)
    return {
        "spec_a": comparison.specs[0].name,
        "spec_b": comparison.specs[1].name,
        "bounds": asdict(comparison.bounds),
        "same": comparison.same,
        "depth": comparison.depth,
        "worlds": comparison.worlds,
        "steps": comparison.steps,
        "seconds": round(comparison.seconds, 3),
        "script": script_of_difference(comparison).splitlines(),
        "a": _led_to(one),
        "b": _led_to(other),
    }


def script_of_difference(comparison: Comparison) -> str:
    """The run to the difference under A, and below it what each of the two makes of its end.

    The last action stands in it if A allows that. "" if there is no difference.
    """
    parting = comparison.parting
    if parting is None:
        return ""
    one, other = comparison.specs
    told = retell(parting.runs[0], one, comparison.bounds, PROMISES)
    claim = f"The shortest run that tells {one.name} (A) and {other.name} (B) apart."
    below = "".join(f"# {line}\n" for line in _below(parting))
    return with_comments(told, claim) + below


def _below(parting: Parting) -> Iterator[str]:
    for one, other in (move.runs for move in parting.moves):
        if _actions(one) != _actions(other):
            yield f'Where A has "{_actions(one)}", B has "{_actions(other)}".'
    yield f"They part at: {show_action(parting.action)}"
    one_led, other_led = (_led_to(step) for step in parting.steps)
    yield from (f"A: {line}" for line in _apart(one_led, other_led))
    yield from (f"B: {line}" for line in _apart(other_led, one_led))
    for hidden, mine, its in zip(parting.hidden, ("A", "B"), ("B", "A"), strict=True):
        if hidden:
            yield f"{its} can do what {mine} does here, where its crash falls elsewhere unseen."


def _actions(run: Run) -> str:
    return "; ".join(show_action(step.action) for step in run)


def _led_to(step: Step | None) -> list[str] | None:
    return None if step is None else list(outputs(step, ()))


def _apart(led: Sequence[str] | None, its: Sequence[str] | None) -> list[str]:
    """What one side does and the other does not; all of it if it only does it in another order."""
    if led is None:
        return [_NEVER]
    if its is None or sorted(led) == sorted(its):
        return list(led) or ["nothing"]
    return [line for line in led if line not in its] or ["nothing more"]
