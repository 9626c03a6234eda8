"""A crash at every step, and all that a loss of power may take: what loads is what was promised."""

from __future__ import annotations

import errno
from collections.abc import Callable, Coroutine
from itertools import chain
from typing import Any

import pytest
from stored import (
    CutDisk,
    ListDatabase,
    every_cut,
    failing_steps,
    holding,
    logged,
    payload,
    restored,
    run,
    started,
    zxids,
)

from impl.simulated_files import SimulatedFiles
from impl.storage import Storage

OLD = zxids(1, 1, 2, 3)
NEW = zxids(1, 4, 5, 6)


def begun() -> SimulatedFiles:
    return started(*OLD)[0]


def held(files: SimulatedFiles) -> list[int]:
    return restored(files)[1].zxids


def test_a_first_start_that_is_cut_short_is_a_first_start_again() -> None:
    async def nothing(storage: Storage) -> None:
        await storage.restore(ListDatabase())

    for what, files in every_cut(SimulatedFiles, nothing):
        assert held(files) == [], what


def test_after_any_crash_of_appending_a_prefix_loads_with_all_that_was_committed() -> None:
    committed: list[int] = []

    async def append(storage: Storage) -> None:
        committed[:] = OLD
        for zxid in NEW:
            storage.append(payload(zxid))
            if zxid == NEW[1]:
                await storage.commit()
                committed[:] = OLD + NEW[:2]
        await storage.commit()
        committed[:] = OLD + NEW

    for what, files in every_cut(begun, append):
        found = held(files)

        assert found == (OLD + NEW)[: len(found)], what
        assert len(found) >= len(committed), what


def test_after_any_crash_of_rolling_a_prefix_loads_with_all_that_was_committed() -> None:
    committed: list[int] = []

    async def roll(storage: Storage) -> None:
        committed[:] = OLD
        for zxid in NEW:
            storage.append(payload(zxid))
            await storage.roll_log()
            committed.append(zxid)

    for what, files in every_cut(begun, roll):
        found = held(files)

        assert found == (OLD + NEW)[: len(found)], what
        assert len(found) >= len(committed), what


def test_a_server_that_was_cut_short_goes_on_where_it_was() -> None:
    async def append(storage: Storage) -> None:
        storage.append(payload(NEW[0]))
        await storage.commit()

    for what, files in every_cut(begun, append):
        storage, database = restored(files)
        following = database.last_processed_zxid + 1
        storage.append(payload(following))
        run(storage.commit())
        files.lose_power({})

        assert held(files) == [*database.zxids, following], what


def test_what_a_killed_process_had_written_is_durable_once_it_was_loaded() -> None:
    files, storage = started(*OLD)
    storage.append(payload(NEW[0]))

    assert held(files) == [*OLD, NEW[0]]

    files.lose_power({})

    assert held(files) == [*OLD, NEW[0]]


async def _committed(storage: Storage) -> None:
    storage.append(payload(NEW[0]))
    await storage.commit()


async def _rolled(storage: Storage) -> None:
    await storage.roll_log()
    await _committed(storage)


async def _saved(storage: Storage) -> None:
    await storage.save(holding(*OLD))


async def _cut(storage: Storage) -> None:
    await _rolled(storage)
    assert await storage.truncate_log(OLD[2])


async def _installed(storage: Storage) -> None:
    await storage.install(holding(*zxids(2, 1)))


async def _promised(storage: Storage) -> None:
    await storage.load_epochs(OLD[-1])
    await storage.set_accepted_epoch(5)
    await storage.set_current_epoch(5)


def _loaded(files: SimulatedFiles) -> tuple[list[int], int, int]:
    """As a process that starts on these files: what it holds, and its two epochs."""
    storage, database = restored(files)
    run(storage.load_epochs(database.last_processed_zxid))
    return database.zxids, storage.epochs.accepted_epoch, storage.epochs.current_epoch


def _only_a_snapshot() -> SimulatedFiles:
    files, storage = started()
    run(storage.install(holding(*OLD)))
    return files


@pytest.mark.parametrize("begin", [begun, _only_a_snapshot])
@pytest.mark.parametrize("work", [_committed, _rolled, _saved, _cut, _installed, _promised])
def test_what_a_start_relies_on_survives_a_loss_of_power_wherever_a_kill_or_an_error_fell(
    begin: Callable[[], SimulatedFiles], work: Callable[[Storage], Coroutine[Any, Any, None]]
) -> None:
    killed = (one for one in every_cut(begin, work) if one[0].startswith("killed"))
    for what, files in chain(killed, failing_steps(begin, work)):
        relied_on = _loaded(files)
        names = set(files.named)
        files.lose_power({})

        assert set(files.named) >= {one for one in names if not one.endswith(".tmp")}, what
        assert _loaded(files) == relied_on, what


