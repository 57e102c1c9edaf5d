"""A trained run and a place for targets, for the tests of files of state."""

import pytest

from .state_files import train


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Directory of a tiny run."""
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path / "data"))
