"""A trained sampler against R/Z on a listable vocabulary; without correction it must be wrong."""

from __future__ import annotations

import math

import pytest
import torch

from molgfn.config.schema import Config, LimitsConfig, PolicyConfig, TrainConfig
from molgfn.env.fragment_env import STOP, FragmentEnv
from molgfn.env.states import FragmentStates
from molgfn.gfn.trainer import Trainer
from molgfn.policy.network import FlowPolicy
from molgfn.runs.components import build_networks, seeded

from .enumeration import EMPTY, Space, enumerate_space
from .test_exact_flow import VOCABULARIES

LIMITS = LimitsConfig(min_fragments=2, max_fragments=3, max_heavy_atoms=19)


class TableScore:
    """Scores by canonical key."""

    def __init__(self, env: FragmentEnv, table: dict[str, float]) -> None:
        self.env, self.table = env, table

    def __call__(self, states: FragmentStates) -> torch.Tensor:
        return torch.tensor([self.table[key] for key in self.env.keys(states)])

    def log_multiplicity(self, states: FragmentStates) -> torch.Tensor:
        return torch.zeros(len(states))

    def statistics(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, object]:
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        pass


def exact_probabilities(space: Space, policy: FlowPolicy, beta: float) -> dict[str, float]:
    """p of every terminal state, by passing probability down the graph of classes."""
    reached = dict.fromkeys(space.states, 0.0)
    reached[EMPTY] = 1.0
    stopped = {}
    for key in space.order:
        actions = space.actions[key]
        states = FragmentStates.cat([space.states[key]] * len(actions))
        condition = torch.full((len(actions),), math.log(beta))
        with torch.no_grad():
            log_pf = policy(states, condition).log_prob(torch.cat([a for a, _ in actions]))
        assert float(log_pf.exp().sum()) == pytest.approx(1, abs=1e-5)
        for (action, child), p in zip(actions, log_pf.exp().tolist(), strict=True):
            if int(action[0, 0]) == STOP:
                stopped[key] = reached[key] * p
            else:
                reached[child] += reached[key] * p
    return stopped


def train_and_compare(objective: str, *, symmetry_correction: bool) -> float:
    """L1 distance of the trained sampler from R/Z at beta = 2."""
    env = FragmentEnv(VOCABULARIES["pairs"], LIMITS, symmetry_correction=symmetry_correction)
    space = enumerate_space(env)
    table = {key: -((i * 7919) % 11) / 5 for i, key in enumerate(space.terminal)}
    train = TrainConfig(
        steps=500,
        replay_batch_size=0,
        beta_min=2.0,
        beta_max=2.0,
        objective=objective,  # type: ignore[arg-type]
    )
    config = Config(limits=LIMITS, policy=PolicyConfig(hidden=64, layers=2), train=train)
    networks = build_networks(config, env)
    trainer = Trainer(env, networks, TableScore(env, table), train, generator=seeded(0))
    for _ in range(train.steps):
        trainer.train_step()
    found = exact_probabilities(space, networks.sampler, 2.0)  # type: ignore[arg-type]
    z = math.fsum(math.exp(2 * score) for score in table.values())
    return sum(abs(found[key] - math.exp(2 * table[key]) / z) for key in table)


@pytest.mark.parametrize(
    "objective", ["vargrad", pytest.param("trajectory_balance", marks=pytest.mark.slow)]
)
def test_trained_sampler_is_close_to_the_target(objective: str) -> None:
    assert train_and_compare(objective, symmetry_correction=True) < 0.1


def test_negative_control_without_correction_is_not() -> None:
    assert train_and_compare("vargrad", symmetry_correction=False) > 0.3
