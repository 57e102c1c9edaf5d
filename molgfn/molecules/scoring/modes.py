"""Counts modes: molecules of a high Score that are unlike each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.similarity import fingerprint

#: A mode is a molecule of at least this Score...
MODE_SCORE = 0.5
#: ... whose Tanimoto similarity to every earlier mode is below this (Bengio et al. 2021).
MODE_SIMILARITY = 0.7
#: Modes are counted up to here; comparing with ever more of them would slow a long run down.
MAX_MODES = 5_000


class Candidate(NamedTuple):
    """A molecule that may be a mode.

    Attributes:
        smiles: Its canonical SMILES.
        bits: Its fingerprint.
    """

    smiles: str
    bits: ExplicitBitVect

    @classmethod
    def of(cls, molecule: Molecule, log_score: float) -> Candidate | None:
        """Make a candidate of a molecule whose Score allows it.

        Args:
            molecule: The molecule.
            log_score: Natural logarithm of its Score, NaN = failed.

        Returns:
            The candidate, None where the Score is too low.
        """
        if not log_score >= math.log(MODE_SCORE):
            return None
        return cls(molecule.smiles, fingerprint(molecule.mol))


class Modes:
    """The modes found so far, in the order of finding."""

    def __init__(self, smiles: Sequence[str] = ()) -> None:
        self.smiles = list(smiles)
        self._fingerprints = [fingerprint(read_molecule(s).mol) for s in smiles]

    def __len__(self) -> int:
        return len(self.smiles)

    @property
    def is_full(self) -> bool:
        """Whether no more are counted."""
        return len(self) >= MAX_MODES

    def consider(self, candidate: Candidate) -> None:
        """Count a candidate unless it is like an earlier mode."""
        if self.is_full:
            return
        near = BulkTanimotoSimilarity(candidate.bits, self._fingerprints)
        if max(near, default=0.0) < MODE_SIMILARITY:
            self.smiles.append(candidate.smiles)
            self._fingerprints.append(candidate.bits)
