"""How near a molecule is to the training set: Tanimoto similarity to the nearest member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

_N_BITS = 2048
_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_N_BITS)


@dataclass(frozen=True)
class TrainingNeighbours:
    """Morgan fingerprints (radius 2, 2048 bits) of the training molecules.

    Attributes:
        bits: Numbers of the bits that are on, molecule after molecule, int16.
        counts: How many bits each molecule has on, ``(n_train,)`` int16.
    """

    bits: NDArray[np.int16]
    counts: NDArray[np.int16]

    @classmethod
    def of(cls, mols: Sequence[Chem.Mol]) -> TrainingNeighbours:
        """Compute the fingerprints of the training molecules.

        Args:
            mols: Training molecules, at least one.

        Returns:
            Their fingerprints.
        """
        rows = [_on_bits(mol) for mol in mols]
        return cls(
            bits=np.concatenate(rows).astype(np.int16),
            counts=np.array([len(row) for row in rows], dtype=np.int16),
        )

    @cached_property
    def _by_bit(self) -> NDArray[np.uint16]:
        """1 where a training molecule (column) has a bit (row) on, ``(2048, n_train)``."""
        table = np.zeros((_N_BITS, len(self.counts)), dtype=np.uint16)
        table[self.bits, np.repeat(np.arange(len(self.counts)), self.counts)] = 1
        return table

    def similarity(self, mols: Sequence[Chem.Mol]) -> NDArray[np.float64]:
        """Similarity to the most similar training molecule.

        Args:
            mols: Sanitised molecules.

        Returns:
            Tanimoto similarity, shape ``(len(mols),)``, 1 for the same fingerprint.
        """
        nearest = np.zeros(len(mols))
        for index, mol in enumerate(mols):
            on = _on_bits(mol)
            # Adding up the rows of some 50 bits beats comparing 2048 bits with every molecule.
            shared = self._by_bit[on].sum(axis=0, dtype=np.uint16).astype(np.float64)
            nearest[index] = float((shared / (len(on) + self.counts - shared)).max())
        return nearest


def _on_bits(mol: Chem.Mol) -> NDArray[np.int64]:
    return np.array(_MORGAN.GetFingerprint(mol).GetOnBits(), dtype=np.int64)
