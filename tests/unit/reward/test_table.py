import numpy as np
import pytest
from scipy.special import logsumexp

from molgfn.chem.molecule import read_molecule
from molgfn.config.reward_schema import (
    GATE,
    AcquisitionConfig,
    FactorConfig,
    GuardConfig,
    RewardConfig,
)
from molgfn.errors import ConfigError
from molgfn.reward.acquisition import EXPECTED_IMPROVEMENT
from molgfn.reward.objectives import WHOLE, Objective
from molgfn.reward.reward import build_reward
from molgfn.reward.table import RewardTable

MOLECULES = [
    read_molecule(s)
    for s in ("CC(=O)Oc1ccccc1C(=O)O", "CCO", "O=C1NN=C(Cc2ccc(F)cc2)c2ccccc12", "c1ccsc1")
]
LABELS = ("a", "b", "c", "gate")
GROUPS = (Objective("one", ("a", "c")), Objective("two", ("b", "gate")))
POWER = 3.0


def table(n_opinions, objectives=GROUPS, seed=0):
    rng = np.random.default_rng(seed)
    log_parts = -rng.exponential(size=(n_opinions, 5, 4))
    log_parts[:, 2, 1] = np.nan
    weights = np.array([*rng.uniform(0.2, 3.0, 3), 1.0])
    return RewardTable(log_parts, LABELS, weights, objectives, POWER, {}, ("",) * 5)


def over_members(log_opinions):
    """log of the mean of the power :data:`POWER` over the last axis."""
    total = logsumexp(POWER * log_opinions, axis=-1) - np.log(log_opinions.shape[-1])
    return total / POWER


def test_the_score_is_the_weighted_sum_over_factors_then_the_mean_over_opinions():
    found = table(3)
    expected = over_members(np.einsum("mnk,k->nm", found.log_parts, found.weights))
    assert found.log_score == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found.log_score).tolist() == [False, False, True, False, False]
    assert found.score == pytest.approx(np.exp(expected), nan_ok=True)


@pytest.mark.parametrize("n_opinions", [1, 3])
def test_one_objective_is_the_score_to_the_last_bit(n_opinions):
    found = table(n_opinions, (Objective("all", LABELS),))
    assert found.objective_parts.shape == (5, 1)
    assert np.array_equal(found.objective_parts[:, 0], found.log_score, equal_nan=True)


def test_objectives_of_one_opinion_add_up_to_the_score():
    found = table(1)
    assert found.objective_parts.shape == (5, 2)
    assert found.objective_parts.sum(axis=1) == pytest.approx(found.log_score, nan_ok=True)
    w, parts = found.weights, found.log_parts[0]
    expected = w[0] * parts[:, 0] + w[2] * parts[:, 2]
    assert found.objective_parts[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_objectives_of_several_opinions_are_added_before_the_opinions_are_combined(seed):
    found = table(4, seed=seed)
    parts = found.objective_parts
    assert parts.shape == (5, 4, 2)
    added_first = over_members(parts.sum(axis=2))
    assert added_first == pytest.approx(found.log_score, nan_ok=True)
    # Control: the mean over the members of each objective by itself does not suffice.
    combined_first = over_members(parts.swapaxes(1, 2)).sum(axis=1)
    assert not np.isclose(combined_first, found.log_score).any()


def objectives_of(grouping, **settings):
    return build_reward(RewardConfig(**settings), objectives=grouping).objectives


DIVIDED = {"drug": ["QED", "SA", "MW", "logP", "alerts"], "binding": ["affinity", "energy"]}


def test_a_reward_has_one_objective_of_all_its_factors():
    reward = build_reward(RewardConfig())
    (whole,) = reward.objectives
    assert whole.name == WHOLE
    assert whole.labels == reward(MOLECULES).labels


@pytest.mark.parametrize("kind", ["greedy", "thompson"])
def test_a_divided_reward_scores_alike(kind):
    config = RewardConfig(
        guard=GuardConfig(min_similarity=0.6), acquisition=AcquisitionConfig(kind, power=4.0)
    )
    whole = build_reward(config)(MOLECULES)
    reward = build_reward(config, objectives=DIVIDED)
    found = reward(MOLECULES)
    assert [own.name for own in reward.objectives] == ["drug", "binding"]
    assert reward.objectives[1].labels == ("affinity", "energy", GATE)
    assert reward.member_power == 4.0
    assert np.array_equal(found.log_score, whole.log_score)
    added = found.objective_parts.sum(axis=-1)
    if kind == "greedy":
        assert added == pytest.approx(whole.log_score)
    else:
        assert pytest.approx(whole.log_opinions) == added.T


def test_the_improvement_belongs_to_the_objective_of_the_factors_it_stands_for():
    settings = {"acquisition": AcquisitionConfig("log_ei", best=-8.0)}
    assert objectives_of(DIVIDED, **settings)[1].labels == (EXPECTED_IMPROVEMENT,)
    split = {"drug": [*DIVIDED["drug"], "affinity"], "binding": ["energy"]}
    with pytest.raises(ConfigError, match="in the objectives drug, binding; put them in one"):
        objectives_of(split, **settings)


@pytest.mark.parametrize(
    ("grouping", "message"),
    [
        ({"x": ["a", "bb"]}, "objective 'x': unknown factor 'bb', expected one of a, b"),
        ({"x": ["a"]}, "no objective has the factor 'b'"),
        ({"x": ["a", "b"], "y": ["a"]}, "factor 'a' is in the objectives 'x' and 'y'"),
        ({"x": ["a", "b"], "y": []}, "objective 'y' has no factor"),
    ],
)
def test_objectives_that_do_not_divide_the_factors_are_refused(grouping, message):
    factors = tuple(FactorConfig("QED", "identity", name=name) for name in "ab")
    with pytest.raises(ConfigError, match=message):
        objectives_of(grouping, factors=factors)


def test_no_factor_is_called_like_the_gate():
    factors = (FactorConfig("QED", "identity", name=GATE),)
    assert RewardConfig(factors=factors).factors == factors
    with pytest.raises(ConfigError, match=f"two factors are called '{GATE}'"):
        RewardConfig(factors=factors, guard=GuardConfig(min_similarity=0.1))
