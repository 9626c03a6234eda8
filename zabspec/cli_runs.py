"""`zabspec walk` and `zabspec replay`: single runs, as scripts."""

from __future__ import annotations

from itertools import zip_longest

import click

from zabspec.check.model import Model
from zabspec.check.play import Played, play, retell, unbounded
from zabspec.check.promises import PROMISES
from zabspec.check.script import INDENT, Script, ScriptError, show_action
from zabspec.check.walk import Walk
from zabspec.check.walk import walk as take_walk
from zabspec.check.world import Worlds
from zabspec.cli_input import Exit, models_called, script_at, spec_called
from zabspec.cli_system import Asked, failures_told, refuse_other_grains, system_options
from zabspec.conform.beside import Rulebook
from zabspec.conform.findings import show_divergence, show_taken
from zabspec.conform.lockstep import Failure, Lockstep, Taken
from zabspec.protocol.rules import Spec
from zabspec.view.answers import with_comments
from zabspec.view.terminal import Terminal


@click.command(short_help="Take a random run, and print it as a script.")
@click.argument("model")
@click.option("--seed", type=int, default=0, show_default=True, help="Which run.")
@click.option(
    "--steps", type=click.IntRange(min=0), default=100, show_default=True, help="How long at most."
)
def walk(model: str, seed: int, steps: int) -> int:
    """Take a random run of a model, within its bounds, and print it as a script.

    The same seed takes the same run. It ends early where a promise that the model asks about is
    broken, or where nothing more can happen.

    \b
    Examples:
      zabspec walk paper-3-2-1-0 --seed 7 --steps 30
      zabspec walk paper-stale-ack --seed 3 > run.txt; zabspec replay run.txt

    \b
    Exit codes: 0 nothing is broken, or what the model expects to be broken (a seeded bug);
      1 an unexpected promise is broken, 2 bad input.
    """
    (asked,) = models_called([model])
    taken = take_walk(Worlds(asked.spec, asked.bounds), asked.promises, seed, steps)
    told = dict.fromkeys((*PROMISES, *asked.promises))
    script = retell(taken.run, asked.spec, asked.bounds, told)
    command = f"zabspec walk {asked.name} --seed {seed} --steps {steps}"
    click.echo(with_comments(script, command), nl=False)
    unexpected = bool(taken.broken) and not _is_expected(taken, asked)
    Terminal(stderr=True).tell(_end_of(taken, asked))
    return Exit.FINDING if unexpected else Exit.AS_EXPECTED


def _is_expected(taken: Walk, model: Model) -> bool:
    return taken.broken[0] is getattr(model.expected, "promise", None)


def _end_of(taken: Walk, model: Model) -> str:
    if taken.broken:
        expected = "as the model expects" if _is_expected(taken, model) else "not expected"
        sentence = taken.broken[0].sentence
        return f'{len(taken.run)} steps, to a broken promise ({expected}): "{sentence}"'
    end = "; nothing more can happen within the bounds" if taken.ended else ""
    return f"{len(taken.run)} steps; nothing is broken{end}"


@click.command(short_help="Play a script: what it leads to, and breaks.")
@click.argument("script", metavar="SCRIPT")
@system_options(required=False)
def replay(script: str, *, system: Asked | None) -> int:
    """Play a script: what each action leads to, and which promises it breaks.

    SCRIPT is a file, or - for standard input. The spec that it names is played without bounds.
    Outputs that stand in the script are compared with those seen; an action without outputs is
    just played. With --system, a system is given the same events, and compared with the spec up to
    the first difference, which is told.

    \b
    Examples:
      zabspec check --scripts found paper-stale-ack; zabspec replay found/paper-stale-ack.txt
      zabspec walk paper-3-2-1-0 --seed 7 | zabspec replay -
      zabspec replay --system impl.under_test:ServersUnderTest found.txt

    \b
    Exit codes: 0 all as written and nothing broken, 1 a promise is broken, or an output or the
      system differs, 2 the script cannot be read, an action of it cannot happen, or the system
      does not do its part.
    """
    read = script_at(script)
    spec = spec_called(read.spec)
    if read.fingerprint not in (None, spec.fingerprint()):
        Terminal(stderr=True).tell(
            f"written under another version of the spec {spec.name}: {read.fingerprint}, now"
            f" {spec.fingerprint()}"
        )
    code = _replay(read, spec)
    if system is None:
        return code
    return max(code, _beside(read, spec, system))


def _beside(script: Script, spec: Spec, system: Asked) -> int:
    refuse_other_grains(spec)
    terminal = Terminal()
    worlds = unbounded(spec, script.bounds)
    with failures_told():
        rulebook = Rulebook(spec, worlds.ensemble, system.make(), worlds.uncut)
        lockstep = Lockstep(worlds, rulebook)
        try:
            failure = _side_by_side(script, lockstep)
        finally:
            lockstep.close()
    if failure is None or failure.divergence is None:
        terminal.say(f"{system.text}: does the same")
        return Exit.AS_EXPECTED
    number = script.lines[len(failure.run) - 1].number
    what = f"{script.path}:{number}: {system.text} does something else"
    terminal.say(f"{what}: {show_taken(failure.run[-1])}", style="bold red")
    for line in show_divergence(failure.divergence):
        terminal.say(line)
    return Exit.FINDING


def _side_by_side(script: Script, lockstep: Lockstep) -> Failure | None:
    """The first failure. Raises ScriptError where the system did what leaves an action out."""
    for line in script.lines:
        before = len(lockstep.taken)
        failure = lockstep.repeat(Taken(line.action, line.order))
        if failure is not None:
            return failure
        if len(lockstep.taken) == before:
            where = f"{script.path}:{line.number}"
            raise ScriptError(where, show_action(line.action), "what can happen with the system")
    return None


def _replay(script: Script, spec: Spec) -> int:
    terminal = Terminal()
    broken: dict[str, int] = {}
    differing = 0
    for played in play(script, spec, PROMISES):
        _show_played(terminal, played)
        for promise in played.broken:
            broken.setdefault(promise.sentence, played.line.number)
        difference = _difference(played)
        if difference:
            differing += 1
            terminal.say(f"{script.path}:{played.line.number}: {difference}", style="bold red")
    terminal.say()
    for sentence, number in broken.items():
        terminal.say(f'{script.path}:{number}: breaks "{sentence}"', style="red")
    terminal.say(
        f"{_counted(len(script.lines), 'action')}; {_counted(len(broken), 'promise')} broken,"
        f" {_counted(differing, 'action')} with other outputs than written"
    )
    return Exit.FINDING if broken or differing else Exit.AS_EXPECTED


def _show_played(terminal: Terminal, played: Played) -> None:
    terminal.say(show_action(played.line.action), style="bold")
    for output in played.outputs:
        terminal.say(INDENT + output, style="red" if output.startswith("broken:") else None)


def _difference(played: Played) -> str | None:
    """The first output that is not as written; None if nothing was written, or all is so."""
    written = played.line.outputs
    for expected, seen in zip_longest(written, played.outputs) if written else ():
        if expected != seen:
            return f"expected {_quoted(expected)}, seen {_quoted(seen)}"
    return None


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _quoted(output: str | None) -> str:
    return "nothing more" if output is None else f'"{output}"'
