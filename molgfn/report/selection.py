"""Selects the best molecules of a table that keep a distance from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.similarity import morgan_fingerprints, select_diverse
from molgfn.errors import MoleculeError, TableError, did_you_mean
from molgfn.tables.reader import Table


@dataclass(frozen=True)
class Selection:
    """Rows that were selected.

    Attributes:
        frame: The rows, best first, with all columns of the table.
        n_candidates: Distinct molecules that could have been selected.
        n_unreadable: Rows left out because their SMILES cannot be read.
        n_unscored: Rows left out because they have no score.
    """

    frame: pd.DataFrame
    n_candidates: int
    n_unreadable: int
    n_unscored: int


def select_rows(table: Table, k: int, min_distance: float, score_column: str) -> Selection:
    """Select the best rows, every two of them at least a distance apart.

    Args:
        table: The molecules with their scores.
        k: Most rows to select.
        min_distance: Tanimoto distance of Morgan fingerprints, 0 to 1.
        score_column: Column with the scores, higher is better.

    Returns:
        The selection; of rows with the same molecule only the best one can be in it.

    Raises:
        TableError: There is no such column, or it holds something that is no number.
    """
    scores = _read_scores(table, score_column)
    best_row: dict[Molecule, int] = {}
    n_unreadable = n_unscored = 0
    for row, smiles in enumerate(table.smiles):
        if not math.isfinite(scores[row]):
            n_unscored += 1
            continue
        try:
            molecule = read_molecule(smiles)
        except MoleculeError:
            n_unreadable += 1
            continue
        first = best_row.setdefault(molecule, row)
        if scores[row] > scores[first]:
            best_row[molecule] = row
    rows = np.array(list(best_row.values()), dtype=np.intp)
    picked = select_diverse(morgan_fingerprints(list(best_row)), scores[rows], k, min_distance)
    return Selection(table.frame.iloc[rows[picked]], len(rows), n_unreadable, n_unscored)


def _read_scores(table: Table, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    columns = [str(c) for c in table.frame.columns]
    if column not in columns:
        raise TableError(
            f"{table.source} has no column {column!r} to select by; `molgfn score` adds Score, "
            f"--score-column names another of its columns: {', '.join(columns)}"
            f"{did_you_mean(column, columns)}"
        )
    scores = np.full(len(table), np.nan)
    for row, text in enumerate(table.frame[column]):
        if not str(text).strip():
            continue
        try:
            scores[row] = float(text)
        except ValueError as error:
            raise TableError(
                f"{table.source} row {row + 1}: {column} must be a number or empty, came {text!r}"
            ) from error
    return scores
