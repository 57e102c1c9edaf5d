"""One policy, asked with any weights of two objectives, follows the reward that they make."""

from __future__ import annotations

import pytest
import torch

from molgfn.config.schema import Config, PolicyConfig, TrainConfig
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import space_log_likelihood
from molgfn.gfn.target import Target
from molgfn.gfn.trainer import Trainer
from molgfn.machine.device import seeded
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.task import build_networks

from .spaces import Case, case_of

BETA, FLOOR = 2.0, -300.0
PREFERENCES = [(1.0, 0.0), (3.0, 1.0), (1.0, 1.0), (0.0, 1.0)]


class TwoObjectives(Target[FragmentStates]):
    """Two numbers by canonical key, as unlike as they come."""

    objectives = ("first", "second")

    def __init__(self, case: Case) -> None:
        self.case = case
        place = torch.arange(len(case.space.keys))
        parts = torch.stack([place * 7919 % 11, place * 104729 % 13], 1) / -6
        self.table = dict(zip(case.space.keys, parts.tolist(), strict=True))

    def log_parts(self, states: FragmentStates) -> torch.Tensor:
        return torch.tensor([self.table[key] for key in self.case.env.keys(states)])


def log_law(target: TwoObjectives, condition: Condition) -> torch.Tensor:
    """log R/Z of every terminal state."""
    states = target.case.stopped
    parts = target.log_parts(states).double()
    asked = condition.repeat(len(states))
    return target.log_reward(parts, torch.zeros(len(states)), asked, FLOOR).log_softmax(0)


@pytest.fixture(scope="module")
def trained() -> tuple[TwoObjectives, Trainer[FragmentStates]]:
    target = TwoObjectives(case_of("pairs"))
    train = TrainConfig(
        steps=500,
        batch_size=64,
        updates_per_step=1,
        replay_batch_size=64,
        beta_min=BETA,
        beta_max=BETA,
        log_reward_floor=FLOOR,
    )
    env = target.case.env
    config = Config(limits=env.limits, policy=PolicyConfig(hidden=64, layers=2), train=train)
    networks = build_networks(config, env, len(target.objectives))
    trainer = Trainer(env, networks, target, train, generator=seeded(0))
    for _ in range(train.steps):
        trainer.train_step()
    return target, trainer


def test_one_policy_follows_every_preference(
    trained: tuple[TwoObjectives, Trainer[FragmentStates]],
) -> None:
    target, trainer = trained
    found, unasked = [], []
    for weights in PREFERENCES:
        asked = Condition.of(BETA, weights=weights)
        law = log_law(target, asked).exp()
        log_p = space_log_likelihood(target.case.space, trainer.networks.sampler, asked)
        found.append(float((log_p.exp() - law).abs().sum()))
        # The control: the same policy, asked with equal weights whatever is wanted.
        alike = Condition.of(BETA, weights=(1, 1))
        log_p = space_log_likelihood(target.case.space, trainer.networks.sampler, alike)
        unasked.append(float((log_p.exp() - law).abs().sum()))
    assert max(found) < 0.2, found
    assert max(unasked) > 0.5, unasked


def test_replay_keeps_objectives_and_not_their_sum(
    trained: tuple[TwoObjectives, Trainer[FragmentStates]],
) -> None:
    _, trainer = trained
    parts = trainer.state().tensors["replay/log_parts"]
    assert parts.shape[1] == 2
    assert not torch.equal(parts[:, 0], parts[:, 1])
