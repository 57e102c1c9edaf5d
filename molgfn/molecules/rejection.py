"""Decides which draws of a policy stay, by their exact weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.rejection import find_threshold, log_acceptance
from molgfn.gfn.weighed import Weighed
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.sampler import Sampler
from molgfn.molecules.target import build_target
from molgfn.reward.reward import build_reward

Array = NDArray[np.float64]


class RejectionControl:
    """Rejection control of the draws of a policy, see :mod:`molgfn.gfn.rejection`.

    The threshold is found from the first draws and holds from then on.
    """

    def __init__(
        self, sampler: Sampler, condition: Condition, *, generator: torch.Generator
    ) -> None:
        """Prepare for the draws of a policy.

        Args:
            sampler: The policy.
            condition: A single condition for the policy.
            generator: Source of randomness.
        """
        self._sampler = sampler
        self._condition = condition
        self._generator = generator
        config = sampler.config.reward
        self._reward = build_reward(config, with_similarity=False)
        self._target = build_target(config, sampler.env, self._reward)
        self._threshold = math.nan

    def __call__(self, states: FragmentStates, molecules: Sequence[Molecule]) -> Tensor:
        """Decide which draws stay.

        Args:
            states: B terminal states, as the policy gave them, repeats included.
            molecules: Their molecules.

        Returns:
            True = stays, shape ``(B,)``; nothing does before a draw could be scored.
        """
        log_reward = self._target.log_reward(
            torch.from_numpy(self._reward(molecules).objective_parts),
            self._target.log_base(states),
            self._condition.to("cpu").repeat(len(states)),
            self._sampler.config.train.log_reward_floor,
        )
        log_p = log_likelihood(self._sampler.env, self._sampler.policy, states, self._condition)
        log_weight = log_reward.numpy() - log_p.cpu().numpy()
        if math.isnan(self._threshold):
            self._threshold = find_threshold(log_weight)
        chance = torch.from_numpy(log_acceptance(log_weight, self._threshold)).exp().nan_to_num()
        device = self._generator.device
        drawn = torch.rand(len(states), generator=self._generator, device=device)
        return drawn < chance.to(device)


@dataclass(frozen=True)
class ControlledLaw:
    """The exact law of a policy whose draws are controlled.

    Attributes:
        threshold: log c, nats.
        log_share: Logarithm of the share of the policy's draws that stay. All log-probabilities
            have it in common; it is estimated from draws.
    """

    threshold: float
    log_share: float

    @classmethod
    def of(cls, draws: Weighed) -> ControlledLaw:
        """Learn it from draws."""
        log_weight = draws.log_reward - draws.log_p
        threshold = find_threshold(log_weight)
        with np.errstate(divide="ignore"):  # nothing stays where nothing could be scored
            log_share = float(np.log(np.exp(log_acceptance(log_weight, threshold)).mean()))
        return cls(threshold, log_share)

    def log_chance(self, states: Weighed) -> Array:
        """Compute how probable it is that states stay once they are drawn.

        Returns:
            Logarithms of probabilities, shape ``(n,)``.
        """
        return log_acceptance(states.log_reward - states.log_p, self.threshold)

    def __call__(self, states: Weighed) -> Weighed:
        """Give states the log-probability that policy and rejection have together.

        Returns:
            The same states.
        """
        return replace(states, log_p=states.log_p + self.log_chance(states) - self.log_share)
