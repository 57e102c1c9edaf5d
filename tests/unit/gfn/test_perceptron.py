"""The policy of the hypergrid: legal, normalised, conditioned, differentiable."""

import math

import pytest
import torch

from molgfn.errors import ConfigError
from molgfn.gfn.condition import Condition
from molgfn.gfn.discrete import RowStates
from molgfn.gfn.perceptron import MaskedCategorical, PerceptronPolicy
from molgfn.hypergrid.env import Hypergrid

CORNERS = RowStates(torch.tensor([[0, 0], [7, 0], [7, 7]]), torch.zeros(3, dtype=torch.bool))


@pytest.fixture
def env():
    return Hypergrid(2, 8)


@pytest.fixture
def policy(env):
    torch.manual_seed(0)
    return PerceptronPolicy(env, hidden=16, layers=2)


def every_log_prob(distribution):
    """Log-probability of every action of every state, legal or not, (B, C)."""
    n, width = distribution.logits.shape
    index = torch.arange(n).repeat_interleave(width)
    actions = torch.arange(width).repeat(n)[:, None]
    return distribution.log_prob(actions, index).view(n, width)


def test_probabilities_of_legal_actions_sum_to_one(env, policy):
    log_prob = every_log_prob(policy(CORNERS, Condition.of(1.0, 3)))
    legal = env.legal_mask(CORNERS)
    assert (log_prob[~legal] == -torch.inf).all()
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(3))
    assert log_prob[2].tolist() == [-math.inf, -math.inf, 0.0]


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_samples_follow_the_probabilities(env, policy, epsilon):
    index = torch.zeros(20_000, dtype=torch.long)
    share = torch.full((len(index),), epsilon) if epsilon else None
    distribution = policy(CORNERS, Condition.of(1.0, 3))
    actions = distribution.sample(index, torch.Generator().manual_seed(0), share)
    assert actions.shape == (20_000, 1)
    shares = torch.bincount(actions[:, 0], minlength=3) / len(index)
    expected = every_log_prob(policy(CORNERS, Condition.of(1.0, 3)))[0].exp()
    expected = torch.full((3,), 1 / 3) if epsilon else expected
    torch.testing.assert_close(shares, expected.detach(), atol=0.015, rtol=0)


def test_an_illegal_action_is_never_drawn():
    logits = torch.tensor([[-torch.inf, 3.0, -torch.inf]]).expand(100, 3)
    distribution = MaskedCategorical(logits, torch.zeros(100))
    generator = torch.Generator().manual_seed(0)
    drawn = distribution.sample(torch.arange(100), generator, torch.full((100,), 0.5))
    assert (drawn == 1).all()


def test_the_condition_matters_and_every_weight_learns(policy):
    cold, hot = (policy(CORNERS, Condition.of(beta, 3)) for beta in (1.0, 8.0))
    assert not torch.allclose(every_log_prob(cold)[0], every_log_prob(hot)[0])
    assert cold.log_flow.shape == (3,)
    (cold.log_prob(torch.tensor([[0], [1], [2]])).sum() + cold.log_flow.sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in policy.parameters())


def test_a_network_without_width_is_refused(env):
    with pytest.raises(ConfigError, match="at least 1, got 0 and 2"):
        PerceptronPolicy(env, hidden=0)


def test_actions_are_drawn_in_the_states_that_are_asked_for(env, policy):
    index = torch.tensor([2, 0, 2, 1])
    generator = torch.Generator().manual_seed(0)
    actions = policy(CORNERS, Condition.of(1.0, 3)).sample(index, generator, None)
    assert actions.shape == (4, 1)
    assert actions[[0, 2], 0].tolist() == [2, 2]  # the last corner can only stop
    assert env.legal_mask(CORNERS[index]).gather(1, actions).all()