def test_after_any_crash_of_truncating_what_loads_is_a_prefix_down_to_the_cut() -> None:
    async def truncate(storage: Storage) -> None:
        assert await storage.truncate_log(OLD[1])

    def two_files() -> SimulatedFiles:
        files, storage = started(*OLD)
        run(storage.roll_log())
        for zxid in NEW:
            storage.append(payload(zxid))
            run(storage.roll_log())
        run(storage.save(holding(*OLD)))
        return files

    for what, files in every_cut(two_files, truncate):
        found = held(files)

        assert found == (OLD + NEW)[: len(found)], what
        assert len(found) >= 2, what


def test_after_any_crash_of_installing_what_loads_is_the_old_history_or_the_new_one() -> None:
    other = zxids(2, 1, 2)

    async def install(storage: Storage) -> None:
        await storage.install(holding(*other))

    seen = set()
    for what, files in every_cut(begun, install):
        found = held(files)
        seen.add(tuple(found))

        assert found in (OLD, other), what
    assert seen == {tuple(OLD), tuple(other)}


def test_an_installation_that_a_crash_cut_short_can_be_finished_after_any_crash() -> None:
    other = zxids(2, 1)

    async def install(storage: Storage) -> None:
        await storage.install(holding(*other))

    def half_installed() -> SimulatedFiles:
        for what, files in every_cut(begun, install):
            if what.startswith("killed") and "version-2/replacedBy" in files.named:
                return files
        raise AssertionError("no such crash")

    async def nothing(_storage: Storage) -> None:
        return

    for what, files in every_cut(half_installed, nothing):
        assert held(files) == other, what


def test_after_any_crash_of_saving_the_history_is_the_same() -> None:
    async def save(storage: Storage) -> None:
        await storage.save(holding(*OLD))

    for what, files in every_cut(begun, save):
        assert held(files) == OLD, what


def test_after_any_crash_of_a_purge_the_history_is_the_same() -> None:
    def many() -> SimulatedFiles:
        files, storage = started()
        for last in range(1, 7):
            storage.append(payload(*zxids(1, last)))
            run(storage.roll_log())
            run(storage.save(holding(*zxids(1, *range(1, last + 1)))))
        return files

    async def purge(storage: Storage) -> None:
        assert await storage.purge(3)

    for what, files in every_cut(many, purge):
        assert held(files) == zxids(1, *range(1, 7)), what


def test_after_any_crash_of_an_epoch_write_the_old_epoch_is_there_or_the_new_one() -> None:
    reached = [0, 0]

    async def epochs(storage: Storage) -> None:
        reached[:] = [1, 1]
        await storage.load_epochs(OLD[-1])
        await storage.set_accepted_epoch(5)
        reached[:] = [5, 1]
        await storage.set_current_epoch(5)
        reached[:] = [5, 5]

    for what, files in every_cut(begun, epochs):
        storage, database = restored(files)
        run(storage.load_epochs(database.last_processed_zxid))
        found = storage.epochs

        assert found.accepted_epoch in (1, 5), what
        assert found.current_epoch in (1, found.accepted_epoch), what
        assert found.accepted_epoch >= reached[0], what
        assert found.current_epoch >= reached[1], what


def test_a_disk_error_at_any_step_leaves_what_a_new_process_can_load() -> None:
    committed: list[int] = []

    async def work(storage: Storage) -> None:
        committed[:] = OLD
        storage.append(payload(NEW[0]))
        await storage.commit()
        committed[:] = [*OLD, NEW[0]]
        await storage.save(holding(*OLD, NEW[0]))
        await storage.roll_log()
        storage.append(payload(NEW[1]))
        await storage.commit()
        await storage.truncate_log(NEW[0])
        await storage.install(holding(*OLD, NEW[0]))

    for what, files in failing_steps(begun, work):
        found = held(files)

        assert found == (OLD + NEW)[: len(found)], what
        assert len(found) >= len(committed), what


def test_after_a_failed_write_nothing_is_appended_or_committed_until_a_new_process() -> None:
    for stop in range(5):
        files = begun()
        disk = CutDisk(files, failing=errno.EIO)
        storage = Storage(disk, pre_alloc_size=128)
        run(storage.restore(ListDatabase()))
        disk.stop_in(stop)
        with pytest.raises(OSError, match="as chosen"):
            logged(storage, NEW[0])

        with pytest.raises(OSError, match="as chosen"):
            storage.append(payload(NEW[0]))
        for doing in (storage.commit(), storage.roll_log(), storage.restore(ListDatabase())):
            with pytest.raises(OSError, match="as chosen"):
                run(doing)
        assert held(files)[:3] == OLD
