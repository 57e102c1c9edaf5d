"""Exact flows and probabilities on three states, worked out by hand."""

from dataclasses import dataclass

import pytest
import torch
from exact_flow import exact_log_flow, exact_log_pf, exact_log_stop

from molgfn.gfn import exact
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_terminal_probability, space_log_likelihood
from molgfn.gfn.space import Space

STOP = 9


@pytest.fixture
def space():
    """Start 0, then 1 and 2, both may stop.

    Two actions lead from 0 to 1, one from 0 to 2 and one from 1 to 2, which has three backward
    steps: two to 1 and one to 0.
    """
    return Space(
        states=torch.arange(3),
        keys=["", "one", "two"],
        depth=torch.tensor([0, 1, 2]),
        may_stop=torch.tensor([False, True, True]),
        log_symmetry=torch.zeros(3).double(),
        n_leaves=torch.tensor([0, 1, 3]),
        edge_parent=torch.tensor([0, 0, 1]),
        edge_child=torch.tensor([1, 2, 2]),
        edge_m=torch.tensor([2, 1, 1]),
        edge_k=torch.tensor([1, 1, 2]),
        action_state=torch.tensor([0, 0, 0, 1]),
        actions=torch.tensor([[0], [1], [2], [0]]),
        action_edge=torch.tensor([0, 1, 0, 2]),
        stop_action=torch.tensor([STOP]),
    )


REWARD = torch.tensor([1.0, 3.0])


def test_flow_by_hand(space):
    """F(2) = 3, F(1) = 1 + 2/3 * 3, F(0) = F(1) + 1/3 * 3 = Z = 1 + 3."""
    flow = exact_log_flow(space, REWARD.log()).exp()
    assert flow.tolist() == pytest.approx([4, 3, 3], rel=1e-7)
    assert flow.dtype == torch.float64


def test_forward_policy_by_hand(space):
    log_flow = exact_log_flow(space, REWARD.log())
    pf = exact_log_pf(space, log_flow).exp()
    assert pf.tolist() == pytest.approx([3 / 8, 1 / 4, 3 / 8, 2 / 3], rel=1e-6)
    stop = exact_log_stop(space, log_flow, REWARD.log()).exp()
    assert stop.tolist() == pytest.approx([1 / 3, 1], rel=1e-6)
    p = log_terminal_probability(space, pf.log(), stop.log()).exp()
    assert p.tolist() == pytest.approx([1 / 4, 3 / 4], rel=1e-6)


def test_a_state_without_reward_takes_no_flow(space):
    flow = exact_log_flow(space, torch.tensor([0.0, -torch.inf]).double())
    assert flow.exp().tolist() == [1, 1, 0]


def test_a_reward_too_few_is_refused(space):
    with pytest.raises(ValueError, match="2 states may stop"):
        exact_log_flow(space, torch.zeros(3))


@dataclass
class Table:
    """A lopsided policy: the two actions from 0 to 1 are not equally likely."""

    states: torch.Tensor

    def log_prob(self, actions, index=None):
        table = {
            (0, 0): 0.5,
            (0, 1): 0.4,
            (0, 2): 0.1,
            (1, 0): 0.25,
            (1, STOP): 0.75,
            (2, STOP): 1.0,
        }
        pairs = zip(self.states[index].tolist(), actions[:, 0].tolist(), strict=True)
        return torch.tensor([table[pair] for pair in pairs]).log()


@pytest.mark.parametrize(("state_chunk", "action_chunk"), [(1, 1), (2, 3), (4096, 4096)])
def test_likelihood_of_a_lopsided_policy_by_hand(space, monkeypatch, state_chunk, action_chunk):
    """P(1) = 0.6 * 0.75, P(2) = 0.4 + 0.6 * 0.25, in whatever chunks."""
    monkeypatch.setattr(exact, "STATE_CHUNK", state_chunk)
    monkeypatch.setattr(exact, "ACTION_CHUNK", action_chunk)
    conditions = []

    def policy(states, condition):
        conditions.append(condition.beta)
        return Table(states)

    p = space_log_likelihood(space, policy, Condition.of(2.0)).exp()
    assert p.tolist() == pytest.approx([0.45, 0.55], rel=1e-6)
    assert torch.equal(torch.cat(conditions), torch.full((3,), 2.0).double())
