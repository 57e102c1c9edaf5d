"""Decides which draws of a policy stay, by their exact weights."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molgfn.env.states import FragmentStates
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.rejection import find_threshold, log_acceptance
from molgfn.report.likelihood_fit import Weighed, log_rewards
from molgfn.runs.molecule_score import build_score
from molgfn.runs.sampler import Sampler


class RejectionControl:
    """Rejection control of the draws of a policy, see :mod:`molgfn.gfn.rejection`.

    The threshold is found from the first draws and holds from then on.
    """

    def __init__(self, sampler: Sampler, beta: float, *, generator: torch.Generator) -> None:
        """Prepare for the draws of a policy.

        Args:
            sampler: The policy.
            beta: Exponent of the reward the policy is asked for.
            generator: Source of randomness.
        """
        self._sampler = sampler
        self._beta = beta
        self._generator = generator
        self._score = build_score(sampler.config.reward, sampler.env)
        self._threshold = math.nan

    def __call__(self, states: FragmentStates) -> Tensor:
        """Decide which draws stay.

        Args:
            states: B terminal states, as the policy gave them, repeats included.

        Returns:
            True = stays, shape ``(B,)``; nothing does before a draw could be scored.
        """
        log_reward = log_rewards(
            self._score(states).double().numpy(),
            self._score.log_multiplicity(states).double().numpy(),
            beta=self._beta,
            floor=self._sampler.config.train.log_reward_floor,
        )
        log_p = log_likelihood(
            self._sampler.env, self._sampler.policy, states, math.log(self._beta)
        )
        log_weight = log_reward - log_p.cpu().numpy()
        if math.isnan(self._threshold):
            self._threshold = find_threshold(log_weight)
        chance = torch.from_numpy(log_acceptance(log_weight, self._threshold)).exp().nan_to_num()
        device = self._generator.device
        drawn = torch.rand(len(states), generator=self._generator, device=device)
        return drawn < chance.to(device)


def control_draws(
    draws: Weighed, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Weighed]:
    """Apply rejection control to draws whose weights are known.

    Args:
        draws: All draws of a policy, repeats included.
        generator: Source of randomness.

    Returns:
        Numbers of the draws that stay; and these with the log-probability, in the place of
        log p, that policy and rejection together give them. It is exact but for the share of
        draws that stay, by which it is divided and which is estimated from all draws.
    """
    log_weight = draws.log_reward - draws.log_p
    chance = log_acceptance(log_weight, find_threshold(log_weight))
    stay = np.flatnonzero(generator.random(len(draws)) < np.exp(chance))
    log_p = draws.log_p[stay] + chance[stay] - np.log(np.exp(chance).mean())
    keys = tuple(draws.keys[i] for i in stay)
    return stay, Weighed(keys, log_p, draws.log_reward[stay])
