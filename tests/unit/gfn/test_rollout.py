"""Trajectories: states that several of them have in common."""

import torch

from molgfn.env.hypergrid_states import HypergridStates
from molgfn.gfn.rollout import distinct_states


def test_equal_states_of_one_condition_are_found_and_others_stay_apart():
    states = HypergridStates(
        torch.tensor([[1, 2], [1, 2], [2, 1], [1, 2], [1, 2]]),
        torch.tensor([False, False, False, False, True]),
    )
    group = torch.tensor([0, 0, 0, 1, 0])
    distinct, index, like = distinct_states(states, group)
    assert len(distinct) == 4
    assert index[0] == index[1]
    assert len(index[[0, 2, 3, 4]].unique()) == 4
    assert torch.equal(distinct[index].to_tensor(), states.to_tensor())
    assert torch.equal(group[like][index], group)
