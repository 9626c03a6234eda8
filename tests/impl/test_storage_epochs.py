"""acceptedEpoch, currentEpoch and myid: what is read, written, recovered and refused."""

from __future__ import annotations

import pytest
from stored import CutDisk, ListDatabase, Stopped, restored, run, started, storage_on

from impl.simulated_files import SimulatedFile, SimulatedFiles
from impl.storage import Storage, StorageError
from impl.zxids import make_zxid


def folder(**contents: bytes) -> SimulatedFiles:
    files = SimulatedFiles()
    for name, content in contents.items():
        at = name if name == "myid" else f"version-2/{name.replace('_', '.')}"
        files.named[at] = SimulatedFile(bytearray(content))
    return files


def loaded(files: SimulatedFiles, last_zxid: int = 0) -> Storage:
    storage = storage_on(files)
    run(storage.load_epochs(last_zxid))
    return storage


def written(files: SimulatedFiles) -> dict[str, bytes]:
    return {
        name.removeprefix("version-2/"): bytes(file.content) for name, file in files.named.items()
    }


def test_missing_files_are_written_with_the_epoch_of_the_last_zxid() -> None:
    files = SimulatedFiles()
    storage = loaded(files, make_zxid(3, 9))
    files.lose_power({})

    assert (storage.epochs.accepted_epoch, storage.epochs.current_epoch) == (3, 3)
    assert written(files) == {"acceptedEpoch": b"3", "currentEpoch": b"3"}


def test_epochs_are_decimal_without_a_newline_and_durable() -> None:
    files = SimulatedFiles()
    storage = loaded(files)
    run(storage.set_accepted_epoch(12))
    run(storage.set_current_epoch(11))
    files.lose_power({})

    assert written(files) == {"acceptedEpoch": b"12", "currentEpoch": b"11"}
    again = loaded(files, make_zxid(11, 1))
    assert (again.epochs.accepted_epoch, again.epochs.current_epoch) == (12, 11)


@pytest.mark.parametrize("content", [b"7", b"7\n", b"7 \r\n", b"7\nmore"])
def test_the_first_line_is_what_counts(content: bytes) -> None:
    storage = loaded(folder(acceptedEpoch=content, currentEpoch=content))

    assert (storage.epochs.accepted_epoch, storage.epochs.current_epoch) == (7, 7)


@pytest.mark.parametrize(
    "content", [b"", b"\n7", b"-1", b"+1", b"07", b"0x7", b"seven", b"\xff", b"1" * 40, b"7.0"]
)
@pytest.mark.parametrize("name", ["acceptedEpoch", "currentEpoch"])
def test_what_is_no_number_is_refused(name: str, content: bytes) -> None:
    files = folder(acceptedEpoch=b"9", currentEpoch=b"9")
    files.named[f"version-2/{name}"].content[:] = content

    with pytest.raises(StorageError, match=f"^version-2/{name}: .*expected a decimal number"):
        loaded(files)


@pytest.mark.parametrize("mark", [{}, {"updatingEpoch": b""}, {"currentEpoch_tmp": b"5"}])
def test_a_crash_between_the_history_and_its_epoch_is_recovered_from(
    mark: dict[str, bytes],
) -> None:
    files = folder(acceptedEpoch=b"5", currentEpoch=b"3", **mark)
    storage = loaded(files, make_zxid(5, 2))

    assert storage.epochs.current_epoch == 5
    assert written(files) == {"acceptedEpoch": b"5", "currentEpoch": b"5"}


def test_marks_beside_a_history_that_fits_mean_nothing() -> None:
    files = folder(acceptedEpoch=b"5", currentEpoch=b"3", updatingEpoch=b"", currentEpoch_tmp=b"5")
    storage = loaded(files, make_zxid(3, 2))

    assert storage.epochs.current_epoch == 3
    assert written(files) == {"acceptedEpoch": b"5", "currentEpoch": b"3"}


@pytest.mark.parametrize(
    ("current", "last", "said"),
    [
        (b"5", make_zxid(3, 1), "4, expected no less than current epoch 5"),
        (b"3", make_zxid(5, 1), "4, expected no less than current epoch 5, last zxid 0x500000001"),
    ],
)
def test_an_accepted_epoch_before_the_current_one_is_refused(
    current: bytes, last: int, said: str
) -> None:
    with pytest.raises(StorageError, match=said):
        loaded(folder(acceptedEpoch=b"4", currentEpoch=current), last)


