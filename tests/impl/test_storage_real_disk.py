"""The storage on real files, also under a process that is killed while it writes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stored import ListDatabase, holding, payload, zxids

from impl.real_disk import RealDisk
from impl.storage import Storage

FOUR = zxids(1, 1, 2, 3, 4)


def test_a_real_disk_does_what_a_disk_does(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path / "made" / "when needed")

    assert disk.names() == disk.names("version-2") == []
    with pytest.raises(FileNotFoundError):
        disk.size("log")
    disk.write("folder/b", 3, b"four")
    disk.write("folder/b", 1, b"XY")
    disk.write("folder/a", 0, b"")
    assert disk.names("folder") == ["a", "b"]
    assert disk.names() == []
    assert disk.read("folder/b") == b"\0XYfour"
    assert disk.read("folder/b", 2, 3) == b"Yfo"
    assert disk.read("folder/b", 9) == b""
    disk.truncate("folder/b", 2)
    disk.truncate("folder/b", 4)
    assert disk.read("folder/b") == b"\0X\0\0"
    disk.rename("folder/b", "folder/a")
    assert disk.size("folder/a") == 4
    disk.remove("folder/a")
    for act in (disk.remove, disk.read, disk.size):
        with pytest.raises(FileNotFoundError):
            act("folder/a")
    with pytest.raises(FileNotFoundError):
        disk.truncate("folder/a", 1)
    with pytest.raises(FileNotFoundError):
        disk.rename("folder/a", "folder/b")


def test_what_is_synced_is_synced_by_the_operating_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    disk = RealDisk(tmp_path / "server")

    async def work() -> None:
        disk.write("version-2/log.1", 0, b"x")
        await disk.sync("version-2/log.1")
        await disk.sync_folder("version-2")
        await disk.sync_folder()

    asyncio.run(work())

    assert synced == ["log.1", "version-2", "server", "server"]


def test_a_server_comes_back_from_real_files(tmp_path: Path) -> None:
    async def work() -> list[int]:
        storage = Storage(RealDisk(tmp_path))
        await storage.restore(ListDatabase())
        await storage.load_epochs(0)
        for zxid in FOUR:
            storage.append(payload(zxid))
            await storage.commit()
            await storage.roll_log()
        await storage.save(holding(*FOUR[:2]))
        await storage.set_accepted_epoch(2)
        assert await storage.truncate_log(FOUR[2])
        await storage.close()
        again, database = Storage(RealDisk(tmp_path)), ListDatabase()
        await again.load_epochs(await again.restore(database))
        assert (again.epochs.accepted_epoch, again.epochs.current_epoch) == (2, 1)
        return database.zxids

    (tmp_path / "myid").write_text("3\n")

    assert Storage(RealDisk(tmp_path)).read_my_id() == 3
    with pytest.raises(ValueError, match="current epoch"):
        asyncio.run(Storage(RealDisk(tmp_path)).set_current_epoch(9))
    assert asyncio.run(work()) == FOUR[:3]


@pytest.mark.parametrize("lines", [1, 7, 16])
def test_a_process_that_is_killed_loses_nothing_that_it_called_durable(
    tmp_path: Path, lines: int
) -> None:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1])])
    started = subprocess.Popen(
        [sys.executable, str(here / "killed_writer.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    said = [int(started.stdout.readline()) for _ in range(lines)]
    started.kill()
    said += [int(line) for line in started.stdout.read().split()]
    started.stdout.close()
    assert started.wait() == -9

    storage, database = Storage(RealDisk(tmp_path)), ListDatabase()
    last = asyncio.run(storage.restore(database))

    assert last >= said[-1]
    assert database.held == [
        payload(zxid, bytes(1000)) for zxid in zxids(1, *range(1, len(database.held) + 1))
    ]
