"""Synthetic accessibility of many molecules, the same number as RDKit's contributed scorer.

The contributed scorer spends most of its time on the labels of stereo centres, of which it needs
the number alone, and on a fingerprint that others need too.

References:
    Ertl and Schuffenhauer 2009, Estimation of synthetic accessibility score of drug-like
    molecules. https://doi.org/10.1186/1758-2946-1-8
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molgfn.chem.properties.batch import MoleculeBatch

#: Contribution of a neighbourhood that the scorer's molecules did not have.
_UNKNOWN = -4.0
#: An atom of a ring of nine or more. Listing the rings takes four times as long.
_MACROCYCLE = Chem.MolFromSmarts("[k{9-}]")
#: Ends of the raw score that are mapped to 10 and 1.
_HARDEST, _EASIEST = -4.0, 2.5


def sa_score(mol: Chem.Mol) -> float:
    """SA score of one molecule by the contributed scorer itself, 1 (easy) to 10 (hard)."""
    return float(_sa_scorer().calculateScore(mol))


def synthetic_accessibility(batch: MoleculeBatch) -> NDArray[np.float64]:
    """How hard molecules are to make, from frequencies of their fragments and complexity.

    Returns:
        SA scores, 1 (easy) to 10 (hard), shape ``(B,)``; equal to :func:`sa_score`.
    """
    contributions = _contributions()
    scores = [
        _score(mol, counts, contributions)
        for mol, counts in zip(batch.mols, batch.morgan_counts, strict=True)
    ]
    return np.array(scores, dtype=np.float64)


def _score(mol: Chem.Mol, counts: dict[int, int], contributions: dict[int, float]) -> float:
    """The scorer's own formula, its additions in the same order."""
    fragments, n_fragments = 0.0, 0
    for number, count in counts.items():
        n_fragments += count
        fragments += contributions.get(number, _UNKNOWN) * count
    n_atoms = int(mol.GetNumAtoms())
    size = n_atoms**1.005 - n_atoms
    stereo = math.log10(_count_stereo_centres(mol) + 1)
    spiro = math.log10(rdMolDescriptors.CalcNumSpiroAtoms(mol) + 1)
    bridge = math.log10(rdMolDescriptors.CalcNumBridgeheadAtoms(mol) + 1)
    macrocycle = math.log10(2) if mol.HasSubstructMatch(_MACROCYCLE) else 0.0
    complexity = 0.0 - size - stereo - spiro - bridge - macrocycle
    # Symmetric molecules, which repeat their neighbourhoods, are easier to make.
    symmetry = math.log(n_atoms / len(counts)) * 0.5 if n_atoms > len(counts) else 0.0
    raw = fragments / n_fragments + complexity + symmetry
    score: float = 11.0 - (raw - _HARDEST + 1) / (_EASIEST - _HARDEST) * 9.0
    if score > 8.0:
        score = 8.0 + math.log(score + 1.0 - 9.0)
    return min(max(score, 1.0), 10.0)


def _count_stereo_centres(mol: Chem.Mol) -> int:
    """Stereo centres, with and without a given configuration."""
    if not Chem.GetUseLegacyStereoPerception():
        return len(Chem.FindMolChiralCenters(mol, includeUnassigned=True))
    Chem.AssignStereochemistry(mol, force=True, flagPossibleStereoCenters=True, cleanIt=True)
    return int(rdMolDescriptors.CalcNumAtomStereoCenters(mol))


@cache
def _contributions() -> dict[int, float]:
    """Contribution of each neighbourhood by its hash."""
    scorer = _sa_scorer()
    if scorer._fscores is None:
        scorer.readFragmentScores()
    contributions: dict[int, float] = scorer._fscores
    return contributions


@cache
def _sa_scorer() -> Any:
    """RDKit's contributed scorer; it announces its own move with a warning on import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rdkit.Contrib.SA_Score import sascorer
    return sascorer
