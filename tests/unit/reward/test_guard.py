import math
from dataclasses import replace

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.config.reward_schema import GATE, GuardConfig, RewardConfig
from molgfn.errors import ConfigError
from molgfn.reward.guard import (
    applicability,
    best_predictions,
    control_measures,
    warn_of_exploitation,
)
from molgfn.reward.proxy.proxy import Control
from molgfn.reward.reward import build_reward

MOLECULES = [
    read_molecule(s)
    for s in ("CC(=O)Oc1ccccc1C(=O)O", "CCO", "O=C1NN=C(Cc2ccc(F)cc2)c2ccccc12", "FC(F)(F)C#N")
]


def test_applicability_falls_by_e_for_each_softness():
    guard = GuardConfig(min_similarity=0.4, softness=0.1)
    found = applicability(np.array([0.9, 0.4, 0.3, 0.2]), guard)
    assert found == pytest.approx([1.0, 1.0, np.exp(-1), np.exp(-2)])


def test_the_default_guard_changes_no_score():
    plain = build_reward(RewardConfig())(MOLECULES)
    assert GATE not in plain.factors
    off = build_reward(RewardConfig(guard=GuardConfig(0.0, 0.0, 0.3)))(MOLECULES)
    assert np.array_equal(plain.score, off.score)


def test_a_guard_lowers_scores_and_leaves_predictions():
    plain = build_reward(RewardConfig())(MOLECULES)
    wary = build_reward(RewardConfig(guard=GuardConfig(kappa=1.0)))(MOLECULES)
    gated = build_reward(RewardConfig(guard=GuardConfig(min_similarity=0.6)))(MOLECULES)
    assert (wary.score <= plain.score).all()
    assert (wary.factors["affinity"] < plain.factors["affinity"]).all()
    assert np.array_equal(wary.factors["QED"], plain.factors["QED"])
    for name, column in plain.columns.items():
        assert np.array_equal(wary.columns[name], column)
    similarity = plain.columns["nearest_train_similarity"]
    floor = RewardConfig().floor
    expected = np.maximum(np.exp(-np.maximum(0.6 - similarity, 0.0) / 0.05), floor)
    assert gated.factors[GATE] == pytest.approx(expected)
    assert gated.score == pytest.approx(plain.score * expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kappa": -1.0}, "guard.kappa must be at least 0, got -1"),
        ({"kappa": float("nan")}, "guard.kappa must be a number, got nan"),
        ({"min_similarity": 1.5}, "guard.min_similarity must be at most 1, got 1.5"),
        ({"softness": 0.0}, "guard.softness must be at least 1e-09, got 0"),
    ],
)
def test_a_wrong_guard_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        GuardConfig(**arguments)


def test_a_proxy_without_a_control_has_no_measures(proxy):
    bare = replace(proxy, control=None)
    assert control_measures(bare, MOLECULES) == {}
    assert warn_of_exploitation({}, {}, bare, "minimise") == []
    with pytest.raises(ValueError, match="has no control"):
        bare.predict_control(MOLECULES)


def test_the_control_is_measured_beside_the_proxy(proxy):
    # A control that says what the first member says, but 0.5 higher.
    own = proxy.calibration
    control = Control(proxy.networks[:1], own.mean + 0.5, own.sd)
    watched = replace(proxy, control=control)
    found = control_measures(watched, MOLECULES)
    first = proxy.predict_members(MOLECULES)[2][0] + 0.5
    assert watched.predict_control(MOLECULES) == pytest.approx(first)
    assert found["control mean"] == pytest.approx(first.mean())
    gap = proxy.predict(MOLECULES)[0] - first
    assert found["proxy minus control"] == pytest.approx(gap.mean())
    assert control_measures(watched, []) == {}
    logged = best_predictions(watched, MOLECULES)
    assert logged["control_best"] == found["control mean"]
    assert logged["proxy_best"] == pytest.approx(proxy.predict(MOLECULES)[0].mean())
    assert all(math.isnan(x) for x in best_predictions(watched, []).values())


def test_the_control_predicts_the_same_whatever_it_predicted_before(proxy, dataset):
    used, fresh = (replace(proxy, control=replace(proxy.control)) for _ in range(2))
    used.predict_control(dataset.molecules)
    assert np.array_equal(used.predict_control(MOLECULES), fresh.predict_control(MOLECULES))


@pytest.mark.parametrize(
    ("best", "direction", "warns"),
    [(-1.2, "minimise", True), (-0.05, "minimise", False), (1.2, "minimise", False),
     (1.2, "maximise", True)],
)  # fmt: skip
def test_optimism_about_the_best_is_warned_of(proxy, best, direction, warns):
    def measures(gap):
        return {"control mean": 0.0, "proxy minus control": gap, "its standard error": 0.02}

    lines = warn_of_exploitation(measures(best), measures(0.0), proxy, direction)
    assert bool(lines) is warns
    if warns:
        assert "1.20 more optimistic than its control" in lines[0]
        assert "reward.guard.kappa" in lines[0]
