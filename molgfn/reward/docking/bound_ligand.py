"""Bound ligands: where the atoms of the one molecule are that a box is made around."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from molgfn.errors import TargetError
from molgfn.reward.docking.pdb import LINK_A, Residue, counted, listed, read_pdb
from molgfn.reward.docking.pdbqt import METALS, read_text
from molgfn.reward.docking.residue_names import ADDITIVES, CAPS, WATER

#: Atoms of one residue that are closer than this are bonded, Å.
_BOND_A = 2.4
#: A longer chain is no ligand but a receptor.
_LONGEST_PEPTIDE = 50


@dataclass(frozen=True, eq=False)
class BoundLigand:
    """A ligand as it is bound.

    Attributes:
        points: Its heavy atoms, shape ``(atoms, 3)``, Å.
        notes: What was chosen or left out, one line each.
    """

    points: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """Atoms that hang together, and what they are called."""

    label: str
    kind: tuple[object, ...]
    n_links: int
    n_residues: int
    is_additive: bool
    atoms: list[int]


def read_bound_ligand(path: Path) -> BoundLigand:
    """Read the heavy atoms of a ligand.

    In a complex the ligand is what is neither protein, nucleic acid, water, ion nor additive; of
    several copies the first counts.

    Args:
        path: SDF, MOL or PDB file; of several records the first.

    Raises:
        TargetError: The file cannot be read, holds no molecule in three dimensions, or several
            that could be the ligand.
    """
    text, suffix = read_text(path), path.suffix.lower()
    if suffix in (".sdf", ".sd", ".mol"):
        points, notes = _of_record(text, path)
    elif suffix in (".pdb", ".ent"):
        points, notes = _of_pdb(text, path)
    else:
        raise TargetError(f"{path}: expected a ligand whose name ends in .sdf, .mol or .pdb")
    if len(points) == 0 or not np.isfinite(points).all():
        raise TargetError(f"{path} holds no heavy atoms with coordinates")
    if len(points) > 1 and np.ptp(points, axis=0).min() == 0 and np.all(points[:, 2] == 0):
        raise TargetError(f"{path} is a flat drawing; expected the ligand as it is bound")
    return BoundLigand(points, tuple(notes))


def _of_record(text: str, path: Path) -> tuple[NDArray[np.float64], list[str]]:
    records = [record for record in text.split("$$$$") if record.strip()]
    # Only where the atoms are matters, so nothing is sanitised.
    mol: Chem.Mol | None = None
    with rdBase.BlockLogs():
        try:
            if records:
                mol = Chem.MolFromMolBlock(records[0], sanitize=False)
        except (RuntimeError, ValueError):
            mol = None
    if mol is None or mol.GetNumAtoms() == 0 or mol.GetNumConformers() == 0:
        raise TargetError(f"{path} holds no molecule; expected the bound ligand")
    notes = []
    if len(records) > 1:
        notes.append(f"chosen: the first of {len(records)} molecules in {path.name}")
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    parts = []
    for number, found in enumerate(Chem.GetMolFrags(mol), start=1):
        heavy = [i for i in found if mol.GetAtomWithIdx(i).GetAtomicNum() > 1]
        if len(heavy) > 1 or mol.GetNumHeavyAtoms() == 1:
            kind = _kind(symbols[i] for i in heavy)
            parts.append(_Part(f"component {number}", kind, 0, 1, is_additive=False, atoms=heavy))
    positions: NDArray[np.float64] = np.array(mol.GetConformer().GetPositions())
    chosen = _chosen(parts, path, mol.GetNumHeavyAtoms(), notes)
    return positions[chosen], notes


def _of_pdb(text: str, path: Path) -> tuple[NDArray[np.float64], list[str]]:
    found, notes = read_pdb(text, str(path))
    if not found:
        raise TargetError(f"{path} holds no molecule; expected the bound ligand")
    n_heavy = sum(len(residue.heavy_points) for residue in found)
    residues = [r for r in found if r.name not in WATER and len(r.heavy_points)]
    # An ion is the ligand only where there is nothing else.
    molecules = [r for r in residues if len(r.heavy_points) > 1]
    residues = molecules or residues
    if not residues:
        raise TargetError(f"{path} holds no heavy atoms with coordinates")
    points = np.concatenate([residue.heavy_points for residue in residues])
    return points[_chosen(_parts(residues, points), path, n_heavy, notes)], notes


def _parts(residues: Sequence[Residue], points: NDArray[np.float64]) -> list[_Part]:
    """Molecules in a PDB file, by the distances between their heavy atoms."""
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    owner = np.repeat(np.arange(len(residues)), [len(r.heavy_points) for r in residues])
    symbols = np.array([a.element for r in residues for a in r.atoms if a.element != "H"])
    first, second = cKDTree(points).query_pairs(_BOND_A, output_type="ndarray").T
    gaps = np.linalg.norm(points[first] - points[second], axis=1)
    is_metal = np.isin(symbols, list(METALS))
    in_chain = np.array([_is_in_chain(residue) for residue in residues])[owner]
    bonded = (owner[first] == owner[second]) | (
        # Ligands that touch a chain, or are bonded to it, are no part of it.
        (in_chain[first] == in_chain[second])
        & (gaps < LINK_A)
        & ~is_metal[first]
        & ~is_metal[second]
    )
    pairs = np.ones(int(bonded.sum())), (first[bonded], second[bonded])
    _, labels = connected_components(coo_array(pairs, shape=(len(points),) * 2), directed=False)
    parts = []
    for label in dict.fromkeys(labels.tolist()):
        atoms = np.flatnonzero(labels == label)
        members = [residues[i] for i in np.unique(owner[atoms])]
        parts.append(
            _Part(
                listed([member.label for member in members], limit=3),
                (*(member.name for member in members), *_kind(symbols[atoms])),
                sum(map(_is_in_chain, members)),
                len(members),
                all(member.name in ADDITIVES for member in members),
                atoms.tolist(),
            )
        )
    return _whole(parts)


def _is_in_chain(residue: Residue) -> bool:
    return residue.is_link or residue.name in CAPS


def _whole(parts: list[_Part]) -> list[_Part]:
    """Join pieces of one residue, whose atoms between them were not seen."""
    by_label: dict[str, list[_Part]] = {}
    for part in parts:
        by_label.setdefault(part.label, []).append(part)
    whole = []
    for pieces in by_label.values():
        if len({piece.kind for piece in pieces}) == 1:
            whole += pieces
        else:
            first = pieces[0]
            atoms = sorted(atom for piece in pieces for atom in piece.atoms)
            whole.append(
                _Part(
                    *(first.label, first.kind, first.n_links, first.n_residues),
                    *(first.is_additive, atoms),
                )
            )
    return whole


def _chosen(parts: list[_Part], path: Path, n_heavy: int, notes: list[str]) -> list[int]:
    """Atoms of the one part that is the ligand."""
    is_chain = [2 * part.n_links > part.n_residues for part in parts]
    others = [part for part, chain in zip(parts, is_chain, strict=True) if not chain]
    candidates = [part for part in others if not part.is_additive]
    if not candidates and not any(is_chain):
        candidates = others
    if not others:
        candidates = [part for part in parts if part.n_residues <= _LONGEST_PEPTIDE]
        candidates = candidates if len(candidates) == len(parts) else []
    if not candidates:
        raise TargetError(
            f"{path} holds a protein or nucleic acid, and no ligand beside it; keep the lines of "
            "the ligand alone"
        )
    if len({part.kind for part in candidates}) > 1:
        found = listed([part.label for part in candidates])
        raise TargetError(f"{path} holds {found}; keep the lines of the ligand alone")
    chosen = candidates[0]
    if len(chosen.atoms) < n_heavy:
        copies = f", the first of {len(candidates)} copies" if len(candidates) > 1 else ""
        notes.append(
            f"chosen: {chosen.label} of {path.name} as the ligand{copies}; left out: "
            f"{counted(n_heavy - len(chosen.atoms), 'other heavy atom')}"
        )
    return chosen.atoms


def _kind(symbols: Iterable[str]) -> tuple[object, ...]:
    return tuple(sorted(Counter(symbols).items()))
