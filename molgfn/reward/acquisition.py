"""What to buy: from a prediction and its uncertainty to what a factor of the reward reads.

References:
    Ament et al. 2023, Unexpected improvements to expected improvement for Bayesian optimization.
    https://arxiv.org/abs/2310.20708
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from molgfn.config.reward_schema import FactorConfig, RewardConfig
from molgfn.errors import ConfigError

#: Name of the one factor that stands for all factors of the proxy under ``log_ei``.
EXPECTED_IMPROVEMENT = "expected_improvement"
#: Below this z the direct formula of log EI loses its digits, ...
_DIRECT_Z = -1.0
#: ... and below this one its correction is 1 / z^2 to seven digits.
_TAIL_Z = -1e4


def acquired_factors(config: RewardConfig) -> tuple[FactorConfig, ...]:
    """Factors of the reward under its acquisition.

    Args:
        config: The reward.

    Returns:
        Those of the configuration; with ``log_ei`` one factor stands in the place of the first
        that reads the proxy, with the weight of all of them together.

    Raises:
        ConfigError: With ``log_ei``, two of them want opposite directions, or there is none.
    """
    if config.acquisition.kind != "log_ei":
        return config.factors
    reading = [factor for factor in config.factors if factor.reads_proxy]
    directions = {factor.direction for factor in reading}
    if len(directions) != 1:
        found = "two directions" if directions else "no factor"
        raise ConfigError(
            f"reward.acquisition.kind log_ei needs factors that read the proxy in one direction, "
            f"came {found}"
        )
    improvement = FactorConfig(
        "proxy",
        "identity",
        direction=directions.pop(),
        weight=sum(factor.weight for factor in reading),
        name=EXPECTED_IMPROVEMENT,
    )
    return tuple(
        improvement if factor is reading[0] else factor
        for factor in config.factors
        if factor is reading[0] or factor not in reading
    )


def optimistic(
    factor: FactorConfig, value: NDArray[np.float64], std: NDArray[np.float64], exploration: float
) -> NDArray[np.float64]:
    """Move predictions to their good side (upper confidence bound).

    Args:
        factor: Says which side is good; a window has none and sees the values as they are.
        value: Predictions, shape ``(n,)``, NaN = missing.
        std: Their standard deviations, shape ``(n,)``.
        exploration: How many of them; below 0 moves to the bad side.

    Returns:
        What the factor is to read, shape ``(n,)``.
    """
    if exploration == 0.0 or factor.transform == "window":
        return value
    sign = 1.0 if factor.direction == "maximise" else -1.0
    return np.asarray(value + sign * exploration * std, dtype=np.float64)


def log_improvement(
    value: NDArray[np.float64], std: NDArray[np.float64], best: float, direction: str
) -> NDArray[np.float64]:
    """Logarithm of the expected improvement over the best value so far.

    Args:
        value: Predictions, shape ``(n,)``, NaN = missing.
        std: Their standard deviations, above 0, shape ``(n,)``.
        best: The best measured value.
        direction: ``maximise`` or ``minimise``.

    Returns:
        log E[max(improvement, 0)] under a Gaussian, finite however hopeless the molecule, shape
        ``(n,)``, natural logarithm of the value's unit; NaN where the prediction is.
    """
    from scipy.special import erfcx, log_ndtr  # rounds alone need it

    sign = 1.0 if direction == "maximise" else -1.0
    z = sign * (value - best) / std
    direct = np.maximum(z, _DIRECT_Z)
    density = np.exp(-0.5 * direct**2) / math.sqrt(2 * math.pi)
    near = np.log(density + direct * np.exp(log_ndtr(direct)))
    # EI / std = density(z) * (1 - |z| * Phi(z) / density(z)), the ratio by erfcx.
    far = np.minimum(z, _DIRECT_Z)
    ratio = -far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2))
    tail = far < _TAIL_Z
    rest = np.where(tail, -2.0 * np.log(-far), np.log1p(-np.where(tail, 0.0, ratio)))
    log_density = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    return np.asarray(np.log(std) + np.where(z > _DIRECT_Z, near, log_density + rest))


def improvement_part(log_ei: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Expected improvement as a factor of the reward.

    Args:
        log_ei: :func:`log_improvement`, shape ``(n,)``.
        scale: Spread of the training values, the improvement that counts one half.

    Returns:
        log(EI / (EI + scale)), below 0, shape ``(n,)``.
    """
    return np.asarray(-np.logaddexp(0.0, math.log(scale) - log_ei), dtype=np.float64)


def combine(log_opinions: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """One Score from those of several members.

    Args:
        log_opinions: log Score by each of M members, shape ``(M, n)``.
        power: Exponent of the mean.

    Returns:
        log of the mean of the given power, shape ``(n,)``; with one member its own log Score.
    """
    if len(log_opinions) == 1:
        return np.asarray(log_opinions[0], dtype=np.float64)
    from scipy.special import logsumexp  # rounds alone need it

    total = logsumexp(power * log_opinions, axis=0) - math.log(len(log_opinions))
    return np.asarray(total / power, dtype=np.float64)
