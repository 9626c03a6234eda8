"""Snapshot files: their bytes, the forms of later releases, which is taken, what is purged."""

from __future__ import annotations

import gzip
import struct
import zlib

import pytest
from stored import (
    CutDisk,
    body_of,
    holding,
    logged,
    payload,
    restored,
    run,
    started,
    storage_on,
    zxids,
)

from impl.database import Database
from impl.installing import REPLACED_BY
from impl.records import Acl, Id
from impl.simulated_files import SimulatedFile, SimulatedFiles
from impl.snapshot_stream import SnapshotDigest
from impl.snapshots import FileSnap, SnapshotFile, sealed
from impl.storage import Storage, StorageError
from impl.transactions import CreateTxn, OpCode, Transaction, TxnHeader

FOUR = zxids(1, 1, 2, 3, 4)
NAME = "version-2/snapshot.100000004"
DIGEST = struct.pack(">qiq", FOUR[3], 2, 4711)
HEX_DIGEST = struct.pack(">qii3s", FOUR[3], 1, 3, b"abc")
LAST = struct.pack(">q", FOUR[3])


def seal(content: bytes) -> bytes:
    return content + struct.pack(">qi", zlib.adler32(content), 1) + b"/"


def folder(**contents: bytes) -> SimulatedFiles:
    """Files by the hex of their zxids."""
    files = SimulatedFiles()
    for zxid, content in contents.items():
        name = f"version-2/snapshot.{zxid.removeprefix('z').replace('_', '.')}"
        files.named[name] = SimulatedFile(bytearray(content))
    return files


def read(content: bytes) -> SnapshotFile:
    return FileSnap(CutDisk(folder(z100000004=content))).read(NAME)


def test_a_snapshot_file_has_the_bytes_of_zookeeper() -> None:
    files, storage = started(*FOUR)

    assert run(storage.save(holding(*FOUR))) == NAME
    content = bytes(files.named[NAME].content)
    assert content == seal(b"ZKSN\x00\x00\x00\x02" + b"\xff" * 8 + body_of(*FOUR))
    assert storage.get_last_snapshot_size() == len(content)
    assert read(content).zxid == FOUR[3]


@pytest.mark.parametrize(
    ("form", "behind", "digest", "last"),
    [
        ("3.5", [], None, None),
        ("3.6", [DIGEST], SnapshotDigest(FOUR[3], 2, 4711), None),
        ("3.6 with a digest in hex", [HEX_DIGEST], SnapshotDigest(FOUR[3], 1, 0xABC), None),
        ("3.9", [DIGEST, LAST], SnapshotDigest(FOUR[3], 2, 4711), FOUR[3]),
        ("3.9 without digests", [LAST], None, FOUR[3]),
    ],
)
def test_the_forms_of_all_releases_are_read(
    form: str, behind: list[bytes], digest: SnapshotDigest | None, last: int | None
) -> None:
    content = sealed(body_of(*FOUR))
    for one in behind:
        content = seal(content + one)

    found = read(content)

    assert (found.digest, found.last_processed_zxid) == (digest, last), form


@pytest.mark.parametrize(
    "behind",
    [[], [DIGEST], [DIGEST, LAST], [LAST]],
    ids=["nothing", "a digest", "a digest and a zxid", "a zxid"],
)
def test_a_snapshot_with_any_byte_wrong_or_missing_is_broken(behind: list[bytes]) -> None:
    content = sealed(body_of(*FOUR[:1]))
    whole = {len(content)}
    for one in behind:
        content = seal(content + one)
        whole.add(len(content))

    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0x10
        with pytest.raises(StorageError):
            read(bytes(changed))
        if at not in whole:
            with pytest.raises(StorageError):
                read(content[:at])
    with pytest.raises(StorageError):
        read(content + b"/")


def test_a_packed_snapshot_is_read() -> None:
    files = folder(z100000004_gz=gzip.compress(sealed(body_of(*FOUR)), mtime=0))

    assert restored(files)[1].zxids == FOUR


@pytest.mark.parametrize(
    ("suffix", "content", "said"),
    [
        ("gz", b"no", "expected gzip"),
        ("gz", gzip.compress(sealed(body_of()), mtime=0)[:-1], "expected the end of gzip"),
        ("snappy", sealed(body_of()), "packed with snappy"),
    ],
    ids=["no gzip", "gzip cut short", "snappy"],
)
def test_a_snapshot_that_cannot_be_unpacked_is_refused(
    suffix: str, content: bytes, said: str
) -> None:
    with pytest.raises(StorageError, match=said):
        restored(folder(**{f"z1_{suffix}": content}))


def test_the_newest_whole_snapshot_is_taken_and_the_log_replayed_behind_it() -> None:
    files, storage = started(*FOUR)
    run(storage.save(holding(*FOUR[:2])))
    run(storage.save(holding(*FOUR[:3])))
    files.named["version-2/snapshot.100000003"].content[30] ^= 1

    _, database = restored(files)

    assert database.zxids == FOUR
    assert database.replayed == 2


def test_a_broken_snapshot_that_leaves_a_gap_is_not_passed_over_in_silence() -> None:
    files, storage = started(*FOUR)
    run(storage.save(holding(*FOUR[:3])))
    run(storage.roll_log())
    logged(storage, *zxids(1, 5))
    files.remove("version-2/log.100000001")
    files.named["version-2/snapshot.100000003"].content[30] ^= 1

    with pytest.raises(StorageError, match="0x100000005 behind 0x0: a gap"):
        restored(files)


def test_broken_snapshots_alone_are_refused_with_what_is_wrong_with_the_newest() -> None:
    with pytest.raises(StorageError, match=r"^version-2/snapshot.2 at byte 0: 0 bytes, expected"):
        restored(folder(z1=b"ZKSN", z2=b""))


