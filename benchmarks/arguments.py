"""What the benchmarks are told on the command line; what is wrong there is one line, and exit 2."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

RESULTS = Path(__file__).parent / "results"


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in a line, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Say it, and exit 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def parser(doc: str | None) -> Parser:
    """One with the option that all these benchmarks have. doc: of the script."""
    made = Parser(description=(doc or "").partition("\n")[0], allow_abbrev=False)
    made.add_argument(
        "--results",
        type=folder,
        default=RESULTS,
        metavar="DIR",
        help="where to write (benchmarks/results)",
    )
    return made


def at_least_1(said: str) -> int:
    """A whole number from 1."""
    if not said.isdecimal() or int(said) < 1:
        raise argparse.ArgumentTypeError(f"{said}: not a whole number from 1")
    return int(said)


def folder(said: str) -> Path:
    """A folder, there or yet to be made."""
    path = Path(said)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{said}: not a folder")
    return path
