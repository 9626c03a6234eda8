"""The transaction log: its bytes, what is read of it, and what is refused."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from stored import CutDisk, holding, logged, payload, restored, run, started, storage_on, zxids

from impl.jute import MAX_LENGTH
from impl.simulated_files import SimulatedFiles
from impl.storage import Storage, StorageError

FOUR = zxids(1, 1, 2, 3, 4)
LOG = "version-2/log.100000001"
RECORD = len(payload(1)) + 13


def appended(*held: int) -> tuple[SimulatedFiles, bytearray]:
    """A log of these, and its bytes, to be changed."""
    files, _ = started(*held)
    return files, files.named[LOG].content


def read(files: SimulatedFiles, zxid: int = 0, *, fast_forward: bool = True) -> list[int]:
    records = storage_on(files).read_txn_log(zxid, fast_forward=fast_forward)
    return [record.zxid for record in records]


def test_a_log_file_has_the_bytes_of_zookeeper() -> None:
    files, content = appended(*FOUR)
    written = payload(FOUR[0])
    record = zlib.adler32(written).to_bytes(8, "big") + len(written).to_bytes(4, "big")

    assert content[:16] == b"ZKLG\x00\x00\x00\x02" + bytes(8)
    assert content[16 : 16 + RECORD] == record + written + b"B"
    assert set(content[16 + 4 * RECORD :]) == {0}
    assert sorted(files.named) == [LOG, "version-2/snapshot.0"]


@pytest.mark.parametrize(("step", "records", "size"), [(0, 9, 0), (64, 9, 592), (32, 9, 0)])
def test_a_file_is_extended_in_steps(step: int, records: int, size: int) -> None:
    files = SimulatedFiles()
    storage = Storage(CutDisk(files), pre_alloc_size=step)
    logged(storage, *zxids(1, *range(1, records + 1)))

    assert len(files.named[LOG].content) == (size or 16 + records * RECORD)
    assert len(read(files)) == records


def test_a_file_is_extended_by_whole_steps_once_less_than_4096_bytes_are_left() -> None:
    files = SimulatedFiles()
    storage = Storage(CutDisk(files), pre_alloc_size=65536)
    for counter in range(1, 100):
        logged(storage, *zxids(1, counter))

    assert len(files.named[LOG].content) == 16 + 65536

    storage.append(payload(*zxids(1, 100), content=bytes(65536 - 8192)))
    storage.append(payload(*zxids(1, 101)))

    assert len(files.named[LOG].content) == 16 + 2 * 65536
    assert len(read(files)) == 101


def test_records_are_read_from_a_zxid_on_over_all_files() -> None:
    files, storage = started(*FOUR[:2])
    run(storage.roll_log())
    logged(storage, *FOUR[2:], *zxids(2, 1))

    everything = [*FOUR, *zxids(2, 1)]
    assert [read(files, zxid) for zxid in FOUR] == [everything[at:] for at in range(4)]
    assert read(files, FOUR[3], fast_forward=False) == everything[2:]
    assert read(files, FOUR[2], fast_forward=False) == everything
    assert read(files, zxids(3, 0)[0]) == []


def test_the_size_of_what_would_be_read_counts_whole_files() -> None:
    files, storage = started(*FOUR[:2])
    run(storage.roll_log())
    logged(storage, *FOUR[2:])
    first, second = (len(files.named[name].content) for name in sorted(files.named)[:2])

    assert storage.get_storage_size(0) == first + second
    assert storage.get_storage_size(FOUR[2]) == first + second
    assert storage.get_storage_size(FOUR[3]) == second


def test_a_record_behind_the_padding_would_be_seen() -> None:
    files, content = appended(*FOUR[:2])
    content += bytes(100_000) + content[16 : 16 + RECORD]

    with pytest.raises(StorageError, match=r"byte 108: no record, .* at byte"):
        restored(files)


@pytest.mark.parametrize("cut", range(1, RECORD))
def test_a_record_that_was_cut_short_is_cut_off_at_the_start(cut: int) -> None:
    files, content = appended(*FOUR)
    end = 16 + 4 * RECORD
    content[end - cut :] = bytes(len(content) - end + cut)

    _, database = restored(files)

    assert database.zxids == FOUR[:3]
    assert not any(files.named[LOG].content[16 + 3 * RECORD :])


@pytest.mark.parametrize("size", range(16 + 2 * RECORD, 16 + 3 * RECORD))
def test_a_file_that_ends_inside_a_record_loads_what_comes_before(size: int) -> None:
    files, content = appended(*FOUR)
    del content[size:]

    assert restored(files)[1].zxids == FOUR[:2]


@pytest.mark.parametrize("size", range(17))
def test_a_file_without_a_record_is_removed(size: int) -> None:
    files, content = appended(FOUR[0])
    del content[size:]

    storage, database = restored(files)
    logged(storage, FOUR[0])

    assert database.zxids == []
    assert read(files) == FOUR[:1]


@pytest.mark.parametrize("offset", range(16 + RECORD, 16 + 2 * RECORD))
def test_a_broken_record_in_front_of_good_ones_is_refused_with_file_and_offset(
    offset: int,
) -> None:
    files, content = appended(*FOUR)
    content[offset] ^= 0x55

    with pytest.raises(StorageError, match=rf"^{LOG} at byte {16 + RECORD}: ") as refused:
        restored(files)
    assert (refused.value.name, refused.value.offset) == (LOG, 16 + RECORD)


@pytest.mark.parametrize("offset", range(16 + 3 * RECORD + 12, 16 + 4 * RECORD - 1))
def test_a_whole_record_with_another_checksum_is_refused_even_at_the_end(offset: int) -> None:
    files, content = appended(*FOUR)
    content[offset] ^= 0x55

    with pytest.raises(StorageError, match="Adler32"):
        restored(files)


def test_a_hole_of_zeros_in_front_of_good_records_is_refused() -> None:
    files, content = appended(*FOUR)
    content[16 + RECORD : 16 + 2 * RECORD] = bytes(RECORD)

    with pytest.raises(StorageError, match=rf"byte {16 + RECORD}: no record, expected one"):
        restored(files)


@pytest.mark.parametrize(
    ("length", "said"), [(-1, "a record of -1 bytes"), (MAX_LENGTH + 1, "a record of 2097151")]
)
def test_a_length_out_of_its_bounds_is_refused(length: int, said: str) -> None:
    files, content = appended(FOUR[0])
    content[24:28] = length.to_bytes(4, "big", signed=True)

    with pytest.raises(StorageError, match=said):
        restored(files)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.__setitem__(slice(0, 4), b"ZKSN"), "begins with b'ZKSN'"),
        (lambda content: content.__setitem__(7, 3), "file version 3, expected 2"),
        (lambda content: content.__setitem__(slice(0, 16), bytes(16)), "begins with"),
    ],
)
def test_a_file_that_is_no_log_is_refused(change: Callable[[bytearray], None], said: str) -> None:
    files, content = appended(*FOUR)
    change(content)

    with pytest.raises(StorageError, match=said):
        restored(files)


def test_a_file_that_zookeeper_left_torn_is_followed_by_the_next() -> None:
    files, storage = started(*FOUR[:2])
    run(storage.roll_log())
    logged(storage, *FOUR[2:])
    content = files.named[LOG].content
    content[16 + 2 * RECORD : 16 + 2 * RECORD + 20] = payload(9)[:20]

    assert restored(files)[1].zxids == FOUR


@pytest.mark.parametrize(
    ("held", "gap"), [([1, 2, 4], "0x100000004 behind 0x100000002"), ([2], "0x100000002 behind")]
)
def test_a_gap_in_an_epoch_is_refused(held: list[int], gap: str) -> None:
    files, _ = started(*zxids(1, *held))

    with pytest.raises(StorageError, match=gap):
        restored(files)


def test_a_gap_at_the_beginning_of_an_epoch_is_refused() -> None:
    files, _ = started(*FOUR, *zxids(3, 2))

    with pytest.raises(StorageError, match="0x300000002 behind 0x100000004"):
        restored(files)


def test_a_record_that_is_logged_twice_is_replayed_once() -> None:
    files, _ = started(*FOUR, *FOUR[1:], *zxids(2, 1))
    _, database = restored(files)

    assert database.zxids == [*FOUR, *zxids(2, 1)]


def test_no_file_with_records_is_overwritten() -> None:
    files, _ = started(*FOUR)

    with pytest.raises(StorageError, match="a record, expected none in a new file"):
        storage_on(files).append(payload(FOUR[0]))
    assert read(files) == FOUR


def test_a_file_of_that_name_without_a_record_is_begun_anew() -> None:
    files, content = appended(FOUR[0])
    content[16:] = b"\0" * 40 + b"left over"
    storage = Storage(CutDisk(files), pre_alloc_size=0)
    logged(storage, FOUR[0])

    assert len(files.named[LOG].content) == 16 + RECORD
    assert read(files) == FOUR[:1]


@pytest.mark.parametrize("length", [0, 31, MAX_LENGTH + 1])
def test_what_no_reader_would_take_is_not_appended(length: int) -> None:
    _, storage = started()

    with pytest.raises(ValueError, match=f"a transaction of {length} bytes"):
        storage.append(bytes(length))


def test_the_longest_record_that_can_be_written_can_be_read() -> None:
    files, storage = started()
    storage.append(payload(FOUR[0], bytes(MAX_LENGTH - 32)))
    run(storage.commit())

    assert restored(files)[1].zxids == FOUR[:1]


@pytest.mark.parametrize("kept", range(5))
@pytest.mark.parametrize("rolled", [(), (1,), (1, 2, 3), (0, 2)])
def test_a_log_is_truncated_exactly(kept: int, rolled: tuple[int, ...]) -> None:
    files, storage = started()
    for at, zxid in enumerate(FOUR):
        logged(storage, zxid)
        if at in rolled:
            run(storage.roll_log())
    zxid = ([0, *FOUR])[kept]

    assert run(storage.truncate_log(zxid))
    files.lose_power({})
    assert storage.get_last_logged_zxid() == (zxid or -1)
    assert storage.txn_log.last_zxid_seen == zxid
    again, database = restored(files)
    assert database.zxids == FOUR[:kept]
    logged(again, *FOUR[kept:])
    assert read(files) == FOUR


def test_a_log_that_ends_at_the_zxid_is_not_cut() -> None:
    files = SimulatedFiles()
    storage = Storage(CutDisk(files), pre_alloc_size=0)
    run(storage.restore(holding()))
    logged(storage, *FOUR)

    assert run(storage.truncate_log(FOUR[3]))
    assert read(files) == FOUR


def test_truncating_to_a_zxid_that_is_not_there_keeps_what_is_smaller() -> None:
    files, storage = started(*FOUR, *zxids(3, 1, 2))

    assert run(storage.truncate_log(zxids(2, 7)[0]))
    assert restored(files)[1].zxids == FOUR


def test_truncating_removes_the_snapshots_that_hold_more() -> None:
    files, storage = started(*FOUR)
    run(storage.save(holding(*FOUR[:2])))
    run(storage.save(holding(*FOUR)))

    assert run(storage.truncate_log(FOUR[2]))
    files.lose_power({})
    assert storage.snap_log.names() == [
        (FOUR[1], "version-2/snapshot.100000002"),
        (0, "version-2/snapshot.0"),
    ]
    assert restored(files)[1].zxids == FOUR[:3]


def test_what_only_a_later_snapshot_holds_cannot_be_truncated() -> None:
    files, storage = started(*FOUR)
    run(storage.install(holding(*FOUR)))
    before = files.copy()

    assert not run(storage.truncate_log(FOUR[2]))
    assert {name: file.content for name, file in files.named.items()} == {
        name: file.content for name, file in before.named.items()
    }


def test_a_snapshot_of_an_epochs_beginning_is_kept_for_what_it_holds() -> None:
    files, storage = started()
    database = holding(*FOUR)
    database.last_processed_zxid = zxids(2, 0)[0]
    run(storage.install(database))

    assert run(storage.truncate_log(FOUR[3]))
    files.lose_power({})

    assert storage.snap_log.names() == [(FOUR[3], "version-2/snapshot.100000004")]
    assert restored(files)[1].zxids == FOUR


def test_fast_forward_replays_what_the_database_lacks() -> None:
    files, storage = started(*FOUR)
    database = holding(*FOUR[:2])

    assert storage.fast_forward(database) == FOUR[3]
    assert database.zxids == FOUR
    assert storage.fast_forward(database) == FOUR[3]
    assert database.replayed == 4
    assert read(files) == FOUR


def test_the_last_logged_zxid_is_that_of_the_last_record() -> None:
    files, storage = started(*FOUR)
    run(storage.roll_log())
    logged(storage, *zxids(2, 1))

    assert storage.get_last_logged_zxid() == zxids(2, 1)[0]
    del files.named["version-2/log.200000001"].content[16:]
    assert storage.get_last_logged_zxid() == FOUR[3]
    assert storage_on(SimulatedFiles()).get_last_logged_zxid() == -1


def test_a_commit_without_anything_new_asks_the_disk_for_nothing() -> None:
    files = SimulatedFiles()
    disk = CutDisk(files)
    storage = Storage(disk)
    logged(storage, *FOUR)
    before = disk.steps
    run(storage.commit())
    run(storage.roll_log())
    run(storage.close())

    assert disk.steps == before


def test_logs_can_be_on_a_disk_of_their_own() -> None:
    here, there = SimulatedFiles(), SimulatedFiles()
    storage = Storage(CutDisk(here), CutDisk(there))
    run(storage.restore(holding()))
    logged(storage, *FOUR)

    assert sorted(here.named) == ["version-2/snapshot.0"]
    assert sorted(there.named) == [LOG]
    run(storage.install(holding(*FOUR)))
    assert sorted(here.named) == ["version-2/snapshot.100000004"]
    assert sorted(there.named) == []
