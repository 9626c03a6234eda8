"""Where text goes: lines to standard output, and one line of progress to a terminal."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

NARROWEST = 80
"""Columns that a line may fill; a narrower terminal wraps lines itself, and loses nothing."""

_PATIENCE = 1.0
"""Seconds after which a job says how far it is."""


class Terminal(Console):
    """Standard output or error: coloured on a terminal, plain elsewhere, and nothing cut off."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)
        self.width = max(self.width, NARROWEST)

    def say(self, line: str | Text = "", style: str | None = None) -> None:
        """Print one line, however long, as it is."""
        self.print(line, style=style, soft_wrap=True)

    def tell(self, text: str, indent: int = 0, hang: int = 0, style: str | None = None) -> None:
        """Print a text over as many lines as it needs; those after the first hang further in."""
        first = " " * indent
        for line in textwrap.wrap(
            text,
            self.width,
            initial_indent=first,
            subsequent_indent=first + " " * hang,
            break_long_words=False,
            break_on_hyphens=False,
        ):
            self.say(line, style)

    def list(self, texts: Iterable[str], indent: int = 2) -> None:
        """Print each text as an item of a list."""
        for text in texts:
            self.tell(f"- {text}", indent, hang=2)

    def on_broken_pipe(self) -> None:
        """Leave it to the command line to end quietly."""
        raise BrokenPipeError


class ProgressLine:
    """A line that says how far a job is: on a terminal, once it has taken more than a second."""

    def __init__(self) -> None:
        self._terminal = Terminal(stderr=True)
        self._live = Live(console=self._terminal, transient=True, auto_refresh=False)
        self._shown_from = time.monotonic() + _PATIENCE

    def show(self, text: str) -> None:
        """Put this text in place of what the line said."""
        if self._terminal.is_terminal and time.monotonic() >= self._shown_from:
            self._live.start()
            self._live.update(Text(text, style="dim", overflow="ellipsis", no_wrap=True))
            self._live.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
