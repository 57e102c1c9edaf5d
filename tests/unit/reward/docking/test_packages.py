import importlib.util

import pytest

from molgfn.errors import MissingPackageError
from molgfn.reward.docking import packages


def test_what_is_missing_and_how_to_install_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("vina", "gemmi") else find(name)
    )
    message = r"docking needs the packages vina, gemmi; install them with `pip install 'molgfn\[doc"
    with pytest.raises(MissingPackageError, match=message):
        packages.require_engine()


@pytest.mark.parametrize(
    ("found", "is_right"), [("1.2.3", False), ("1.2.4", False), ("1.2.5", True), ("1.10.0", True)]
)
def test_a_vina_with_wrong_energies_is_refused(monkeypatch, found, is_right):
    monkeypatch.setattr(packages, "version", lambda name: found)
    if is_right:
        packages.require_engine()
    else:
        with pytest.raises(MissingPackageError, match=f"vina {found} reports wrong energies"):
            packages.require_engine()


def test_versions_that_energies_depend_on():
    assert set(packages.engine_versions()) == {"vina", "meeko", "rdkit"}
