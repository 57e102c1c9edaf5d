import numpy as np
import pytest

from molgfn.reward.proxy.evaluation import errors, spearman


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
