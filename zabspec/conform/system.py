"""What an implementation has to offer to be held against the model: one server at a time.

The harness owns the connections, the faults and the order; the system is told events and answers
with what it did. All values are plain (see `plain.py`), so that a system can be written in any
language: `lines.py` drives one that is a process. `docs/system.md` says the same with examples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from zabspec.conform.plain import Plain

TAKES = ("fsync", "apply", "order", "cut", "votes")
"""What a system may take: see `System`; "votes", over lines, that it is a `DecidesVotes`."""
SHOWS = {
    "role": ("role", "phase", "leader"),
    "epochs": ("accepted_epoch", "current_epoch"),
    "durable": ("durable", "snapshot"),
    "database": ("holds", "last_zxid", "window"),
}
"""What a system may show, and the keys that this means; it may also name single keys."""
_LONGEST = 300


class SystemFailed(Exception):
    """A system did not do its part: it raised, hung, died, or said what is no answer."""


def failed_at(sid: int, told: Plain, why: str) -> SystemFailed:
    """What is said of a server that failed at an event."""
    return SystemFailed(f"server {sid}, told {shortened(json.dumps(told))}: {why}")


def shortened(text: str) -> str:
    """A text that fits into a line of error."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class SystemServer(Protocol):
    """One server of the system."""

    def step(
        self, event: Plain, stop_after: int | None = None, order: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        """Let this happen; what it did, in order.

        Send (peer, packet, and what was durable then), Open (peer), Close (peer), Write (what is
        durable now).
        stop_after: kill it once it has sent or made durable so many things, and start it again;
        only where it takes "cut". order: a seed for the order of its tasks, 0 = as it likes; only
        where it takes "order".
        """

    def observe(self) -> Plain:
        """What it shows now, of what `plain.plain_server` lists. A missing key is not shown."""

    def copy(self) -> SystemServer | None:
        """The same server again, to go on from here in two ways; None if it cannot be copied."""

    def close(self) -> None:
        """It is not needed any more."""


class System(Protocol):
    """What starts servers.

    takes: "fsync" (its log thread waits for LogSynced), "apply" (its commit processor waits for
    TxnApplied), "order", "cut". What it does not take happens by itself. shows: see `SHOWS`.
    """

    @property
    def takes(self) -> frozenset[str]:
        """What it waits for, and lets the harness choose."""

    @property
    def shows(self) -> frozenset[str]:
        """What it shows after each event."""

    def start(self, sid: int, ensemble: Plain, held: Iterable[str]) -> SystemServer:
        """A server that has never run. held: of what is taken, what it is to wait for."""


@runtime_checkable
class DecidesVotes(Protocol):
    """What a system may offer as well: to say whom an election by these votes would name."""

    def elects(self, votes: Sequence[Plain]) -> int | None:
        """Whom servers with these first votes elect; None: nobody, they go round.

        Each is for the server itself: sid, epoch (its current one), zxid (its last).
        """
