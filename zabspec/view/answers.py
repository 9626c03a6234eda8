"""What models answered: as a table with what is not covered, as JSON, and as scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import asdict
from rich.text import Text

from zabspec.check.bounds import NOT_COVERED
from zabspec.check.model import Answer
from zabspec.check.play import retell
from zabspec.check.promises import PROMISES
from zabspec.view.terminal import Terminal

_STYLES = {"holds": "green", "broken": "yellow", "incomplete": "magenta"}


def show_answers(terminal: Terminal, answers: Sequence[Answer]) -> None:
    """The table: two lines or more for each model."""
    terminal.say(
        f"{'model':<33} {'verdict':<10} {'worlds':>10} {'depth':>5} {'seconds':>7}  expected?",
        style="bold",
    )
    for answer in answers:
        _show_answer(terminal, answer)


def _show_answer(terminal: Terminal, answer: Answer) -> None:
    found = answer.found
    row = Text(f"{answer.model.name:<33} ")
    row.append(f"{answer.verdict:<10}", style=_STYLES[answer.verdict])
    row.append(f" {found.worlds:>10,} {found.depth:>5} {found.seconds:>7.1f}  ")
    unsaid = answer.verdict == "incomplete" or answer.model.expected is None
    as_expected = "NO" if answer.surprises else "-" if unsaid else "yes"
    row.append(as_expected, style="bold red" if answer.surprises else "")
    terminal.say(row)
    if found.stopped:
        stopped = f"stopped: {found.stopped}; every world up to depth {found.depth} was met"
        terminal.tell(stopped, indent=2, hang=2)
    if found.finding:
        terminal.tell(f"breaks: {found.finding.promise.sentence}", indent=2, hang=2)
    for surprise in answer.surprises:
        terminal.tell(f"unexpected: {surprise}", indent=2, hang=2, style="red")
    without = [promise.sentence for promise, cases in found.premises.items() if not cases]
    if without and answer.verdict == "holds":
        sentences = "; ".join(without)
        terminal.tell(f"no case of these was met: {sentences}", indent=2, hang=2, style="dim")


def show_coverage(terminal: Terminal, answers: Iterable[Answer]) -> None:
    """What "holds" means, where a model said so, and what it does not."""
    if any(answer.verdict == "holds" for answer in answers):
        terminal.say()
        terminal.tell(
            '"holds": in every interleaving within the bounds of the model (zabspec models). It'
            " says nothing of"
        )
        terminal.list(NOT_COVERED)


def answer_to_json(answer: Answer) -> dict[str, object]:
    """As one JSON object, with exactly these keys."""
    found = answer.found
    return {
        "model": answer.model.name,
        "spec": answer.model.spec.name,
        "bounds": asdict(answer.model.bounds),
        "verdict": answer.verdict,
        "property": found.finding.promise.sentence if found.finding else None,
        "worlds": found.worlds,
        "steps": found.steps,
        "depth": found.depth,
        "seconds": round(found.seconds, 3),
        "peak_mb": round(found.peak_mb, 1),
        "rows": found.reach.rows if found.reach else None,
        "collision_odds": found.reach.odds if found.reach else None,
        "jobs": found.reach.jobs if found.reach else 1,
        "symmetry": found.reach.symmetry if found.reach else False,
        "stopped": found.stopped,
        "script": script_of(answer).splitlines(),
    }


def script_of(answer: Answer) -> str:
    """The shortest run to the finding, told with every promise that it breaks; "" if none."""
    finding, model = answer.found.finding, answer.model
    if finding is None:
        return ""
    told = dict.fromkeys((*PROMISES, finding.promise))
    return retell(finding.run, model.spec, model.bounds, told)


def script_file_of(answer: Answer) -> str:
    """The same, and what it shows as a comment below its header."""
    finding, model = answer.found.finding, answer.model
    claim = f'Breaks "{finding.promise.sentence}".' if finding else ""
    return with_comments(script_of(answer), f"{model.name}: {model.question}", claim)


def with_comments(script: str, *comments: str) -> str:
    """A script with comments below its header of three lines."""
    lines = script.splitlines()
    told = (f"# {comment}" for comment in comments if comment)
    return "\n".join((*lines[:3], *told, *lines[3:])) + "\n"
