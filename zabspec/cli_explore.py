"""The options that say how an exploration is carried out."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from zabspec.check.settings import Settings

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--jobs", metavar="N", type=click.IntRange(1, 64), default=1, help="Threads that share it."
    ),
    click.option(
        "--memory",
        "memory_mb",
        metavar="MIB",
        type=click.IntRange(min=1),
        help="Stop where the process would hold more, and say what was covered.",
    ),
    click.option(
        "--checkpoint",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Keep the exploration in DIR, so that it can go on later.",
    ),
    click.option("--resume", is_flag=True, help="Go on from what is kept in DIR, if anything is."),
    click.option("--symmetry", is_flag=True, help="Take servers for one another, where allowed."),
    click.option("--wide", is_flag=True, help="Fingerprints of 128 bits instead of 64."),
)


def exploring_options(command: Command) -> Command:
    """Give a command the options of an exploration; it is called with `settings`."""

    @wraps(command)
    def with_settings(  # noqa: PLR0913  one for each option
        *arguments: object,
        jobs: int,
        memory_mb: int | None,
        checkpoint: Path | None,
        resume: bool,
        symmetry: bool,
        wide: bool,
        **options: object,
    ) -> Any:  # noqa: ANN401  as the command does
        if resume and checkpoint is None:
            raise click.UsageError("--resume goes with --checkpoint DIR, the folder to go on from")
        settings = Settings(
            jobs=jobs,
            memory_mb=memory_mb,
            words=2 if wide else 1,
            symmetry=symmetry,
            checkpoint=checkpoint,
            resume=resume,
        )
        return command(*arguments, settings=settings, **options)

    options: Command = with_settings
    for option in reversed(_OPTIONS):
        options = option(options)
    return options
