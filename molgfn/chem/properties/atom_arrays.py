"""Atoms and bonds of many molecules as flat arrays, with numbers for kinds of atoms.

Asking RDKit for one property of one atom from Python costs 0.3 µs, making the atom's Python object
ten times that, so a loop over the atoms of a molecule takes half a millisecond. Here RDKit is
called a few times for each molecule; what is known of an atom follows from its *kind*, and the
properties of a kind are asked for once, of the first atom that has it.

Two atoms are of one kind when they agree in element, neighbours, hydrogens, charge, the orders of
their bonds and which of these lie in rings, the number of rings through the atom, and
hybridisation. Kinds and neighbourhoods are told apart by 64-bit hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

#: Bond codes: single, double, triple, aromatic, other; then the same within a ring.
N_BOND_TYPES = 5
N_BOND_CODES = 2 * N_BOND_TYPES
_TYPE_OF_DOUBLED_ORDER = np.full(32, N_BOND_TYPES - 1, dtype=np.int64)
_TYPE_OF_DOUBLED_ORDER[[2, 4, 6, 3]] = [0, 1, 2, 3]

_USUAL = {
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
    Chem.BondType.AROMATIC,
}
#: Aromatic atoms aside: their hybridisation follows from the rest of their kind.
_SP2 = Chem.MolFromSmarts("[!a;^2]")
#: Bonds that join rings without being in one: the only ones whose ring atoms mislead. An atom of
#: two bonds that is in a ring has none of them.
_LINKS = Chem.MolFromSmarts("[!D2;R]!@[!D2;R]")
_EVERY_MATCH = Chem.SubstructMatchParameters()
_EVERY_MATCH.uniquify = False
_EVERY_MATCH.maxMatches = 2**31 - 1

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFT = (np.uint64(30), np.uint64(27), np.uint64(31))


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers, one to one (the finaliser of SplitMix64)."""
    values = (values ^ (values >> _SHIFT[0])) * _MULTIPLY[0]
    values = (values ^ (values >> _SHIFT[1])) * _MULTIPLY[1]
    return values ^ (values >> _SHIFT[2])


#: Random-looking numbers that tell the bond codes apart within a hash.
_BOND_SALT = mix(np.arange(1, N_BOND_CODES + 1, dtype=np.uint64) * _ODD)


