"""Trains a policy on the hypergrid with the trainer that trains on molecules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from molgfn.config.schema import TrainConfig
from molgfn.errors import ConfigError
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.perceptron import PerceptronPolicy
from molgfn.gfn.trainer import Networks, Trainer
from molgfn.hypergrid.env import Hypergrid
from molgfn.hypergrid.target import HypergridTarget
from molgfn.machine.device import seeded, set_up_device

#: Settings that find all modes of the paper's grid; beta is 1, the reward being the paper's.
GRID_SETTINGS = (
    "train.steps=3000",
    "train.batch_size=32",
    "train.updates_per_step=1",
    "train.replay_batch_size=0",
    "train.random_share=0",
    "train.n_beta_groups=1",
    "train.beta_min=1",
    "train.beta_max=1",
    "train.epsilon_start=0.1",
    "train.ema_decay=0.99",
)


@dataclass(frozen=True)
class GridProgress:
    """Where a training on the grid stands.

    Attributes:
        visited: Terminal states visited, repeats included.
        modes: Modes found.
        empirical_l1: Distance of the states visited last from R/Z.
        perfect_l1: What a perfect sampler with as many samples is expected to have.
        exact_l1: Distance of the policy itself from R/Z.
    """

    visited: int
    modes: int
    empirical_l1: float
    perfect_l1: float
    exact_l1: float


class GridTraining:
    """A policy in training on the hypergrid."""

    def __init__(self, env: Hypergrid, config: TrainConfig, *, seed: int) -> None:
        if (config.beta_min, config.beta_max) != (1.0, 1.0):
            raise ConfigError(
                "the hypergrid is compared with its reward at beta 1; leave train.beta_min and "
                "train.beta_max as they are"
            )
        set_up_device("cpu")
        self.env = env
        self.target = HypergridTarget(env)
        networks = Networks.build(lambda: PerceptronPolicy(env), config, env.device, seed=seed)
        self._trainer = Trainer(env, networks, self.target, config, generator=seeded(seed))
        self._terminal = env.terminal_states()
        self._distribution = env.log_reward(self._terminal).double().softmax(0)

    def steps(self, n_reports: int) -> Iterator[GridProgress | None]:
        """Train to the end.

        Yields:
            One item per step, ``None`` where there is nothing to report.
        """
        total = self._trainer.config.steps
        marks = {round(total * (i + 1) / n_reports) for i in range(n_reports)}
        for step in range(1, total + 1):
            self._trainer.train_step()
            yield self._report() if step in marks else None

    def _report(self) -> GridProgress:
        counts = torch.bincount(self.target.recent(), minlength=self.env.n_cells).double()
        n = counts.sum()
        # Mean absolute deviation of a binomial share, normal approximation.
        perfect = (2 * self._distribution * (1 - self._distribution) / (torch.pi * n)).sqrt().sum()
        log_p = log_likelihood(
            self.env, self._trainer.networks.sampler, self._terminal, Condition.of(1.0)
        )
        return GridProgress(
            visited=self.target.n_visited,
            modes=len(self.target.found_after),
            empirical_l1=float((counts / n - self._distribution).abs().sum()),
            perfect_l1=float(perfect),
            exact_l1=float((log_p.exp() - self._distribution).abs().sum()),
        )
