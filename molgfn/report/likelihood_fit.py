"""How exactly a policy samples in proportion to the reward, and warnings where it does not.

Everything rests on exact log p of terminal states (:mod:`molgfn.gfn.likelihood`). The fits are
over held-out states, which the training has not scored: of the others a network may remember.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from molgfn.gfn.metrics import Partition, fit, partition
from molgfn.gfn.weighed import Weighed

Array = NDArray[np.float64]

#: Below this share of distinct molecules among its draws a policy repeats itself.
MIN_DISTINCT_FRACTION = 0.5
#: Slopes of log p against log R that pass as proportional.
SLOPE_RANGE = (0.8, 1.2)
#: Below this effective sample size log Z and its upper bound are rough.
MIN_EFFECTIVE_SAMPLES = 100.0
#: Fewer molecules than this prove neither misfit nor collapse.
MIN_MOLECULES = 10
#: Good molecules are those above this quantile of log R of the policy's own draws...
GOOD_QUANTILE = 0.25
#: ... and with a median of log p - log R + log Z below this the policy has dropped them. A good
#: fit leaves about a nat of error; at -5 a molecule comes 150 times too seldom.
COLLAPSE_NATS = -5.0
#: When this share of the draws, those of the largest weights R/p, ...
TOP_SHARE = 0.01
#: ... carries more than this share of all weight, most of the target lies where the policy hardly
#: goes.
MAX_TOP_WEIGHT = 0.5


def fit_measures(held_out: Weighed) -> dict[str, float]:
    """Fit log p to log R.

    Returns:
        Value by name of the measure; NaN where there are too few states or nothing varies.
    """
    names = (
        "held-out molecules",
        "slope of log p against log R",
        "Pearson of log p with log R",
        "Spearman of log p with log R",
        "rmse of log p - log R",
    )
    n = float(len(held_out))
    if len(held_out) < 3:
        return dict(zip(names, (n, *([math.nan] * 4)), strict=True))
    line = fit(held_out.log_p, held_out.log_reward)
    values = (n, line.slope, line.pearson, line.spearman, line.rmse)
    return dict(zip(names, values, strict=True))


def estimate_partition(draws: Weighed) -> Partition | None:
    """Estimate log Z from the draws of a policy.

    Draws whose score failed have no reward: the policy is taken as if it drew only the others,
    and Z as the sum over what can be scored.

    Returns:
        The estimates; ``None`` when nothing could be scored.
    """
    scored = ~np.isnan(draws.log_reward)
    if not scored.any():
        return None
    return partition(draws.log_p[scored] - math.log(scored.mean()), draws.log_reward[scored])


def partition_measures(estimate: Partition | None) -> dict[str, float]:
    """Name the estimates of log Z."""
    if estimate is None:
        return {}
    return {
        "log Z": estimate.log_z,
        "log Z lower bound (ELBO)": estimate.lower,
        "log Z upper bound (EUBO)": estimate.upper,
        "entropy of the sampler, nats": estimate.entropy,
        "effective sample size": estimate.effective_samples,
    }


def warn_of_repeats(distinct_fraction: float) -> list[str]:
    """Warn when the policy draws few molecules again and again.

    Args:
        distinct_fraction: Distinct molecules among all draws of the policy.
    """
    if distinct_fraction >= MIN_DISTINCT_FRACTION:
        return []
    return [
        f"warning: of the policy's draws only {distinct_fraction:.2f} are distinct molecules "
        f"(limit {MIN_DISTINCT_FRACTION:g}): it repeats itself; lower --beta, or train anew with a "
        "larger train.random_share"
    ]


def warn_of_misfit(measures: Mapping[str, float]) -> list[str]:
    """Warn when log p does not rise with log R as it should.

    Args:
        measures: What :func:`fit_measures` gave for all held-out states.
    """
    n, slope = measures["held-out molecules"], measures["slope of log p against log R"]
    low, high = SLOPE_RANGE
    if n < MIN_MOLECULES or math.isnan(slope) or low <= slope <= high:
        return []
    what = "flatter" if slope < low else "steeper"
    return [
        f"warning: the slope of log p against log R is {slope:.2f} over {n:.0f} held-out molecules "
        f"(limits {low:g} to {high:g}): the policy is {what} than the reward; train longer "
        "(train.steps)"
    ]


def warn_of_weights(draws: Weighed, estimate: Partition | None) -> list[str]:
    """Warn when few draws carry the estimate of log Z.

    The share of the top draws is looked at from as many draws on as make one of them.
    """
    if estimate is None:
        return ["warning: no draw of the policy could be scored, so nothing is known of log Z"]
    gap = draws.log_reward - draws.log_p
    gap = np.sort(gap[~np.isnan(gap)])
    lines = []
    if estimate.effective_samples < MIN_EFFECTIVE_SAMPLES:
        lines.append(
            f"warning: the effective sample size is {estimate.effective_samples:.0f} of {len(gap)} "
            f"draws (limit {MIN_EFFECTIVE_SAMPLES:g}): log Z and its upper bound are rough; raise "
            "--n, or train longer"
        )
    weight = np.exp(gap - gap[-1])
    n_top = int(len(gap) * TOP_SHARE)
    share = float(weight[-n_top:].sum() / weight.sum()) if n_top else 0.0
    if share > MAX_TOP_WEIGHT:
        lines.append(
            f"warning: {n_top} of {len(gap)} draws carry {share:.2f} of the importance weight R/p "
            f"(limit {MAX_TOP_WEIGHT:g}): the policy misses much of the target; train longer, or "
            "with a larger train.random_share"
        )
    return lines


def warn_of_collapse(
    draws: Weighed, others: Weighed, seen: Collection[str], estimate: Partition | None
) -> list[str]:
    """Warn when good molecules that the policy did not propose are far too improbable.

    Args:
        draws: All draws of the policy, repeats included.
        others: States from elsewhere: random ones, the user's.
        seen: Keys of what the training has scored.
        estimate: What :func:`estimate_partition` gave for the draws.

    Returns:
        A line, or none; none too where fewer than ``MIN_MOLECULES`` good ones are at hand.
    """
    if estimate is None:
        return []
    good = float(np.nanquantile(draws.log_reward, GOOD_QUANTILE))
    candidates = others.unseen(frozenset(seen) | frozenset(draws.keys))
    missed = candidates.log_reward >= good
    if missed.sum() < MIN_MOLECULES:
        return []
    error = candidates.log_p - candidates.log_reward + estimate.log_z
    median = float(np.median(error[missed]))
    if median >= COLLAPSE_NATS:
        return []
    return [
        f"warning: mode collapse: the median of log p - log R + log Z is {median:.1f} nats (limit "
        f"{COLLAPSE_NATS:g}) over {missed.sum()} good held-out molecules that the policy did not "
        "propose; train longer, or with a larger train.random_share"
    ]
