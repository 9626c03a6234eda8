import pytest

from impl.under_test import ServersUnderTest  # yours: what starts servers of your implementation


@pytest.fixture(scope="session")
def zab_system():
    return ServersUnderTest()


@pytest.mark.zab(shares=2)
def test_that_it_runs_beside_the_model(zab_explorer):
    zab_explorer.lockstep()


@pytest.mark.zab(model="observer-2-1")
def test_that_it_does_what_each_row_says(zab_explorer):
    zab_explorer.rows()
