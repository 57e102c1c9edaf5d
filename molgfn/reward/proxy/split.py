"""Splits that keep molecules of one kind together, so that a test means something new.

Murcko scaffolds are kept together where the parts that come out hold enough molecules. A series
of one or few scaffolds has no such split: then clusters within its large scaffolds are kept
together, and where these are too large as well, molecules are dealt at random. A split says which
of them it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.similarity import leader_clusters, morgan_fingerprints
from molgfn.errors import TableError
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.evaluation import vary

#: What no two parts share; nothing but the molecules themselves in a split at random.
Kept = Literal["scaffolds", "clusters", "molecules"]

#: Measured values, bounds aside, that each part of a split needs: fewer tell nothing.
LEAST_OF_PART = 4
#: Folds of the test split: one for the test, one for the calibration, the others to learn from;
#: fewer, and so larger ones, where a part would be too small.
_SPLIT_FOLDS = (8, 5, 3)
#: Each member stops early on another tenth of its molecules.
_MEMBER_FOLDS = 10
#: Tanimoto distances from the leader of a cluster, tried in turn.
_CLUSTER_DISTANCES = (0.7, 0.5, 0.3)


@dataclass(frozen=True, slots=True)
class Split:
    """Molecules to learn from, to calibrate on and to test on; no molecule is in two parts.

    Attributes:
        train: Indices of half of the molecules or more, bounds included, in ascending order.
        calibration: Indices of ``LEAST_OF_PART`` measured values or more, without bounds.
        test: As many or more, never the largest scaffold alone, unless others are too few.
        kept: What no two of the parts share.
    """

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]
    kept: Kept


def split_for_test(data: Dataset, seed: int) -> Split:
    """Split molecules for an honest test.

    Raises:
        TableError: Too few values are no bounds, or all but a few are the same.
    """
    exact = data.bound_signs == 0
    least = LEAST_OF_PART * _SPLIT_FOLDS[-1]
    if exact.sum() < least:
        raise TableError(
            f"{exact.sum()} of {len(exact)} values are measured, the others are bounds; a proxy "
            f"needs at least {least} measured ones"
        )
    check_varied(data)
    spare: Split | None = None
    for kept, folds in _deals(data.molecules, _SPLIT_FOLDS, seed, exact):
        train = np.flatnonzero(folds > 1)
        calibration, test = (np.flatnonzero((folds == part) & exact) for part in (1, 0))
        least = min(len(calibration), len(test), int(exact[train].sum()))
        if least < LEAST_OF_PART or 2 * len(train) < len(folds) or not vary(data.targets[train]):
            continue
        split = Split(train, calibration, test, kept)
        if not _is_largest_scaffold(data.molecules, test):
            return split
        if kept != "scaffolds" and spare is None:
            spare = split
    if spare is None:
        raise _too_alike(data)
    return spare


def half(data: Dataset, seed: int) -> tuple[NDArray[np.int64], Kept]:
    """Choose about half of the molecules: a quarter of them to three quarters.

    Returns:
        Their indices, ascending, and what they do not share with the other half.

    Raises:
        TableError: All but a few values are the same.
    """
    n = len(data.molecules)
    for kept, folds in _deals(data.molecules, (2,), seed):
        chosen = np.flatnonzero(folds == 0)
        if n <= 4 * len(chosen) <= 3 * n and vary(data.targets[chosen]):
            return chosen, kept
    raise _too_alike(data)


def early_stopping_fold(
    molecules: Sequence[Molecule], member: int, seed: int
) -> tuple[NDArray[np.bool_], Kept]:
    """Choose what a member of an ensemble stops early on: about a tenth, half at most.

    Args:
        molecules: What the ensemble learns from, at least ten.
        member: Number of the member, from 0; the first ten have different folds where there are
            as many.
        seed: Seed of the folds.

    Returns:
        True for a molecule to stop early on, False for one to learn from, shape
        ``(len(molecules),)``, and what the two do not share.

    Raises:
        ValueError: There are not enough molecules.
    """
    turn, own = divmod(member, _MEMBER_FOLDS)
    for kept, folds in _deals(molecules, (_MEMBER_FOLDS,), seed + turn):
        chosen = folds == own
        if 0 < 2 * chosen.sum() <= len(folds):
            return chosen, kept
    raise ValueError(f"early stopping needs at least 2 molecules, got {len(molecules)}")


def check_varied(data: Dataset) -> None:
    """Find out whether values differ in more than one molecule.

    Raises:
        TableError: They do not.
    """
    n_same = Counter(data.targets.tolist()).most_common(1)[0][1]
    if not vary(data.targets) or n_same >= len(data.targets) - 1:
        raise _too_alike(data)


def scaffold_folds(molecules: Sequence[Molecule], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal molecules into folds of about equal size, one Murcko scaffold never in two of them.

    Every molecule without rings is a scaffold of its own.

    Returns:
        Fold of each molecule, shape ``(len(molecules),)``, 0 to ``n_folds - 1``.

    Raises:
        ValueError: Fewer than two folds.
    """
    return _folds(_scaffolds(molecules), n_folds, seed)


