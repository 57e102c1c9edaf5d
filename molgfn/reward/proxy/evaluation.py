"""How good a proxy is on scaffolds it never saw, next to a random forest and to size alone."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.tables.columns import PROXY_COLUMNS

#: Models by name, with their column in the table of unseen molecules.
_MODELS = {
    "ensemble": "predicted",
    "random_forest": "random_forest",
    "heavy_atoms": "heavy_atoms",
}
#: A source with fewer unseen molecules is not measured on its own.
_MIN_OF_SOURCE = 30
#: Two values always correlate perfectly, one way or the other.
_LEAST_OF_CORRELATION = 3
_ROUNDING = 1e-12
_SIMILARITIES = (0.0, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.01)


def vary(values: NDArray[np.float64]) -> bool:
    """Whether values differ by more than the rounding of means of equal ones."""
    return bool(np.ptp(values) > _ROUNDING * np.abs(values).max() and values.std() > 0.0)


def rounded(value: float, n_digits: int) -> float:
    """Round to decimals, or to significant digits where these would leave one or none.

    Concentrations in mol/l have errors of 1e-8, which are not 0.
    """
    return round(value, n_digits) if value >= 10.0 ** (1 - n_digits) else float(f"{value:.3g}")


def errors(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> dict[str, float]:
    """Root-mean-square error, R² and Spearman correlation.

    Args:
        predicted: Shape ``(n,)``.
        true: Shape ``(n,)``.

    Returns:
        ``rmse`` in the target's unit, ``r2``, ``spearman``; NaN where there are fewer than three
        values or a side is constant, which says nothing of a model.
    """
    residuals = predicted - true
    spread = float(((true - true.mean()) ** 2).sum())
    tells = len(true) >= _LEAST_OF_CORRELATION and vary(true)
    r2 = 1.0 - float((residuals**2).sum()) / spread if tells else float("nan")
    return {
        "rmse": rounded(float(np.sqrt((residuals**2).mean())), 4),
        "r2": round(r2, 4),
        "spearman": round(spearman(predicted, true), 4),
    }


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, ties sharing their mean rank.

    Args:
        a: Shape ``(n,)``.
        b: Shape ``(n,)``.

    Returns:
        -1 to 1; NaN when either side is constant or n below 3.
    """
    from scipy.stats import spearmanr  # loads in half the time of torch: only who measures waits

    if len(a) < _LEAST_OF_CORRELATION or not (vary(a) and vary(b)):
        return float("nan")
    return float(spearmanr(a, b).statistic)


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


def compare_models(table: pd.DataFrame) -> pd.DataFrame:
    """Measure the ensemble and the simpler models on molecules they did not learn from.

    The residuals are what size does not explain: values and predictions less the prediction from
    heavy atoms alone.

    Args:
        table: Predictions, as made by :func:`molgfn.reward.proxy.held_out.held_out_table`.

    Returns:
        One row for each set of molecules (``all``, then each of several sources, if it has 30 or
        more) and model
        (``ensemble``, ``random_forest``, ``heavy_atoms``): columns ``molecules``, ``model``,
        ``n``, ``rmse``, ``r2``, ``spearman``, ``size_residual_r2``, ``size_residual_spearman``.
    """
    counts = table["source"].value_counts()
    large = (name for name in counts.index if name and counts[name] >= _MIN_OF_SOURCE)
    sources = sorted(large) if len(counts) > 1 else []
    sets = {"all": table, **{name: table[table["source"] == name] for name in sources}}
    rows = []
    for name, part in sets.items():
        true, size = part["measured"].to_numpy(), part["heavy_atoms"].to_numpy()
        for model, column in _MODELS.items():
            predicted = part[column].to_numpy()
            found = errors(predicted, true)
            residual = errors(predicted - size, true - size)
            rows.append(
                {
                    "molecules": name,
                    "model": model,
                    "n": len(part),
                    **found,
                    "size_residual_r2": residual["r2"],
                    "size_residual_spearman": residual["spearman"],
                }
            )
    return pd.DataFrame(rows, columns=list(PROXY_COLUMNS))


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Sum a table of unseen molecules up for the record of a proxy.

    Returns:
        ``n_test``; ``ensemble``, ``random_forest`` and ``heavy_atoms`` as :func:`errors`, with the
        same of what size does not explain; ``beats_random_forest``; ``std`` as
        :func:`std_quality`; ``interval_coverage``; ``sources`` with the ensemble's errors on each.
        What would be NaN is left out.
    """
    compared = compare_models(table)
    measures = [name for name in compared.columns if name not in ("molecules", "model", "n")]
    rows = {
        (row["molecules"], row["model"]): _told({name: float(row[name]) for name in measures})
        for row in compared.to_dict("records")
    }
    residuals = (table["predicted"] - table["measured"]).to_numpy()
    models = {model: rows["all", model] for model in _MODELS}
    return {
        "n_test": len(table),
        **models,
        "beats_random_forest": models["ensemble"]["rmse"] < models["random_forest"]["rmse"],
        "std": _told(std_quality(residuals, table["std"].to_numpy())),
        "interval_coverage": interval_coverage(table),
        "sources": {
            name: {"n": int((table["source"] == name).sum()), **found}
            for (name, model), found in rows.items()
            if name != "all" and model == "ensemble"
        },
    }


def _told(measures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in measures.items() if not math.isnan(value)}


def interval_coverage(table: pd.DataFrame) -> float:
    """Share of the measured values within the conformal interval."""
    within = (table["predicted"] - table["measured"]).abs() <= table["interval"]
    return round(float(within.mean()), 3)


def errors_by_similarity(table: pd.DataFrame) -> pd.DataFrame:
    """Errors of the ensemble by similarity to the nearest molecule it learned from.

    Returns:
        One row for each range that has molecules: ``similarity`` such as ``0.2 to 0.3``, ``n``,
        ``rmse``, ``mean_std``.
    """
    rows = []
    for low, high in pairwise(_SIMILARITIES):
        similarity = table["nearest_train_similarity"]
        part = table[(similarity >= low) & (similarity < high)]
        if len(part):
            residuals = (part["predicted"] - part["measured"]).to_numpy()
            rows.append(
                {
                    "similarity": f"{low:g} to {min(high, 1.0):g}",
                    "n": len(part),
                    "rmse": rounded(float(np.sqrt((residuals**2).mean())), 3),
                    "mean_std": rounded(float(part["std"].mean()), 3),
                }
            )
    return pd.DataFrame(rows, columns=["similarity", "n", "rmse", "mean_std"])
