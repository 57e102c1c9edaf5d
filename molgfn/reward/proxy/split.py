"""Splits that keep molecules of one scaffold together, so that a test means something new."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule


def scaffold_folds(molecules: Sequence[Molecule], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal molecules into folds of about equal size, one Murcko scaffold never in two of them.

    Scaffolds are shuffled and each goes to the fold that is smallest so far, so common scaffolds
    are spread over the folds. Every molecule without rings is a group of its own.

    Returns:
        Fold of each molecule, shape ``(len(molecules),)``, 0 to ``n_folds - 1``.

    Raises:
        ValueError: Fewer than two folds.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, came {n_folds}")
    groups: dict[str, list[int]] = {}
    for index, molecule in enumerate(molecules):
        scaffold = molecule.scaffold
        groups.setdefault(scaffold if scaffold else molecule.smiles, []).append(index)
    names = sorted(groups)
    folds = np.zeros(len(molecules), dtype=np.int64)
    sizes = np.zeros(n_folds, dtype=np.int64)
    for position in np.random.default_rng(seed).permutation(len(names)):
        members = groups[names[position]]
        fold = int(sizes.argmin())
        folds[members] = fold
        sizes[fold] += len(members)
    return folds
