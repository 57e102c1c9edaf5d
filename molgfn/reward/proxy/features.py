"""Molecules as batched atom graphs: integer codes for atoms and bonds, a few molecule descriptors.

Atoms and bonds carry small integer codes that the network looks up in embedding tables. That is
exact, and it keeps the Python work per molecule to one pass over the atoms and one over the bonds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from torch import Tensor

_ELEMENTS = {number: code for code, number in enumerate((6, 7, 8, 16, 9, 17, 35, 53, 15, 5, 14))}
_HYBRIDISATIONS = {
    Chem.HybridizationType.SP: 0,
    Chem.HybridizationType.SP2: 1,
    Chem.HybridizationType.SP3: 2,
}
# Twice the bond order; anything else (dative, zero order) has the last code.
_BONDS = {2: 0, 4: 1, 6: 2, 3: 3}
_N_BOND_TYPES = len(_BONDS) + 1
_BOND_OF_ORDER = np.full(16, _N_BOND_TYPES - 1, dtype=np.int64)
_BOND_OF_ORDER[list(_BONDS)] = list(_BONDS.values())

# Number of codes of each atom feature: element, neighbours, hydrogens, charge, hybridisation,
# aromaticity, rings through the atom (0, 1, 2, 3 and more).
_ATOM_SIZES = (len(_ELEMENTS) + 1, 6, 5, 3, 4, 2, 4)
_ATOM_OFFSETS = np.concatenate([[0], np.cumsum(_ATOM_SIZES)[:-1]]).astype(np.int64)

#: Number of rows of the atom embedding table.
N_ATOM_CODES = int(sum(_ATOM_SIZES))
#: Bond types and an "other", each outside and inside a ring.
N_BOND_CODES = 2 * _N_BOND_TYPES
#: Molecule descriptors, in the order of the columns of ``GraphBatch.descriptors``.
DESCRIPTORS = (
    "heavy_atoms",
    "rings",
    "aromatic_rings",
    "rotatable_bonds",
    "donors",
    "acceptors",
    "sp3_atoms",
    "halogens",
    "flexibility",
)
_HALOGENS = frozenset((9, 17, 35, 53))


@dataclass(frozen=True)
class Graph:
    """One molecule as arrays.

    Attributes:
        atoms: Atom codes, ``(V, 7)``, rows of one shared embedding table.
        edges: Both directions of every bond, ``(2, E)``, atom indices.
        bonds: Bond codes, ``(E,)``.
        descriptors: Molecule descriptors, ``(len(DESCRIPTORS),)``.
    """

    atoms: NDArray[np.int64]
    edges: NDArray[np.int64]
    bonds: NDArray[np.int64]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True)
class GraphBatch:
    """Graphs of B molecules joined into one disconnected graph.

    Attributes:
        atoms: ``(V, 7)`` int64.
        edges: ``(2, E)`` int64, indices into ``atoms``.
        bonds: ``(E,)`` int64.
        owner: Molecule of each atom, ``(V,)`` int64, ascending.
        descriptors: ``(B, len(DESCRIPTORS))`` float32, raw values.
    """

    atoms: Tensor
    edges: Tensor
    bonds: Tensor
    owner: Tensor
    descriptors: Tensor

    @property
    def n_molecules(self) -> int:
        """Number of molecules B."""
        return int(self.descriptors.shape[0])


def featurise(mol: Chem.Mol) -> Graph:
    """Turn a sanitised molecule into codes; molecules of any size and element have them.

    Args:
        mol: Sanitised molecule, hydrogens implicit.

    Returns:
        The molecule's arrays.
    """
    rings = mol.GetRingInfo()
    n_elements, n_hybridisations = len(_ELEMENTS), len(_HYBRIDISATIONS)
    n_halogens = n_sp3 = 0
    rows = []
    for index, atom in enumerate(mol.GetAtoms()):
        number = atom.GetAtomicNum()
        hybridisation = _HYBRIDISATIONS.get(atom.GetHybridization(), n_hybridisations)
        n_halogens += number in _HALOGENS
        n_sp3 += hybridisation == 2 and number == 6
        rows.append(
            (
                _ELEMENTS.get(number, n_elements),
                min(atom.GetDegree(), 5),
                min(atom.GetTotalNumHs(), 4),
                min(max(atom.GetFormalCharge(), -1), 1) + 1,
                hybridisation,
                int(atom.GetIsAromatic()),
                min(rings.NumAtomRings(index), 3),
            )
        )
    atoms = np.array(rows, dtype=np.int64)
    # One matrix from RDKit instead of one Python object per bond: several times as fast.
    orders = np.asarray(Chem.GetAdjacencyMatrix(mol, useBO=True))
    sources, targets = np.nonzero(orders)
    in_ring = np.zeros(orders.shape, dtype=bool)
    for ring in rings.AtomRings():
        in_ring[ring, ring[1:] + ring[:1]] = True
    in_ring |= in_ring.T
    codes = _BOND_OF_ORDER[(2 * orders[sources, targets]).astype(np.int64)]
    ring_bond = in_ring[sources, targets]
    branching = atoms[:, 1] > 1
    rotatable = (codes == 0) & ~ring_bond & branching[sources] & branching[targets]
    n_rotatable = int(rotatable.sum()) // 2
    descriptors = np.array(
        (
            len(rows),
            rings.NumRings(),
            rdMolDescriptors.CalcNumAromaticRings(mol),
            n_rotatable,
            rdMolDescriptors.CalcNumLipinskiHBD(mol),
            rdMolDescriptors.CalcNumLipinskiHBA(mol),
            n_sp3,
            n_halogens,
            n_rotatable / len(rows),
        ),
        dtype=np.float32,
    )
    return Graph(
        atoms=atoms + _ATOM_OFFSETS,
        edges=np.stack([sources, targets]),
        bonds=codes + _N_BOND_TYPES * ring_bond,
        descriptors=descriptors,
    )


def collate(graphs: Sequence[Graph]) -> GraphBatch:
    """Join graphs into one batch.

    Args:
        graphs: At least one graph.

    Returns:
        The batch, molecules in the order given.

    Raises:
        ValueError: No graph was given.
    """
    if not graphs:
        raise ValueError("cannot collate zero graphs")
    sizes = np.array([len(graph.atoms) for graph in graphs])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    edges = [graph.edges + start for graph, start in zip(graphs, starts, strict=True)]
    return GraphBatch(
        atoms=torch.from_numpy(np.concatenate([graph.atoms for graph in graphs])),
        edges=torch.from_numpy(np.concatenate(edges, axis=1)),
        bonds=torch.from_numpy(np.concatenate([graph.bonds for graph in graphs])),
        owner=torch.from_numpy(np.repeat(np.arange(len(graphs)), sizes)),
        descriptors=torch.from_numpy(np.stack([graph.descriptors for graph in graphs])),
    )
