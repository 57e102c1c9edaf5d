"""Before training: can a policy learn from the range of the reward on random molecules?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molgfn.errors import NumericalError

#: How many nats the best random molecule should gain over a merely good one at the proposed beta.
_WANTED_NATS = 20.0
_LOWEST_BETA, _HIGHEST_BETA = 1.0, 64.0
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Preflight:
    """Range of the reward on random molecules.

    Attributes:
        n_molecules: Molecules scored, failures included.
        share_failed: Share without a score.
        share_at_floor: Share at the lowest score, where more than one molecule has it.
        share_saturated: Share above 0.99, which the reward cannot tell apart.
        lowest: Lowest score.
        quantiles: Scores at 5, 25, 50, 75 and 95 % of the scored molecules.
        highest: Highest score.
        beta: Proposed exponent, 1 to 64: see :func:`preflight`.
    """

    n_molecules: int
    share_failed: float
    share_at_floor: float
    share_saturated: float
    lowest: float
    quantiles: tuple[float, ...]
    highest: float
    beta: float

    def lines(self) -> list[str]:
        """The findings as lines of text for people."""
        quantiles = ", ".join(f"{q:.3g}" for q in self.quantiles)
        found = [
            f"reward on {self.n_molecules} random molecules: {self.lowest:.3g} to "
            f"{self.highest:.3g}; 5, 25, 50, 75, 95 %: {quantiles}",
            f"failed {self.share_failed:.1%}, at the lowest value {self.share_at_floor:.1%}, "
            f"saturated {self.share_saturated:.1%}; beta {self.beta:g} is a good first choice",
        ]
        if self.share_failed > 0.2:
            found.append("WARNING: more than a fifth of random molecules fail; see their reasons")
        if self.share_at_floor > 0.5:
            found.append(
                "WARNING: more than half of random molecules have the lowest value, so there is "
                "little to learn from; soften the factors"
            )
        if self.share_saturated > 0.05:
            found.append(
                "WARNING: the reward is saturated on random molecules and cannot tell good from "
                "better; make the factors stricter"
            )
        return found


def preflight(scores: NDArray[np.float64]) -> Preflight:
    """Describe the reward's range on random molecules and propose beta.

    With R = Score^beta, log R of two molecules differs by beta times their difference in log
    Score. The proposed beta makes that 20 nats between the best random molecule and the 95th
    percentile: good molecules outnumber excellent ones by many orders of magnitude, and a policy
    that samples in proportion to R meets the excellent ones only if R outweighs the numbers. It
    is a rule of thumb, to be corrected by what is sampled.

    Args:
        scores: Scores of random legal molecules before beta, shape ``(n,)``; NaN = failed.

    Raises:
        NumericalError: Nothing was scored, a score is not in (0, 1], or all are the same.
    """
    known = scores[~np.isnan(scores)]
    if known.size == 0:
        raise NumericalError(
            f"every one of {scores.size} random molecules failed to score, so there is no reward "
            "to learn from; look at the reasons with molgfn score and mend that factor"
        )
    if known.min() <= 0.0 or known.max() > 1.0:
        raise NumericalError(
            f"scores must lie above 0 and up to 1, got {known.min():g} to {known.max():g}"
        )
    if np.ptp(np.log(known)) < 1e-6:
        raise NumericalError(
            f"all of {known.size} random molecules have the same score {known[0]:g}, so there is "
            "nothing to learn; change the ends (low, high) of the factors"
        )
    good, best = np.log(np.quantile(known, (0.95, 1.0)))
    beta = _WANTED_NATS / max(float(best - good), _WANTED_NATS / _HIGHEST_BETA)
    n_lowest = int(np.isclose(known, known.min(), rtol=1e-9, atol=0.0).sum())
    return Preflight(
        n_molecules=int(scores.size),
        share_failed=1.0 - known.size / scores.size,
        share_at_floor=n_lowest / known.size if n_lowest > 1 else 0.0,
        share_saturated=float((known > 0.99).mean()),
        lowest=float(known.min()),
        quantiles=tuple(float(q) for q in np.quantile(known, _QUANTILES)),
        highest=float(known.max()),
        beta=float(f"{min(max(beta, _LOWEST_BETA), _HIGHEST_BETA):.2g}"),
    )
