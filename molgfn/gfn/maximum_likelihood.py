"""Maximum likelihood: a policy learns the law of given terminal states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import get_ema_multi_avg_fn

from molgfn.config.schema import TrainConfig
from molgfn.gfn.checkpoint import Part, flatten_optimizer, restore_optimizer, subset, with_prefix
from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_states
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.policy import PolicyNetwork
from molgfn.gfn.rollout import rollout_backward

#: States in a step.
BATCH_SIZE = 64
#: States held out that are evaluated together.
EVALUATED_AT_ONCE = 512
#: The average follows more closely at first: after t steps its decay is at most t / (t + this).
AVERAGE_WARM_UP = 10
#: The learning rate falls to this share of its start along a cosine.
FINAL_LEARNING_RATE_SHARE = 0.03


@dataclass(frozen=True)
class Learned(Generic[S]):
    """Networks of a fit: the one that learns, its running average, and the best average so far."""

    policy: PolicyNetwork[S]
    average: PolicyNetwork[S]
    best: PolicyNetwork[S]


class MaximumLikelihood(Generic[S]):
    r"""Fits a policy to terminal states by the bound of CONDITIONS.md, section 6.

    .. math:: \log p(x) \ge E_{\tau \sim P_B(\cdot|x)}\Big[\sum_t \log P_F - \sum_t \log P_B\Big]

    P_B does not depend on the weights, so this is cross-entropy on backward trajectories, new ones
    in every epoch. The policy is asked at a beta of its range that is drawn anew for each
    trajectory, and so learns one law for all of them. States held out for it choose the epoch.
    """

    def __init__(
        self,
        env: Environment[S],
        networks: Learned[S],
        learned: S,
        held_out: S,
        config: TrainConfig,
        n_epochs: int,
        *,
        generator: torch.Generator,
    ) -> None:
        """Prepare to fit.

        Args:
            env: The environment, with its symmetry correction on.
            networks: Three networks of equal weights.
            learned: Terminal states to learn from, all trees of every molecule.
            held_out: Others, by which the best epoch is known.
            config: Learning rate, clip, average and range of beta.
            n_epochs: Passes over the states.
            generator: Source of randomness.
        """
        self.env, self.networks, self.config = env, networks, config
        self.n_epochs, self.generator = n_epochs, generator
        self.epoch, self.best_bound = 0, -math.inf
        self._learned, self._held_out = learned, held_out
        self._optimizer = torch.optim.Adam(
            networks.policy.parameters(), lr=config.learning_rate, fused=True
        )

    def train_epoch(self) -> dict[str, float]:
        """Pass once over the states; returns bounds on the mean log p, nats."""
        order = torch.randperm(
            len(self._learned), generator=self.generator, device=self.generator.device
        )
        batches = order.split(BATCH_SIZE)
        total = 0.0
        for number, rows in enumerate(batches):
            step = self.epoch * len(batches) + number
            progress = step / (self.n_epochs * len(batches))
            total += self._step(self._learned[rows], step, progress) * len(rows)
        self.epoch += 1
        bound = self._mean_bound()
        if bound > self.best_bound:
            self.best_bound = bound
            self.networks.best.load_state_dict(self.networks.average.state_dict())
        return {"step": self.epoch, "learned": total / len(order), "held_out": bound}

    def _step(self, states: S, step: int, progress: float) -> float:
        share = FINAL_LEARNING_RATE_SHARE
        share += (1 - share) * (1 + math.cos(math.pi * progress)) / 2
        self._optimizer.param_groups[0]["lr"] = self.config.learning_rate * share
        bound = self._bound(self.networks.policy, states).mean()
        self._optimizer.zero_grad()
        (-bound).backward()
        clip_grad_norm_(self.networks.policy.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        average, current = self.networks.average.parameters(), self.networks.policy.parameters()
        decay = min(self.config.ema_decay, step / (step + AVERAGE_WARM_UP))
        get_ema_multi_avg_fn(decay)(list(average), list(current), None)
        return bound.item()

    def _bound(self, policy: PolicyNetwork[S], terminal: S) -> Tensor:
        """Bound on log p by one backward trajectory to each state, shape ``(B,)``, nats."""
        batch = rollout_backward(self.env, terminal, generator=self.generator)
        low, high = math.log(self.config.beta_min), math.log(self.config.beta_max)
        device = self.generator.device
        drawn = torch.rand(len(batch), generator=self.generator, device=device)
        condition = Condition.at(low + (high - low) * drawn)
        states, index, like = distinct_states(batch.states, batch.trajectory)
        distribution = policy(states, condition[batch.trajectory[like]])
        log_pf = distribution.log_prob(batch.actions, index)
        return batch.total(log_pf) - batch.total(batch.log_pb)

    @torch.no_grad()
    def _mean_bound(self) -> float:
        parts = torch.arange(len(self._held_out)).split(EVALUATED_AT_ONCE)
        found = [self._bound(self.networks.average, self._held_out[rows]) for rows in parts]
        return float(torch.cat(found).mean())

    def state(self) -> Part:
        """Everything that an exact resume needs."""
        networks = self.networks
        tensors = {
            **with_prefix(networks.policy.state_dict(), "policy"),
            **with_prefix(networks.average.state_dict(), "average"),
            **with_prefix(networks.best.state_dict(), "best"),
            **with_prefix(flatten_optimizer(self._optimizer), "optimizer"),
            "generator": self.generator.get_state(),
        }
        best = None if math.isinf(self.best_bound) else self.best_bound
        return Part(tensors, {"step": self.epoch, "best_bound": best})

    def load(self, part: Part) -> None:
        """Continue from a saved :meth:`state`.

        Raises:
            CheckpointError: It is of a fit with other networks, or damaged.
        """
        document = part.checked()
        for name in ("policy", "average", "best"):
            network: PolicyNetwork[S] = getattr(self.networks, name)
            network.load_state_dict(part.check(network.state_dict(), name))
        restore_optimizer(self._optimizer, subset(part.tensors, "optimizer"), part.source)
        self.epoch = document.whole("step")
        best = document.get("best_bound")
        self.best_bound = -math.inf if best is None else document.number("best_bound")
        self.generator.set_state(part.tensors["generator"])
