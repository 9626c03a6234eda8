"""What came of asking releases every promise: as tables, as JSON, and as scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase

from attrs import asdict

from zabspec.check.bounds import NOT_COVERED, Bounds
from zabspec.check.every_promise import Mistake, PromiseAnswer, ReleaseAnswer
from zabspec.check.play import retell
from zabspec.check.promises import PROMISES
from zabspec.protocol.rules import Spec
from zabspec.view.answers import with_comments
from zabspec.view.terminal import Terminal

_STYLES = {"holds": "green", "broken": "yellow", "no case": "dim"}


def show_releases(terminal: Terminal, answers: Sequence[ReleaseAnswer]) -> None:
    """What the letters stand for, a table for each release, and what its mistakes are."""
    letters = _letters(answers)
    terminal.say("bounds", style="bold")
    for bounds, letter in letters.items():
        terminal.tell(f"{letter}  {bounds}", indent=2, hang=3)
    for answer in answers:
        terminal.say()
        _show_release(terminal, answer, letters)
    _show_mistakes(terminal, answers)
    terminal.say()
    terminal.tell(
        '"holds": in every interleaving within the bounds that the letters name; "no case": nothing'
        " was met that it says anything of. It says nothing of"
    )
    terminal.list(NOT_COVERED)


def release_to_json(answer: ReleaseAnswer) -> dict[str, object]:
    """As one JSON object, with exactly these keys."""
    release = answer.release
    return {
        "release": release.version,
        "stands_for": release.stands_for,
        "spec": release.spec.name,
        "seconds": round(answer.seconds, 3),
        "as_expected": not answer.surprises,
        "answers": [_answer_to_json(release.spec, one) for one in answer.answers],
    }


def scripts_of(answer: ReleaseAnswer) -> dict[str, str]:
    """By name of the file: the shortest run to each broken promise, and what it shows."""
    release = answer.release
    scripts: dict[str, str] = {}
    for one in answer.answers:
        if one.broke:
            why = one.mistake.name if one.mistake else "unexpected"
            promise = re.sub("[^a-z0-9]+", "-", one.promise.sentence.lower())
            said = f"{one.mistake.issue}: {one.mistake.says}" if one.mistake else ""
            claim = f'Breaks "{one.promise.sentence}".'
            script = with_comments(
                _script(release.spec, one), f"ZooKeeper {release.version}.", claim, said
            )
            scripts[f"{release.spec.name}-{why}-{promise}.txt"] = script
    return scripts


def summary_of(answers: Sequence[ReleaseAnswer]) -> str:
    """In a sentence."""
    broken = sum(1 for answer in answers for one in answer.answers if one.broke)
    surprises = sum(len(answer.surprises) for answer in answers)
    seconds = sum(answer.seconds for answer in answers)
    said = "1 release" if len(answers) == 1 else f"{len(answers)} releases"
    return (
        f"{said} asked {len(PROMISES)} promises in {seconds:.1f} s of exploring: {broken} answers"
        f" are broken; {surprises or 'none'} unexpected."
    )


def _letters(answers: Iterable[ReleaseAnswer]) -> dict[Bounds, str]:
    every = (
        bounds
        for answer in answers
        for within in answer.release.asked
        for bounds in [within.bounds]
    )
    told = {bounds for answer in answers for one in answer.answers for bounds in one.bounds}
    asked = [bounds for bounds in dict.fromkeys(every) if bounds in told]
    return dict(zip(asked, ascii_uppercase, strict=False))


def _show_release(terminal: Terminal, answer: ReleaseAnswer, letters: Mapping[Bounds, str]) -> None:
    release = answer.release
    same = "" if release.stands_for == release.version else f", as {release.stands_for}"
    terminal.tell(
        f"ZooKeeper {release.version}{same} ({release.spec.name}, {answer.seconds:.1f} s)",
        hang=2,
        style="bold",
    )
    terminal.say("  verdict depth bounds promise")
    for one in answer.answers:
        _show_answer(terminal, one, letters)


def _show_answer(terminal: Terminal, one: PromiseAnswer, letters: Mapping[Bounds, str]) -> None:
    verdict = _verdict(one)
    depth = str(one.broke.depth) if one.broke else ""
    within = "".join(letters[bounds] for bounds in one.bounds)
    row = f"{verdict:<7} {depth:>5} {within:<6} {one.promise.sentence}"
    terminal.tell(row, indent=2, hang=21, style=_STYLES[verdict])
    if one.mistake:
        terminal.tell(f"{one.mistake.issue}, {one.mistake.name}", indent=23)
    if one.surprise:
        terminal.tell(f"unexpected: {one.surprise}", indent=23, hang=2, style="bold red")


def _show_mistakes(terminal: Terminal, answers: Iterable[ReleaseAnswer]) -> None:
    mistakes = _mistakes(answers)
    if mistakes:
        terminal.say()
        terminal.say("issue      what goes wrong", style="bold")
    for mistake in mistakes:
        terminal.tell(f"{mistake.issue:<10} {mistake.name}: {mistake.says}", hang=11)


def _mistakes(answers: Iterable[ReleaseAnswer]) -> Iterable[Mistake]:
    every = (one.mistake for answer in answers for one in answer.answers if one.mistake)
    return sorted(dict.fromkeys(every), key=lambda mistake: (mistake.issue, mistake.name))


def _verdict(one: PromiseAnswer) -> str:
    if one.broke:
        return "broken"
    return "holds" if one.cases else "no case"


def _answer_to_json(spec: Spec, one: PromiseAnswer) -> dict[str, object]:
    return {
        "promise": one.promise.sentence,
        "verdict": "broken" if one.broke else "holds",
        "cases": None if one.broke else one.cases,
        "bounds": [asdict(bounds) for bounds in one.bounds],
        "depth": one.broke.depth if one.broke else None,
        "mistake": one.mistake.name if one.mistake else None,
        "issue": one.mistake.issue if one.mistake else None,
        "unexpected": one.surprise or None,
        "script": _script(spec, one).splitlines(),
    }


def _script(spec: Spec, one: PromiseAnswer) -> str:
    """The shortest run, told with every promise that it breaks; "" if it holds."""
    finding = one.broke.finding if one.broke else None
    if finding is None:
        return ""
    return retell(finding.run, spec, one.bounds[0], dict.fromkeys((*PROMISES, finding.promise)))
