import numpy as np
import pytest

from molgfn.errors import NumericalError
from molgfn.reward.preflight import preflight


def test_range_and_shares_by_hand():
    scores = np.array([np.nan, 0.001, 0.001, 0.5, 1.0])
    found = preflight(scores)
    assert found.n_molecules == 5
    assert found.share_failed == pytest.approx(0.2)
    assert found.share_at_floor == 0.5
    assert found.share_saturated == 0.25
    assert (found.lowest, found.highest) == (0.001, 1.0)
    assert found.quantiles[2] == pytest.approx(0.2505)
    assert any("saturated" in line for line in found.lines())


def test_the_proposed_beta_puts_the_best_20_nats_above_the_95th_percentile():
    # log Score is uniform on -20 to 0: the best lies 1 above the 95th percentile.
    scores = np.exp(np.linspace(-20.0, -1e-9, 10001))
    assert preflight(scores).beta == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize(("width", "beta"), [(1e-3, 64.0), (1e3, 1.0)])
def test_the_proposed_beta_stays_between_1_and_64(width, beta):
    assert preflight(np.exp(np.linspace(-0.5 * width, -1e-9, 1001))).beta == beta


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([np.nan, np.nan], "every one of 2 random molecules failed"),
        ([], "every one of 0"),
        ([0.5, 0.5], "have the same score 0.5"),
        ([0.0, 0.5], "must lie above 0"),
        ([0.5, 1.5], "must lie above 0"),
    ],
)
def test_a_useless_range_is_refused(scores, message):
    with pytest.raises(NumericalError, match=message):
        preflight(np.array(scores))
