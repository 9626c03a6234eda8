"""The implementation beside the model, by the plugin: every row of small models, and lockstep.

A change of impl that the protocol does not allow is found here, wherever it is; the failure is the
shortest run that shows it. `--zab-profile nightly` tries more of the same.
"""

from __future__ import annotations

import pytest

from impl.under_test import ServersUnderTest
from zabspec.check.model import Model, load_models
from zabspec.conform import profiles
from zabspec.conform.explorer import ZabExplorer
from zabspec.conform.system import System

SMALL = {rows.name: rows.model for rows in profiles.SMALL}
FIVE = profiles.TASKS[-1].bounds
"""Of three servers, a leader and any other are a quorum; of five they are not."""


@pytest.fixture(name="zab_system", scope="module")
def _zab_system() -> System:
    return ServersUnderTest()


@pytest.fixture(name="zab_model")
def _zab_model(request: pytest.FixtureRequest) -> Model:
    return SMALL.get(request.param) or load_models()[request.param]


@pytest.mark.parametrize("zab_model", [*SMALL, "observer-2-1"], indirect=True)
def test_every_row_of_a_small_model(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows()


@pytest.mark.zab(shares=3)
@pytest.mark.parametrize("zab_model", ["baseline-3-1-1-0"], indirect=True)
def test_every_row_of_three_servers(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows()


@pytest.mark.zab(shares=3)
@pytest.mark.parametrize("zab_model", ["baseline-3-1-0-1"], indirect=True)
def test_some_rows_with_a_crash(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows(sample=200)


@pytest.mark.nightly
@pytest.mark.zab(shares=3)
@pytest.mark.parametrize("zab_model", ["baseline-3-1-0-1", "fine-3-1-1-0"], indirect=True)
def test_every_row_of_a_larger_model(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows()


@pytest.mark.parametrize("zab_model", [*SMALL, "baseline-3-1-1-0"], indirect=True)
def test_lockstep(zab_explorer: ZabExplorer) -> None:
    zab_explorer.lockstep(portion=0.4)


@pytest.mark.parametrize("zab_model", ["baseline-3-1-1-0"], indirect=True)
def test_lockstep_of_five_servers(zab_explorer: ZabExplorer) -> None:
    zab_explorer.lockstep(FIVE, portion=0.3)


@pytest.mark.nightly
@pytest.mark.zab(shares=4)
@pytest.mark.parametrize("zab_model", ["baseline-3-1-1-0", "fine"], indirect=True)
def test_more_lockstep(zab_explorer: ZabExplorer) -> None:
    zab_explorer.lockstep(portion=8)
