"""Files as they are seen, and as a loss of power would leave them.

Each file keeps how to undo its changes since the last fsync, and so does the folder with its names.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from attrs import define, field, frozen


@frozen
class _Change:
    """A write, or a cut, that is not synced. before: the bytes that it replaced, or cut off.

    number: counts the changes of the file. size: of the file before. length: how many bytes were
    written; a cut counts as one.
    """

    number: int
    offset: int
    before: bytes
    size: int
    length: int
    is_cut: bool


@define(eq=False)
class SimulatedFile:
    """What one file holds. changes: how many were made. unsynced: what to undo, oldest first."""

    content: bytearray = field(factory=bytearray)
    changes: int = 0
    unsynced: list[_Change] = field(factory=list)

    def write(self, offset: int, written: bytes) -> None:
        """Write there; a gap is filled with zero bytes."""
        if not written:
            return
        size, end = len(self.content), offset + len(written)
        self._keep(offset, bytes(self.content[offset:end]), len(written), is_cut=False)
        if offset > size:
            self.content.extend(bytes(offset - size))
        self.content[offset:end] = written

    def truncate(self, size: int) -> None:
        """Cut it, or extend it with zero bytes."""
        self._keep(size, bytes(self.content[size:]), 1, is_cut=True)
        if size < len(self.content):
            del self.content[size:]
        else:
            self.content.extend(bytes(size - len(self.content)))

    @property
    def unsynced_bytes(self) -> int:
        """How many bytes were written since the last fsync; a cut counts as one."""
        return sum(one.length for one in self.unsynced)

    def sync(self, changes: int) -> None:
        """So many changes, the oldest, are durable."""
        self.unsynced = [one for one in self.unsynced if one.number > changes]

    def lose_unsynced(self, survives: int) -> None:
        """Undo what was not synced but for so many bytes of it, the oldest."""
        lost = self.unsynced_bytes - survives
        while lost > 0:
            change = self.unsynced.pop()
            self._undo(change, max(0, change.length - lost))
            lost -= change.length
        self.unsynced = []

    def copy(self) -> SimulatedFile:
        """One that changes apart from this."""
        return SimulatedFile(self.content[:], self.changes, self.unsynced[:])

    def _keep(self, offset: int, before: bytes, length: int, *, is_cut: bool) -> None:
        self.changes += 1
        size = len(self.content)
        self.unsynced.append(_Change(self.changes, offset, before, size, length, is_cut))

    def _undo(self, change: _Change, survives: int) -> None:
        kept, end = change.offset + survives, change.offset + change.length
        if change.is_cut:
            self.content[change.offset :] = change.before
        else:
            self.content[kept:end] = change.before[survives:]
        if not survives:
            del self.content[change.size :]


@frozen(eq=False)
class Renaming:
    """A change of names that is not synced: what each name meant before; None = nothing."""

    before: tuple[tuple[str, SimulatedFile | None], ...]

    def concerns(self, folder: str) -> bool:
        """Whether an fsync of this folder makes it durable."""
        return any(_folder_of(name) == folder for name, _ in self.before)


class SimulatedFiles:
    """The files of one server, which outlive its process."""

    def __init__(self) -> None:
        self.named: dict[str, SimulatedFile] = {}
        self.renamings: list[Renaming] = []

    def opened(self, name: str) -> SimulatedFile:
        """The file of this name. Raises `FileNotFoundError`."""
        found = self.named.get(name)
        if found is None:
            raise FileNotFoundError(2, "No such file or directory", name)
        return found

    def created(self, name: str) -> SimulatedFile:
        """The file of this name, made if it is missing."""
        if name not in self.named:
            self._name({name: SimulatedFile()})
        return self.named[name]

    def rename(self, old: str, new: str) -> None:
        """Over what had the new name."""
        found = self.opened(old)
        if old != new:
            self._name({old: None, new: found})

    def remove(self, name: str) -> None:
        """Forget a name. Raises `FileNotFoundError`."""
        self.opened(name)
        self._name({name: None})

    def names(self, folder: str) -> list[str]:
        """The files in a folder, sorted, without the folder's name."""
        return sorted(
            name.rpartition("/")[2] for name in self.named if _folder_of(name) == folder.rstrip("/")
        )

    def sync_names(self, folder: str, renamings: Container[Renaming]) -> None:
        """Those of these changes of names that concern the folder are durable."""
        inside = folder.rstrip("/")
        self.renamings = [
            one for one in self.renamings if one not in renamings or not one.concerns(inside)
        ]

    def unsynced(self) -> dict[str, int]:
        """By file, how many bytes a loss of power may take; files that are synced are left out."""
        counted = {name: self.named[name].unsynced_bytes for name in sorted(self.named)}
        return {name: count for name, count in counted.items() if count}

    def lose_power(self, survives: Mapping[str, int], names: int = 0) -> None:
        """Lose what was not synced but for so many bytes, by file, and so many changes of names."""
        lost = [file for one in self.renamings for _, file in one.before if file is not None]
        for name, file in self.named.items():
            file.lose_unsynced(survives.get(name, 0))
        for file in lost:
            file.lose_unsynced(0)
        for renaming in reversed(self.renamings[names:]):
            self._mean(renaming.before)
        self.renamings = []

    def copy(self) -> SimulatedFiles:
        """The same files, which change apart from these."""
        before = [file for one in self.renamings for _, file in one.before if file is not None]
        copies = {id(file): file.copy() for file in (*self.named.values(), *before)}
        twin = SimulatedFiles()
        twin.named = {name: copies[id(file)] for name, file in self.named.items()}
        twin.renamings = [
            Renaming(tuple((name, copies[id(file)] if file else None) for name, file in one.before))
            for one in self.renamings
        ]
        return twin

    def _name(self, meant: Mapping[str, SimulatedFile | None]) -> None:
        before = tuple((name, self.named.get(name)) for name in meant)
        self.renamings.append(Renaming(before))
        self._mean(meant.items())

    def _mean(self, meant: Iterable[tuple[str, SimulatedFile | None]]) -> None:
        for name, file in meant:
            if file is None:
                self.named.pop(name, None)
            else:
                self.named[name] = file


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]
