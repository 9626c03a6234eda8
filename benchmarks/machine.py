"""What the figures are figures of."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen


@frozen
class Machine:
    """A machine, and what ran on it. memory_gib: all of it; 0 where the system does not tell."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    versions: str

    def __str__(self) -> str:
        memory = f", {self.memory_gib} GiB" if self.memory_gib else ""
        return f"{self.processor}, {self.cores} cores{memory}, {self.system}; {self.versions}"


def this_machine() -> Machine:
    """This one."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{name} {told}" for name in ("numpy", "numba", "zabspec") if (told := _of(name))]
    cores = os.cpu_count() or 1
    return Machine(processor(), cores, _memory_gib(), platform.system(), ", ".join(versions))


def processor() -> str:
    """Its name, where the system tells."""
    told = Path("/proc/cpuinfo")
    names = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    found = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


def _of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _memory_gib() -> int:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30))