@dataclass(frozen=True)
class BondList:
    """Both directions of the bonds of some atoms, sorted by the atom they start from.

    Attributes:
        starts: First direction of each atom and the total, shape ``(V + 1,)``.
        targets: Atom at the other end, shape ``(E,)``.
        codes: Bond codes, shape ``(E,)``.
    """

    starts: NDArray[np.int64]
    targets: NDArray[np.int64]
    codes: NDArray[np.int64]

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """Bonds of each atom, shape ``(V,)``."""
        return np.diff(self.starts)

    @cached_property
    def sources(self) -> NDArray[np.int64]:
        """Atom that each direction starts from, shape ``(E,)``, ascending."""
        return np.repeat(np.arange(len(self.degrees)), self.degrees)

    def widen(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Hash every atom together with its neighbours, in whatever order they come.

        Args:
            hashes: Hash of each atom, shape ``(V,)``.

        Returns:
            Hashes that differ where the atom, or the multiset of bond codes with the neighbours'
            hashes, differs; shape ``(V,)``.
        """
        return mix(hashes * _ODD + self.total(self.labels(hashes)))

    def of_atoms(self, atoms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the bonds of some atoms.

        Returns:
            Bonds of each atom, shape ``(n,)``, and their places in this list, atom after atom.
        """
        degrees = self.degrees[atoms]
        ends = np.cumsum(degrees)
        shift = np.repeat(self.starts[atoms] - ends + degrees, degrees)
        return degrees, shift + np.arange(len(shift))

    def labels(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Hash of every direction: its bond code and the atom it leads to, shape ``(E,)``."""
        return mix(hashes[self.targets] ^ _BOND_SALT[self.codes])

    def total(self, terms: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Sum a number of every direction for each atom, modulo 2^64, shape ``(V,)``."""
        # A difference of running sums is exact modulo 2^64 and needs no case for lone atoms.
        running = np.zeros(len(terms) + 1, dtype=np.uint64)
        np.cumsum(terms, out=running[1:])
        return np.diff(running[self.starts])


@dataclass(frozen=True)
class AtomArrays:
    """Atoms and bonds of B molecules, one molecule after the other.

    Attributes:
        sizes: Atoms of each molecule, shape ``(B,)``.
        kinds: Number of each atom's kind, shape ``(V,)``; see :data:`KINDS`.
        bonds: The bonds.
    """

    sizes: NDArray[np.int64]
    kinds: NDArray[np.int64]
    bonds: BondList

    @classmethod
    def of(cls, mols: Sequence[Chem.Mol]) -> AtomArrays:
        """Read sanitised molecules, possibly none; atoms keep the order of RDKit's indices."""
        sizes = np.array([mol.GetNumAtoms() for mol in mols], dtype=np.int64)
        n_atoms = int(sizes.sum())
        offsets = np.cumsum(sizes) - sizes
        invariants: list[int] = []
        n_rings: list[int] = []
        sp2: list[int] = []
        links: list[int] = []
        cells, orders = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
        for mol, size, offset in zip(mols, sizes.tolist(), offsets.tolist(), strict=True):
            invariants += rdMolDescriptors.GetConnectivityInvariants(mol)
            n_rings += map(mol.GetRingInfo().NumAtomRings, range(size))
            sp2 += [i + offset for (i,) in mol.GetSubstructMatches(_SP2, _EVERY_MATCH)]
            for i, j in mol.GetSubstructMatches(_LINKS, _EVERY_MATCH):
                links.append((i + offset) * n_atoms + j + offset)
            matrix = Chem.GetAdjacencyMatrix(mol, useBO=True).ravel()
            cells.append(np.flatnonzero(matrix))
            orders.append(matrix[cells[-1]])
        rings = np.array(n_rings, dtype=np.int64)
        bonds = _bond_list(sizes, offsets, cells, orders, rings > 0, links)
        flags = np.zeros(n_atoms, dtype=np.uint64)
        flags[sp2] = 1
        keys = mix(
            (np.array(invariants, dtype=np.uint64) << np.uint64(20))
            ^ (rings.astype(np.uint64) << np.uint64(1))
            ^ flags
        )
        keys = mix(keys * _ODD + bonds.total(_BOND_SALT[bonds.codes]))
        return cls(sizes, KINDS.numbers(keys, mols, offsets), bonds)

    @property
    def n_molecules(self) -> int:
        """Number of molecules B."""
        return len(self.sizes)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First atom of each molecule, shape ``(B,)``."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """Molecule of each atom, shape ``(V,)``, ascending."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def neighbourhoods(self) -> NDArray[np.uint64]:
        """Hash of each atom's kind, its bonds and the kinds of its neighbours, shape ``(V,)``."""
        return self.bonds.widen(mix(self.kinds.astype(np.uint64) + _ODD))

    def count(self, atoms: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum a number (or a mask) of every atom for each molecule, shape ``(B,)``."""
        running = np.zeros(len(atoms) + 1, dtype=np.int64)
        np.cumsum(atoms, out=running[1:])
        ends = np.cumsum(self.sizes)
        sums: NDArray[np.int64] = running[ends] - running[ends - self.sizes]
        return sums


class AtomKinds:
    """Kinds of atoms met so far, with the properties that RDKit gives their first atom."""

    #: Columns of :attr:`table`.
    COLUMNS = (
        *("element", "degree", "hydrogens", "charge", "hybridisation", "aromatic", "rings"),
        "odd",
    )

    def __init__(self) -> None:
        self._number: dict[int, int] = {}
        self._odd_number: dict[tuple[int, ...], int] = {}
        self._rows: list[tuple[int, ...]] = []
        self._table = np.zeros((0, len(self.COLUMNS)), dtype=np.int64)
        self.atoms: list[Chem.Atom] = []

    def __len__(self) -> int:
        return len(self.atoms)

    def column(self, name: str) -> NDArray[np.int64]:
        """One property of every kind, shape ``(len(self),)``."""
        return np.array(self.table[:, self.COLUMNS.index(name)], dtype=np.int64)

    @property
    def table(self) -> NDArray[np.int64]:
        """Properties of the kinds, one row each.

        Hybridisation is numbered as in RDKit's enumeration. Odd is an atom with an unpaired
        electron or an unusual bond, dative for instance: others of its kind may differ.
        """
        if len(self._table) < len(self._rows):
            self._table = np.array(self._rows, dtype=np.int64)
        return self._table

    def numbers(
        self, keys: NDArray[np.uint64], mols: Sequence[Chem.Mol], offsets: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Number the kinds of atoms, new ones included.

        Args:
            keys: Hash of each atom's kind, shape ``(V,)``.
            mols: The molecules of the atoms.
            offsets: First atom of each molecule.

        Returns:
            Numbers, shape ``(V,)``, the same for the same kind as long as the program runs.
        """
        listed: list[int] = keys.tolist()

        def place(position: int) -> tuple[Chem.Mol, int]:
            index = int(np.searchsorted(offsets, position, side="right")) - 1
            return mols[index], position - int(offsets[index])

        for position in [i for i, key in enumerate(listed) if key not in self._number]:
            if listed[position] not in self._number:
                self._number[listed[position]] = self._add(*place(position))
        numbers = np.fromiter(
            map(self._number.__getitem__, listed), dtype=np.int64, count=len(keys)
        )
        # An atom that looks like an odd one may be ordinary, and the other way round.
        for position in np.flatnonzero(self.column("odd")[numbers]).tolist():
            key = (listed[position], *_properties(*place(position)))
            if key not in self._odd_number:
                self._odd_number[key] = self._add(*place(position))
            numbers[position] = self._odd_number[key]
        return numbers

    def _add(self, mol: Chem.Mol, index: int) -> int:
        self._rows.append(_properties(mol, index))
        # A copy of the molecule: no caller can change what the kind was learned from.
        self.atoms.append(Chem.Mol(mol).GetAtomWithIdx(index))
        return len(self.atoms) - 1


def _properties(mol: Chem.Mol, index: int) -> tuple[int, ...]:
    """What :attr:`AtomKinds.table` holds of an atom."""
    atom = mol.GetAtomWithIdx(index)
    unusual = not _USUAL.issuperset(bond.GetBondType() for bond in atom.GetBonds())
    return (
        atom.GetAtomicNum(),
        atom.GetDegree(),
        atom.GetTotalNumHs(),
        atom.GetFormalCharge(),
        int(atom.GetHybridization()),
        int(atom.GetIsAromatic()),
        mol.GetRingInfo().NumAtomRings(index),
        int(unusual or atom.GetNumRadicalElectrons() > 0),
    )


#: The kinds of this process. There are a few hundred in drug-like molecules.
KINDS = AtomKinds()


def _bond_list(
    sizes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    cells: Sequence[NDArray[np.int64]],
    orders: Sequence[NDArray[np.float64]],
    in_ring: NDArray[np.bool_],
    links: Sequence[int],
) -> BondList:
    """Bonds from the filled cells of adjacency matrices, which come row by row."""
    counts = np.array([len(cell) for cell in cells[1:]], dtype=np.int64)
    rows, columns = np.divmod(np.concatenate(cells), np.repeat(sizes, counts))
    shift = np.repeat(offsets, counts)
    sources, targets = rows + shift, columns + shift
    doubled = (2.0 * np.concatenate(orders)).astype(np.int64)
    ring = in_ring[sources] & in_ring[targets]
    # A bond without an order has no cell; one that is dative has none from its donor.
    pairs = np.append(sources * len(in_ring) + targets, -1)
    found = np.searchsorted(pairs[:-1], np.array(links, dtype=np.int64))
    ring[found[pairs[found] == links]] = False
    starts = np.zeros(len(in_ring) + 1, dtype=np.int64)
    np.cumsum(np.bincount(sources, minlength=len(in_ring)), out=starts[1:])
    return BondList(starts, targets, _TYPE_OF_DOUBLED_ORDER[doubled] + N_BOND_TYPES * ring)
