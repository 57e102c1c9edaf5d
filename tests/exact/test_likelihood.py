"""Exact probabilities on listed spaces: R/Z at the exact flow, and two ways to p_theta."""

from __future__ import annotations

import pytest
import torch
from exact_flow import exact_log_flow, exact_log_pf, exact_log_stop

from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_terminal_probability, space_log_likelihood
from molgfn.gfn.likelihood import log_likelihood
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.policy.network import FlowPolicy

from .spaces import SMALL, Case, case_of, fresh_policy, random_log_reward

CONDITION = Condition.of(4.0)


@pytest.fixture(scope="module", params=[*SMALL, "blocks", "shipped"])
def case(request: pytest.FixtureRequest) -> Case:
    shared = request.getfixturevalue("shared_data") if request.param == "blocks" else None
    return case_of(request.param, shared)


@pytest.fixture(scope="module")
def policy(case: Case) -> FlowPolicy:
    return fresh_policy(case.env)


@pytest.fixture(scope="module")
def by_space(case: Case, policy: FlowPolicy) -> torch.Tensor:
    return space_log_likelihood(case.space, policy, CONDITION)


def test_exact_flow_ends_in_proportion_to_the_reward(case: Case) -> None:
    space = case.space
    log_reward = random_log_reward(space)
    log_flow = exact_log_flow(space, log_reward)
    log_z = log_reward.logsumexp(0)
    assert float(log_flow[0]) == pytest.approx(float(log_z), abs=1e-12)
    log_pf = exact_log_pf(space, log_flow)
    log_stop = exact_log_stop(space, log_flow, log_reward)
    p = log_terminal_probability(space, log_pf, log_stop).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    assert float((p - (log_reward - log_z).exp()).abs().max()) < 1e-12
    leaving = torch.zeros(len(space)).double().index_add(0, space.action_state, log_pf.exp())
    leaving[space.terminal] += log_stop.exp()
    assert float((leaving - 1).abs().max()) < 1e-12


def test_probabilities_of_all_terminal_states_sum_to_one(by_space: torch.Tensor) -> None:
    assert float(by_space.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_likelihood_of_single_molecules_agrees(
    case: Case, policy: FlowPolicy, by_space: torch.Tensor
) -> None:
    by_parents = log_likelihood(case.env, policy, case.stopped, CONDITION)
    # The network is float32 and sees other representatives of the same states.
    assert float((by_parents - by_space).abs().max()) < 5e-6
    assert float((by_parents.exp() - by_space.exp()).abs().max()) < 1e-6


def test_negative_control_without_correction_disagrees(
    case: Case, policy: FlowPolicy, by_space: torch.Tensor
) -> None:
    env = FragmentEnv(case.env.vocabulary, case.env.limits, symmetry_correction=False)
    by_parents = log_likelihood(env, policy, case.stopped, CONDITION)
    assert float((by_parents - by_space).abs().max()) > 0.6
