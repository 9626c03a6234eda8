"""The implementation beside the model: the rows of small models, and lockstep, by the plugin."""

from __future__ import annotations

import pytest

from impl.under_test import ServersUnderTest
from zabspec.conform.explorer import ZabExplorer
from zabspec.conform.system import System


@pytest.fixture(name="zab_system", scope="module")
def _zab_system() -> System:
    return ServersUnderTest()


@pytest.mark.zab(shares=3)
@pytest.mark.parametrize("zab_model", ["baseline-3-1-1-0", "baseline-3-1-0-1"], indirect=True)
def test_every_row_of_a_small_model(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows()


@pytest.mark.parametrize("zab_model", ["observer-2-1", "snap-log"], indirect=True)
def test_rows_of_models_with_observers(zab_explorer: ZabExplorer) -> None:
    zab_explorer.rows(sample=800)


@pytest.mark.parametrize(
    "zab_model",
    [
        "baseline-3-1-1-0",
        "fine-3-1-1-0",
        "observer-2-1",
        "snap-window-1",
        "snap-forced",
        "snap-log",
    ],
    indirect=True,
)
def test_lockstep(zab_explorer: ZabExplorer) -> None:
    zab_explorer.lockstep()
