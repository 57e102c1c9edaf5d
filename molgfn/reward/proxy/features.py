"""Molecules as atom graphs: integer codes for atoms and bonds, a few molecule descriptors.

Atoms and bonds carry small integer codes that the network looks up in embedding tables, so atoms
of one type are exactly alike to it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from torch import Tensor

from molgfn.chem.properties.atom_arrays import KINDS, N_BOND_CODES, AtomArrays, BondList
from molgfn.chem.properties.batch import MoleculeBatch

__all__ = ["DESCRIPTORS", "N_ATOM_CODES", "N_BOND_CODES", "GraphBatch", "Graphs"]

_ELEMENTS = (6, 7, 8, 16, 9, 17, 35, 53, 15, 5, 14)
_HYBRIDISATIONS = (
    int(Chem.HybridizationType.SP),
    int(Chem.HybridizationType.SP2),
    int(Chem.HybridizationType.SP3),
)
_HALOGENS = (9, 17, 35, 53)

# Number of codes of each atom feature: element, neighbours, hydrogens, charge, hybridisation,
# aromaticity, rings through the atom (0, 1, 2, 3 and more).
_ATOM_SIZES = (len(_ELEMENTS) + 1, 6, 5, 3, 4, 2, 4)
_ATOM_OFFSETS = np.concatenate([[0], np.cumsum(_ATOM_SIZES)[:-1]]).astype(np.int64)

#: Number of rows of the atom embedding table.
N_ATOM_CODES = int(sum(_ATOM_SIZES))
#: Molecule descriptors, in the order of the columns of ``Graphs.descriptors``.
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


@dataclass(frozen=True)
class GraphBatch:
    """Graphs of B molecules joined into one disconnected graph, as tensors.

    Attributes:
        atoms: ``(V, 7)`` int64, rows of the atom embedding table.
        edges: ``(2, E)`` int64, indices into ``atoms``, both directions of every bond.
        bonds: Bond codes, ``(E,)`` int64.
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


