"""The pytest plugin: an implementation held against the model, by tests of its own project.

    def test_lockstep(zab_explorer):
        zab_explorer.lockstep()

The system is named by `--zab-system`, by `zab_system` in the settings of pytest, or is what a
fixture `zab_system` of the project says. A failure is its script, and nothing around it. Nothing
else of zabspec is imported before a test, or an option, asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zabspec.conform import plugin_options as options
from zabspec.conform.plugin_report import Account

if TYPE_CHECKING:
    from zabspec.check.model import Model
    from zabspec.conform.explorer import ZabExplorer
    from zabspec.conform.system import System

_MARK = (
    "zab(model=NAME, shares=NUMBER): what a test of zab_explorer is held against, and as how many"
    " tests it is run, each with its share. Every such test has the mark: -m zab selects them."
)
_NO_SYSTEM = (
    "zabspec: no system is named: say --zab-system, or zab_system in the settings of pytest, or"
    " write a fixture zab_system"
)
_NO_HYPOTHESIS = "zabspec: this needs Hypothesis: pip install 'zabspec[pytest]'"
_ACCOUNT = pytest.StashKey[Account]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the settings of the same names."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """The mark; and what cannot be meant is refused in one line."""
    config.addinivalue_line("markers", _MARK)
    if not hasattr(config, "workerinput"):
        options.check(config)
    config.stash[_ACCOUNT] = Account(config)
    config.pluginmanager.register(config.stash[_ACCOUNT], "zabspec-account")


@pytest.fixture(scope="session")
def zab_system(pytestconfig: pytest.Config) -> System:
    """The system under test. A project may say what it is with a fixture of its own."""
    text = options.said(pytestconfig, "system")
    if not text:
        pytest.fail(_NO_SYSTEM, pytrace=False)
    from zabspec.conform.systems import system_called  # noqa: PLC0415 - loaded where it is asked

    return system_called(text)()


@pytest.fixture
def zab_model(request: pytest.FixtureRequest) -> Model:
    """What it is held against: of the mark, the option or the settings."""
    from zabspec.check.model import load_models  # noqa: PLC0415 - as above

    usual = options.model_name_of(request.config)
    name = getattr(request, "param", None) or _marked(request.node).get("model") or usual
    models = load_models()
    if name not in models:
        pytest.fail(f"zabspec: no model is called {name!r}: see zabspec models", pytrace=False)
    return models[name]


@pytest.fixture
def zab_explorer(
    request: pytest.FixtureRequest, zab_system: System, zab_model: Model
) -> Generator[ZabExplorer]:
    """Holds the one against the other: lockstep(), rows(), replay(path)."""
    if find_spec("hypothesis") is None:
        pytest.fail(_NO_HYPOTHESIS, pytrace=False)
    from zabspec.conform.explorer import Plan, ZabExplorer  # noqa: PLC0415 - as above

    config, account = request.config, request.config.stash[_ACCOUNT]
    plan = Plan(
        profile=options.profile_of(config),
        is_asked=bool(options.said(config, "profile")),
        share=getattr(request, "param", (1, 1)),
        seed=options.seed_of(config),
        drawn=account.seed,
        name=request.node.nodeid,
    )
    explorer = ZabExplorer(zab_system, zab_model, plan, account.figures)
    yield explorer
    request.node.user_properties += explorer.told.items()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each share."""
    if "zab_explorer" in metafunc.fixturenames:
        count = _marked(metafunc.definition).get("shares", 1)
        if not isinstance(count, int) or count < 1:
            text = f'zab(shares=...): read "{count}", expected a number, 1 or more'
            pytest.fail(f"{metafunc.definition.nodeid}: {text}", pytrace=False)
        if count > 1:
            shares = [(number, count) for number in range(1, count + 1)]
            names = [f"{number}-of-{count}" for number, _ in shares]
            metafunc.parametrize("zab_explorer", shares, ids=names, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark the tests that are meant; or leave none but the script that is to be played.

    Where a system is named on the command line and no test is there for it, two are.
    """
    ours = [one for one in items if "zab_explorer" in getattr(one, "fixturenames", ())]
    for one in ours:
        if one.get_closest_marker("zab") is None:
            one.add_marker("zab")
    script = options.replayed_of(config)
    if script is not None:
        parent = ours[0].getparent(pytest.Module) if ours else None
        config.hook.pytest_deselected(items=items[:])
        items[:] = [_test(parent or session, f"replay {script.name}", _playing(script))]
    elif not ours and options.wants_tests(config):
        items.append(_test(session, "zab lockstep", _lockstep))
        items.append(_test(session, "zab rows", _rows))


def _test(
    parent: pytest.Module | pytest.Session, name: str, called: Callable[..., None]
) -> pytest.Function:
    """A test, where the fixtures of this parent are known."""
    found: pytest.Function = pytest.Function.from_parent(parent, name=name, callobj=called)
    found.add_marker("zab")
    return found


def _lockstep(zab_explorer: ZabExplorer) -> None:
    zab_explorer.lockstep()


def _rows(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows()


def _playing(script: Path) -> Callable[..., None]:
    def play(zab_explorer: ZabExplorer) -> None:
        zab_explorer.replay(script)

    return play


def _marked(node: pytest.Item | pytest.Function) -> dict[str, Any]:
    mark = node.get_closest_marker("zab")
    found = dict(mark.kwargs) if mark is not None else {}
    unknown = [*(mark.args if mark else ()), *(set(found) - {"model", "shares"})]
    if unknown:
        text = f'zab(...): read "{unknown[0]}", expected model=NAME, shares=NUMBER'
        pytest.fail(f"{node.nodeid}: {text}", pytrace=False)
    return found
