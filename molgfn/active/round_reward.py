"""The reward that a round trains its policy on."""

from __future__ import annotations

from dataclasses import replace

from molgfn.chem.molecule import read_molecule
from molgfn.config.reward_schema import AcquisitionConfig, RewardConfig
from molgfn.config.schema import Config
from molgfn.reward.acquisition import find_acquisition
from molgfn.reward.reward import build_reward


def round_beta(config: Config) -> float:
    """Exponent of the reward at which the rounds sample."""
    beta = config.rounds.beta
    return config.train.beta_max if beta is None else beta


def round_reward(config: Config, proxy: str, best: float) -> RewardConfig:
    """The reward of a round.

    Args:
        config: Configuration of the rounds.
        proxy: Directory of the round's proxy.
        best: The best value so far, on the scale of the proxy.

    Raises:
        ConfigError: Acquisition and guard contradict each other.
    """
    rounds = config.rounds
    acquisition = AcquisitionConfig(
        rounds.acquisition,
        exploration=rounds.exploration,
        best=best if rounds.acquisition == "log_ei" else None,
        power=round_beta(config),
    )
    return replace(config.reward, proxy=proxy, acquisition=acquisition)


def check_round_reward(config: Config) -> None:
    """Find out before anything is paid for whether a round can build its reward and score with it.

    The factors that read no proxy score benzene.

    Raises:
        ConfigError: Acquisition, guard and factors contradict each other, or there is no scorer of
            the name that a factor gives.
        ScorerError: A scorer breaks as a whole.
    """
    reward = round_reward(config, config.reward.proxy, 0.0)
    others = [factor for factor in find_acquisition(reward).factors if not factor.reads_proxy]
    if others:
        plain = RewardConfig(factors=tuple(others), floor=reward.floor)
        build_reward(plain)([read_molecule("c1ccccc1")])
