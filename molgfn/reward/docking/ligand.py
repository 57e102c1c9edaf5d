"""Ligands for vina: limits on what can be docked, conformers, PDBQT."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.rdMolDescriptors import CalcNumRotatableBonds

from molgfn.chem.molecule import Molecule, read_mol, read_molecule
from molgfn.errors import MoleculeError
from molgfn.reward.docking.packages import MEEKO_FAULTS

#: Elements that meeko gives a type and vina has parameters for.
ELEMENTS = frozenset(("H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"))
MAX_HEAVY_ATOMS = 50
#: Beyond this vina searches in vain for minutes.
MAX_ROTATABLE_BONDS = 15
#: Rings stay as they are embedded; of a larger one no single conformer can stand for all.
MAX_RING_SIZE = 8
#: Limit of RDKit's embedding, seconds, with and again without a distance-geometry start.
EMBEDDING_TIMEOUT_S = 20
_FORCE_FIELD_STEPS = 200


class LigandError(MoleculeError):
    """This molecule cannot be docked, and trying again would not help."""


class EmbeddingTimeoutError(MoleculeError):
    """No conformer within the time limit; a less busy machine may find one."""


def read_ligand(smiles: str) -> Molecule:
    """Read a molecule for docking, in the standard form that ``molgfn score`` scores.

    Counter-ions and solvents are left out and charges neutralised. A mixture is refused, not cut.

    Raises:
        MoleculeError: RDKit cannot read it.
        LigandError: It is a mixture, or holds an element that cannot be docked.
    """
    molecule = read_molecule(smiles)
    written = read_mol(smiles)
    if len(Chem.GetMolFrags(written)) > 1:
        parts = Chem.GetMolFrags(_salt_remover().remove(written), asMols=True)
        distinct = {Chem.MolToSmiles(part) for part in parts}
        if len(distinct) > 1:
            raise LigandError(
                f"{len(distinct)} components other than counter-ions; dock them one by one"
            )
        written = parts[0]
    _check_elements(written)
    return molecule


def check_ligand(mol: Chem.Mol) -> None:
    """Refuse a molecule that vina cannot dock, or not well.

    Raises:
        LigandError: It breaks a limit; the message says which.
    """
    n_components = len(Chem.GetMolFrags(mol))
    if n_components != 1:
        raise LigandError(f"{n_components} components; docking takes one")
    _check_elements(mol)
    counts = (
        (mol.GetNumHeavyAtoms(), MAX_HEAVY_ATOMS, "heavy atoms"),
        (CalcNumRotatableBonds(mol), MAX_ROTATABLE_BONDS, "rotatable bonds"),
    )
    for count, limit, what in counts:
        if count > limit:
            raise LigandError(f"{count} {what}; docking takes up to {limit}")
    largest = max((len(ring) for ring in mol.GetRingInfo().AtomRings()), default=0)
    if largest > MAX_RING_SIZE:
        raise LigandError(f"a ring of {largest} atoms; docking takes up to {MAX_RING_SIZE}")
    radical = next((a for a in mol.GetAtoms() if a.GetNumRadicalElectrons()), None)
    if radical is not None:
        raise LigandError(f"a radical at atom {radical.GetIdx() + 1} ({radical.GetSymbol()})")


def ligand_pdbqt(smiles: str, seed: int) -> str:
    """Embed a molecule, relax it and write it as vina reads it.

    The same SMILES and seed give the same text. The SMILES decides the order of the atoms, and
    with it the conformer, so it must be the canonical one.

    Returns:
        PDBQT, with the order of the atoms in its remarks.

    Raises:
        LigandError: There is no conformer, or meeko refuses it.
        EmbeddingTimeoutError: No conformer was found in time.
    """
    # Only a docking process has meeko loaded: it redirects RDKit's messages.
    from meeko import MoleculePreparation, PDBQTWriterLegacy

    try:
        mol = _conformer(read_mol(smiles), seed)
    except (RuntimeError, ValueError) as error:
        raise LigandError("RDKit cannot make a conformer of it") from error
    try:
        setups: list[Any] = MoleculePreparation(rigid_macrocycles=True).prepare(mol)
        text, is_ok, _ = PDBQTWriterLegacy.write_string(setups[0])
    except MEEKO_FAULTS as error:
        raise LigandError("meeko cannot prepare it for vina") from error
    if not is_ok:
        raise LigandError("meeko cannot prepare it for vina: an atom has no type or charge")
    return str(text)


def _conformer(mol: Chem.Mol, seed: int) -> Chem.Mol:
    mol = Chem.AddHs(mol)
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.timeout = EMBEDDING_TIMEOUT_S
    start = time.monotonic()
    if rdDistGeom.EmbedMolecule(mol, parameters) < 0:
        parameters.useRandomCoords = True
        if rdDistGeom.EmbedMolecule(mol, parameters) < 0:
            if time.monotonic() - start >= EMBEDDING_TIMEOUT_S:
                raise EmbeddingTimeoutError(f"no conformer within {EMBEDDING_TIMEOUT_S} s")
            raise LigandError("RDKit finds no conformer in three dimensions")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=_FORCE_FIELD_STEPS)
    else:
        rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=_FORCE_FIELD_STEPS)
    return mol


def _check_elements(mol: Chem.Mol) -> None:
    unknown = sorted({atom.GetSymbol() for atom in mol.GetAtoms()} - ELEMENTS)
    if unknown:
        raise LigandError(f"vina has no parameters for {', '.join(unknown)}")


@cache
def _salt_remover() -> Any:
    return rdMolStandardize.FragmentRemover()
