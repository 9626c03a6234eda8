"""An exploration kept in a folder, so that it goes on where it stopped, however it stopped.

`checkpoint.json` says which files belong to it, and is replaced last, at once: whoever kills the
process, or fills the disk, leaves the checkpoint before. Worlds are kept by level, a file each; the
frontier and the tables, with all that was asked, once.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

import zabspec
from zabspec.check.carry import Columns
from zabspec.check.kernels import Kernels, Words
from zabspec.check.levels import Level
from zabspec.check.properties import Property
from zabspec.check.tables import Lock, Tables
from zabspec.check.world import Worlds

FORMAT = 1
_INDEX = "checkpoint.json"


class CheckpointError(Exception):
    """A checkpoint cannot be written, or is not of this exploration.

    The text names the folder or file, what was found, and what was expected. Nothing in the folder
    was changed.
    """


@frozen
class Kept:
    """An exploration between two levels, but for its tables.

    levels: of each depth from 1. words: by depth, the fingerprints of the worlds that it brought;
    to be saved, those not yet saved. frontier: the worlds of the last. weights: how many worlds
    each of those stands for. counts: see `Counts`. seconds: spent.
    """

    levels: list[Level]
    words: Mapping[int, list[Words]]
    frontier: Columns
    weights: NDArray[np.unsignedinteger]
    counts: tuple[int, ...]
    seconds: float


class Checkpoint:
    """The folder of one exploration; a checkpoint of any other is refused."""

    def __init__(
        self,
        folder: Path,
        worlds: Worlds,
        properties: Sequence[Property],
        how: Mapping[str, object],
    ) -> None:
        self._folder = folder
        self._worlds, self._properties = worlds, properties
        self._number = 0  # of the checkpoint that is there: no file of it is ever written again
        self._of = {
            "format": FORMAT,
            "zabspec": f"{_code()}",
            "spec": f"{worlds.spec.name} {worlds.spec.fingerprint()}",
            "bounds": repr(worlds.bounds),
            "properties": [one.sentence for one in properties],
            **{name: str(value) for name, value in how.items()},
        }

    def exists(self) -> bool:
        """Whether the folder holds a checkpoint, of whatever."""
        return (self._folder / _INDEX).exists()

    def save(self, kept: Kept, tables: Tables) -> None:
        """Keep all that is new. Raises CheckpointError where that cannot be written."""
        depth, number = len(kept.levels), self._number + 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for level in kept.words:
                self._save_level(level, kept)
            arrays = {f"column{at}": one for at, one in enumerate(kept.frontier)}
            self._arrays(f"frontier-{number}.npz", weights=kept.weights, **arrays)
            self._file(
                f"tables-{number}.pickle", lambda to: _Pickler(to, self._known()).dump(tables)
            )
            index = {
                **self._of,
                "number": number,
                "depth": depth,
                "counts": kept.counts,
                "seconds": kept.seconds,
            }
            text = json.dumps(index, indent=2).encode()
            self._file(_INDEX, lambda to: to.write(text))
        except OSError as error:
            raise CheckpointError(
                f"{self._folder}: no checkpoint could be written ({error.strerror}); the one before"
                " it, if any, is whole"
            ) from error
        self._number = number
        self._forget_all_but(number)

    def load(self, kernels: Kernels) -> tuple[Kept, Tables]:
        """What was kept last. Raises CheckpointError where that is not of this exploration."""
        index = self._index()
        try:
            depth, number = index["depth"], index["number"]
            saved = [self._load(f"level-{level}.npz") for level in range(depth + 1)]
            frontier = self._load(f"frontier-{number}.npz")
            with (self._folder / f"tables-{number}.pickle").open("rb") as file:
                tables = _Unpickler(file, self._known(kernels)).load()
            counts, seconds = tuple(index["counts"]), index["seconds"]
        except Exception as error:  # a broken file may make its reader raise anything
            raise CheckpointError(
                f"{self._folder}: a file of it cannot be read: {error}"
            ) from error
        levels = [Level(one["children"], one["ordinals"]) for one in saved[1:]]
        words = {
            depth: [one[name] for name in sorted(one) if name.startswith("words")]
            for depth, one in enumerate(saved)
        }
        columns = [frontier[f"column{at}"] for at in range(len(frontier) - 1)]
        self._number = number
        return Kept(levels, words, columns, frontier["weights"], counts, seconds), tables

    def _index(self) -> dict[str, Any]:
        path = self._folder / _INDEX
        try:
            index: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: no checkpoint can be read here: {error}") from error
        for name, expected in self._of.items():
            if index.get(name) != expected:
                raise CheckpointError(
                    f"{path}: it is of another {name}, {index.get(name)}; expected {expected}"
                )
        return index

    def _save_level(self, number: int, kept: Kept) -> None:
        words = {f"words{at}": one for at, one in enumerate(kept.words[number])}
        if number:
            level = kept.levels[number - 1]
            words |= {"children": level.children, "ordinals": level.ordinals}
        self._arrays(f"level-{number}.npz", **words)

    def _arrays(self, name: str, **arrays: NDArray[Any]) -> None:
        self._file(name, lambda to: np.savez(to, **arrays))  # type: ignore[arg-type]

    def _file(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a file, and let it take its name only when it is whole and durable."""
        unfinished = self._folder / f"{name}.tmp"
        try:
            with unfinished.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _load(self, name: str) -> dict[str, NDArray[Any]]:
        with (self._folder / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def _forget_all_but(self, number: int) -> None:
        for old in (*self._folder.glob("frontier-*.npz"), *self._folder.glob("tables-*.pickle")):
            if old.stem not in (f"frontier-{number}", f"tables-{number}"):
                old.unlink(missing_ok=True)

    def _known(self, kernels: Kernels | None = None) -> list[object]:
        """What a pickle only names: it is there before the pickle is."""
        rules = self._worlds.spec.table.values()
        return [self._worlds, self._worlds.spec, kernels, Lock(), *rules, *self._properties]


class _Pickler(pickle.Pickler):
    def __init__(self, file: BinaryIO, known: list[object]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._known = known  # lest what is made for it be freed, and another take its place
        self._places = {id(one): place for place, one in enumerate(known) if one is not None}

    def persistent_id(self, value: object) -> int | None:
        if isinstance(value, Kernels):
            return 2
        if isinstance(value, Lock):
            return 3
        return self._places.get(id(value))


class _Unpickler(pickle.Unpickler):
    """Reads values of zabspec and arrays, and nothing that could run anything else."""

    def __init__(self, file: BinaryIO, known: list[object]) -> None:
        super().__init__(file)
        self._known_values = known

    def persistent_load(self, place: int) -> object:
        return self._known_values[place]

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if module.split(".", maxsplit=1)[0] in ("zabspec", "numpy") or (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a checkpoint")


_HARMLESS = {("collections", "Counter"), ("builtins", "set"), ("builtins", "frozenset")}


@cache
def _code() -> str:
    """A hash of the sources that decide what an exploration finds."""
    digest = hashlib.sha256()
    root = Path(zabspec.__file__).parent
    for path in sorted((*root.glob("protocol/*.py"), *root.glob("check/*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return f"{digest.hexdigest()[:12]}"
