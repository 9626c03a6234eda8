"""A failure of lockstep as text: the script, the event, and expected and seen side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from zabspec.check.bounds import Bounds
from zabspec.check.notation import show
from zabspec.check.script import show_action, show_script
from zabspec.conform.beside import Divergence
from zabspec.conform.expected import Difference
from zabspec.conform.lockstep import Failure, Taken
from zabspec.protocol.events import Event, Received
from zabspec.protocol.rules import Spec

_INDENT = "    "
_ZXID, _TXN = 2, 3


class Diverged(AssertionError):
    """A system does what no server of the model can do, or keeps a promise no better than it.

    The text is all there is to say: the run as a script, the event, expected and seen. `script`
    alone can be saved, and played again with `zabspec replay --system`; `events` is how many
    it was given until then, where that was counted.
    """

    def __init__(self, text: str, script: str = "", actions: int = 0) -> None:
        super().__init__(text)
        self.script = script
        self.actions = actions
        self.events = 0


def script_of(failure: Failure, spec: Spec, bounds: Bounds) -> str:
    """The run to a failure, as a script."""
    lines = map(show_taken, failure.run)
    return show_script(spec.name, spec.fingerprint(), bounds, lines)


def show_taken(taken: Taken) -> str:
    """An action as a line of a script, with the order of tasks where one was drawn."""
    order = f" / order {taken.order}" if taken.order else ""
    return show_action(taken.action) + order


def show_failure(failure: Failure, spec: Spec, bounds: Bounds) -> str:
    """All that is said of a failure."""
    script = script_of(failure, spec, bounds)
    if failure.divergence is not None:
        return script + "\n" + "\n".join(show_divergence(failure.divergence))
    broken = "".join(f"\nbroken: {one.sentence}" for one in failure.broken)
    return script + broken


def show_divergence(divergence: Divergence) -> Iterator[str]:
    """The event, then what differs, expected and seen side by side."""
    killed = ""
    if divergence.cut is not None:
        killed = f", and is killed after {divergence.cut.after} sent or made durable"
    yield f"server {divergence.sid} {show_event(divergence.event)}{killed}"
    rows = [row for one in divergence.differences for row in _side_by_side(one)]
    widths = [max(map(len, column)) for column in zip(("", "expected", ""), *rows, strict=True)]
    for what, left, right in (("", "expected", "seen"), *rows):
        yield f"{_INDENT}{what:<{widths[0]}}  {left:<{widths[1]}}  {right}".rstrip()


def show_event(event: Event) -> str:
    """What happens to a server, as a phrase."""
    if isinstance(event, Received):
        return f"reads from {event.connection} {show(event.packet)}"
    name, _, rest = show(event).partition(" ")
    return f"{_PHRASES.get(name, name)} {rest}".rstrip()


_PHRASES = {
    "Elected": "is told of the election,",
    "LinkLost": "loses the link,",
    "ClientRequest": "is asked by a client,",
    "LogSynced": "syncs its log,",
    "TxnApplied": "applies the next transaction",
    "LimitExpired": "gives up: a time limit expires",
    "Crash": "crashes and restarts,",
}


def _side_by_side(difference: Difference) -> Iterator[tuple[str, str, str]]:
    expected, seen = _lines(difference.expected), _lines(difference.seen)
    what = [difference.what]
    return zip_longest(what, expected, seen, fillvalue="")


def _lines(value: object) -> list[str]:
    """Packets a line each; everything else on one line."""
    if isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
        return [show_plain(one) for one in value]
    return [show_plain(value)]


def show_plain(value: object) -> str:
    """A plain value as scripts write it."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        packet = value.get("packet", value)
        if packet is not value:
            return show_plain(packet)
        rest = (f"{key}={show_plain(one)}" for key, one in value.items() if key != "type")
        return " ".join([str(value.get("type", "")), *rest])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _show_sequence(value)
    return str(value)


def _show_sequence(value: Sequence[object]) -> str:
    if value and all(isinstance(one, int) for one in value):
        if len(value) == _ZXID:
            return "{}.{}".format(*value)
        if len(value) == _TXN:
            return "{}.{}:r{}".format(*value)
    return " ".join(map(show_plain, value)) if value else "nothing"
