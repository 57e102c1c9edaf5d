import numpy as np
import pytest

from molgfn.reward.proxy.evaluation import errors, rounded, spearman


def test_errors_by_hand():
    found = errors(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    assert found == {"rmse": 0.5774, "r2": 0.5, "spearman": 1.0}


def test_spearman_by_hand():
    assert spearman(np.array([1.0, 5.0, 9.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    # Ranks 1, 2.5, 2.5 and 1, 2, 3.
    assert spearman(np.array([1.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(
        0.75**0.5
    )
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_one_or_two_values_and_equal_ones_have_no_correlation():
    for true in ([5.0], [5.0, 6.0], [0.1, 0.1, 0.1 + 1e-17, 0.30000000000000004 / 3]):
        found = errors(np.arange(float(len(true))), np.array(true))
        assert np.isfinite(found["rmse"])
        assert np.isnan(found["r2"])
        assert np.isnan(found["spearman"])


def test_errors_in_mol_per_litre_are_not_rounded_to_nothing():
    assert rounded(1.23456, 4) == 1.2346
    assert rounded(0.01234, 4) == 0.0123
    assert rounded(1.23456e-8, 4) == 1.23e-8
    assert rounded(0.0, 4) == 0.0
