"""Rejection control: what a policy draws too often is kept as often as its reward asks for.

A draw x of weight w = R(x) / p(x) stays with probability min(1, w / c) (Liu, Chen & Wong 1998).
What stays comes with probability proportional to min(p(x), R(x) / c): in exact proportion to the
reward wherever the policy drew it often enough, and as the policy has it elsewhere. A larger c
makes more of it exact and keeps fewer draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def find_threshold(log_weight: Array) -> float:
    """Choose log c: the median, so that at least half of such draws stay, however bad the policy.

    Args:
        log_weight: log R - log p of draws of the policy, shape ``(n,)``, nats, NaN where the
            score failed.

    Returns:
        log c, nats; NaN where no draw has a weight.
    """
    known = log_weight[~np.isnan(log_weight)]
    return float(np.median(known)) if len(known) else float("nan")


def log_acceptance(log_weight: Array, threshold: float) -> Array:
    """Compute how probable it is that draws stay.

    Args:
        log_weight: log R - log p, shape ``(n,)``, nats, NaN where the score failed.
        threshold: log c, nats.

    Returns:
        Logarithms of probabilities, shape ``(n,)``; a draw without a score never stays.
    """
    found: Array = np.minimum(np.nan_to_num(log_weight, nan=-np.inf) - threshold, 0.0)
    return found
