"""Every objective vanishes at the exact flow, and does not without the symmetry correction."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from molgfn.config.choices import training_objectives
from molgfn.gfn.exact import log_symmetry_bias
from molgfn.gfn.rollout import rollout_backward
from molgfn.hypergrid.env import Hypergrid
from molgfn.molecules.env.fragment_env import FragmentEnv

from .exact_policy import TablePolicy, absolute_residuals
from .spaces import SMALL, Case, case_of, random_log_reward


@pytest.fixture(scope="module", params=SMALL)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


def at_exact_flow(
    objective: str, env: Any, policy: TablePolicy, terminal: Any, log_reward: torch.Tensor
) -> torch.Tensor:
    """Residuals along one random trajectory to every terminal state."""
    batch = rollout_backward(env, terminal, generator=torch.Generator().manual_seed(0))
    return absolute_residuals(objective, env, policy, batch, log_reward)


@pytest.mark.parametrize("objective", training_objectives())
def test_every_objective_vanishes_at_the_exact_flow(case: Case, objective: str) -> None:
    log_reward = random_log_reward(case.space)
    policy = TablePolicy(case.env, case.space, case.numbers, log_reward)
    found = at_exact_flow(objective, case.env, policy, case.stopped, log_reward)
    assert found.max() < 1e-5


@pytest.mark.parametrize("objective", training_objectives())
def test_negative_control_without_correction_is_far_off(case: Case, objective: str) -> None:
    log_reward = random_log_reward(case.space)
    policy = TablePolicy(case.env, case.space, case.numbers, log_reward)
    uncorrected = FragmentEnv(
        case.env.vocabulary, case.env.limits, start=case.env.start, symmetry_correction=False
    )
    found = at_exact_flow(objective, uncorrected, policy, case.stopped, log_reward)
    assert found.max() > 0.5


@pytest.mark.parametrize("objective", training_objectives())
def test_every_objective_vanishes_on_the_hypergrid_too(objective: str) -> None:
    env = Hypergrid(2, 8, 0.01)
    terminal = env.terminal_states()
    log_reward = env.log_reward(terminal).double()
    policy = TablePolicy(env, env.space(), lambda s: env.cell_numbers(s).tolist(), log_reward)
    assert at_exact_flow(objective, env, policy, terminal, log_reward).max() < 1e-5


@pytest.mark.parametrize("objective", training_objectives())
def test_no_objective_vanishes_at_another_reward(objective: str) -> None:
    case = case_of("linkers")
    log_reward = random_log_reward(case.space)
    policy = TablePolicy(case.env, case.space, case.numbers, log_reward)
    other = at_exact_flow(objective, case.env, policy, case.stopped, -log_reward)
    assert other.max() > 0.5


def test_symmetry_bias_by_hand() -> None:
    """Toluene: six ways from benzene, one from methane, each through a last step of 1/2."""
    case = case_of("rings")
    log_bias = dict(zip(case.space.terminal.tolist(), log_symmetry_bias(case.space), strict=True))
    toluene, biphenyl = (case.found.smiles.index(s) for s in ("Cc1ccccc1", "c1ccc(-c2ccccc2)cc1"))
    assert float(log_bias[toluene].exp()) == pytest.approx(3.5)
    assert float(log_bias[biphenyl].exp()) == pytest.approx(3)  # six sites, two equal leaves
