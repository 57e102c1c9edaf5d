"""How near a molecule is to the training set: Tanimoto similarity to the nearest member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.similarity import N_BITS


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
    def of(cls, molecules: Sequence[Molecule]) -> TrainingNeighbours:
        """Compute the fingerprints of the training molecules."""
        rows = [_on_bits(counts) for counts in MoleculeBatch.of(molecules).morgan_counts]
        return cls(
            bits=np.concatenate(rows).astype(np.int16),
            counts=np.array([len(row) for row in rows], dtype=np.int16),
        )

    @cached_property
    def _by_bit(self) -> NDArray[np.uint8]:
        """1 where a training molecule (column) has a bit (row) on, ``(2048, n_train)``."""
        table = np.zeros((N_BITS, len(self.counts)), dtype=np.uint8)
        table[self.bits, np.repeat(np.arange(len(self.counts)), self.counts)] = 1
        return table

    def similarity(self, molecules: MoleculeBatch) -> NDArray[np.float64]:
        """Similarity to the most similar training molecule.

        Returns:
            Tanimoto similarity, shape ``(len(molecules),)``, 1 for the same fingerprint.
        """
        nearest = np.zeros(len(molecules))
        train_counts = self.counts.astype(np.float32)
        for index, counts in enumerate(molecules.morgan_counts):
            on = _on_bits(counts)
            # Adding up the rows of some 50 bits, in single bytes while the sum fits one, beats
            # comparing 2048 bits with every molecule.
            dtype = np.uint8 if len(on) < 256 else np.uint16
            shared = self._by_bit[on].sum(axis=0, dtype=dtype).astype(np.float32)
            best = int((shared / (len(on) + train_counts - shared)).argmax())
            n_shared = float(shared[best])
            nearest[index] = n_shared / (len(on) + int(self.counts[best]) - n_shared)
        return nearest


def _on_bits(counts: dict[int, int]) -> NDArray[np.int64]:
    """Bits of the folded fingerprint that are on."""
    return np.unique(np.fromiter(counts, dtype=np.int64, count=len(counts)) % N_BITS)
