"""Rejection control: thin out what a policy draws more often than its reward warrants.

A draw x of weight w = R(x) / p(x) is kept with probability min(1, w / c) (Liu, Chen & Wong 1998).
Kept draws are distributed in proportion to min(p(x), R(x) / c): exactly to the reward wherever the
policy drew x often enough, and as the policy has it elsewhere. A larger c makes more of it exact
and keeps fewer draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def find_threshold(log_weight: Array) -> float:
    """Choose log c: the median weight, so that at least half of such draws stay.

    Takes log R - log p of draws, ``(n,)``, nats, NaN where the score failed; the result is NaN if
    all are.
    """
    known = log_weight[~np.isnan(log_weight)]
    return float(np.median(known)) if len(known) else float("nan")


def log_acceptance(log_weight: Array, threshold: float) -> Array:
    """Log-probability of keeping each draw, ``(n,)``; -inf for a draw without a score (NaN)."""
    found: Array = np.minimum(np.nan_to_num(log_weight, nan=-np.inf) - threshold, 0.0)
    return found
