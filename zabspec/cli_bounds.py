"""The options that say how far to explore: the same wherever a command has bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

Command = Callable[..., Any]

_OPTIONS = (
    ("servers", ("--servers",), click.IntRange(2, 9), "Servers with a vote."),
    ("txns", ("--txns",), click.IntRange(min=0), "Requests that clients make."),
    ("lost_links", ("--lost-links",), click.IntRange(min=0), "Connections cut."),
    ("crashes", ("--crashes", "--restarts"), click.IntRange(min=0), "Crashes, with a restart."),
    ("elections", ("--elections",), click.IntRange(min=0), "Leaders named."),
    ("limits", ("--limits",), click.IntRange(min=0), "Time limits that expire."),
    ("observers", ("--observers",), click.IntRange(0, 9), "Servers without a vote."),
    ("window", ("--window",), click.IntRange(min=0), "Transactions kept for learners."),
    (
        "last_counter",
        ("--last-counter",),
        click.IntRange(1, 999_999_999),
        "Where a leader leaves its role for a new epoch.",
    ),
)
"""By field of `Bounds`: the names of the option, what it takes, and what it means."""


def bounds_options(command: Command) -> Command:
    """Give a command an option for each bound.

    The command is called with `bounds`: a dict from fields of `Bounds` to numbers, with only those
    that were given.
    """

    @wraps(command)
    def with_bounds(*arguments: object, **options: Any) -> Any:  # noqa: ANN401  as the command does
        given = {name: options.pop(name) for name, *_ in _OPTIONS}
        bounds = {name: number for name, number in given.items() if number is not None}
        return command(*arguments, bounds=bounds, **options)

    options = with_bounds
    for name, flags, kind, meaning in reversed(_OPTIONS):
        options = click.option(*flags, name, metavar="N", type=kind, help=meaning)(options)
    return options
