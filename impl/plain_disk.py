"""What would be loaded from simulated files after a loss of power, as plain values."""

from __future__ import annotations

from typing import Any

from impl.database import Database
from impl.epochs import ACCEPTED_EPOCH, CURRENT_EPOCH, read_number
from impl.files import StorageError, named
from impl.plain_packets import holds_of, pair, transaction_in
from impl.simulated_disk import SimulatedDisk
from impl.simulated_files import SimulatedFiles
from impl.simulated_loop import SimulatedLoop
from impl.snapshot_stream import Snapshot
from impl.storage import Storage

Plain = dict[str, Any]


class PlainDisks:
    """Reads files, equal ones once."""

    def __init__(self) -> None:
        self._read: dict[tuple[tuple[str, bytes], ...], Plain] = {}
        self._distinct: dict[tuple[Any, ...], Plain] = {}

    def durable(self, files: SimulatedFiles) -> Plain:
        """What a loss of power would leave; equal ones are one object.

        accepted_epoch, current_epoch: as in the files, 0 without one. durable: the transactions
        that would be loaded, in order, each [epoch, counter, request]. snapshot: the newest's zxid.
        Of files that no server would load, broken says what is wrong with them.
        """
        left = files.copy()
        left.lose_power({})
        key = tuple((name, bytes(file.content)) for name, file in sorted(left.named.items()))
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self._one(_loaded(left))
        return found

    def _one(self, read: Plain) -> Plain:
        return self._distinct.setdefault(tuple(read.items()), read)


class _Holds:
    """What is restored, in order. An `impl.storage.Restored`."""

    def __init__(self) -> None:
        self.txns: list[tuple[int, int, int]] = []
        self.last_processed_zxid = 0
        self.initialized = False

    def clear(self) -> None:
        self.txns.clear()

    def replay(self, payload: bytes) -> None:
        self.txns.append(transaction_in(payload))

    def serialize_snapshot(self) -> bytes:
        return Database().serialize_snapshot()

    def deserialize_snapshot(self, snapshot: Snapshot) -> None:
        self.txns = list(holds_of(snapshot))


def _loaded(files: SimulatedFiles) -> Plain:
    loop = SimulatedLoop.new()
    disk = SimulatedDisk(files, loop, lambda _: None)
    holds = _Holds()
    try:
        epochs = [read_number(disk, name) or 0 for name in (ACCEPTED_EPOCH, CURRENT_EPOCH)]
        with loop.entered():
            restoring = loop.create_task(Storage(disk).restore(holds))
        while not restoring.done():
            loop.settle()
            for sync in disk.syncs:
                disk.complete(sync)
        restoring.result()
    except StorageError as error:
        return {"broken": str(error)}
    newest = max((zxid for zxid, _ in named(disk, "snapshot")), default=0)
    return {
        "accepted_epoch": epochs[0],
        "current_epoch": epochs[1],
        "durable": tuple(holds.txns),
        "snapshot": pair(newest),
    }
