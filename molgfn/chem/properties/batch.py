"""Molecules that are scored together, with what several scorers need of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.atom_arrays import AtomArrays
from molgfn.chem.properties.logp import logp
from molgfn.chem.similarity import MORGAN


class MoleculeBatch(Sequence[Molecule]):
    """A sequence of molecules that computes what its scorers share once."""

    def __init__(self, molecules: Sequence[Molecule]) -> None:
        self._molecules = tuple(molecules)

    @classmethod
    def of(cls, molecules: Sequence[Molecule]) -> MoleculeBatch:
        """Make a batch, or return the one that was given."""
        return molecules if isinstance(molecules, MoleculeBatch) else cls(molecules)

    @overload
    def __getitem__(self, index: int) -> Molecule: ...
    @overload
    def __getitem__(self, index: slice) -> MoleculeBatch: ...
    def __getitem__(self, index: int | slice) -> Molecule | MoleculeBatch:
        if isinstance(index, slice):
            return MoleculeBatch(self._molecules[index])
        return self._molecules[index]

    def __len__(self) -> int:
        return len(self._molecules)

    @cached_property
    def mols(self) -> list[Chem.Mol]:
        """The RDKit molecules."""
        return [molecule.mol for molecule in self._molecules]

    @cached_property
    def atoms(self) -> AtomArrays:
        """Atoms and bonds of the molecules."""
        return AtomArrays.of(self.mols)

    @cached_property
    def morgan_counts(self) -> list[dict[int, int]]:
        """Atom neighbourhoods up to radius 2 of each molecule: hash and how often it comes."""
        return [MORGAN.GetSparseCountFingerprint(m).GetNonzeroElements() for m in self.mols]

    @cached_property
    def logp(self) -> NDArray[np.float64]:
        """Crippen's logP of each molecule, shape ``(B,)``."""
        return logp(self.mols, self.atoms)