def test_epochs_never_go_back_and_the_current_one_never_passes_the_accepted_one() -> None:
    files = folder(acceptedEpoch=b"4", currentEpoch=b"3")
    storage = loaded(files)

    for refused in (
        storage.set_accepted_epoch(3),
        storage.set_accepted_epoch(1 << 32),
        storage.set_current_epoch(2),
        storage.set_current_epoch(5),
    ):
        with pytest.raises(ValueError, match="epoch"):
            run(refused)
    assert written(files) == {"acceptedEpoch": b"4", "currentEpoch": b"3"}


def test_an_epoch_that_could_not_be_written_does_not_count() -> None:
    files = folder(acceptedEpoch=b"4", currentEpoch=b"3")
    disk = CutDisk(files, failing=28)
    storage = Storage(disk)
    run(storage.load_epochs(0))
    disk.stop_in(0)

    with pytest.raises(OSError, match="as chosen"):
        run(storage.set_accepted_epoch(5))
    assert storage.epochs.accepted_epoch == 4
    assert written(files) == {"acceptedEpoch": b"4", "currentEpoch": b"3"}
    run(storage.set_accepted_epoch(6))
    assert written(files) == {"acceptedEpoch": b"6", "currentEpoch": b"3"}


@pytest.mark.parametrize("name", ["acceptedEpoch", "currentEpoch"])
@pytest.mark.parametrize("failing", [None, 5], ids=["killed", "the fsync of the folder failed"])
def test_an_epoch_that_was_read_is_not_taken_back_though_its_name_was_not_yet_durable(
    name: str, failing: int | None
) -> None:
    files, _ = started()
    disk = CutDisk(files, failing=failing)
    storage = Storage(disk)
    run(storage.load_epochs(run(storage.restore(ListDatabase()))))
    run(storage.set_accepted_epoch(2))
    accepted = name == "acceptedEpoch"
    disk.stop_in(4)
    with pytest.raises((Stopped, OSError)):
        run(storage.set_accepted_epoch(3) if accepted else storage.set_current_epoch(2))
    assert [dict(one.before).keys() for one in files.renamings] == [
        {f"version-2/{name}.tmp"},
        {f"version-2/{name}.tmp", f"version-2/{name}"},
    ]

    answered = _started_again(files)
    files.lose_power({})

    assert answered == ((3, 0) if accepted else (2, 2))
    assert _started_again(files) == answered


def _started_again(files: SimulatedFiles) -> tuple[int, int]:
    storage, database = restored(files)
    run(storage.load_epochs(database.last_processed_zxid))
    return storage.epochs.accepted_epoch, storage.epochs.current_epoch


def test_a_start_syncs_the_folder_once_before_it_reads_from_it() -> None:
    files, _ = started(make_zxid(1, 1))
    _started_again(files)
    disk = _Told(files)
    storage = Storage(disk)
    run(storage.load_epochs(run(storage.restore(ListDatabase()))))

    assert disk.told[:2] == ["sync_folder version-2", "read version-2/replacedBy"]
    assert sum(one.startswith("sync_folder") for one in disk.told) == 1


def test_logs_on_a_disk_of_their_own_are_in_a_folder_of_their_own() -> None:
    disks = _Told(SimulatedFiles()), _Told(SimulatedFiles())
    run(Storage(*disks).restore(ListDatabase()))
    for disk in disks:
        disk.told.clear()

    run(Storage(*disks).restore(ListDatabase()))

    assert [disk.told[0] for disk in disks] == ["sync_folder version-2"] * 2


class _Told(CutDisk):
    """Tells what it is asked: told."""

    def __init__(self, files: SimulatedFiles) -> None:
        super().__init__(files)
        self.told: list[str] = []

    def names(self, folder: str = "") -> list[str]:
        self.told.append("names")
        return super().names(folder)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        self.told.append(f"read {name}")
        return super().read(name, offset, length)

    async def sync_folder(self, folder: str = "") -> None:
        self.told.append(f"sync_folder {folder}")
        await super().sync_folder(folder)


def test_what_an_earlier_write_left_unfinished_leaves_nothing_in_a_later_one() -> None:
    files = folder(acceptedEpoch=b"4", currentEpoch=b"3")
    storage = loaded(files)
    files.named["version-2/acceptedEpoch.tmp"] = SimulatedFile(bytearray(b"1234567"))
    run(storage.set_accepted_epoch(5))

    assert written(files) == {"acceptedEpoch": b"5", "currentEpoch": b"3"}


def test_myid_is_the_number_of_the_server() -> None:
    assert storage_on(folder(myid=b"3\n")).read_my_id() == 3
    with pytest.raises(StorageError, match=r"^myid: no such file"):
        storage_on(SimulatedFiles()).read_my_id()
    with pytest.raises(StorageError, match=r"^myid: b'three', expected a decimal number"):
        storage_on(folder(myid=b"three")).read_my_id()
