"""How good a proxy is on scaffolds it never saw, next to a random forest and to size alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rdkit.Chem import rdFingerprintGenerator

from molgfn.reward.proxy.dataset import Dataset


def errors(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> dict[str, float]:
    """Root-mean-square error, R² and Spearman correlation.

    Args:
        predicted: Shape ``(n,)``.
        true: Shape ``(n,)``.

    Returns:
        ``rmse`` in the target's unit, ``r2``, ``spearman``; a correlation is NaN where a side
        is constant.
    """
    residuals = predicted - true
    spread = float(((true - true.mean()) ** 2).sum())
    r2 = 1.0 - float((residuals**2).sum()) / spread if spread > 0 else float("nan")
    return {
        "rmse": round(float(np.sqrt((residuals**2).mean())), 4),
        "r2": round(r2, 4),
        "spearman": round(spearman(predicted, true), 4),
    }


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, ties sharing their mean rank.

    Args:
        a: Shape ``(n,)``.
        b: Shape ``(n,)``.

    Returns:
        -1 to 1; NaN when either side is constant.
    """
    if np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return float("nan")
    ranks = [pd.Series(values).rank().to_numpy() for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def fit_std(residuals: NDArray[np.float64], spread: NDArray[np.float64]) -> tuple[float, float]:
    """Fit the standard deviation sqrt(noise² + (scale · spread)²) to errors on unseen molecules.

    Args:
        residuals: Errors of the ensemble mean, shape ``(n,)``.
        spread: Standard deviation among the members, shape ``(n,)``.

    Returns:
        ``scale`` (0 to 4) and ``noise`` of largest Gaussian likelihood on a grid.
    """
    rms = max(float(np.sqrt((residuals**2).mean())), 1e-9)
    scale = np.linspace(0.0, 4.0, 41)[:, None, None]
    noise = np.linspace(0.05, 1.5, 59)[None, :, None] * rms
    variance = noise**2 + (scale * spread) ** 2  # (scale, noise, n)
    cost = (np.log(variance) + residuals**2 / variance).mean(axis=2)
    best = np.unravel_index(int(cost.argmin()), cost.shape)
    return float(scale[best[0], 0, 0]), float(noise[0, best[1], 0])


def std_quality(residuals: NDArray[np.float64], std: NDArray[np.float64]) -> dict[str, float]:
    """Whether the standard deviation tells the size of the errors.

    Args:
        residuals: Errors on unseen molecules, shape ``(n,)``.
        std: Predicted standard deviations, shape ``(n,)``.

    Returns:
        ``z_std`` (1 when calibrated), ``within_1_std`` (0.68), ``within_2_std`` (0.95) and the
        Spearman correlation of the standard deviation with the absolute error.
    """
    z = residuals / std
    return {
        "z_std": round(float(np.sqrt((z**2).mean())), 3),
        "within_1_std": round(float((np.abs(z) < 1).mean()), 3),
        "within_2_std": round(float((np.abs(z) < 2).mean()), 3),
        "spearman_with_error": round(spearman(std, np.abs(residuals)), 3),
    }


def baseline_errors(
    data: Dataset, train: NDArray[np.int64], test: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """Fit the two models a network has to beat on the same split.

    Args:
        data: All molecules.
        train: Indices both baselines are fitted on.
        test: Indices they are tested on.
        seed: Seed of the forest.

    Returns:
        ``random_forest`` (500 trees on Morgan counts and heavy atoms) and ``heavy_atoms`` (a
        quadratic in the number of heavy atoms), each as :func:`errors`.
    """
    from sklearn.ensemble import RandomForestRegressor

    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    counts = np.stack([morgan.GetCountFingerprintAsNumPy(m.mol) for m in data.molecules])
    sizes = data.heavy_atoms.astype(np.float64)
    inputs = np.column_stack([counts, sizes])
    forest = RandomForestRegressor(
        500, max_features=0.3, min_samples_leaf=2, random_state=seed, n_jobs=1
    )
    forest.fit(inputs[train], data.targets[train])
    degree = min(2, len(np.unique(sizes[train])) - 1)
    curve = np.polyfit(sizes[train], data.targets[train], degree)
    expected = np.asarray(np.polyval(curve, sizes[test]), dtype=np.float64)
    return {
        "random_forest": errors(forest.predict(inputs[test]), data.targets[test]),
        "heavy_atoms": errors(expected, data.targets[test]),
    }
