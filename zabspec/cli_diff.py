"""`zabspec diff`: two specs compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from zabspec.check.bounds import Bounds
from zabspec.check.difference import Comparison, compare
from zabspec.check.exploration import Progress
from zabspec.cli_bounds import bounds_options
from zabspec.cli_input import Exit, spec_called
from zabspec.view.differences import comparison_to_json, script_of_difference, show_comparison
from zabspec.view.terminal import ProgressLine, Terminal

DEFAULT = Bounds(servers=3, txns=1, lost_links=1, crashes=1, elections=2)
"""The bounds that are not said."""


@click.command(short_help="Compare two specs: the shortest run that tells them apart.")
@click.argument("spec_a")
@click.argument("spec_b")
@bounds_options
@click.option(
    "--script",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the run to FILE, as a script.",
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
def diff(
    spec_a: str, spec_b: str, bounds: Mapping[str, Any], file: Path | None, *, as_json: bool
) -> int:
    """Compare two specs: the shortest run that one allows and the other does not.

    Both are run side by side, from the same start and by the same actions, within bounds: 3
    servers, 1 transaction, 1 lost link, 1 crash and 2 elections where the options do not say
    otherwise. Compared is what others can see of a server: which events can happen, and what each
    makes it send, open, close, deliver, broadcast and become ready for. What is only inside it may
    differ, until it shows.

    A step that a crash cuts is compared with the other spec's, cut where the same was seen of it;
    if there are several such cuts, with the most alike, and if there is none, not at all.

    The run is told as a script under SPEC_A, and what each makes of its end as comments below. A
    model's spec or a release can be named; zabspec models lists them.

    \b
    Examples:
      zabspec diff zookeeper-3-8-6-fine zookeeper-3-9-4-fine
      zabspec diff baseline baseline-anyone --crashes 0
      zabspec diff paper paper-stale-ack --txns 2 --script run.txt; zabspec replay run.txt

    \b
    Exit codes: 0 no difference within the bounds, 1 a difference, 2 bad input,
      130 interrupted.
    """
    specs = spec_called(spec_a), spec_called(spec_b)
    with ProgressLine() as line:

        def report(progress: Progress) -> None:
            line.show(f"{progress.worlds:,} worlds, depth {progress.depth}")

        comparison = compare(*specs, evolve(DEFAULT, **bounds), report)
    return _say(comparison, file, as_json=as_json)


def _say(comparison: Comparison, file: Path | None, *, as_json: bool) -> int:
    if not comparison.complete:
        raise click.Abort(f"interrupted; no difference up to depth {comparison.depth}")
    if file is not None and comparison.parting is not None:
        file.write_text(script_of_difference(comparison), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(comparison_to_json(comparison), indent=2))
    else:
        show_comparison(Terminal(), comparison)
    return Exit.AS_EXPECTED if comparison.same else Exit.FINDING
