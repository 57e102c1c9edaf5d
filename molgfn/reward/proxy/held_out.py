"""Predictions of molecules that a model did not learn from, beside those of simpler models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.similarity import N_BITS
from molgfn.reward.proxy.dataset import Dataset
from molgfn.tables.columns import HELD_OUT_COLUMNS


@dataclass(frozen=True)
class SimpleModels:
    """The models a network has to beat, fitted on the same molecules.

    Attributes:
        forest: Random forest of 500 trees on Morgan counts (radius 2, 2048 bins) and heavy atoms.
        curve: Quadratic in the number of heavy atoms, highest power first.
    """

    forest: Any
    curve: NDArray[np.float64]

    @classmethod
    def fit(cls, data: Dataset, train: NDArray[np.int64], seed: int) -> SimpleModels:
        """Fit both."""
        from sklearn.ensemble import RandomForestRegressor

        sizes = data.heavy_atoms[train].astype(np.float64)
        forest = RandomForestRegressor(
            500, max_features=0.3, min_samples_leaf=2, random_state=seed, n_jobs=1
        )
        batch = MoleculeBatch([data.molecules[i] for i in train])
        forest.fit(_counts(batch), data.targets[train])
        degree = min(2, len(np.unique(sizes)) - 1)
        return cls(forest, np.polyfit(sizes, data.targets[train], degree))

    def predict(self, molecules: MoleculeBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict with both.

        Returns:
            Predictions of the forest and of size alone, each of shape ``(len(molecules),)``.
        """
        sizes = np.array([m.n_heavy_atoms for m in molecules], dtype=np.float64)
        forest = self.forest.predict(_counts(molecules))
        return forest, np.asarray(np.polyval(self.curve, sizes), dtype=np.float64)


def held_out_table(
    data: Dataset,
    predicted: NDArray[np.float64],
    std: NDArray[np.float64],
    interval: float,
    similarity: NDArray[np.float64],
    simple: SimpleModels,
) -> pd.DataFrame:
    """Put predictions of unseen molecules beside the measured values.

    Args:
        data: The unseen molecules, n in number.
        predicted: Predictions, shape ``(n,)``.
        std: Their standard deviations, shape ``(n,)``.
        interval: Factor on the standard deviation that gives the conformal interval.
        similarity: Similarity to the nearest molecule that was learned from, shape ``(n,)``.
        simple: Simpler models that learned from the same molecules.

    Returns:
        One row for each molecule, columns ``HELD_OUT_COLUMNS``; ``interval`` is the half width
        of the conformal interval.
    """
    forest, size = simple.predict(MoleculeBatch.of(data.molecules))
    columns = (
        [molecule.smiles for molecule in data.molecules],
        list(data.sources) if data.sources else [""] * len(data.molecules),
        data.targets,
        predicted,
        std,
        std * interval,
        similarity,
        forest,
        size,
    )
    return pd.DataFrame(dict(zip(HELD_OUT_COLUMNS, columns, strict=True)))


def _counts(molecules: MoleculeBatch) -> NDArray[np.float32]:
    """Morgan counts folded into bins, then the number of heavy atoms, ``(n, bins + 1)``."""
    table = np.zeros((len(molecules), N_BITS + 1), dtype=np.float32)
    for row, counts in zip(table, molecules.morgan_counts, strict=True):
        for number, count in counts.items():
            row[number % N_BITS] += count
    table[:, -1] = [m.n_heavy_atoms for m in molecules]
    return table
