"""Is docking worth anything? Redocks a ligand of known structure and ranks actives over inactives.

The target is soluble epoxide hydrolase, PDB entry 4JNC, in the box of the first GFlowNet paper. The
data lie outside the repository: the receptor, its ligand, and the activities of ChEMBL.

    python scripts/reproduce/docking_sanity.py [DIRECTORY] [--preset default] [--workers 2]

Results are kept in the docking cache, so that a second run takes seconds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Crippen, rdMolAlign
from rdkit.Chem.AllChem import AssignBondOrdersFromTemplate
from rdkit.Chem.rdMolDescriptors import CalcNumHBA, CalcNumHBD, CalcNumRotatableBonds
from sklearn.metrics import roc_auc_score

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.errors import MoleculeError, ScorerError
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.ligand import check_ligand, read_ligand
from molgfn.reward.docking.packages import engine_versions
from molgfn.reward.docking.settings import PRESETS, DockingSettings

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "seh"
#: The ligand of 4JNC (1LF): its PDB file has no bond orders.
LIGAND = "CNc1nc(C)nc(N2CCC(C(=O)NCc3ccccc3C(F)(F)F)CC2)n1"
CENTER, SIZE = (-13.4, 26.3, -13.3), (20.013, 16.3, 18.5)
SEEDS = (1, 2, 3)
#: Seeds for the canonical order of atoms: how often does a single conformer do?
MORE_SEEDS = range(1, 11)
ACTIVE, INACTIVE = 8.0, 5.0
N_PAIRS = 20
SEED = 0


def main() -> None:
    """Print RMSD and AUC with the settings they were made with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path, default=DATA)
    parser.add_argument("--preset", default="default", choices=sorted(PRESETS))
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    receptor = options.directory / "4jnc.nohet.aligned.pdbqt"
    target = DockingTarget("sEH", receptor, CENTER, SIZE, "4JNC")
    settings = PRESETS[options.preset]
    versions = ", ".join(f"{name} {number}" for name, number in engine_versions().items())
    print(f"{versions}; preset {options.preset}: {settings.describe()}")
    print(f"target {target.name} ({target.source}), digest {target.digest}, box {CENTER} {SIZE} Å")
    redock(target, settings, options.directory / "lig.pdb", options.workers)
    enrich(target, settings, options.directory / "seh_chembl.csv.gz", options.workers)


def redock(
    target: DockingTarget, settings: DockingSettings, ligand: Path, workers: int | None
) -> None:
    """Dock the ligand from a fresh conformer and compare with where it lies in the crystal."""
    canonical = read_molecule(LIGAND)
    with rdBase.BlockLogs():  # the triazine can be written in two ways
        crystal = AssignBondOrdersFromTemplate(canonical.mol, Chem.MolFromPDBFile(str(ligand)))
    as_in_file = Molecule(crystal, Chem.MolToSmiles(crystal, canonical=False))

    def rmsd(molecule: Molecule, seed: int) -> tuple[float, float]:
        with Docking(target, replace(settings, seed=seed), n_workers=workers) as docking:
            (result,) = docking.dock([molecule])
        if result.status != "ok":
            raise ScorerError(f"seed {seed}: {result.reason}")
        pose = Chem.MolFromMolBlock(result.molblock)
        return float(rdMolAlign.CalcRMS(pose, crystal)), result.energy_kcal_mol

    print(
        "\nredocking of 1LF, no-fit RMSD of the heavy atoms, symmetry corrected; the seed is that"
    )
    print("of the conformer and of vina; atoms in the order of the PDB file")
    for seed in SEEDS:
        distance, energy = rmsd(as_in_file, seed)
        print(f"  seed {seed}: {distance:.2f} Å at {energy:.2f} kcal/mol")
    found = [rmsd(canonical, seed) for seed in MORE_SEEDS]
    n_good = sum(distance < 2 for distance, _ in found)
    print(f"atoms in canonical order, {len(found)} seeds: {n_good} below 2 Å, median", end=" ")
    print(f"{np.median([distance for distance, _ in found]):.2f} Å:", end=" ")
    print(", ".join(f"{distance:.2f}" for distance, _ in found))