def _folds(groups: Sequence[str], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal groups into folds.

    Groups are shuffled and each goes to the fold that is smallest so far, so common ones are
    spread over the folds.

    Args:
        groups: Group of each molecule.
        n_folds: How many folds, at least 2.
        seed: Seed of the order.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, got {n_folds}")
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    names = sorted(members)
    folds = np.zeros(len(groups), dtype=np.int64)
    sizes = np.zeros(n_folds, dtype=np.int64)
    for position in np.random.default_rng(seed).permutation(len(names)):
        own = members[names[position]]
        fold = int(sizes.argmin())
        folds[own] = fold
        sizes[fold] += len(own)
    return folds


def _deals(
    molecules: Sequence[Molecule],
    numbers: Sequence[int],
    seed: int,
    exact: NDArray[np.bool_] | None = None,
) -> Iterator[tuple[Kept, NDArray[np.int64]]]:
    """Ways to deal molecules into folds, the most telling first.

    Args:
        molecules: The molecules.
        numbers: Numbers of folds to try.
        seed: Seed of the dealing.
        exact: False for a bound, which goes to the last fold of a deal at random.
    """
    groupings: Iterator[tuple[Kept, list[str]]] = _groupings(molecules, numbers[0])
    for kept, groups in groupings:
        for n_folds in numbers:
            folds = _folds(groups, n_folds, seed)
            for first in range(n_folds):
                yield kept, (folds - first) % n_folds
    dealt = np.arange(len(molecules)) if exact is None else np.flatnonzero(exact)
    for n_folds in numbers:
        own = _folds([molecules[i].smiles for i in dealt.tolist()], n_folds, seed)
        for first in range(n_folds):
            folds = np.full(len(molecules), n_folds - 1)
            folds[dealt] = (own - first) % n_folds
            yield "molecules", folds


def _groupings(molecules: Sequence[Molecule], n_folds: int) -> Iterator[tuple[Kept, list[str]]]:
    scaffolds = _scaffolds(molecules)
    yield "scaffolds", scaffolds
    for distance in _CLUSTER_DISTANCES:
        yield "clusters", _divide(molecules, scaffolds, len(molecules) / n_folds, distance)


def _scaffolds(molecules: Sequence[Molecule]) -> list[str]:
    return [molecule.scaffold or molecule.smiles for molecule in molecules]


def _divide(
    molecules: Sequence[Molecule], groups: Sequence[str], most: float, distance: float
) -> list[str]:
    """Divide groups of more than ``most`` molecules into clusters of similar ones."""
    divided = list(groups)
    # The order of the rows decides nothing.
    order = sorted(range(len(groups)), key=lambda index: molecules[index].smiles)
    for group, n_members in Counter(groups).items():
        if n_members > most:
            own = [index for index in order if groups[index] == group]
            fingerprints = morgan_fingerprints([molecules[index] for index in own])
            for index, cluster in zip(own, leader_clusters(fingerprints, distance), strict=True):
                divided[index] = f"{group} {cluster}"
    return divided


def _is_largest_scaffold(molecules: Sequence[Molecule], chosen: NDArray[np.int64]) -> bool:
    """Whether molecules are of one scaffold and others, all of them less common, are left out."""
    scaffolds = _scaffolds(molecules)
    own = {scaffolds[index] for index in chosen}
    (largest, n_largest), *others = Counter(scaffolds).most_common(2)
    return own == {largest} and bool(others) and others[0][1] < n_largest


def _too_alike(data: Dataset) -> TableError:
    value, n_same = Counter(data.targets.tolist()).most_common(1)[0]
    n_same = n_same if vary(data.targets) else len(data.targets)
    return TableError(
        f"{n_same} of {len(data.targets)} molecules have the value {value:g}; a proxy needs values "
        "that differ"
    )
