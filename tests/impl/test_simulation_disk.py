"""The simulated disk: what is synced, what a loss of power takes, and errors on demand."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from functools import partial
from random import Random

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from impl.simulated_disk import SimulatedDisk
from impl.simulated_files import SimulatedFile, SimulatedFiles
from impl.simulated_loop import Dead, SimulatedLoop, SimulationError
from impl.simulated_observations import FileWritten, Observation, SyncAsked


@define
class Desk:
    """A disk, and what it was seen to do."""

    loop: SimulatedLoop = field(factory=SimulatedLoop.new)
    files: SimulatedFiles = field(factory=SimulatedFiles)
    seen: list[Observation] = field(factory=list)
    disk: SimulatedDisk = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.disk = SimulatedDisk(self.files, self.loop, self.seen.append)

    def sync(self, name: str) -> asyncio.Task[None]:
        task = self.loop.create_task(self.disk.sync(name), name="syncs")
        self.loop.settle()
        return task

    def synced(self, name: str) -> None:
        self.sync(name)
        self.disk.complete(self.disk.syncs[-1])
        self.loop.settle()

    def synced_folder(self, folder: str = "") -> None:
        self.loop.create_task(self.disk.sync_folder(folder))
        self.loop.settle()
        self.disk.complete(self.disk.syncs[-1])
        self.loop.settle()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.loop.kill()


def test_what_is_written_is_read_at_once(desk: Desk) -> None:
    desk.disk.write("version-2/log.1", 0, b"abcdef")
    desk.disk.write("version-2/log.1", 8, b"gh")
    desk.disk.truncate("version-2/log.1", 9)

    assert desk.disk.read("version-2/log.1") == b"abcdef\0\0g"
    assert desk.disk.read("version-2/log.1", 4, 3) == b"ef\0"
    assert desk.disk.size("version-2/log.1") == 9


def test_names_are_those_of_one_folder_sorted(desk: Desk) -> None:
    for name in ("version-2/log.2", "version-2/log.1", "myid", "version-2/deep/er"):
        desk.disk.write(name, 0, b"x")

    assert desk.disk.names("version-2") == ["log.1", "log.2"]
    assert desk.disk.names("version-2/") == ["log.1", "log.2"]
    assert desk.disk.names() == ["myid"]
    assert desk.disk.names("nowhere") == []


def test_a_file_that_is_missing_is_not_found(desk: Desk) -> None:
    for ask in (desk.disk.read, desk.disk.size, desk.disk.remove):
        with pytest.raises(FileNotFoundError):
            ask("myid")
    with pytest.raises(FileNotFoundError):
        desk.disk.rename("myid", "other")
    with pytest.raises(FileNotFoundError):
        desk.disk.truncate("myid", 0)


def test_an_fsync_waits_until_it_is_completed(desk: Desk) -> None:
    desk.disk.write("log", 0, b"x")
    task = desk.sync("log")

    assert desk.disk.syncs == ("log",)
    assert not task.done()

    desk.disk.complete("log")
    desk.loop.settle()
    assert task.done()
    assert not desk.disk.syncs
    assert desk.seen == [FileWritten("log", 0, b"x"), SyncAsked("log", "log")]


def test_two_fsyncs_of_one_file_have_names_of_their_own(desk: Desk) -> None:
    desk.disk.write("log", 0, b"x")
    desk.sync("log")
    desk.sync("log")

    assert desk.disk.syncs == ("log", "log#2")
    with pytest.raises(SimulationError, match="no fsync 'snapshot' is pending, 'log', 'log#2' are"):
        desk.disk.complete("snapshot")


def test_an_fsync_covers_what_was_written_before_it_was_asked_for(desk: Desk) -> None:
    desk.disk.write("log", 0, b"before")
    desk.sync("log")
    desk.disk.write("log", 6, b"after")
    desk.disk.complete("log")
    desk.synced_folder()

    assert desk.files.unsynced() == {"log": 5}
    desk.files.lose_power({})
    assert desk.disk.read("log") == b"before"


def test_an_fsync_that_nobody_waits_for_any_more_is_done_all_the_same(desk: Desk) -> None:
    desk.disk.write("log", 0, b"x")
    desk.sync("log").cancel()
    desk.loop.settle()

    desk.disk.complete("log")

    assert desk.files.unsynced() == {}


def test_a_loss_of_power_tears_what_was_not_synced_at_the_chosen_byte(desk: Desk) -> None:
    desk.disk.write("log", 0, b"0123456789")
    desk.synced("log")
    desk.synced_folder()
    desk.disk.write("log", 4, b"ABC")
    desk.disk.write("log", 9, b"DEF")

    torn = [desk.files.copy() for _ in range(7)]
    for survives, files in enumerate(torn):
        files.lose_power({"log": survives})

    assert [bytes(files.opened("log").content) for files in torn] == [
        b"0123456789",
        b"0123A56789",
        b"0123AB6789",
        b"0123ABC789",
        b"0123ABC78D",
        b"0123ABC78DE",
        b"0123ABC78DEF",
    ]


def test_a_cut_is_lost_or_lasts_as_a_whole(desk: Desk) -> None:
    desk.disk.write("log", 0, b"0123456789")
    desk.synced("log")
    desk.synced_folder()
    desk.disk.truncate("log", 3)
    desk.disk.write("log", 3, b"xy")

    torn = [desk.files.copy() for _ in range(3)]
    for survives, files in enumerate(torn):
        files.lose_power({"log": survives})

    assert [bytes(files.opened("log").content) for files in torn] == [
        b"0123456789",
        b"012",
        b"012x",
    ]


def test_a_name_lasts_from_the_fsync_of_its_folder_on(desk: Desk) -> None:
    desk.disk.write("a/log", 0, b"x")
    desk.disk.write("b/log", 0, b"x")
    for name in ("a/log", "b/log"):
        desk.synced(name)
    desk.synced_folder("a")

    desk.files.lose_power({})

    assert (desk.disk.names("a"), desk.disk.names("b")) == (["log"], [])


def test_a_rename_that_was_not_synced_gives_back_what_it_replaced(desk: Desk) -> None:
    desk.disk.write("epoch", 0, b"1")
    desk.synced("epoch")
    desk.synced_folder()
    desk.disk.write("epoch.tmp", 0, b"2")
    desk.synced("epoch.tmp")
    desk.disk.rename("epoch.tmp", "epoch")
    assert desk.disk.read("epoch") == b"2"

    both = [desk.files.copy() for _ in range(3)]
    for names, files in enumerate(both):
        files.lose_power({}, names)

    left = [{name: bytes(one.content) for name, one in files.named.items()} for files in both]
    assert left == [{"epoch": b"1"}, {"epoch": b"1", "epoch.tmp": b"2"}, {"epoch": b"2"}]


def test_what_a_kill_leaves_can_still_be_lost_with_the_power(desk: Desk) -> None:
    desk.disk.write("log", 0, b"x")
    desk.synced_folder()
    desk.loop.kill()

    again = Desk(files=desk.files)
    assert again.disk.read("log") == b"x"
    assert again.disk.syncs == ()

    again.files.lose_power({})
    assert again.disk.read("log") == b""


def test_a_dead_process_reads_and_writes_nothing(desk: Desk) -> None:
    desk.disk.write("log", 0, b"x")
    desk.loop.kill()

    with pytest.raises(Dead):
        desk.disk.write("log", 0, b"y")
    with pytest.raises(Dead):
        desk.disk.read("log")
    with pytest.raises(Dead):
        desk.disk.sync("log").send(None)
    assert bytes(desk.files.opened("log").content) == b"x"


def test_a_finally_block_saves_nothing_that_a_crash_loses(desk: Desk) -> None:
    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            desk.disk.write("log", 0, b"saved")
            await desk.disk.sync("log")

    desk.loop.create_task(careful())
    desk.loop.settle()
    desk.loop.kill()

    assert desk.files.names("") == []
    assert desk.seen == []


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_the_chosen_write_fails_once_and_may_be_torn(desk: Desk, error: str) -> None:
    desk.disk.fail_write(skipped=1, error=error, torn=2)
    desk.disk.write("log", 0, b"abc")

    with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is looked at below
        desk.disk.write("log", 3, b"def")
    desk.disk.write("log", 5, b"!")

    assert raised.value.errno == getattr(errno, error)
    assert raised.value.filename == "log"
    assert desk.disk.read("log") == b"abcde!"


def test_cuts_renames_and_removals_can_fail_too(desk: Desk) -> None:
    desk.disk.write("log", 0, b"abc")
    changes = (
        partial(desk.disk.truncate, "log", 0),
        partial(desk.disk.rename, "log", "other"),
        partial(desk.disk.remove, "log"),
    )
    for change in changes:
        desk.disk.fail_write(skipped=0, error="EIO", torn=0)
        with pytest.raises(OSError, match="log"):
            change()

    assert desk.disk.read("log") == b"abc"


def test_an_fsync_that_fails_leaves_nothing_durable(desk: Desk) -> None:
    desk.disk.write("log", 0, b"abc")
    task = desk.sync("log")
    desk.disk.fail_sync("log", "EIO")
    desk.loop.settle()

    assert isinstance(task.exception(), OSError)
    assert desk.files.unsynced() == {"log": 3}


def test_an_error_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(SimulationError, match="no error is called 'EOOPS'"):
        desk.disk.fail_write(skipped=0, error="EOOPS", torn=0)


Operation = tuple[str, int, bytes]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 12), st.binary(max_size=6)),
        st.tuples(st.just("cut"), st.integers(0, 12), st.just(b"")),
        st.tuples(st.just("sync"), st.just(0), st.just(b"")),
    ),
    max_size=12,
)


@given(OPERATIONS, st.integers(0, 20))
def test_a_torn_file_is_what_the_surviving_bytes_written_in_order_make(
    operations: list[Operation], survives: int
) -> None:
    file = SimulatedFile()
    for name, at, written in operations:
        _do(file, name, at, written)
    lasting, unsynced = _split(operations)

    expected = bytearray()
    for operation in (*lasting, *_prefix(unsynced, survives)):
        _write_plainly(expected, *operation)
    file.lose_unsynced(survives)

    assert bytes(file.content) == bytes(expected)
    assert file.unsynced_bytes == 0


@given(st.integers(0, 1 << 32))
def test_a_copy_changes_apart_from_its_original(seed: int) -> None:
    files, random = SimulatedFiles(), Random(seed)  # noqa: S311 - no secret
    _change_randomly(files, random)
    twin, before = files.copy(), _shown(files)

    _change_randomly(twin, random)
    assert _shown(files) == before

    other = files.copy()
    for one in (files, other):
        one.lose_power({"a": 3}, 2)
    assert _shown(files) == _shown(other)


def _do(file: SimulatedFile, name: str, at: int, written: bytes) -> None:
    if name == "write":
        file.write(at, written)
    elif name == "cut":
        file.truncate(at)
    else:
        file.sync(file.changes)


def _split(operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
    last = max((at for at, one in enumerate(operations) if one[0] == "sync"), default=-1)
    done = [one for one in operations[: last + 1] if one[0] != "sync"]
    return done, operations[last + 1 :]


def _prefix(operations: list[Operation], survives: int) -> Iterator[Operation]:
    for name, at, written in operations:
        length = 1 if name == "cut" else len(written)
        if survives <= 0 or not length:
            continue
        yield name, at, written[:survives]
        survives -= length


def _write_plainly(content: bytearray, name: str, at: int, written: bytes) -> None:
    if name == "cut":
        content[:] = content[:at].ljust(at, b"\0")
    elif written:
        padded = content.ljust(at, b"\0")
        content[:] = padded[:at] + written + padded[at + len(written) :]


def _change_randomly(files: SimulatedFiles, random: Random) -> None:
    for _ in range(10):
        name = random.choice("abc")
        if random.random() < 0.6:
            files.created(name).write(random.randrange(8), random.randbytes(3))
        elif name in files.named and random.random() < 0.5:
            files.rename(name, random.choice("abc"))
        elif name in files.named:
            files.remove(name)
        else:
            files.sync_names("", frozenset(files.renamings))


def _shown(files: SimulatedFiles) -> object:
    return {name: bytes(files.opened(name).content) for name in files.names("")}, files.unsynced()
