"""Docking with a function that docks nothing, and a target that is an empty file."""

import pytest

from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.settings import PRESETS


class Calls:
    """What the workers were asked to do, by process."""

    def __init__(self, path):
        self.path = path

    @property
    def _lines(self):
        return [line.split() for line in self.path.read_text().splitlines()]

    @property
    def smiles(self):
        return [smiles for _, smiles in self._lines] if self.path.exists() else []

    @property
    def processes(self):
        return {int(pid) for pid, _ in self._lines}


@pytest.fixture
def target(tmp_path):
    (tmp_path / "receptor.pdbqt").write_text("nothing\n")
    return DockingTarget("T", tmp_path / "receptor.pdbqt", (0.0, 0.0, 0.0), (20.0,) * 3, "a test")


@pytest.fixture
def calls(tmp_path):
    return Calls(tmp_path / "calls.txt")


@pytest.fixture
def open_docking(target, fake_docker, tmp_path):
    def open_it(settings=PRESETS["default"], **options):
        options = {"n_workers": 2, "cache_file": tmp_path / "c.sqlite"} | options
        return Docking(target, settings, docker=fake_docker, **options)

    return open_it
