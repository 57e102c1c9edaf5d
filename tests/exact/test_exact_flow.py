"""Trajectory balance vanishes at the exact flow, and does not without the symmetry correction."""

from __future__ import annotations

import pytest
import torch

from molgfn.env.fragment_env import FragmentEnv
from molgfn.gfn.exact import exact_log_flow, exact_log_pf, exact_log_stop

from .spaces import SMALL, Case, case_of, random_log_reward


@pytest.fixture(scope="module", params=SMALL)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


def residuals(case: Case, *, symmetry_correction: bool) -> torch.Tensor:
    """log Z + sum log P_F - log R - sum log P_B along a random trajectory to every terminal."""
    env = FragmentEnv(case.env.vocabulary, case.env.limits, symmetry_correction=symmetry_correction)
    space, generator = case.space, torch.Generator().manual_seed(0)
    log_reward = random_log_reward(space)
    log_flow = exact_log_flow(space, log_reward)
    # A parent found by a backward step is numbered unlike its representative, so its actions
    # are looked up by the edge they take.
    child = space.edge_child[space.action_edge].tolist()
    edges = zip(space.action_state.tolist(), child, space.actions[:, 1].tolist(), strict=True)
    log_pf = dict(zip(edges, exact_log_pf(space, log_flow).tolist(), strict=True))

    states = case.stopped
    found = log_flow[0] - log_reward - env.log_symmetry(states).double()
    found = found + exact_log_stop(space, log_flow, log_reward)
    states, _, log_pb = env.sample_backward(states, generator=generator)
    found = found - log_pb
    alive = torch.arange(len(states))
    number = space.terminal.tolist()
    while len(alive):
        states, actions, log_pb = env.sample_backward(states, generator=generator)
        parent = case.numbers(states)
        steps = zip(parent, number, actions[:, 1].tolist(), strict=True)
        found[alive] += torch.tensor([log_pf[step] for step in steps]).double() - log_pb
        unfinished = ~env.is_initial(states)
        states, alive = states[unfinished], alive[unfinished]
        number = [n for n in parent if n]
    return found


def test_exact_flow_has_zero_trajectory_balance(case: Case) -> None:
    assert residuals(case, symmetry_correction=True).abs().max() < 1e-5


def test_negative_control_without_correction_is_far_off(case: Case) -> None:
    assert residuals(case, symmetry_correction=False).abs().max() > 0.5
