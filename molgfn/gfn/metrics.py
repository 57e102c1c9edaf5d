"""How far a sampler is from its target, in numbers: fit of log p to log R, bounds of log Z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Least-squares line of log p against log R; a perfect sampler has slope 1 and rmse 0.

    A high correlation alone proves nothing: log p = 0.5 log R has correlation 1.

    Attributes:
        n: Number of objects.
        slope: Slope; NaN where log R does not vary, like the correlations.
        intercept: Value at log R = 0, nats; -log Z for a perfect sampler.
        pearson: Pearson's correlation.
        spearman: Spearman's rank correlation.
        rmse: Standard deviation of log p - log R, nats: how far p is from c R for the best c.
    """

    n: int
    slope: float
    intercept: float
    pearson: float
    spearman: float
    rmse: float


def fit(log_p: Array, log_reward: Array) -> Fit:
    """Fit exact log p against log R of the same objects, each ``(n,)``, nats."""
    from scipy.stats import spearmanr  # slow to import, and only a fit needs it

    slope = regression_slope(log_reward, log_p)
    if np.isnan(slope):
        return Fit(len(log_p), slope, slope, slope, slope, float(np.std(log_p - log_reward)))
    return Fit(
        n=len(log_p),
        slope=slope,
        intercept=float(log_p.mean() - slope * log_reward.mean()),
        pearson=float(np.corrcoef(log_p, log_reward)[0, 1]),
        spearman=float(spearmanr(log_p, log_reward).statistic),
        rmse=float(np.std(log_p - log_reward)),
    )


def regression_slope(x: Array, y: Array) -> float:
    """Slope of y against x; NaN for fewer than 3 points or where x or y does not vary."""
    if len(x) < 3 or np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9:
        return float("nan")
    centred = x - x.mean()
    return float((centred * (y - y.mean())).sum() / (centred**2).sum())


@dataclass(frozen=True)
class Partition:
    """Estimates of log Z from samples of a policy.

    Attributes:
        log_z: Importance estimate log mean(R/p), nats.
        lower: ELBO, mean of log R - log p over the policy's samples; at most log Z, nats.
        upper: EUBO, the same mean over the target, the samples weighted by R/p; at least log Z
            up to the error of the weights, nats.
        entropy: Entropy of the policy's distribution over terminal states, nats.
        effective_samples: (sum w)^2 / sum w^2 of the weights: how many samples of the target the
            samples are worth. Below about 100 the estimate and the upper bound are rough.
    """

    log_z: float
    lower: float
    upper: float
    entropy: float
    effective_samples: float


def partition(log_p: Array, log_reward: Array) -> Partition:
    """Estimate log Z and its bounds from samples of the policy, repeats included.

    Takes exact log p and log R of the samples, each ``(n,)``, nats.

    Raises:
        ValueError: There is no sample.
    """
    if not len(log_p):
        raise ValueError("log Z needs at least one sample")
    gap = log_reward - log_p
    weight = np.exp(gap - gap.max())
    share = weight / weight.sum()
    return Partition(
        log_z=float(gap.max() + np.log(weight.mean())),
        lower=float(gap.mean()),
        upper=float((share * gap).sum()),
        entropy=float(-log_p.mean()),
        effective_samples=float(1.0 / (share**2).sum()),
    )


def l1_distance(log_p: Array, log_target: Array) -> float:
    """Sum of absolute differences of two distributions given in nats; 0 if equal, 2 if disjoint."""
    return float(np.abs(np.exp(log_p) - np.exp(log_target)).sum())


def jensen_shannon(log_p: Array, log_target: Array) -> float:
    """Jensen–Shannon divergence of two distributions, nats; 0 if equal, log 2 if disjoint."""
    middle = np.logaddexp(log_p, log_target) - np.log(2.0)

    def divergence(log_q: Array) -> float:
        q = np.exp(log_q)
        present = q > 0
        return float((q[present] * (log_q[present] - middle[present])).sum())

    return 0.5 * (divergence(log_p) + divergence(log_target))
