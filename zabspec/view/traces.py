"""What recorded runs came to: a line for each, and for a refused one where to look."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from zabspec.conform.trace import TraceResult
from zabspec.view.terminal import Terminal


def show_traces(terminal: Terminal, results: Sequence[TraceResult], below: str = "") -> None:
    """The table. below: the folder that the names of files are told from."""
    terminal.say("verdict   records other recording", style="bold")
    for result in results:
        style = "green" if result.verdict == "accepted" else "bold red"
        row = Text(f"{result.verdict:<8}", style=style)
        counts = f"  {result.records:>7,} {result.passed_through:>5,} "
        row.append(counts + result.file.removeprefix(below), style="default")
        terminal.say(row)
        if result.verdict == "accepted":
            _show_explanation(terminal, result)
        else:
            _show_refusal(terminal, result)
    terminal.say('"other": records that no check looks at', style="dim")


def _show_explanation(terminal: Terminal, result: TraceResult) -> None:
    assumed = [f"{name.replace('_', ' ')}: {value}" for name, value in result.assumed.items()]
    by = f"explained by {', '.join(result.releases)}"
    terminal.tell(f"{by}; assumed: {', '.join(assumed) or 'nothing'}", indent=2, hang=2)


def _show_refusal(terminal: Terminal, result: TraceResult) -> None:
    terminal.say(f"  {result.file}:{result.line}")
    terminal.tell(f"server {result.server} sent: {result.seen}", indent=4, hang=2)
    terminal.tell(f"possible there: {result.possible}", indent=4, hang=2)
    terminal.tell(f"because: {result.guard}", indent=4, hang=2)
    for name, value in result.assumed.items():
        terminal.tell(f"assumed: {name}: {value}", indent=4, hang=2)
