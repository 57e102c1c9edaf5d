"""What a molecule of a given size gets: mean and spread of the target against heavy atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SizeBaseline:
    """Mean (quadratic) and standard deviation (linear) of the target in heavy atoms.

    Attributes:
        mean: Polynomial coefficients of the mean, highest power first, in the target's unit.
        sd: Polynomial coefficients of the standard deviation, highest power first.
        smallest_sd: The standard deviation is never below this, > 0.
        n_min: Fewest heavy atoms of the training set; smaller molecules are treated as this.
        n_max: Most heavy atoms of the training set; larger molecules are treated as this.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    smallest_sd: float
    n_min: int
    n_max: int

    @classmethod
    def fit(cls, heavy_atoms: NDArray[np.int64], values: NDArray[np.float64]) -> SizeBaseline:
        """Fit by least squares, the spread on absolute residuals.

        Args:
            heavy_atoms: Heavy atoms of the training molecules, shape ``(n,)``.
            values: Their targets, shape ``(n,)``, finite.
        """
        sizes = heavy_atoms.astype(np.float64)
        degree = min(2, len(np.unique(heavy_atoms)) - 1)
        mean = np.polyfit(sizes, values, degree)
        residuals = values - np.polyval(mean, sizes)
        # E|x| of a normal distribution is sd * sqrt(2 / pi).
        sd = np.polyfit(sizes, np.abs(residuals) * math.sqrt(math.pi / 2), min(1, degree))
        tiny = 1e-6 * max(1.0, float(np.abs(values).max()))
        return cls(
            mean=tuple(mean.tolist()),
            sd=tuple(sd.tolist()),
            smallest_sd=max(0.25 * float(residuals.std()), tiny),
            n_min=int(heavy_atoms.min()),
            n_max=int(heavy_atoms.max()),
        )

    def z_score(
        self, values: NDArray[np.float64], heavy_atoms: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distance from the mean of molecules of that size, in standard deviations.

        Args:
            values: Targets, shape ``(n,)``; NaN stays NaN.
            heavy_atoms: Heavy atoms, shape ``(n,)``.

        Returns:
            z-values, shape ``(n,)``; negative below the mean.
        """
        sizes = np.clip(heavy_atoms, self.n_min, self.n_max)
        sd = np.maximum(np.polyval(self.sd, sizes), self.smallest_sd)
        return np.asarray((values - np.polyval(self.mean, sizes)) / sd, dtype=np.float64)
