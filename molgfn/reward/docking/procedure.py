"""From a SMILES to an energy that can be trusted: conformers, repeats, and when to give up.

Vina now and then gets stuck and returns a poor local minimum, or a positive energy where nothing
fits. Either is a wrong number rather than a weak binder, so it is repeated from another conformer
and with more restarts, and only what a repeat confirms is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from molgfn.chem.molecule import read_mol
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.engine import Engine, VinaEngine, pose_molblock
from molgfn.reward.docking.ligand import LigandError, check_ligand, ligand_pdbqt
from molgfn.reward.docking.settings import DockingSettings

#: An energy weaker than this for each heavy atom is repeated, kcal/mol. The weakest of the 1835
#: molecules that ship with the package has 0.19, their median is 0.35.
SUSPICIOUS_PER_ATOM_KCAL_MOL = 0.15
#: Two energies that differ by more do not confirm each other, kcal/mol: the standard deviation
#: between seeds is 0.2.
REPEAT_TOLERANCE_KCAL_MOL = 1.0
#: Repeats before a molecule is given up, and how many times the restarts each of them gets.
MAX_REPEATS = 2
REPEAT_EFFORT = 2

#: Makes a molecule's PDBQT from its SMILES and the seed of a conformer.
Preparation = Callable[[str, int], str]


class UnreliableError(LigandError):
    """The energies of a molecule cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The best pose of a molecule.

    Attributes:
        energy_kcal_mol: Its energy.
        molblock: The molecule in it, with hydrogens and bond orders, as a MOL block.
    """

    energy_kcal_mol: float
    molblock: str


def vina_docker(target: DockingTarget, settings: DockingSettings) -> Callable[[str], Pose]:
    """Make the function that a worker process calls for each molecule.

    Args:
        target: Receptor and box.
        settings: Search effort and seeds.

    Returns:
        From a canonical SMILES to the best pose; see :func:`dock_molecule`.
    """
    engine = VinaEngine(target, settings)

    def dock(smiles: str) -> Pose:
        energy, pdbqt = dock_molecule(engine, smiles, settings)
        return Pose(energy, pose_molblock(pdbqt, smiles))

    return dock


def dock_molecule(
    engine: Engine, smiles: str, settings: DockingSettings, prepare: Preparation = ligand_pdbqt
) -> tuple[float, str]:
    """Dock one molecule from the conformers that the settings ask for, repeating what looks wrong.

    Args:
        engine: Docks a prepared ligand.
        smiles: Canonical SMILES.
        settings: Search effort and seeds.
        prepare: Makes the ligand.

    Returns:
        Best energy, kcal/mol, below 0, and its pose as PDBQT.

    Raises:
        LigandError: The molecule cannot be docked.
        UnreliableError: Its energies stay above 0, or no two of them agree.
        EmbeddingTimeoutError: No conformer was found in time.
    """
    mol = read_mol(smiles)
    check_ligand(mol)
    n_regular = settings.conformers
    results = [
        engine.dock(prepare(smiles, settings.seed + i), settings.restarts) for i in range(n_regular)
    ]
    limit = -SUSPICIOUS_PER_ATOM_KCAL_MOL * mol.GetNumHeavyAtoms()
    best = min(results)
    if best[0] <= limit:
        return best
    energies = [best[0]]
    for repeat in range(MAX_REPEATS):
        pdbqt = prepare(smiles, settings.seed + n_regular + repeat)
        results.append(engine.dock(pdbqt, settings.restarts * REPEAT_EFFORT))
        energies.append(results[-1][0])
        first, second = sorted(energies)[:2]
        if first < 0 and (first <= limit or second - first <= REPEAT_TOLERANCE_KCAL_MOL):
            return min(results)
    found = ", ".join(f"{energy:.1f}" for energy in energies)
    if min(energies) >= 0:
        raise UnreliableError(f"it does not fit into the box: {found} kcal/mol in repeats")
    raise UnreliableError(f"repeats disagree: {found} kcal/mol; try --preset thorough")
