"""Builds environment, networks and score from a configuration."""

from __future__ import annotations

import torch

from molgfn.chem.vocabulary import Vocabulary
from molgfn.config.schema import Config
from molgfn.env.fragment_env import FragmentEnv
from molgfn.errors import ConfigError
from molgfn.gfn.trainer import Networks
from molgfn.policy.network import FlowPolicy, LogPartition


def set_up_device(name: str) -> torch.device:
    """Turn the device of a configuration into a torch device and make its sums reproducible.

    On the CPU torch is held to one thread: sums over several differ in their last bits, and the
    same seed shall give the same run whatever the number of cores. The networks are small, a
    second thread would save less than a tenth of the time.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        The device; ``auto`` takes a GPU when there is one.

    Raises:
        ConfigError: A GPU is asked for and there is none of that number.
    """
    torch.set_num_threads(1)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if n_gpus else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise ConfigError(f"device {name} was asked for, but torch sees {n_gpus} GPUs; use auto")
    return device


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
        device: Where states shall live.
        symmetry_correction: Off for the training of a negative control alone; what a policy does
            is always measured with the correction.

    Returns:
        The environment.
    """
    env = FragmentEnv(vocabulary, config.limits, symmetry_correction=symmetry_correction)
    return env.to(device)


def build_policy(config: Config, env: FragmentEnv) -> FlowPolicy:
    """Build the policy network with fresh weights.

    Args:
        config: The configuration.
        env: The environment.

    Returns:
        The network, on the CPU.
    """
    train = config.train
    return FlowPolicy(env, config.policy, beta_min=train.beta_min, beta_max=train.beta_max)


def build_networks(config: Config, env: FragmentEnv) -> Networks:
    """Build the networks of a training, their weights drawn from the run's seed.

    Args:
        config: The configuration.
        env: The environment, already on its device.

    Returns:
        The networks, on the environment's device.
    """
    train = config.train
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        log_z = LogPartition(config.policy.hidden, beta_min=train.beta_min, beta_max=train.beta_max)
        return Networks.build(lambda: build_policy(config, env), log_z, env.device)


def seeded(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a generator.

    Args:
        seed: The seed.
        device: Where random numbers are drawn.

    Returns:
        The generator.
    """
    return torch.Generator(device).manual_seed(seed)
