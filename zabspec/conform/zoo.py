"""The zoo: historical bugs, each as a spec in which something breaks and as the mistake in code.

A bug is a module `models/zk_*.py`: its docstring tells the story, MODELS holds the broken spec,
CODE the same mistake in an implementation, AGAINST what the code is held against to find it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from attrs import evolve, frozen

from zabspec.check.bounds import Bounds
from zabspec.check.model import Broken, Model, load_models
from zabspec.conform.lockstep import RUN
from zabspec.protocol.rules import Spec
from zabspec.protocol.zab import BASELINE

Code = Mapping[str, Callable[..., Any]]
"""By "module:name" or "module:Class.name": what stands there instead."""

PAIR = Bounds(servers=2, txns=6, lost_links=6, elections=10)
"""Where two servers are enough: how much may happen in a run of lockstep."""
LINKS = evolve(RUN, lost_links=6, crashes=0)
"""Where links alone are enough: the same for three."""
_PREFIX = "zk_"


class ZooError(Exception):
    """A bug of the zoo cannot be put to the test. The text says which, and why."""


@frozen
class Good:
    """A spec done right, within bounds."""

    bounds: Bounds = RUN
    spec: Spec = BASELINE


@frozen
class Against:
    """What a bug's code is held against, each within bounds that show the mistake.

    rows: small ones; with_cuts: among the rows are steps in which the server is killed. lockstep:
    how much may happen in a run.
    """

    rows: Good
    lockstep: Good = Good()
    with_cuts: bool = False


@frozen(eq=False)
class Bug:
    """One bug. number: as "1277"; models: the first is the one that is told on the scoreboard."""

    number: str
    story: str
    models: tuple[Model, ...]
    code: Code
    against: Against

    @property
    def name(self) -> str:
        """As the command line says it."""
        return f"zk-{self.number}"

    @property
    def model(self) -> Model:
        """The broken spec, its bounds and what it breaks."""
        return self.models[0]

    @property
    def broken(self) -> Broken:
        """What its model is expected to break."""
        expected = self.model.expected
        if not isinstance(expected, Broken):
            raise ZooError(f"{self.name}: its model is not expected to break anything")
        return expected

    @property
    def title(self) -> str:
        """The first sentence of the story."""
        return self.story.partition("\n")[0]


def load_bugs() -> dict[str, Bug]:
    """Every bug of `models/`, by name, in the order of the files."""
    load_models()
    modules = {
        name.rpartition(".")[2]: module
        for name, module in sorted(sys.modules.items())
        if name.startswith("zabspec_models." + _PREFIX)
    }
    bugs = (_bug(name, module) for name, module in modules.items())
    return {bug.name: bug for bug in bugs}


def _bug(name: str, module: ModuleType) -> Bug:
    return Bug(
        name.removeprefix(_PREFIX),
        (module.__doc__ or "").strip(),
        module.MODELS,
        module.CODE,
        module.AGAINST,
    )


@contextmanager
def patched(code: Code) -> Iterator[None]:
    """The mistake in place of the good code, until the end of the block, however that comes.

    Raises ZooError where a name leads nowhere; then nothing is changed.
    """
    places = {name: _place(name) for name in code}
    with ExitStack() as undo:
        for name, (owner, attribute) in places.items():
            undo.callback(setattr, owner, attribute, vars(owner)[attribute])
            setattr(owner, attribute, code[name])
        yield


def _place(name: str) -> tuple[Any, str]:
    """What holds the attribute that a name leads to, and the attribute."""
    module, _, path = name.partition(":")
    *way, attribute = path.split(".")
    try:
        owner: Any = import_module(module)
        for step in way:
            owner = getattr(owner, step)
        vars(owner)[attribute]
    except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{name} leads nowhere: {type(error).__name__}: {error}") from error
    return owner, attribute
