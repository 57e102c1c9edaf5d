"""How alike molecules are: Morgan fingerprints, Tanimoto similarity, clusters.

A fingerprint is 2048 bits packed into 32 unsigned 64-bit words; a set of them is an array of shape
``(n, 32)``. The distance of two molecules is one minus their Tanimoto similarity, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import ExplicitBitVect

from molgfn.chem.molecule import Molecule

RADIUS = 2
N_BITS = 2048

#: The generator of every Morgan fingerprint and count in the package.
MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_BITS)

#: Rows of a similarity matrix computed at a time: bounds the memory of large comparisons.
_BLOCK = 1024


def fingerprint(mol: Chem.Mol) -> ExplicitBitVect:
    """Morgan fingerprint as RDKit holds it, for its own bulk functions; stereo is ignored."""
    return MORGAN.GetFingerprint(mol)


def morgan_fingerprints(molecules: Sequence[Molecule]) -> NDArray[np.uint64]:
    """Packed Morgan fingerprints, shape ``(n, 32)``; stereo is ignored."""
    packed = np.zeros((len(molecules), N_BITS // 8), dtype=np.uint8)
    for row, molecule in zip(packed, molecules, strict=True):
        row[:] = np.packbits(MORGAN.GetFingerprintAsNumPy(molecule.mol))
    return packed.view(np.uint64)


def tanimoto_similarity(
    first: NDArray[np.uint64], second: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Similarity of every pair of two sets, n and m.

    Returns:
        Shared bits over bits in either, shape ``(n, m)``, 0 to 1; 0 where both have no bits.
    """
    # Counts up to 2048 are exact in single precision, and a matrix product is fastest.
    right = _unpack(second)
    right_count = right.sum(axis=1)
    out = np.empty((len(first), len(second)))
    for start in range(0, len(first), _BLOCK):
        left = _unpack(first[start : start + _BLOCK])
        shared = left @ right.T
        out[start : start + _BLOCK] = _ratio(
            shared.astype(np.float64), left.sum(axis=1)[:, None] + right_count[None, :] - shared
        )
    return out


def tanimoto_distance(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.float64]:
    """One minus the similarity of every pair, shape ``(n, m)``, 0 to 1."""
    return 1.0 - tanimoto_similarity(first, second)


def mean_pairwise_similarity(fingerprints: NDArray[np.uint64]) -> float:
    """Mean similarity over all pairs of different members, 0 to 1; low means diverse.

    Raises:
        ValueError: Fewer than two fingerprints have no pair.
    """
    n = len(fingerprints)
    if n < 2:
        raise ValueError(f"a mean over pairs needs at least 2 fingerprints, got {n}")
    total = 0.0
    for start in range(0, n, _BLOCK):
        rows = tanimoto_similarity(fingerprints[start : start + _BLOCK], fingerprints)
        own = np.arange(len(rows))
        total += float(rows.sum() - rows[own, start + own].sum())
    return total / (n * (n - 1))


def similarity_to(
    fingerprints: NDArray[np.uint64], reference: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Similarity of n members to one fingerprint: quicker than a matrix with one column.

    Args:
        fingerprints: Fingerprints, shape ``(n, 32)``.
        reference: One fingerprint, shape ``(32,)``.

    Returns:
        Shared bits over bits in either, shape ``(n,)``, 0 to 1; 0 where both have no bits.
    """
    shared = np.bitwise_count(fingerprints & reference).sum(axis=1, dtype=np.float64)
    either = np.bitwise_count(fingerprints | reference).sum(axis=1, dtype=np.float64)
    return _ratio(shared, either)


def leader_clusters(fingerprints: NDArray[np.uint64], distance: float) -> list[int]:
    """Cluster members around leaders: each joins the first leader that is near, or becomes one.

    Args:
        fingerprints: Fingerprints, shape ``(n, 32)``; earlier ones lead.
        distance: A member joins a leader at most this far away, 0 to 1.

    Returns:
        Cluster of each member, numbered 0, 1, 2, … in order of appearance.
    """
    cluster = np.zeros(len(fingerprints), dtype=np.intp)
    remaining = np.arange(len(fingerprints))
    n_clusters = 0
    while len(remaining):
        is_far = 1.0 - similarity_to(fingerprints, fingerprints[0]) > distance
        is_far[0] = False  # without any bits a member is not even like itself
        cluster[remaining[~is_far]] = n_clusters
        fingerprints, remaining = fingerprints[is_far], remaining[is_far]
        n_clusters += 1
    return [int(number) for number in cluster]


def n_circles(fingerprints: NDArray[np.uint64], distance: float) -> int:
    """Number of members more than a distance (0 to 1) apart from each other, greedily in order.

    References:
        Xie et al. 2023, How much space has been explored? https://arxiv.org/abs/2112.12542
    """
    return max(leader_clusters(fingerprints, distance), default=-1) + 1


def _ratio(shared: NDArray[np.float64], either: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def _unpack(fingerprints: NDArray[np.uint64]) -> NDArray[np.float32]:
    bits = np.unpackbits(np.ascontiguousarray(fingerprints).view(np.uint8), axis=1)
    return bits.astype(np.float32)
