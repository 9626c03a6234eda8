"""What is on a simulated disk, as a person would see it who looks into the files."""

from __future__ import annotations

from collections.abc import Mapping

from impl.files import StorageError, named
from impl.logfile import LogFile
from impl.simulated_disk import SimulatedDisk
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulatedLoop


def shown_files(files: SimulatedFiles) -> Mapping[str, object]:
    """The zxids on a disk.

    log: in the log. log_synced: in the log, and no loss of power takes them. snapshots: in the name
    of each snapshot.
    """
    durable = files.copy()
    durable.lose_power({})
    disk = _disk(files)
    return {
        "log": _log(disk),
        "log_synced": _log(_disk(durable)),
        "snapshots": [zxid for zxid, _ in named(disk, "snapshot")],
    }


def _disk(files: SimulatedFiles) -> SimulatedDisk:
    return SimulatedDisk(files, SimulatedLoop.new(), lambda _: None)


def _log(disk: SimulatedDisk) -> list[int]:
    """Up to the first record that is broken."""
    found: list[int] = []
    try:
        for _, name in named(disk, "log"):
            found.extend(record.zxid for record in LogFile(disk, name))
    except StorageError:
        return found
    return found
