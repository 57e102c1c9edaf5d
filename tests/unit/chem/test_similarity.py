import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import DataStructs

from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import (
    fingerprint,
    leader_clusters,
    mean_pairwise_similarity,
    morgan_fingerprints,
    n_circles,
    similarity_to,
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
    assert similarity_to(a, b[0]).tolist() == [0.5, 0.0, 0.0]


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
    assert leader_clusters(none, 0.7) == []
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


def test_leaders_by_hand():
    # Distances of the second and third from the first: 1/2, 3/4; of the third from the second: 2/3.
    fingerprints = packed({0, 1}, {0}, {0, 2, 3}, {9}, {9}, {0})
    assert leader_clusters(fingerprints, 0.0) == [0, 1, 2, 3, 3, 1]
    assert leader_clusters(fingerprints, 0.5) == [0, 0, 1, 2, 2, 0]
    # The third is 3/4 from the first leader and would be nearer to the second, no leader.
    assert leader_clusters(fingerprints, 0.75) == [0, 0, 0, 1, 1, 0]
    # Far from the first leader, near to both others: the earlier one has it.
    assert leader_clusters(packed({0, 1}, {4, 5}, {5, 6}, {5}), 0.5) == [0, 1, 2, 1]


def test_members_without_bits_lead_themselves():
    assert leader_clusters(packed(set(), {1}, set()), 0.7) == [0, 1, 2]
    assert n_circles(packed(set(), set()), 0.7) == 2


@given(bits=st.lists(st.sets(st.integers(0, 7), min_size=1), max_size=15), distance=st.floats(0, 1))
def test_clusters_are_those_of_leaders_taken_one_by_one(bits, distance):
    fingerprints = packed(*bits)
    distances = tanimoto_distance(fingerprints, fingerprints)
    leaders, expected = [], []
    for member in range(len(bits)):
        near = [c for c, leader in enumerate(leaders) if distances[leader, member] <= distance]
        if not near:
            near = [len(leaders)]
            leaders.append(member)
        expected.append(near[0])
    assert leader_clusters(fingerprints, distance) == expected
    assert n_circles(fingerprints, distance) == len(leaders)
