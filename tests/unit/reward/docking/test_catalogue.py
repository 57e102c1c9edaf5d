import importlib.util
import json

import pytest

from molgfn.errors import CheckpointError, TargetError
from molgfn.reward.docking.catalogue import (
    find_target,
    has_packaged_targets,
    own_targets_directory,
    target_names,
)


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path))


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def add_own(name, text=None):
    folder = own_targets_directory() / name
    folder.mkdir(parents=True)
    (folder / "receptor.pdbqt").write_text("x")
    values = {"center": [1, 2, 3], "size": [20, 21, 22], "source": "own"}
    (folder / "target.json").write_text(json.dumps(values) if text is None else text)


def test_the_58_targets_of_the_package_all_have_a_receptor_and_a_box():
    assert len(target_names()) == 58
    for name in target_names():
        target = find_target(name)
        assert target.receptor.is_file()
        assert all(20 < side <= 32 for side in target.size)
        assert len(target.digest) == 16


def test_the_default_target_has_the_smaller_box_its_data_were_made_with():
    target = find_target("parp1")
    assert target.name == "PARP1"
    assert target.center == (26.835, 11.332, 27.744)
    assert target.size == (24.0, 24.0, 24.0)
    assert target.energy_column == "PARP1_docked_kcal_mol"
    assert find_target("DRD2").size == (30.0, 30.0, 32.0)


def test_own_targets_stand_beside_the_others(no_package):
    add_own("mine")
    assert target_names() == ["mine"]
    target = find_target("MINE")
    assert (target.name, target.center, target.size) == ("mine", (1, 2, 3), (20, 21, 22))


def test_the_digest_is_of_receptor_and_box_and_not_of_the_name():
    add_own("a")
    add_own("b")
    assert find_target("a").digest == find_target("b").digest
    (own_targets_directory() / "b" / "receptor.pdbqt").write_text("y")
    assert find_target("a").digest != find_target("b").digest


def test_a_name_that_is_none():
    with pytest.raises(TargetError, match="no target 'PARP2'.*did you mean PARP1?"):
        find_target("PARP2")


def test_without_the_package_its_targets_are_told_of(no_package):
    assert not has_packaged_targets()
    message = r"no target 'PARP1' among your own; others come.*pip install 'molgfn\[dock\]'"
    with pytest.raises(TargetError, match=message):
        find_target("PARP1")


@pytest.mark.parametrize("text", ["{", '{"center": [1, 2]}', '{"center": 1, "size": 2}', "[]"])
def test_a_damaged_file_is_named(text):
    add_own("mine", text)
    with pytest.raises(CheckpointError, match=r"mine.target.json.*; remove .*add the target again"):
        find_target("mine")


def test_a_receptor_that_has_gone():
    add_own("mine")
    (own_targets_directory() / "mine" / "receptor.pdbqt").unlink()
    with pytest.raises(CheckpointError, match=r"receptor.pdbqt is missing; remove"):
        find_target("mine")


def test_what_a_killed_process_left_is_no_target():
    left = own_targets_directory() / ".mine.1234.tmp"
    left.mkdir(parents=True)
    (left / "target.json").write_text("{}")
    assert not any(name.startswith(".") for name in target_names())
