import numpy as np
import pandas as pd
import pytest

from molgfn.reward.proxy.calibration import Calibration, conformal_factor, fit_calibration
from molgfn.reward.proxy.evaluation import (
    compare_models,
    errors_by_similarity,
    interval_coverage,
    std_quality,
    summarise,
)
from molgfn.reward.proxy.features import DESCRIPTORS
from molgfn.tables.columns import HELD_OUT_COLUMNS


@pytest.fixture
def errors():
    """Errors that grow with size and with the spread: residuals, spread, value, descriptors."""
    rng = np.random.default_rng(0)
    n = 4000
    spread = rng.uniform(0.1, 1.0, n)
    descriptors = np.zeros((n, len(DESCRIPTORS)), dtype=np.float32)
    descriptors[:, 0] = rng.integers(10, 39, n)
    true_std = 0.2 * spread**0.5 * np.exp(0.05 * descriptors[:, 0])
    return rng.normal(size=n) * true_std, spread, rng.normal(size=n), descriptors


def test_the_fitted_standard_deviation_explains_the_errors(errors):
    residuals, spread, value, descriptors = errors
    fitted = fit_calibration(Calibration(0.0, 1.0, 0.0, 0.0), *errors)
    _, by_spread, by_value, by_size, by_rotation = fitted.weights
    assert by_spread == pytest.approx(0.5, abs=0.1)
    assert by_size == pytest.approx(0.5, abs=0.1)
    assert by_value == pytest.approx(0.0, abs=0.05)
    assert by_rotation == 0.0
    std = fitted.std(spread, value, descriptors)
    quality = std_quality(residuals, std)
    assert quality["z_std"] == pytest.approx(1.0, abs=0.03)
    assert quality["within_1_std"] == pytest.approx(0.68, abs=0.03)
    assert quality["spearman_with_error"] > 0.3
    assert (np.abs(residuals) <= fitted.interval * std).mean() == pytest.approx(0.9, abs=0.01)


def test_a_standard_deviation_stays_within_bounds(errors):
    fitted = fit_calibration(Calibration(0.0, 1.0, 0.0, 0.0), *errors)
    far = np.full((1, len(DESCRIPTORS)), 1000.0, dtype=np.float32)
    assert fitted.std(np.ones(1), np.zeros(1), far) == pytest.approx(4.0 * fitted.noise)
    assert fitted.std(np.zeros(1), np.zeros(1), -far) == pytest.approx(fitted.noise / 4.0)


def test_without_weights_the_spread_alone_decides():
    plain = Calibration(0.0, 1.0, 2.0, 0.3)
    std = plain.std(np.array([0.2]), np.zeros(1), np.zeros((1, len(DESCRIPTORS)), np.float32))
    assert std == pytest.approx([0.5])


def test_the_conformal_factor_by_hand():
    ratios = np.array([5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0])
    assert conformal_factor(ratios, 0.9) == 9.0
    assert conformal_factor(ratios, 0.5) == 5.0
    assert conformal_factor(ratios[:3], 0.9) == 5.0


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    n = 80
    measured = rng.normal(-9.0, 1.0, n)
    size = measured + rng.normal(0.0, 0.6, n)
    return pd.DataFrame(
        {
            "SMILES": "C",
            "source": ["environment"] * 50 + ["drug"] * 10 + [""] * 20,
            "measured": measured,
            "predicted": measured + rng.normal(0.0, 0.1, n),
            "std": 0.1,
            "interval": np.where(np.arange(n) < 40, 10.0, 0.0),
            "nearest_train_similarity": np.linspace(0.1, 1.0, n),
            "random_forest": measured + rng.normal(0.0, 0.3, n),
            "heavy_atoms": size,
        }
    )[list(HELD_OUT_COLUMNS)]


def test_models_are_compared_on_all_molecules_and_on_large_sources(table):
    compared = compare_models(table)
    assert compared["molecules"].unique().tolist() == ["all", "environment"]
    assert compared["n"].tolist() == [80] * 3 + [50] * 3
    everything = compared[compared["molecules"] == "all"].set_index("model")
    ensemble, size = everything.loc["ensemble"], everything.loc["heavy_atoms"]
    assert ensemble["rmse"] < everything.loc["random_forest"]["rmse"] < size["rmse"]
    # Size alone explains nothing of what size does not explain.
    assert np.isnan(size["size_residual_spearman"])
    assert ensemble["size_residual_spearman"] > 0.95
    assert size["size_residual_r2"] <= 0.0


def test_the_summary_holds_what_a_proxy_records(table):
    summary = summarise(table)
    assert summary["n_test"] == 80
    assert summary["beats_random_forest"]
    assert summary["interval_coverage"] == interval_coverage(table) == 0.5
    assert list(summary["sources"]) == ["environment"]
    assert summary["sources"]["environment"]["n"] == 50


def test_errors_by_similarity_count_every_molecule_once(table):
    rows = errors_by_similarity(table)
    assert rows["n"].sum() == 80
    assert rows["similarity"].tolist()[-1] == "0.7 to 1"
    assert rows["mean_std"].unique().tolist() == [0.1]