def enrich(
    target: DockingTarget, settings: DockingSettings, table: Path, workers: int | None
) -> None:
    """Dock actives and inactives of the same size and polarity, and see which come first."""
    actives, inactives = matched_pairs(table)
    molecules = [*actives, *inactives]
    with Docking(target, settings, n_workers=workers) as docking:
        results = list(docking.dock(molecules))
    energies = np.array([result.energy_kcal_mol for result in results])
    labels = np.repeat([1, 0], [len(actives), len(inactives)])
    docked = np.isfinite(energies)
    print(
        f"\n{len(actives)} actives (pIC50 > {ACTIVE:g}) and {len(inactives)} inactives "
        f"(< {INACTIVE:g}) of ChEMBL, matched, seed {SEED}; {docked.sum()} docked"
    )
    for name, index in zip(("heavy atoms", "logP", "rotors", "HBD", "HBA"), range(5), strict=True):
        means = [descriptors(group)[:, index].mean() for group in (actives, inactives)]
        print(f"  mean {name}: {means[0]:.1f} of the actives, {means[1]:.1f} of the inactives")
    labels, energies = labels[docked], energies[docked]
    sizes = np.array([m.n_heavy_atoms for m in molecules])[docked]
    low, high = interval(labels, -energies)
    print(
        f"  AUC of docking: {roc_auc_score(labels, -energies):.2f} (95 % {low:.2f} to {high:.2f})"
    )
    print(f"  AUC of the number of heavy atoms: {roc_auc_score(labels, sizes):.2f}")


def matched_pairs(table: Path) -> tuple[list[Molecule], list[Molecule]]:
    """Draw inactives, and for each the active that is nearest in size, logP and polarity."""
    frame = pd.read_csv(table, sep=";", usecols=["Smiles", "pChEMBL Value", "Standard Type"])
    frame = frame[frame["Standard Type"].eq("IC50")].dropna()
    values: dict[Molecule, list[float]] = {}
    for smiles, value in zip(frame["Smiles"], frame["pChEMBL Value"], strict=True):
        try:
            molecule = read_ligand(str(smiles))
            check_ligand(molecule.mol)
        except MoleculeError:
            continue
        values.setdefault(molecule, []).append(float(value))
    median = {molecule: float(np.median(found)) for molecule, found in values.items()}
    actives = sorted((m for m, v in median.items() if v > ACTIVE), key=lambda m: m.smiles)
    inactives = sorted((m for m, v in median.items() if v < INACTIVE), key=lambda m: m.smiles)
    drawn = np.random.default_rng(SEED).permutation(len(inactives))[:N_PAIRS]
    inactives = [inactives[index] for index in drawn]
    everything = descriptors([*actives, *inactives])
    scaled = (everything - everything.mean(axis=0)) / everything.std(axis=0)
    free, rest = scaled[: len(actives)], scaled[len(actives) :]
    chosen: list[int] = []
    for row in rest:
        distances = np.linalg.norm(free - row, axis=1)
        distances[chosen] = np.inf
        chosen.append(int(distances.argmin()))
    return [actives[index] for index in chosen], inactives


def descriptors(molecules: list[Molecule]) -> NDArray[np.float64]:
    """Heavy atoms, logP, rotatable bonds, donors and acceptors, shape ``(n, 5)``."""
    return np.array(
        [
            (
                m.n_heavy_atoms,
                Crippen.MolLogP(m.mol),
                CalcNumRotatableBonds(m.mol),
                CalcNumHBD(m.mol),
                CalcNumHBA(m.mol),
            )
            for m in molecules
        ]
    )


def interval(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the AUC."""
    generator = np.random.default_rng(SEED)
    found = []
    while len(found) < 1000:
        index = generator.integers(len(labels), size=len(labels))
        if 0 < labels[index].sum() < len(index):
            found.append(roc_auc_score(labels[index], scores[index]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
