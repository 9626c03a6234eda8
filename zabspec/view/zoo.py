"""The zoo's scoreboard: as a table, as JSON, as Markdown, and as scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zabspec.conform.scoreboard import Score
from zabspec.conform.zoo_strategies import EFFORTS, ON_CODE, STRATEGIES, Found
from zabspec.view.answers import with_comments
from zabspec.view.terminal import Terminal

_COUNTS = {"exhaustive": "worlds", "walk": "steps", "lockstep": "events", "rows": "events"}
_SAYS = {
    "exhaustive": "every world of the broken spec, level by level, to the shortest run",
    "walk": "random runs of the broken spec, until one breaks the property",
    "lockstep": "the broken code beside a spec done right, in runs drawn by Hypothesis",
    "rows": "the rows of a spec done right, on the broken code",
}
_CELL = 15


def show_scores(terminal: Terminal, scores: Sequence[Score]) -> None:
    """Two lines or more for each bug, and what the columns are."""
    names = _strategies(scores)
    terminal.say(f"{'bug':<8} {'depth':>5}" + "".join(f" {one:>{_CELL}}" for one in names), "bold")
    below = "".join(f" {_COUNTS[one]:>9} {'s':>5}" for one in names)
    terminal.say(" " * 14 + below, "bold")
    for score in scores:
        cells = "".join(f" {_cell(score.found[one]):>{_CELL}}" for one in names)
        style = "bold red" if score.missed else None
        terminal.say(f"{score.bug.name:<8} {score.bug.broken.depth:>5}{cells}", style)
        terminal.tell(score.bug.broken.promise.sentence, indent=2, hang=2)
        for missed in score.missed:
            terminal.tell(f"not found: {missed}", indent=2, style="bold red")
    terminal.say()
    for name in names:
        terminal.tell(f"{name:<11}{_SAYS[name]}", hang=11)


def score_to_json(score: Score) -> dict[str, object]:
    """As one JSON object, with exactly these keys; found: by strategy, of those that did."""
    return {
        "bug": score.bug.name,
        "property": score.bug.broken.promise.sentence,
        "depth": score.bug.broken.depth,
        "found": {
            name: {"seconds": round(found.seconds, 3), "worlds": found.worlds}
            for name, found in score.found.items()
            if found is not None
        },
    }


def scores_as_markdown(scores: Sequence[Score], profile: str) -> str:
    """A table, what its columns are, and the first sentence of each story."""
    return "\n".join(_markdown(scores, profile)) + "\n"


def scripts_of(score: Score) -> Mapping[str, str]:
    """By name of the file: the run that each strategy found."""
    return {
        f"{score.bug.name}-{name}.txt": _script(score, name, found)
        for name, found in score.found.items()
        if found is not None
    }


def summary_of(scores: Sequence[Score]) -> str:
    """In a sentence."""
    tried = sum(len(score.found) for score in scores)
    missed = sum(len(score.missed) for score in scores)
    seconds = sum(one.seconds for score in scores for one in score.found.values() if one)
    bugs = "1 bug" if len(scores) == 1 else f"{len(scores)} bugs"
    searches = "1 search" if tried == 1 else f"{tried} searches"
    return f"{bugs}, {searches}: {missed or 'none'} did not find it; {seconds:.1f} s of finding."


def _script(score: Score, name: str, found: Found) -> str:
    if name == "rows":
        return f"# {score.bug.title}\n{found.text}"
    claim = f'Breaks "{score.bug.broken.promise.sentence}".' if name not in ON_CODE else ""
    return with_comments(found.text, score.bug.title, claim)


def _strategies(scores: Sequence[Score]) -> list[str]:
    tried = {name for score in scores for name in score.found}
    return [name for name in STRATEGIES if name in tried]


def _cell(found: Found | None) -> str:
    return "-" if found is None else f"{found.worlds:>9,} {found.seconds:>5.1f}"


def _markdown(scores: Sequence[Score], profile: str) -> Iterator[str]:
    names = _strategies(scores)
    yield "# The zoo"
    yield ""
    yield "Historical bugs of ZooKeeper, each as a spec with the mistake in it, and as the mistake"
    yield "in `impl`. Printed by `zabspec zoo --markdown`, with `--strategy` for each column."
    yield ""
    yield "| bug | breaks | depth | " + " | ".join(names) + " |"
    yield "|---|---|--:|" + "--:|" * len(names)
    for score in scores:
        cells = " | ".join(_markdown_cell(name, score.found[name]) for name in names)
        promise = score.bug.broken.promise.sentence
        yield f"| {score.bug.name} | {promise} | {score.bug.broken.depth} | {cells} |"
    yield ""
    for name in names:
        yield f"- {name}: {_SAYS[name]}."
    if "walk" in names:
        limit = EFFORTS[profile].walk
        yield f"- A dash: not found; walks end after {limit:.0f} s of the processor."
    yield "- Depth: the steps of the shortest run of the broken spec that breaks the property."
    yield "- Seconds are those of one machine with other work; all else is the same each time."
    yield ""
    for score in scores:
        yield f"- {score.bug.title}"


def _markdown_cell(name: str, found: Found | None) -> str:
    if found is None:
        return "-"
    actions = f", {found.length} actions" if name in ("walk", "lockstep") else ""
    return f"{found.worlds:,} {_COUNTS[name]}, {found.seconds:.1f} s{actions}"
