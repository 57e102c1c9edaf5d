"""A fitted prior as a factor of the reward of a training."""

from __future__ import annotations

from pathlib import Path

from molgfn.config.reward_schema import PriorConfig
from molgfn.errors import CheckpointError, ConfigError, shell_quoted
from molgfn.gfn.condition import Condition
from molgfn.gfn.prior import Prior
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.sampler import Sampler, load_sampler


def load_prior(config: PriorConfig, env: FragmentEnv) -> Prior[FragmentStates] | None:
    """Load a prior for the states of an environment; None where there is none.

    Raises:
        ConfigError: There is no such prior, or it is one of another vocabulary or of other limits.
        CheckpointError: It is damaged.
    """
    if not config.name:
        return None
    path = Path(config.name)
    if not path.is_dir():
        raise ConfigError(
            f"reward.prior.name {config.name}: no such directory; make one with "
            f"`molgfn prior fit LIBRARY -o {shell_quoted(path)}`"
        )
    try:
        sampler = load_sampler(path, str(env.device))
    except CheckpointError as error:
        raise CheckpointError(f"reward.prior.name: {error}") from error
    own = sampler.env
    if own.vocabulary.digest != env.vocabulary.digest:
        raise ConfigError(
            f"reward.prior.name {config.name}: a prior of the vocabulary {own.vocabulary.name!r}, "
            f"not of {env.vocabulary.name!r}; fit one with --vocabulary"
        )
    if own.limits != env.limits:
        raise ConfigError(
            f"reward.prior.name {config.name}: it was fitted with other limits, {own.limits}; set "
            "the same, or fit it anew"
        )
    return Prior(own, sampler.policy, law_of(sampler), config.weight)


def law_of(sampler: Sampler) -> Condition:
    """The condition under which a prior is asked for its law."""
    return sampler.ask(sampler.config.train.beta_min)
