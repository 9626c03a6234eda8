"""How much memory this process holds."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def peak_mb() -> float:
    """The most it ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024


def resident_mb() -> float:
    """What it holds now, in MiB; where the system does not say, the most it ever held."""
    if not _STATM.exists():
        return peak_mb()
    pages = int(_STATM.read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1024 * 1024)


class MemoryUsedUp(Exception):
    """An exploration needs more memory than it may have; the text says how much that is."""


def heed_memory(allowed_mb: int | None, more: int) -> None:
    """Raise MemoryUsedUp if so many bytes more are not allowed. allowed_mb: None for no end."""
    if allowed_mb is not None and resident_mb() + more / (1 << 20) > allowed_mb:
        raise MemoryUsedUp(f"the {allowed_mb} MiB of memory are used up")
