from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import DataStructs

from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import (
    fingerprint,
    mean_pairwise_similarity,
    morgan_fingerprints,
    n_circles,
    select_diverse,
    tanimoto_distance,
    tanimoto_similarity,
)

SMILES = ["CCO", "CCCO", "c1ccccc1", "Cc1ccccc1", "OCC", "C1CCNCC1", "CC(=O)Nc1ccccc1", "[He]"]


def packed(*bits):
    """Fingerprints with the given bits set, one set of numbers for each."""
    dense = np.zeros((len(bits), 2048), dtype=np.uint8)
    for row, on in zip(dense, bits, strict=True):
        row[list(on)] = 1
    return np.packbits(dense, axis=1).view(np.uint64)


def test_similarity_by_hand():
    a = packed({0, 1, 2}, {63, 64, 2047}, set())
    b = packed({1, 2, 3}, {0, 1, 2})
    assert tanimoto_similarity(a, b).tolist() == [[0.5, 1.0], [0.0, 0.0], [0.0, 0.0]]
    assert tanimoto_distance(a, b)[0].tolist() == [0.5, 0.0]


def test_similarity_is_that_of_rdkit():
    molecules = [read_molecule(s) for s in SMILES]
    bits = [fingerprint(m.mol) for m in molecules]
    expected = [DataStructs.BulkTanimotoSimilarity(b, bits) for b in bits]
    ours = morgan_fingerprints(molecules)
    np.testing.assert_allclose(tanimoto_similarity(ours, ours), expected, rtol=1e-12)


def test_no_molecules():
    none = morgan_fingerprints([])
    assert none.shape == (0, 32)
    assert tanimoto_similarity(none, none).shape == (0, 0)
    assert select_diverse(none, np.zeros(0), 3, 0.5) == []
    assert n_circles(none, 0.7) == 0


def test_mean_over_pairs_by_hand():
    # Pairs: 1/2, 0, 0.
    assert mean_pairwise_similarity(packed({0, 1}, {0}, {5})) == pytest.approx(1 / 6)
    with pytest.raises(ValueError, match="at least 2"):
        mean_pairwise_similarity(packed({0}))


def test_circles_by_hand():
    fingerprints = packed({0, 1}, {0}, {5}, {5})
    assert n_circles(fingerprints, 0.4) == 3
    assert n_circles(fingerprints, 0.5) == 2  # exactly 0.5 apart is not more than 0.5 apart
    assert n_circles(fingerprints, 1.0) == 1


def test_the_best_come_first_and_keep_their_distance():
    fingerprints = packed({0, 1}, {0}, {5}, {6}, {7})
    scores = np.array([0.5, 0.9, 0.1, np.nan, 0.1])
    assert select_diverse(fingerprints, scores, 9, 0.5) == [1, 0, 2, 4]
    assert select_diverse(fingerprints, scores, 9, 0.6) == [1, 2, 4]
    assert select_diverse(fingerprints, scores, 2, 0.6) == [1, 2]
    with pytest.raises(ValueError, match="5 fingerprints"):
        select_diverse(fingerprints, scores[:2], 2, 0.6)


def test_a_pick_far_down_keeps_its_distance_from_all_before():
    # 3000 members of ten kinds, more than are compared at a time.
    fingerprints = packed(*({kind, kind + 1} for kind in range(0, 20, 2))).repeat(300, axis=0)
    scores = np.linspace(1.0, 0.0, 3000)
    assert select_diverse(fingerprints, scores, 99, 0.1) == list(range(0, 3000, 300))


@given(
    bits=st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=12),
    k=st.integers(1, 12),
    min_distance=st.floats(0, 1),
    data=st.data(),
)
def test_every_selection_is_diverse_ordered_and_maximal(bits, k, min_distance, data):
    n = len(bits)
    scores = np.array(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    fingerprints = packed(*bits)
    picked = select_diverse(fingerprints, scores, k, min_distance)
    distance = tanimoto_distance(fingerprints, fingerprints)
    assert all(distance[i, j] >= min_distance for i in picked for j in picked if i < j)
    assert all(scores[i] >= scores[j] for i, j in pairwise(picked))
    assert picked[0] == np.argmax(scores)
    if len(picked) < k:
        left = set(range(n)) - set(picked)
        assert all(min(distance[i, picked]) < min_distance for i in left)
