"""Builds environment, networks and score from a configuration."""

from __future__ import annotations

import torch

from molgfn.config.schema import Config
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.trainer import Networks
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.network import FlowPolicy


def build_env(
    config: Config,
    vocabulary: Vocabulary,
    device: torch.device,
    *,
    symmetry_correction: bool = True,
) -> FragmentEnv:
    """Build the environment of a run.

    Args:
        config: The configuration.
        vocabulary: Its vocabulary.
        device: Device of the states.
        symmetry_correction: Off for the training of a negative control alone; what a policy does
            is always measured with the correction.
    """
    env = FragmentEnv(vocabulary, config.limits, symmetry_correction=symmetry_correction)
    return env.to(device)


def build_policy(config: Config, env: FragmentEnv, n_objectives: int = 1) -> FlowPolicy:
    """Build the policy network with fresh weights."""
    train = config.train
    return FlowPolicy(
        env,
        config.policy,
        beta_min=train.beta_min,
        beta_max=train.beta_max,
        n_objectives=n_objectives,
    )


def build_networks(
    config: Config, env: FragmentEnv, n_objectives: int = 1
) -> Networks[FragmentStates]:
    """Build the networks of a training, their weights drawn from the run's seed."""
    return Networks.build(
        lambda: build_policy(config, env, n_objectives),
        config.train,
        env.device,
        seed=config.seed,
        hidden=config.policy.hidden,
        n_objectives=n_objectives,
    )
