"""From what the ensemble says to the target's scale, with an honest standard deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from molgfn.reward.proxy.features import DESCRIPTORS

#: Share of the errors that the interval is to cover.
COVERAGE = 0.9
#: The standard deviation stays within this factor of that of all errors.
_MOST_SPREAD = 4.0
#: Weights of a calibration that has them.
N_WEIGHTS = 5
#: Holds the weights back where the data say little.
_RIDGE = 3.0
_SIZE, _ROTATABLE = DESCRIPTORS.index("heavy_atoms"), DESCRIPTORS.index("rotatable_bonds")


@dataclass(frozen=True, slots=True)
class Calibration:
    """From the ensemble to the target's scale.

    Attributes:
        mean: Mean of the training targets.
        sd: Standard deviation of the training targets.
        spread_scale: Factor on the standard deviation among the members; used without weights.
        noise: Standard deviation that remains where all members agree, in the target's unit; with
            weights, that of all errors on unseen molecules.
        weights: Of log(std / noise): constant, logarithm of the spread over ``noise``, prediction
            in standard deviations of the targets, tens of heavy atoms, tens of rotatable bonds.
            Empty for a proxy whose standard deviation follows from the spread alone.
        interval: Factor on the standard deviation that gives the conformal interval of 90 %; 0
            where it was not measured.
    """

    mean: float
    sd: float
    spread_scale: float
    noise: float
    weights: tuple[float, ...] = ()
    interval: float = 0.0

    def std(
        self,
        spread: NDArray[np.float64],
        value: NDArray[np.float64],
        descriptors: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Standard deviation of the error to expect.

        Args:
            spread: Standard deviation among the members, shape ``(n,)``, target's unit.
            value: Predictions, shape ``(n,)``, target's unit.
            descriptors: Molecule descriptors, shape ``(n, len(DESCRIPTORS))``.

        Returns:
            Standard deviations, shape ``(n,)``, target's unit.
        """
        if not self.weights:
            return np.hypot(self.noise, self.spread_scale * spread)
        # No product of matrices: the library adds up otherwise for a lone molecule.
        logs = (self._inputs(spread, value, descriptors) * self.weights).sum(axis=1)
        limit = math.log(_MOST_SPREAD)
        return np.asarray(self.noise * np.exp(np.clip(logs, -limit, limit)), dtype=np.float64)

    def _inputs(
        self,
        spread: NDArray[np.float64],
        value: NDArray[np.float64],
        descriptors: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        return np.column_stack(
            (
                np.ones(len(spread)),
                np.log(np.maximum(spread / self.noise, 1e-2)),
                (value - self.mean) / self.sd,
                descriptors[:, _SIZE] / 10.0,
                descriptors[:, _ROTATABLE] / 10.0,
            )
        )


def fit_calibration(
    start: Calibration,
    residuals: NDArray[np.float64],
    spread: NDArray[np.float64],
    value: NDArray[np.float64],
    descriptors: NDArray[np.float32],
) -> Calibration:
    """Fit the standard deviation, then the interval, to errors on unseen molecules.

    The spread of an ensemble hardly tells where it errs; the size of the molecule, its prediction
    and its rotatable bonds tell more.

    Args:
        start: Mean and standard deviation of the training targets.
        residuals: Errors of the ensemble mean, shape ``(n,)``.
        spread: Standard deviation among the members, shape ``(n,)``.
        value: Predictions, shape ``(n,)``.
        descriptors: Molecule descriptors, shape ``(n, len(DESCRIPTORS))``.

    Returns:
        The calibration of largest Gaussian likelihood, weights held back by a ridge.
    """
    from scipy.optimize import minimize  # a fit alone needs it

    noise = max(float(np.sqrt((residuals**2).mean())), 1e-9 * start.sd)
    fitted = replace(start, spread_scale=0.0, noise=noise, weights=(0.0,))
    inputs = fitted._inputs(spread, value, descriptors)
    centre = inputs[:, 1:].mean(axis=0)
    inputs[:, 1:] -= centre
    squares = (residuals / noise) ** 2

    def cost(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = np.clip(inputs @ weights, -20.0, 20.0)
        scaled = squares * np.exp(-2.0 * logs)
        ridge = np.concatenate([[0.0], _RIDGE * weights[1:]])
        total = float((logs + 0.5 * scaled).sum() + 0.5 * (ridge * weights).sum())
        return total, inputs.T @ (1.0 - scaled) + ridge

    weights = minimize(cost, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x
    weights[0] -= centre @ weights[1:]
    fitted = replace(fitted, weights=tuple(float(w) for w in weights))
    ratios = np.abs(residuals) / fitted.std(spread, value, descriptors)
    return replace(fitted, interval=conformal_factor(ratios, COVERAGE))


def conformal_factor(ratios: NDArray[np.float64], coverage: float) -> float:
    """Factor on the standard deviation that covers a share of new errors.

    Args:
        ratios: |error| / standard deviation on unseen molecules, shape ``(n,)``.
        coverage: The share, 0 to 1.

    Returns:
        The ceil((n + 1) * coverage)-th smallest ratio; the largest where n is too small for that.

    References:
        Lei et al. 2018, Distribution-free predictive inference for regression.
        https://doi.org/10.1080/01621459.2017.1307116
    """
    rank = min(math.ceil((len(ratios) + 1) * coverage), len(ratios))
    return float(np.sort(ratios)[rank - 1])
