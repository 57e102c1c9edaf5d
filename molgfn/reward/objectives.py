"""Objectives: groups of factors that a preference weighs against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molgfn.config.reward_schema import GATE, FactorConfig, RewardConfig
from molgfn.errors import ConfigError, did_you_mean

#: Name of the one objective of a reward that is not divided.
WHOLE = "Score"


@dataclass(frozen=True, slots=True)
class Objective:
    """A part of the reward: the product of some of its factors, each to its weight.

    Attributes:
        name: What tables call it.
        labels: Labels of its factors; the guard's gate is one of them.
    """

    name: str
    labels: tuple[str, ...]


def group_factors(
    config: RewardConfig,
    factors: Sequence[FactorConfig],
    objectives: Mapping[str, Sequence[str]] | None,
) -> tuple[Objective, ...]:
    """Divide the factors of a reward into objectives.

    Args:
        config: The reward.
        factors: Its factors under its acquisition, which may put one in the place of all that
            read the proxy.
        objectives: Labels of the configured factors by the name of the objective; None makes one
            objective of all.

    Returns:
        The objectives, in the order given. The guard's gate goes with the factors of the proxy.

    Raises:
        ConfigError: A label is unknown, missing or given twice, an objective is empty, or one
            factor stands for factors of several objectives.
    """
    labels = [factor.label for factor in config.factors]
    owners: dict[str, str] = {}
    for name, own in ({WHOLE: labels} if objectives is None else objectives).items():
        if not own:
            raise ConfigError(f"objective {name!r} has no factor; give it one or remove it")
        for label in own:
            if label not in labels:
                raise ConfigError(
                    f"objective {name!r}: unknown factor {label!r}, expected one of "
                    f"{', '.join(labels)}{did_you_mean(label, labels)}"
                )
            if label in owners:
                raise ConfigError(
                    f"factor {label!r} is in the objectives {owners[label]!r} and {name!r}; "
                    "every factor belongs to one"
                )
            owners[label] = name
    missing = [label for label in labels if label not in owners]
    if missing:
        raise ConfigError(
            f"no objective has the factor {missing[0]!r}; every factor belongs to one"
        )
    of_proxy = list(dict.fromkeys(owners[f.label] for f in config.factors if f.reads_proxy))
    grouped: dict[str, list[str]] = {name: [] for name in owners.values()}
    for factor in factors:
        if factor.label in owners:
            grouped[owners[factor.label]].append(factor.label)
            continue
        if len(of_proxy) > 1:
            raise ConfigError(
                f"reward.acquisition.kind {config.acquisition.kind} makes one of all factors that "
                f"read the proxy, which are in the objectives {', '.join(of_proxy)}; "
                "put them in one"
            )
        grouped[of_proxy[0]].append(factor.label)
    if of_proxy and config.guard.min_similarity > 0.0:
        grouped[of_proxy[0]].append(GATE)
    return tuple(Objective(name, tuple(own)) for name, own in grouped.items())
