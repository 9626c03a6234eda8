"""The options that name a system under test: the same wherever a command has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
from attrs import frozen

from zabspec.conform.lines import LIMIT
from zabspec.conform.system import System, SystemFailed
from zabspec.conform.systems import system_called
from zabspec.protocol.messages import Diff
from zabspec.protocol.rules import Spec

Command = Callable[..., Any]


@frozen
class Asked:
    """The system that was asked for. text: as it was named."""

    text: str
    timeout: float
    one_each: bool

    def make(self) -> System:
        """It. Raises SystemFailed."""
        return system_called(self.text, self.timeout, one_each=self.one_each)()


def system_options(*, required: bool) -> Callable[[Command], Command]:
    """Give a command the options of a system.

    The command is called with `system`: an Asked, or None where none was asked for.
    """

    def with_options(command: Command) -> Command:
        @wraps(command)
        def with_system(*arguments: object, **options: Any) -> Any:  # noqa: ANN401  as the command
            text, timeout = options.pop("system"), options.pop("timeout")
            asked = Asked(text, timeout, options.pop("one_each"))
            return command(*arguments, system=asked if text is not None else None, **options)

        found: Command = with_system
        for option in reversed(_options(required=required)):
            found = option(found)
        return found

    return with_options


def _options(*, required: bool) -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option(
            "--system",
            metavar="SYSTEM",
            required=required,
            help="What is held against it: package.module:Name, or a command.",
        ),
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0.001, max=86_400),
            default=LIMIT,
            show_default=True,
            help="In which a command has to answer.",
        ),
        click.option("--one-each", is_flag=True, help="Start the command once for each server."),
    )


@contextmanager
def failures_told() -> Iterator[None]:
    """A system that does not do its part is bad input: one line, and exit code 2."""
    try:
        yield
    except SystemFailed as error:
        raise click.ClickException(str(error)) from None


def refuse_other_grains(spec: Spec) -> None:
    """A system is held against specs in ZooKeeper's grain only."""
    if all(kind is not Diff for _, _, kind in spec.table):
        expected = "one in ZooKeeper's grain, such as baseline"
        raise click.ClickException(f"spec {spec.name} has the paper's packets, expected {expected}")
