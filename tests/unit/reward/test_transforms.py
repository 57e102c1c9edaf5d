import numpy as np
import pytest

from molgfn.config.reward_schema import FactorConfig
from molgfn.errors import ConfigError, ScorerError
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.reward.transforms import transform

SIZE = SizeBaseline(mean=(-0.5, 0.0), sd=(1.0,), smallest_sd=0.1, n_min=10, n_max=40)


def apply(factor, values, heavy_atoms=(20.0,), size=None, floor=1e-4):
    values = np.array(values, dtype=float)
    sizes = np.broadcast_to(np.array(heavy_atoms), values.shape)
    return transform(factor, values, sizes, size, floor)


def test_identity_keeps_or_reverses_the_value():
    assert apply(FactorConfig("QED", "identity"), [0.25, 1.0]).tolist() == [0.25, 1.0]
    assert apply(FactorConfig("QED", "identity", "minimise"), [0.25]).tolist() == [0.75]


def test_identity_refuses_what_is_no_share_and_names_the_factor():
    with pytest.raises(ScorerError, match="factor 'mw'.*got 180"):
        apply(FactorConfig("MW", "identity", name="mw"), [180.0])


def test_sigmoid_is_a_tenth_at_the_bad_end_a_half_in_the_middle_nine_tenths_at_the_good_one():
    up = FactorConfig("QED", "sigmoid", low=2.0, high=4.0)
    down = FactorConfig("QED", "sigmoid", "minimise", low=2.0, high=4.0)
    assert apply(up, [2.0, 3.0, 4.0]) == pytest.approx([0.1, 0.5, 0.9])
    assert apply(down, [2.0, 3.0, 4.0]) == pytest.approx([0.9, 0.5, 0.1])


def test_sigmoid_of_an_absurd_value_is_the_floor_and_warns_of_nothing():
    factor = FactorConfig("QED", "sigmoid", low=2.0, high=4.0)
    assert apply(factor, [-1e9, 1e9]).tolist() == [1e-4, 1.0]


def test_window_is_one_inside_and_gaussian_outside():
    factor = FactorConfig("MW", "window", low=200.0, high=400.0, softness=50.0)
    scores = apply(factor, [150.0, 200.0, 300.0, 400.0, 500.0])
    assert scores == pytest.approx([np.exp(-0.5), 1.0, 1.0, 1.0, np.exp(-2.0)])


def test_decay_starts_beyond_the_limit_on_the_bad_side():
    few = FactorConfig("alerts", "decay", "minimise", limit=1.0, softness=2.0)
    assert apply(few, [0.0, 1.0, 3.0]) == pytest.approx([1.0, 1.0, np.exp(-1.0)])
    many = FactorConfig("rings", "decay", limit=2.0, softness=1.0)
    assert apply(many, [3.0, 2.0, 0.0]) == pytest.approx([1.0, 1.0, np.exp(-2.0)])


def test_ligand_efficiency_divides_by_heavy_atoms():
    factor = FactorConfig("proxy", "ligand_efficiency", "minimise", low=-0.5, high=-0.3)
    assert apply(factor, [-10.0, -10.0], [20.0, 40.0]) == pytest.approx([0.9, 1 / (1 + 27)])


def test_size_corrected_compares_with_molecules_of_that_size():
    factor = FactorConfig("proxy", "size_corrected", "minimise", low=-2.0, high=0.0)
    # The mean is half a unit per heavy atom: -10 at 20 atoms, -15 at 30; the spread is 1.
    scores = apply(factor, [-10.0, -12.0, -15.0], [20.0, 20.0, 30.0], SIZE)
    assert scores == pytest.approx([0.1, 0.9, 0.1])


def test_size_corrected_does_not_extrapolate_the_mean():
    factor = FactorConfig("proxy", "size_corrected", "minimise", low=-2.0, high=0.0)
    assert apply(factor, [-20.0], [80.0], SIZE) == pytest.approx([0.1])


def test_size_corrected_needs_the_proxy():
    factor = FactorConfig("QED", "size_corrected", low=-2.0, high=0.0, name="drug")
    with pytest.raises(ConfigError, match="factor 'drug'.*needs the scorer proxy"):
        apply(factor, [0.5])


@pytest.mark.parametrize(
    "factor",
    [
        FactorConfig("a", "identity"),
        FactorConfig("a", "sigmoid", low=0.0, high=1.0),
        FactorConfig("a", "window", low=0.0, high=1.0, softness=1.0),
        FactorConfig("a", "decay", "minimise", limit=0.0, softness=1.0),
        FactorConfig("a", "ligand_efficiency", low=0.0, high=1.0),
        FactorConfig("a", "size_corrected", low=0.0, high=1.0),
    ],
)
def test_a_missing_value_stays_missing(factor):
    scores = apply(factor, [np.nan, 0.5], size=SIZE)
    assert np.isnan(scores[0])
    assert 1e-4 <= scores[1] <= 1.0


def test_size_baseline_recovers_a_curve_and_its_spread():
    rng = np.random.default_rng(0)
    sizes = rng.integers(10, 40, 4000)
    values = 1.0 - 0.4 * sizes + 0.002 * sizes**2 + rng.normal(size=4000) * (0.2 + 0.02 * sizes)
    z = SizeBaseline.fit(sizes, values).z_score(values, sizes.astype(float))
    for low, high in ((10, 20), (20, 30), (30, 40)):
        part = z[(sizes >= low) & (sizes < high)]
        assert abs(part.mean()) < 0.15
        assert part.std() == pytest.approx(1.0, abs=0.1)


def test_size_baseline_of_molecules_of_one_size_is_their_mean():
    baseline = SizeBaseline.fit(np.full(4, 20), np.array([1.0, 2.0, 3.0, 2.0]))
    assert baseline.z_score(np.array([2.0]), np.array([20.0])) == pytest.approx([0.0])
