"""With the real engine, on molecules so small that each takes a second or two."""

import csv
from dataclasses import replace

import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.reward.docking.catalogue import find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.settings import PRESETS, DockingSettings

#: A search far too short to be right, but as reproducible as a long one.
BRIEF = DockingSettings(restarts=2, max_evals=2000)
SMALL = ["CC(=O)Nc1ccc(O)cc1", "O=C(O)c1ccccc1", "C1CCCCC1"]


def dock(smiles, settings, cache_file, target=None):
    """Dock in one fresh process, with nothing known before."""
    target = find_target("PARP1") if target is None else target
    with Docking(target, settings, n_workers=1, cache_file=cache_file) as docking:
        results = list(docking.dock([read_molecule(text) for text in smiles]))
    assert all(result.status == "ok" for result in results)
    return {s: (r.energy_kcal_mol, r.molblock) for s, r in zip(smiles, results, strict=True)}


def test_same_seeds_same_energies_and_poses_whatever_was_docked_before(tmp_path):
    small_box = replace(find_target("PARP1"), size=(14.0, 14.0, 14.0))
    first = dock(SMALL, BRIEF, tmp_path / "1.sqlite", small_box)
    second = dock(SMALL[::-1][:2], BRIEF, tmp_path / "2.sqlite", small_box)
    assert second == {smiles: first[smiles] for smiles in second}
    assert len({energy for energy, _ in first.values()}) == len(SMALL)


@pytest.fixture(scope="module")
def shipped():
    """One of the smallest docked molecules that ship with the package."""
    with shipped_path("data", "parp1", "docked.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["PARP1_kcal_mol"]]
    rows.sort(key=lambda row: (len(row["SMILES"]), row["SMILES"]))
    return {row["SMILES"]: float(row["PARP1_kcal_mol"]) for row in rows[:1]}


def test_the_energies_that_ship_with_the_package_come_out_again(shipped, tmp_path):
    found = dock(list(shipped), PRESETS["default"], tmp_path / "c.sqlite")
    assert {smiles: energy for smiles, (energy, _) in found.items()} == shipped
