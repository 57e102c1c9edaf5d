"""What to buy: what a factor of the reward makes of a prediction and its uncertainty.

References:
    Ament et al. 2023, Unexpected improvements to expected improvement for Bayesian optimization.
    https://arxiv.org/abs/2310.20708
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molgfn.config.choices import AcquisitionKind, Direction, sign
from molgfn.config.reward_schema import FactorConfig, RewardConfig
from molgfn.errors import ConfigError

Array = NDArray[np.float64]
#: From values of a factor, shape ``(n,)``, to its part in (0, 1].
Transform = Callable[[Array], Array]

#: Name of the one factor that stands for all factors of the proxy under ``log_ei``.
EXPECTED_IMPROVEMENT = "expected_improvement"
#: Below this z the direct formula of log EI loses its digits, ...
_DIRECT_Z = -1.0
#: ... and below this one its correction is 1 / z^2 to seven digits.
_TAIL_Z = -1e4


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an uncertain scorer says of n molecules.

    Attributes:
        value: Predictions, shape ``(n,)``, NaN = missing.
        std: Their standard deviations, shape ``(n,)``.
        members: Predictions by each member of an ensemble, where they are known.
        spread: Standard deviation of the values that were learned.
    """

    value: Array
    std: Array
    members: tuple[Array, ...]
    spread: float


class Acquisition:
    """What factors make of a prediction and its uncertainty; this base reads the prediction alone.

    Attributes:
        config: The reward.
        needs_members: Whether it reads the predictions of every member.
    """

    needs_members = False

    def __init__(self, config: RewardConfig) -> None:
        self.config = config

    @property
    def factors(self) -> tuple[FactorConfig, ...]:
        """The factors of the reward under this acquisition."""
        return self.config.factors

    def opinions(self, factor: FactorConfig, prediction: Prediction) -> Sequence[Array]:
        """Values that a factor reads, each of shape ``(n,)``, one for each of M opinions."""
        del factor
        return [prediction.value]

    def log_parts(
        self, factor: FactorConfig, prediction: Prediction, transform: Transform
    ) -> Array:
        """Logarithm of a factor's part by each of M opinions.

        Returns:
            Shape ``(M, n)``, NaN where the prediction is.
        """
        return log_parts(self.opinions(factor, prediction), transform)


class Greedy(Acquisition):
    """The prediction, moved to its bad side by the guard's margin."""

    def opinions(self, factor: FactorConfig, prediction: Prediction) -> Sequence[Array]:
        """The prediction on its bad side alone."""
        return [optimistic(factor, prediction, -self.config.guard.kappa)]


class UpperConfidenceBound(Acquisition):
    """The prediction, moved to its good side."""

    def opinions(self, factor: FactorConfig, prediction: Prediction) -> Sequence[Array]:
        """The prediction on its good side alone."""
        return [optimistic(factor, prediction, self.config.acquisition.exploration)]


class Thompson(Acquisition):
    """Every member of the ensemble has an opinion of its own."""

    needs_members = True

    def opinions(self, factor: FactorConfig, prediction: Prediction) -> Sequence[Array]:
        """One for each member, where they are known."""
        del factor
        return prediction.members if prediction.members else [prediction.value]


class LogExpectedImprovement(Acquisition):
    """One factor, the expected improvement, in the place of all that read the proxy."""

    @property
    def factors(self) -> tuple[FactorConfig, ...]:
        """The improvement stands where the first was, with the weight of all of them together.

        Raises:
            ConfigError: Two of them want opposite directions, or there is none.
        """
        factors = self.config.factors
        reading = [factor for factor in factors if factor.reads_proxy]
        directions = {factor.direction for factor in reading}
        if len(directions) != 1:
            found = "two directions" if directions else "no factor"
            raise ConfigError(
                "reward.acquisition.kind log_ei needs factors that read the proxy in one "
                f"direction, got {found}"
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
            for factor in factors
            if factor is reading[0] or factor not in reading
        )

    def log_parts(
        self, factor: FactorConfig, prediction: Prediction, transform: Transform
    ) -> Array:
        """The improvement against the spread, which is in (0, 1) without a transform."""
        if factor.name != EXPECTED_IMPROVEMENT:
            return super().log_parts(factor, prediction, transform)
        best = self.config.acquisition.best
        if best is None:
            raise ValueError("AcquisitionConfig should have asked for the best value")
        log_ei = log_improvement(prediction.value, prediction.std, best, factor.direction)
        return improvement_part(log_ei, prediction.spread)[None]


#: Acquisitions by name.
ACQUISITIONS: dict[AcquisitionKind, type[Acquisition]] = {
    "greedy": Greedy,
    "ucb": UpperConfidenceBound,
    "log_ei": LogExpectedImprovement,
    "thompson": Thompson,
}


def find_acquisition(config: RewardConfig) -> Acquisition:
    """The acquisition of a reward."""
    return ACQUISITIONS[config.acquisition.kind](config)


def log_parts(opinions: Sequence[Array], transform: Transform) -> Array:
    """Logarithm of a factor's part by each of M opinions of its value, shape ``(M, n)``."""
    return np.asarray(np.log(np.stack([transform(values) for values in opinions])))


def optimistic(factor: FactorConfig, prediction: Prediction, exploration: float) -> Array:
    """Move predictions to their good side (upper confidence bound).

    Args:
        factor: Says which side is good; a window has none and sees the values as they are.
        prediction: The predictions.
        exploration: By how many standard deviations; below 0 moves to the bad side.

    Returns:
        What the factor reads, shape ``(n,)``.
    """
    if exploration == 0.0 or factor.transform == "window":
        return prediction.value
    shift = sign(factor.direction) * exploration * prediction.std
    return np.asarray(prediction.value + shift, dtype=np.float64)


def log_improvement(value: Array, std: Array, best: float, direction: Direction) -> Array:
    """Logarithm of the expected improvement over the best value so far.

    Args:
        value: Predictions, shape ``(n,)``, NaN = missing.
        std: Their standard deviations, above 0, shape ``(n,)``.
        best: The best measured value.
        direction: Which values are good.

    Returns:
        log E[max(improvement, 0)] under a Gaussian, finite far into the tail, shape ``(n,)``,
        natural logarithm of the value's unit; NaN where the prediction is.
    """
    from scipy.special import erfcx, log_ndtr  # rounds alone need it

    z = sign(direction) * (value - best) / std
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


def improvement_part(log_ei: Array, scale: float) -> Array:
    """Expected improvement as a factor of the reward.

    Args:
        log_ei: :func:`log_improvement`, shape ``(n,)``.
        scale: Spread of the training values, the improvement that counts one half.

    Returns:
        log(EI / (EI + scale)), below 0, shape ``(n,)``.
    """
    return np.asarray(-np.logaddexp(0.0, math.log(scale) - log_ei), dtype=np.float64)


def combine(log_opinions: Array, power: float) -> Array:
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
