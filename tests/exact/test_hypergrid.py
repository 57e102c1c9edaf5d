"""The hypergrid through the same exact flow, likelihood and trainer as the molecules."""

from __future__ import annotations

import pytest
import torch
from exact_flow import exact_log_flow, exact_log_pf, exact_log_stop

from molgfn.config.schema import TrainConfig
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_terminal_probability, space_log_likelihood
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.perceptron import PerceptronPolicy
from molgfn.gfn.trainer import Networks, Trainer
from molgfn.hypergrid.env import Hypergrid
from molgfn.hypergrid.target import HypergridTarget

CPU = torch.device("cpu")


@pytest.mark.parametrize("n_dimensions", [2, 4])
def test_the_exact_flow_ends_in_proportion_to_reward(n_dimensions: int) -> None:
    env = Hypergrid(n_dimensions, 8, 0.01)
    space = env.space()
    log_reward = env.log_reward(env.terminal_states()).double()
    log_flow = exact_log_flow(space, log_reward)
    torch.testing.assert_close(log_flow[0], log_reward.logsumexp(0))
    log_p = log_terminal_probability(
        space, exact_log_pf(space, log_flow), exact_log_stop(space, log_flow, log_reward)
    )
    torch.testing.assert_close(log_p, log_reward.log_softmax(0))


def test_both_ways_to_the_likelihood_agree() -> None:
    env = Hypergrid(3, 8)
    torch.manual_seed(0)
    policy = PerceptronPolicy(env, hidden=16)
    backward = log_likelihood(env, policy, env.terminal_states(), ASKED)
    forward = space_log_likelihood(env.space(), policy, ASKED)
    torch.testing.assert_close(backward, forward, atol=1e-4, rtol=0)
    assert float(forward.exp().sum()) == pytest.approx(1, abs=1e-5)


ASKED = Condition.of(1.3)


def trained(
    n_dimensions: int, r0: float, config: TrainConfig, *, hidden: int = 256
) -> tuple[HypergridTarget, float]:
    """Train; returns what was visited and the L1 distance of the sampler from R/Z."""
    env = Hypergrid(n_dimensions, 8, r0)
    networks = Networks.build(lambda: PerceptronPolicy(env, hidden), config, CPU, seed=0)
    visited = HypergridTarget(env)
    generator = torch.Generator().manual_seed(0)
    trainer = Trainer(env, networks, visited, config, generator=generator)
    for _ in range(config.steps):
        trainer.train_step()
    terminal = env.terminal_states()
    log_p = log_likelihood(env, networks.sampler, terminal, Condition.of(1.0))
    target = env.log_reward(terminal).double().softmax(0)
    return visited, float((log_p.exp() - target).abs().sum())


@pytest.mark.parametrize(
    ("objective", "steps"),
    [
        ("vargrad", 400),
        ("trajectory_balance", 400),
        ("sub_trajectory_balance", 400),
        pytest.param("detailed_balance", 1500, marks=pytest.mark.slow),
        pytest.param("flow_matching", 1500, marks=pytest.mark.slow),
    ],
)
def test_the_trained_sampler_is_close_to_the_target(objective: str, steps: int) -> None:
    config = TrainConfig(
        steps=steps,
        batch_size=32,
        updates_per_step=1,
        replay_batch_size=0,
        learning_rate=5e-3,
        beta_min=1,
        beta_max=1,
        n_beta_groups=1,
        epsilon_start=0.1,
        ema_decay=0.9,
        objective=objective,  # type: ignore[arg-type]
    )
    score, distance = trained(2, 0.01, config, hidden=64)
    assert score.statistics()["modes"] == 4
    assert distance < 0.1
