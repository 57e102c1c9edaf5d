import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from molgfn.chem.molecule import read_molecule
from molgfn.config.reward_schema import (
    AcquisitionConfig,
    FactorConfig,
    GuardConfig,
    RewardConfig,
)
from molgfn.errors import ConfigError
from molgfn.reward.acquisition import (
    EXPECTED_IMPROVEMENT,
    Prediction,
    combine,
    find_acquisition,
    improvement_part,
    log_improvement,
    optimistic,
)
from molgfn.reward.reward import build_reward

MOLECULES = [
    read_molecule(s)
    for s in ("CC(=O)Oc1ccccc1C(=O)O", "CCO", "O=C1NN=C(Cc2ccc(F)cc2)c2ccccc12", "c1ccsc1")
]


def acquired(kind, **settings):
    return RewardConfig(acquisition=AcquisitionConfig(kind, **settings))


@pytest.mark.parametrize(
    ("direction", "exploration", "expected"),
    [
        ("minimise", 0.5, [-11.0, -7.5]),
        ("maximise", 0.5, [-9.0, -6.5]),
        ("maximise", -0.5, [-11.0, -7.5]),
    ],
)
def test_uncertainty_moves_predictions_to_their_good_side(direction, exploration, expected):
    factor = FactorConfig("proxy", "sigmoid", direction, low=-12.0, high=-8.0)
    found = Prediction(np.array([-10.0, -7.0]), np.array([2.0, 1.0]), (), 1.0)
    assert optimistic(factor, found, exploration).tolist() == expected
    assert optimistic(factor, found, 0.0) is found.value


def test_a_window_has_no_good_side():
    factor = FactorConfig("proxy", "window", low=-12.0, high=-8.0, softness=1.0)
    found = Prediction(np.array([-10.0]), np.ones(1), (), 1.0)
    assert optimistic(factor, found, 1.0) is found.value


@pytest.mark.parametrize("z", [3.0, 0.5, -0.5, -0.999, -1.001, -4.0, -30.0, -900.0, -2e4, -1e7])
def test_expected_improvement_equals_its_integral_far_into_the_tail(z):
    # E[max(z + noise, 0)] = density(z) * integral of t exp(t z - t^2 / 2) over t > 0; with t = u/s.
    scale = max(1.0, -z)
    inner, _ = quad(lambda u: u * math.exp(u * z / scale - (u / scale) ** 2 / 2), 0, 60)
    expected = -z * z / 2 - 0.5 * math.log(2 * math.pi) + math.log(inner) - 2 * math.log(scale)
    value, std = np.array([10.0 + 2.0 * z]), np.array([2.0])
    found = log_improvement(value, std, 10.0, "maximise")
    assert found[0] - math.log(2.0) == pytest.approx(expected, rel=1e-12, abs=2e-7)
    mirrored = log_improvement(10.0 - (value - 10.0), std, 10.0, "minimise")
    assert mirrored[0] == pytest.approx(found[0], rel=1e-12)


def test_expected_improvement_of_nothing_known_is_missing():
    found = log_improvement(np.array([np.nan, 1.0]), np.ones(2), 0.0, "maximise")
    assert np.isnan(found).tolist() == [True, False]


def test_the_improvement_of_one_spread_counts_half():
    part = improvement_part(np.log(np.array([2.0, 2e-9])), 2.0)
    assert np.exp(part) == pytest.approx([0.5, 1e-9])


def test_log_ei_puts_one_factor_in_the_place_of_those_of_the_proxy():
    config = acquired("log_ei", best=-10.0)
    first, *rest = find_acquisition(config).factors
    assert (first.label, first.weight, first.direction) == (EXPECTED_IMPROVEMENT, 1.5, "minimise")
    assert [factor.label for factor in rest] == ["QED", "SA", "MW", "logP", "alerts"]
    assert find_acquisition(RewardConfig()).factors == RewardConfig().factors


def test_log_ei_refuses_two_directions_and_none():
    up = FactorConfig("proxy", "sigmoid", low=0.0, high=1.0, name="up")
    down = replace(up, direction="minimise", name="down")
    config = acquired("log_ei", best=0.0)
    with pytest.raises(ConfigError, match="two directions"):
        assert find_acquisition(replace(config, factors=(up, down))).factors
    with pytest.raises(ConfigError, match="no factor"):
        assert find_acquisition(replace(config, factors=(FactorConfig("QED", "identity"),))).factors


def test_the_score_under_log_ei_is_the_improvement_times_the_other_factors():
    plain = build_reward(RewardConfig())(MOLECULES)
    found = build_reward(acquired("log_ei", best=-8.0))(MOLECULES)
    value, std = plain.columns["PARP1_kcal_mol"], plain.columns["PARP1_kcal_mol_std"]
    reward = build_reward(RewardConfig())
    log_ei = log_improvement(value, std, -8.0, "minimise")
    others = sum(np.log(plain.factors[n]) for n in ("QED", "SA", "MW", "logP", "alerts"))
    expected = 1.5 * improvement_part(log_ei, reward.proxy.calibration.sd) + others
    assert found.log_score == pytest.approx(expected, abs=1e-12)


def test_a_bonus_for_uncertainty_raises_scores_and_leaves_predictions():
    plain = build_reward(RewardConfig())(MOLECULES)
    bold = build_reward(acquired("ucb", exploration=1.0))(MOLECULES)
    assert (bold.factors["affinity"] > plain.factors["affinity"]).all()
    assert np.array_equal(bold.columns["PARP1_kcal_mol"], plain.columns["PARP1_kcal_mol"])


def test_thompson_scores_by_each_member_and_draws_from_their_mixture():
    reward = build_reward(acquired("thompson", power=4.0))
    found = reward(MOLECULES)
    n_members = len(reward.proxy.networks)
    assert found.log_opinions.shape == (n_members, len(MOLECULES))
    mixture = (np.exp(4.0 * found.log_opinions)).mean(axis=0)
    assert np.exp(4.0 * found.log_score) == pytest.approx(mixture)
    members = [found.columns[f"PARP1_kcal_mol_member_{i}"] for i in range(1, n_members + 1)]
    assert np.mean(members, axis=0) == pytest.approx(found.columns["PARP1_kcal_mol"])
    assert np.ptp(found.log_opinions, axis=0).min() > 0


def test_one_opinion_is_the_score():
    assert combine(np.array([[-1.0, -2.0]]), 7.0).tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "log_ei"}, "best is missing"),
        ({"kind": "ucb", "exploration": -1.0}, "exploration must be at least 0"),
        ({"kind": "thompson", "power": 0.0}, "power must be at least 0.001"),
        ({"kind": "log_ei", "best": math.inf}, "best must be at most 1000000000000, got inf"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AcquisitionConfig(**settings)


def test_a_margin_and_a_bonus_contradict_each_other():
    with pytest.raises(ConfigError, match="set one of them"):
        RewardConfig(guard=GuardConfig(kappa=1.0), acquisition=AcquisitionConfig("ucb"))