def test_the_size_of_the_newest_snapshot_that_ends_as_a_whole_one_is_told() -> None:
    files = folder(z1=sealed(body_of()), z2=sealed(body_of())[:-1], z3=b"")

    assert storage_on(files).get_last_snapshot_size() == len(sealed(body_of()))
    assert storage_on(folder(z2=b"/")).get_last_snapshot_size() == 0


def test_a_digest_that_is_no_number_is_refused() -> None:
    digest = struct.pack(">qii3s", FOUR[3], 1, 3, b"xyz")

    with pytest.raises(StorageError, match="digest 'xyz', expected a hexadecimal number"):
        read(seal(sealed(body_of()) + digest))


def test_a_file_of_another_name_is_no_snapshot() -> None:
    files = SimulatedFiles()
    files.named["version-2/kept"] = SimulatedFile(bytearray(sealed(body_of())))

    with pytest.raises(StorageError, match="no name of a snapshot"):
        FileSnap(CutDisk(files)).read("version-2/kept")


def test_a_log_without_a_snapshot_is_refused() -> None:
    files, _ = started(*FOUR)
    files.remove("version-2/snapshot.0")

    with pytest.raises(StorageError, match="a transaction log and no snapshot"):
        restored(files)


def test_a_first_start_writes_an_empty_snapshot() -> None:
    files = SimulatedFiles()
    _, database = restored(files)
    files.lose_power({})

    assert list(files.named) == ["version-2/snapshot.0"]
    assert database.zxids == restored(files)[1].zxids == []


def test_an_unfinished_snapshot_is_none_and_goes_away() -> None:
    files, _ = started(*FOUR)
    unfinished = "version-2/snapshot.100000009.tmp"
    files.named[unfinished] = SimulatedFile(bytearray(sealed(body_of(*zxids(1, 9)))))

    assert restored(files)[1].zxids == FOUR
    assert unfinished not in files.named


def test_files_of_others_are_left_alone() -> None:
    files, _ = started(*FOUR)
    others = ("log.1.tmp", "logs.1", "log.", "snapshot.x", "log.01", "log.1.gz", "log.-1", "lost")
    for name in (*others, "log.ffffffffffffffff"):
        files.named[f"version-2/{name}"] = SimulatedFile(bytearray(b"?"))

    assert restored(files)[1].zxids == FOUR
    assert {f"version-2/{name}" for name in others} <= files.named.keys()


def test_an_installed_snapshot_replaces_all_snapshots_and_logs() -> None:
    files, storage = started(*FOUR)
    run(storage.save(holding(*FOUR)))
    other = zxids(2, 1)

    run(storage.install(holding(*other)))
    files.lose_power({})

    assert list(files.named) == ["version-2/snapshot.200000001"]
    logged(storage, *zxids(2, 2))
    assert restored(files)[1].zxids == zxids(2, 1, 2)


@pytest.mark.parametrize(
    ("content", "said"), [(b"x", "expected the name of a snapshot"), (b"snapshot.5", "no such")]
)
def test_an_installation_of_nothing_is_refused(content: bytes, said: str) -> None:
    files, _ = started(*FOUR)
    files.named[REPLACED_BY] = SimulatedFile(bytearray(content))

    with pytest.raises(StorageError, match=said):
        restored(files)
    assert "version-2/log.100000001" in files.named


def test_a_purge_keeps_the_newest_whole_snapshots_and_the_logs_they_need() -> None:
    files, storage = started()
    for last in range(1, 7):
        logged(storage, *zxids(1, last))
        run(storage.roll_log())
        run(storage.save(holding(*zxids(1, *range(1, last + 1)))))
    files.named["version-2/snapshot.100000006"].content[30] ^= 1

    removed = run(storage.purge(3))

    assert removed == [
        f"version-2/{name}"
        for name in (
            "snapshot.100000002",
            "snapshot.100000001",
            "snapshot.0",
            "log.100000001",
            "log.100000002",
        )
    ]
    assert restored(files)[1].zxids == zxids(1, *range(1, 7))
    assert run(storage.purge(3)) == []


def test_a_purge_keeps_three_snapshots_at_least() -> None:
    files = SimulatedFiles()

    with pytest.raises(ValueError, match="2 snapshots to keep, expected 3 or more"):
        run(storage_on(files).purge(2))
    assert run(storage_on(files).purge(3)) == []


def created(counter: int) -> bytes:
    (zxid,) = zxids(1, counter)
    acl = (Acl(31, Id("world", "anyone")),)
    body = CreateTxn(f"/n{counter}", b"%d" % counter, acl, ephemeral=False, parent_cversion=counter)
    return Transaction(TxnHeader(1, counter, zxid, 1000 + counter, OpCode.CREATE), body).encode()


def test_the_real_database_comes_back_the_same_from_snapshot_and_log() -> None:
    files, database = SimulatedFiles(), Database()
    storage = Storage(CutDisk(files))
    run(storage.restore(database))
    for counter in range(1, 9):
        storage.append(created(counter))
        database.replay(created(counter))
        if counter == 5:
            run(storage.save(database))
    run(storage.commit())

    again = Database()

    assert run(Storage(CutDisk(files)).restore(again)) == zxids(1, 8)[0]
    assert again.serialize_snapshot() == database.serialize_snapshot()
    assert again.last_processed_zxid == database.last_processed_zxid


def test_a_record_that_no_database_takes_is_refused_with_file_and_offset() -> None:
    files, storage = started()
    storage.append(created(1))
    storage.append(payload(zxids(1, 2)[0], b"no body"))
    run(storage.commit())

    offset = 16 + 13 + len(created(1))
    with pytest.raises(StorageError, match=rf"log.100000001 at byte {offset}: "):
        run(storage_on(files).restore(Database()))
