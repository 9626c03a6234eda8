"""What a command ends with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command ends with."""

    AS_EXPECTED = 0
    FINDING = 1
    BAD_INPUT = 2
    INTERRUPTED = 130
    NOBODY_READS = 141
