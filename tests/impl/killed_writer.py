"""Appends to a log in a folder, says what is durable, and goes on until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stored import ListDatabase, payload

from impl.real_disk import RealDisk
from impl.storage import Storage


async def write_for_ever(folder: Path) -> None:
    """One line for each commit: the zxid up to which all is durable."""
    storage, database = Storage(RealDisk(folder), pre_alloc_size=65536), ListDatabase()
    await storage.restore(database)
    while True:
        for _ in range(20):
            written = payload((1 << 32) + len(database.held) + 1, bytes(1000))
            storage.append(written)
            database.replay(written)
        await storage.commit()
        sys.stdout.write(f"{database.last_processed_zxid}\n")
        sys.stdout.flush()
        if len(database.held) % 100 == 0:
            await storage.roll_log()
            await storage.save(database)


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
