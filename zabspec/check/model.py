"""A model: one question, and the answer expected. And how models are found and asked."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from attrs import field, frozen

import zabspec
from zabspec.check.bounds import Bounds
from zabspec.check.exploration import Exploration
from zabspec.check.explore import Explorer, Report
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property
from zabspec.check.settings import Settings
from zabspec.check.tables import Tables
from zabspec.check.world import Worlds
from zabspec.protocol.releases import RELEASES
from zabspec.protocol.rules import Spec

_PACKAGE = "zabspec_models"


@frozen
class Holds:
    """Expected: every promise holds, in exactly so many worlds and steps, at most so deep."""

    worlds: int
    steps: int
    depth: int


@frozen
class Broken:
    """Expected: this promise is broken, by a shortest run of so many steps."""

    promise: Property
    depth: int


@frozen
class Model:
    """A spec, bounds, and the expected answer; None if nothing is expected.

    name: as the command line says it. question: in a sentence. promises: what is asked: all, or
    the one that is expected to be broken.
    witnesses: what must be seen, lest the bounds are too small. slow: not part of a plain check.
    """

    name: str
    question: str
    spec: Spec
    bounds: Bounds
    expected: Holds | Broken | None
    promises: tuple[Property, ...] = field()
    witnesses: tuple[Property, ...] = ()
    slow: bool = False

    @promises.default
    def _promises(self) -> tuple[Property, ...]:
        return (self.expected.promise,) if isinstance(self.expected, Broken) else PROMISES


@frozen
class Answer:
    """What a model answered. surprises: each way in which that is not what was expected."""

    model: Model
    found: Exploration
    surprises: tuple[str, ...] = field(default=())

    @property
    def as_expected(self) -> bool:
        """Whether it is. Where nothing is expected, nothing may be broken."""
        if self.verdict == "incomplete" or self.surprises:
            return False
        return self.model.expected is not None or self.found.finding is None

    @property
    def verdict(self) -> str:
        """holds, broken or incomplete."""
        if self.found.finding:
            return "broken"
        return "holds" if self.found.complete else "incomplete"


def ask(model: Model, report: Report = lambda _: None, settings: Settings | None = None) -> Answer:
    """Explore a model's worlds, and compare the answer with the expected one."""
    return ask_for_rows(model, report, settings)[0]


def ask_for_rows(
    model: Model, report: Report = lambda _: None, settings: Settings | None = None
) -> tuple[Answer, Tables]:
    """The same, and the rows that its worlds asked for."""
    properties = (*model.promises, *model.witnesses)
    explorer = Explorer(Worlds(model.spec, model.bounds), properties, settings)
    found = explorer.run(report)
    return Answer(model, found, tuple(_surprises(model, found))), explorer.tables


def _surprises(model: Model, found: Exploration) -> Iterator[str]:
    if model.expected is None or found.stopped:
        return
    if isinstance(model.expected, Broken):
        promise = model.expected.promise
        if found.finding is None:
            yield f'expected to break "{promise.sentence}", and it holds'
        elif (found.finding.promise, found.depth) != (promise, model.expected.depth):
            yield (
                f'expected to break "{promise.sentence}" at depth {model.expected.depth}, broke'
                f' "{found.finding.promise.sentence}" at {found.depth}'
            )
        return
    if found.finding is not None:
        yield f'broke "{found.finding.promise.sentence}" at depth {found.depth}'
        return
    counts = dict(zip(("worlds", "steps", "depth"), (*found.stands_for, found.depth), strict=True))
    for name, counted in counts.items():
        expected = getattr(model.expected, name)
        if expected != counted:
            yield f"expected {expected} {name}, counted {counted}"
    for witness in model.witnesses:
        if witness not in found.witnessed:
            yield f'never saw that "{witness.sentence}"'


def load_models() -> dict[str, Model]:
    """Every model of `models/`, by name, in the order of the files."""
    models: dict[str, Model] = {}
    for module in _modules():
        for value in vars(module).values():
            found = value if isinstance(value, tuple) else (value,)
            for model in found:
                if isinstance(model, Model) and models.setdefault(model.name, model) is not model:
                    raise ValueError(f"two models are called {model.name}; rename one")
    return models


def load_specs() -> dict[str, Spec]:
    """Every spec that some model uses, and every release in its fine grain, by name."""
    specs = [*(model.spec for model in load_models().values()), *RELEASES.values()]
    return {spec.name: spec for spec in specs}


def _modules() -> Iterator[ModuleType]:
    package = sys.modules.get(_PACKAGE) or _load_package(shipped("models"))
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        yield import_module(f"{_PACKAGE}.{found.name}")


def _load_package(folder: Path) -> ModuleType:
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, init, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package of models at {init}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)
    return package


def shipped(name: str, in_clone: str | None = None) -> Path:
    """A folder that a wheel carries inside the package and a clone has beside it."""
    inside = Path(zabspec.__file__).parent
    carried = inside / name
    return carried if carried.is_dir() else inside.parent / (in_clone or name)
