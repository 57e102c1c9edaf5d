"""Rewards of molecules, kept as the parts that they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from molgfn.reward.acquisition import combine
from molgfn.reward.objectives import Objective


@dataclass(frozen=True)
class RewardTable:
    """Rewards of n molecules as M opinions of k factors; everything else follows from these.

    There are several opinions, the members of the ensemble, under the acquisition ``thompson``;
    else M is 1.

    Attributes:
        log_parts: Natural logarithm of every factor's part in (0, 1], before its weight, shape
            ``(M, n, k)``, NaN = failed. The guard's gate comes last where there is one.
        labels: Labels of the k factors.
        weights: Exponents of the factors, shape ``(k,)``; that of the gate is 1.
        objectives: K groups of the factors.
        member_power: Exponent of the mean over the opinions.
        columns: Values of the scorers by column name, each ``(n,)``, NaN = missing.
        reasons: Why a molecule failed, naming the factor; ``""`` where it did not.
    """

    log_parts: NDArray[np.float64]
    labels: tuple[str, ...]
    weights: NDArray[np.float64]
    objectives: tuple[Objective, ...]
    member_power: float
    columns: dict[str, NDArray[np.float64]]
    reasons: tuple[str, ...]

    @cached_property
    def log_opinions(self) -> NDArray[np.float64]:
        """Log Score by each opinion, shape ``(M, n)``, NaN = failed."""
        return self._weighted_sum(range(len(self.labels)))

    @cached_property
    def log_score(self) -> NDArray[np.float64]:
        """Log of the reward before the exponent beta, shape ``(n,)``, at most 0, NaN = failed."""
        return combine(self.log_opinions, self.member_power)

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """Reward before the exponent beta, shape ``(n,)``, in (0, 1], NaN = failed."""
        return np.asarray(np.exp(self.log_score), dtype=np.float64)

    @cached_property
    def objective_parts(self) -> NDArray[np.float64]:
        """Log of each objective: the weighted sum of its factors' logarithms, NaN = failed.

        Of one objective this is the log Score, shape ``(n, 1)``. Of K objectives the shape is
        ``(n, K)``, or ``(n, M, K)`` with several opinions: the sum over objectives comes before
        the mean over opinions, so a mean of each objective would not do.
        """
        if len(self.objectives) == 1:
            return self.log_score[:, None]
        parts = np.stack(
            [
                self._weighted_sum(i for i, label in enumerate(self.labels) if label in own.labels)
                for own in self.objectives
            ],
            axis=-1,
        )  # (M, n, K)
        return parts[0] if len(parts) == 1 else parts.swapaxes(0, 1)

    @cached_property
    def factors(self) -> dict[str, NDArray[np.float64]]:
        """Parts in (0, 1] by label, each ``(n,)``; of several opinions the geometric mean."""
        parts = np.exp(self.log_parts.mean(axis=0))
        return dict(zip(self.labels, parts.T, strict=True))

    @property
    def status(self) -> tuple[str, ...]:
        """``"ok"`` or ``"failed"`` for each molecule."""
        return tuple("failed" if reason else "ok" for reason in self.reasons)

    def _weighted_sum(self, factors: Iterable[int]) -> NDArray[np.float64]:
        """Add up factors by their place, one after the other: the order decides the last bit."""
        total = np.zeros(self.log_parts.shape[:2])
        for i in factors:
            total = total + self.weights[i] * self.log_parts[:, :, i]
        return total