@dataclass(frozen=True)
class Graphs:
    """Atom graphs of B molecules, one after the other.

    Attributes:
        sizes: Atoms of each molecule, ``(B,)``.
        types: Type of each atom, ``(V,)``: its seven codes as one number, see :func:`atom_codes`.
        bonds: The bonds.
        descriptors: Molecule descriptors, ``(B, len(DESCRIPTORS))``.
    """

    sizes: NDArray[np.int64]
    types: NDArray[np.int64]
    bonds: BondList
    descriptors: NDArray[np.float32]

    @classmethod
    def of(cls, molecules: MoleculeBatch) -> Graphs:
        """Turn molecules of any size and element into graphs."""
        rings = [mol.GetRingInfo().NumRings() for mol in molecules.mols]
        aromatic = [rdMolDescriptors.CalcNumAromaticRings(mol) for mol in molecules.mols]
        atoms = molecules.atoms
        properties = KINDS.table[atoms.kinds]
        return cls(
            sizes=atoms.sizes,
            types=atom_types(KINDS.table)[atoms.kinds],
            bonds=atoms.bonds,
            descriptors=describe(atoms, properties, np.array(rings), np.array(aromatic)),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First atom of each molecule, ``(B,)``."""
        return np.cumsum(self.sizes) - self.sizes

    def __getitem__(self, chosen: NDArray[np.int64] | slice) -> Graphs:
        """Choose molecules.

        Returns:
            Their graphs, in that order.
        """
        sizes = self.sizes[chosen]
        shift = self.offsets[chosen] - (np.cumsum(sizes) - sizes)
        atoms = np.arange(sizes.sum()) + np.repeat(shift, sizes)
        degrees, bonds = self.bonds.of_atoms(atoms)
        starts = np.concatenate([[0], np.cumsum(degrees)])
        targets = self.bonds.targets[bonds] - np.repeat(np.repeat(shift, sizes), degrees)
        return Graphs(
            sizes=sizes,
            types=self.types[atoms],
            bonds=BondList(starts, targets, self.bonds.codes[bonds]),
            descriptors=self.descriptors[chosen],
        )

    def batch(self) -> GraphBatch:
        """Tensors of all graphs.

        Returns:
            The batch, molecules in order.
        """
        edges = np.stack([self.bonds.sources, self.bonds.targets])
        owner = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return GraphBatch(
            atoms=torch.from_numpy(atom_codes(self.types)),
            edges=torch.from_numpy(edges),
            bonds=torch.from_numpy(self.bonds.codes),
            owner=torch.from_numpy(owner),
            descriptors=torch.from_numpy(self.descriptors),
        )


class GraphedMolecules(MoleculeBatch):
    """A batch whose graphs are made from something nearer than its molecules."""

    @property
    @abstractmethod
    def graphs(self) -> Graphs:
        """Graphs of the molecules, bit for bit those that :meth:`Graphs.of` finds."""


def atom_codes(types: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the atom embedding table that make up types of atoms.

    Args:
        types: Types, shape ``(n,)``.

    Returns:
        Codes, shape ``(n, 7)``.
    """
    return np.stack(np.unravel_index(types, _ATOM_SIZES), axis=1) + _ATOM_OFFSETS


def atom_types(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Types of atoms with given properties.

    Args:
        table: One row for each atom, columns as in
            :class:`~molgfn.chem.properties.atom_arrays.AtomKinds`, shape ``(n, 7 or more)``.

    Returns:
        Types, shape ``(n,)``.
    """
    element, degree, hydrogens, charge, hybridisation, aromatic, rings = table.T[:7]
    codes = (
        _code(element, _ELEMENTS),
        np.minimum(degree, 5),
        np.minimum(hydrogens, 4),
        np.clip(charge, -1, 1) + 1,
        _code(hybridisation, _HYBRIDISATIONS),
        aromatic,
        np.minimum(rings, 3),
    )
    return np.ravel_multi_index(codes, _ATOM_SIZES).astype(np.int64)


def _code(values: NDArray[np.int64], known: Sequence[int]) -> NDArray[np.int64]:
    """Place of each value among the known ones; the one after the last where it is unknown."""
    equal = values[:, None] == np.array(known)
    return np.where(equal.any(axis=1), equal.argmax(axis=1), len(known)).astype(np.int64)


def describe(
    atoms: AtomArrays,
    properties: NDArray[np.int64],
    rings: NDArray[np.int64],
    aromatic_rings: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Compute molecule descriptors.

    Args:
        atoms: Sizes and bonds; the kinds are not looked at.
        properties: Properties of every atom as in :func:`atom_types`, shape ``(V, 7 or more)``.
        rings: Rings of each molecule, shape ``(B,)``.
        aromatic_rings: Aromatic rings of each molecule, shape ``(B,)``.

    Returns:
        Descriptors, shape ``(B, len(DESCRIPTORS))``.
    """
    element, _, hydrogens, _, hybridisation = properties.T[:5]
    bonds = atoms.bonds
    branching = bonds.degrees > 1
    rotatable = (bonds.codes == 0) & branching[bonds.sources] & branching[bonds.targets]
    n_rotatable = atoms.count(bonds.total(rotatable.astype(np.uint64)).astype(np.int64)) // 2
    polar = (element == 7) | (element == 8)
    columns = (
        atoms.sizes,
        rings,
        aromatic_rings,
        n_rotatable,
        atoms.count(np.where(polar, hydrogens, 0)),
        atoms.count(polar),
        atoms.count((element == 6) & (hybridisation == _HYBRIDISATIONS[2])),
        atoms.count(np.isin(element, _HALOGENS)),
        n_rotatable / np.maximum(atoms.sizes, 1),
    )
    return np.stack([column.astype(np.float32) for column in columns], axis=1)
