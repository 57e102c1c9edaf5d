"""What is asked for: exponents, weights, and which trajectories are asked for the same."""

import math

import pytest
import torch

from molgfn.gfn.condition import Condition


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_beta_is_kept_as_it_was_given():
    asked = Condition.of(32.0, 3)
    assert asked.beta.tolist() == [32.0] * 3
    assert asked.log_beta.tolist() == pytest.approx([math.log(32)] * 3)
    assert asked.weights.tolist() == [[1.0]] * 3
    assert asked.features.shape == (3, 0)


def test_weights_are_shares():
    asked = Condition.of(2.0, weights=(3, 1, 0))
    assert asked.weights.tolist() == [[0.75, 0.25, 0.0]]
    assert asked.features.tolist() == [[0.75, 0.25, 0.0]]


@pytest.mark.parametrize(
    ("beta", "weights"),
    [
        *((0.0, (1,)), (math.inf, (1,)), (math.nan, (1,)), (1.0, (0, 0)), (1.0, (2, -1))),
        *((1.0, ()), (1.0, (math.inf,)), (1.0, (1, math.inf)), (1.0, (1, math.nan))),
        (1.0, (1e308, 1e308)),
    ],
)
def test_what_cannot_be_asked_is_refused(beta, weights):
    with pytest.raises(ValueError, match="beta must be above 0"):
        Condition.of(beta, weights=weights)


def test_betas_are_stratified_and_weights_lie_on_the_simplex():
    asked = Condition.drawn(64, (4.0, 32.0), 3, generator=seeded())
    edges = torch.linspace(math.log(4), math.log(32), 65)
    assert ((asked.log_beta >= edges[:-1]) & (asked.log_beta <= edges[1:])).all()
    torch.testing.assert_close(asked.beta, asked.log_beta.exp())
    torch.testing.assert_close(asked.weights.sum(1), torch.ones(64))
    assert asked.weights[0].tolist() == pytest.approx([1 / 3] * 3)
    means = Condition.drawn(20_000, (1.0, 1.0), 3, generator=seeded()).weights
    torch.testing.assert_close(means.mean(0), torch.full((3,), 1 / 3), atol=0.01, rtol=0)
    # Uniform on the simplex: the variance of a share is (K - 1) / (K^2 (K + 1)).
    torch.testing.assert_close(means.var(0), torch.full((3,), 2 / 36), atol=0.003, rtol=0)


def test_groups_are_equal_conditions_and_equal_starts():
    log_beta = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
    weights = torch.tensor([[1.0, 0], [1, 0], [0, 1], [1, 0], [1, 0]])
    start = torch.tensor([0, 0, 0, 1, 0])
    assert Condition.at(log_beta).groups().tolist() == [1, 0, 1, 0, 1]
    group = Condition.at(log_beta, weights).groups()
    assert group.tolist() == [2, 0, 1, 0, 2]
    assert Condition.at(log_beta, weights).groups(start).tolist() == [3, 0, 2, 1, 3]


def test_selecting_and_repeating():
    asked = Condition.drawn(4, (1.0, 8.0), 2, generator=seeded())
    picked = asked[torch.tensor([3, 1])]
    assert picked.beta.tolist() == asked.beta[[3, 1]].tolist()
    assert picked.weights.tolist() == asked.weights[[3, 1]].tolist()
    again = asked[2:3].repeat(5)
    assert len(again) == 5
    assert again.beta.unique().tolist() == asked.beta[2:3].tolist()
    with pytest.raises(ValueError, match="single"):
        asked.repeat(2)
