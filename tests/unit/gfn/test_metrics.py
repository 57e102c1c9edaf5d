import math

import numpy as np
import pytest

from molgfn.gfn.metrics import fit, jensen_shannon, l1_distance, partition, regression_slope


def test_a_flat_sampler_has_full_correlation_but_half_the_slope():
    log_reward = np.array([0.0, -2.0, -4.0, -10.0])
    found = fit(0.5 * log_reward - 3.0, log_reward)
    assert (found.n, found.slope, found.intercept) == (4, pytest.approx(0.5), pytest.approx(-3))
    assert found.pearson == pytest.approx(1)
    assert found.spearman == pytest.approx(1)
    assert found.rmse == pytest.approx(0.5 * np.std(log_reward))


def test_slope_is_missing_where_nothing_varies():
    assert math.isnan(regression_slope(np.zeros(5), np.arange(5.0)))
    assert math.isnan(fit(np.arange(2.0), np.arange(2.0)).slope)


def test_a_perfect_sampler_pins_log_z():
    log_p = np.log([0.5, 0.3, 0.2])
    found = partition(log_p, log_p + 1.7)
    assert (found.lower, found.upper, found.log_z) == pytest.approx((1.7, 1.7, 1.7))
    assert found.effective_samples == pytest.approx(3)


def test_bounds_of_log_z_by_hand():
    # R/p = 1 and 3: log Z = log 2, weights 1/4 and 3/4.
    found = partition(np.log([0.5, 0.5]), np.log([0.5, 1.5]))
    assert found.log_z == pytest.approx(math.log(2))
    assert found.lower == pytest.approx(math.log(3) / 2)
    assert found.upper == pytest.approx(0.75 * math.log(3))
    assert found.entropy == pytest.approx(math.log(2))
    assert found.effective_samples == pytest.approx(1.6)


def test_distances_of_distributions():
    p, q = np.log([0.5, 0.5]), np.log([0.25, 0.75])
    assert l1_distance(p, q) == pytest.approx(0.5)
    assert jensen_shannon(p, p) == 0
    with np.errstate(divide="ignore"):
        apart = np.log([1.0, 0.0]), np.log([0.0, 1.0])
    assert l1_distance(*apart) == 2
    assert jensen_shannon(*apart) == pytest.approx(math.log(2))
