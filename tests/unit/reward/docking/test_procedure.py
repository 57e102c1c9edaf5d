import pytest

from molgfn.reward.docking.ligand import LigandError
from molgfn.reward.docking.procedure import UnreliableError, dock_molecule
from molgfn.reward.docking.settings import PRESETS, DockingSettings

BENZOIC = "O=C(O)c1ccccc1"  # 9 heavy atoms: weaker than -1.35 is suspicious


class Engine:
    """Gives the energy of each conformer, by its seed."""

    def __init__(self, **by_seed):
        self.energies = {int(name[1:]): energy for name, energy in by_seed.items()}
        self.asked = []

    def dock(self, pdbqt, restarts):
        seed = int(pdbqt)
        self.asked.append((seed, restarts))
        return self.energies[seed], f"pose {seed}"


def prepare(smiles, seed):
    return str(seed)


def dock(engine, settings=PRESETS["default"]):
    return dock_molecule(engine, BENZOIC, settings, prepare)


def test_one_docking_where_nothing_is_suspicious():
    engine = Engine(s1=-5.0)
    assert dock(engine) == (-5.0, "pose 1")
    assert engine.asked == [(1, 16)]


def test_the_best_of_several_conformers():
    engine = Engine(s7=-4.0, s8=-6.0, s9=-5.0)
    assert dock(engine, DockingSettings(restarts=3, conformers=3, seed=7)) == (-6.0, "pose 8")
    assert engine.asked == [(7, 3), (8, 3), (9, 3)]


def test_a_stuck_run_is_repeated_with_another_conformer_and_twice_the_restarts():
    engine = Engine(s1=237.05, s2=-5.5)
    assert dock(engine) == (-5.5, "pose 2")
    assert engine.asked == [(1, 16), (2, 32)]


def test_a_weak_energy_that_a_repeat_confirms_is_believed():
    assert dock(Engine(s1=-1.1, s2=-0.9)) == (-1.1, "pose 1")
    assert dock(Engine(s1=-0.1, s2=-1.3, s3=-1.2)) == (-1.3, "pose 2")


def test_what_no_repeat_confirms_is_a_failure_and_no_energy():
    with pytest.raises(UnreliableError, match=r"does not fit into the box: 3.0, 2.5, 9.0 kcal/mol"):
        dock(Engine(s1=3.0, s2=2.5, s3=9.0))
    with pytest.raises(UnreliableError, match=r"repeats disagree: 8.0, 5.0, -1.0 kcal/mol"):
        dock(Engine(s1=8.0, s2=5.0, s3=-1.0))


def test_a_molecule_beyond_the_limits_is_not_even_prepared():
    with pytest.raises(LigandError, match="2 components"):
        dock_molecule(Engine(), "CC.CC", PRESETS["default"], prepare)
