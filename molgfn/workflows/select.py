"""Selects the best molecules of a table that keep a distance from each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.chem.diverse_subset import Candidates, select_from_blocks
from molgfn.chem.molecule import Molecule, Unreadable, read_or_reason
from molgfn.chem.similarity import morgan_fingerprints
from molgfn.config.choices import SelectionMethod
from molgfn.errors import TableError, did_you_mean
from molgfn.tables.numerals import NUMERAL, decimal_mark, read_numeral
from molgfn.tables.reader import Table

_NUMERAL = re.compile(NUMERAL)
#: Rows read at a time. Reading a molecule takes far longer than comparing it.
_ROWS = 256


@dataclass(frozen=True)
class Selection:
    """Rows that were selected.

    Attributes:
        frame: The rows in the order of picking, with all columns of the table.
        n_candidates: Distinct molecules among the rows that were read: all with a score when fewer
            than wanted were found, else those from the best score down to where it was clear.
        n_unreadable: Rows left out because their SMILES cannot be read, of those that were read.
        n_unscored: Rows left out because they have no score.
        n_over_cap: Candidates left out because of their scaffold alone: not too near to any that
            had been picked before.
    """

    frame: pd.DataFrame
    n_candidates: int
    n_unreadable: int
    n_unscored: int
    n_over_cap: int


def select_rows(
    table: Table,
    k: int,
    min_distance: float,
    score_column: str,
    *,
    method: SelectionMethod = "greedy",
    max_per_scaffold: int | None = None,
) -> Selection:
    """Select good rows, every two of them at least a distance apart.

    Args:
        table: The molecules with their scores.
        k: Most rows to select.
        min_distance: Tanimoto distance of Morgan fingerprints, 0 to 1.
        score_column: Column with the scores, higher is better.
        method: How to pick, see :mod:`molgfn.chem.diverse_subset`.
        max_per_scaffold: Most rows with the same Murcko scaffold; molecules without rings have no
            scaffold and no cap. Default: no cap.

    Returns:
        The selection; of rows with the same molecule only the best one can be in it.

    Raises:
        TableError: There is no such column, or it holds something that is no number.
    """
    scores = _read_scores(table, score_column)
    reading = _Reading(table, scores)
    subset = select_from_blocks(
        reading.blocks(),
        k,
        min_distance,
        method=method,
        group_of=lambda row: reading.molecules[row].scaffold,
        max_per_group=max_per_scaffold,
    )
    return Selection(
        frame=table.frame.iloc[subset.picked],
        n_candidates=len(reading.molecules),
        n_unreadable=reading.n_unreadable,
        n_unscored=int((~np.isfinite(scores)).sum()),
        n_over_cap=subset.n_over_cap,
    )


@dataclass
class _Reading:
    """Reads rows from the best score down as far as they are asked for."""

    table: Table
    scores: NDArray[np.float64]
    molecules: dict[int, Molecule] = field(default_factory=dict)
    n_unreadable: int = 0

    def blocks(self) -> Iterator[Candidates]:
        order = np.argsort(-self.scores, kind="stable")
        order = order[np.isfinite(self.scores[order])]
        smiles = self.table.smiles
        seen: set[Molecule] = set()
        for start in range(0, len(order), _ROWS):
            fresh: dict[int, Molecule] = {}
            for row in map(int, order[start : start + _ROWS]):
                molecule = read_or_reason(smiles[row])
                if isinstance(molecule, Unreadable):
                    self.n_unreadable += 1
                elif molecule not in seen:
                    seen.add(molecule)
                    fresh[row] = molecule
            self.molecules |= fresh
            rows = np.array(list(fresh), dtype=np.intp)
            yield Candidates(rows, morgan_fingerprints(list(fresh.values())), self.scores[rows])


def _read_scores(table: Table, column: str) -> NDArray[np.float64]:
    columns = [str(c) for c in table.frame.columns]
    if column not in columns:
        raise TableError(
            f"{table.source} has no column {column!r} to select by; `molgfn score` adds Score, "
            f"--score-column names another of its columns: {', '.join(columns)}"
            f"{did_you_mean(column, columns)}"
        )
    cells = [str(text).strip() for text in table.frame[column]]
    try:
        # What the program wrote itself; only a column that a person wrote needs more.
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        pass
    mark = decimal_mark(filter(_NUMERAL.fullmatch, cells)) or table.decimal_mark
    scores = np.full(len(table), np.nan)
    for row, cell in enumerate(cells):
        try:
            if cell:
                is_plain = not _NUMERAL.fullmatch(cell)
                scores[row] = float(cell) if is_plain else read_numeral(cell, mark)
        except (ValueError, TableError) as error:
            raise TableError(
                f"{table.source} row {row + 1}: {column} must be a number or empty, got {cell!r}"
                + (f": {error}" if isinstance(error, TableError) else "")
            ) from error
    return scores
