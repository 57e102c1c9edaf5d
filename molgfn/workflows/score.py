"""Scores the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from molgfn.chem.molecule import Molecule, Unreadable, read_mol, read_or_reason
from molgfn.report.scored import scored_frame
from molgfn.tables.columns import LIKELIHOOD_COLUMNS

if TYPE_CHECKING:
    from molgfn.molecules.likelihood import MoleculeLikelihood
    from molgfn.reward.reward import Reward
    from molgfn.tables.reader import Table

#: Rows scored at a time: few enough for a progress bar to move, enough to fill a batch.
CHUNK_ROWS = 256


def score_table(
    table: Table,
    reward: Reward,
    likelihood: MoleculeLikelihood | None = None,
    others_written: Sequence[str] = (),
) -> Iterator[pd.DataFrame]:
    """Score every row of a table.

    A row whose SMILES cannot be read has the status ``invalid``, a reason and no values. A molecule
    that stands in several rows is scored once.

    Args:
        table: The molecules.
        reward: What scores them.
        likelihood: How probable a policy makes them; without it there are no such columns.
        others_written: Columns that the caller adds; those of the table give way.

    Yields:
        Blocks of rows, in all as many as the table has and in its order, with the columns of
        :func:`~molgfn.report.scored.scored_frame`, ``standard_SMILES`` (the molecule that was
        scored: largest component, neutral), with ``likelihood`` those of ``LIKELIHOOD_COLUMNS``,
        and the further columns of the table. ``SMILES`` is the text of the table. A missing
        likelihood has a reason of its own and leaves the status as it is; it is that of the
        molecule as written, charges included, where the policy can build that, else of the
        standard one.
    """
    rows = _RowScorer(reward, likelihood)
    replaced = replaced_columns(
        table, reward, with_likelihood=likelihood is not None, others_written=others_written
    )
    others = table.frame.drop(columns=replaced)
    smiles = table.smiles
    # A table without rows still gives one block, which carries the header.
    for start in range(0, max(1, len(table)), CHUNK_ROWS):
        scored = rows(smiles[start : start + CHUNK_ROWS])
        kept = others.iloc[start : start + CHUNK_ROWS].reset_index(drop=True)
        yield pd.concat([scored, kept], axis=1)


def replaced_columns(
    table: Table,
    reward: Reward,
    *,
    with_likelihood: bool = False,
    others_written: Sequence[str] = (),
) -> list[str]:
    """Columns of a table that :func:`score_table` writes itself, in place of those given.

    Args:
        table: The molecules.
        reward: What scores them.
        with_likelihood: Whether it is given a likelihood.
        others_written: Columns that the caller adds.

    Returns:
        The names, in the order of the table.
    """
    written = {*_written_columns(reward, with_likelihood=with_likelihood), *others_written}
    return [str(c) for c in table.frame.columns if c in written]


def _written_columns(reward: Reward, *, with_likelihood: bool) -> list[str]:
    more = LIKELIHOOD_COLUMNS if with_likelihood else ()
    return [*scored_frame([], reward([])).columns, "standard_SMILES", *more]


class _RowScorer:
    """Scores SMILES and remembers every molecule it has scored."""

    def __init__(self, reward: Reward, likelihood: MoleculeLikelihood | None) -> None:
        self._reward = reward
        self._likelihood = None if likelihood is None else _RowLikelihood(likelihood)
        self._known: dict[str, dict[str, Any]] = {}
        self._columns = _written_columns(reward, with_likelihood=False)

    def __call__(self, smiles: Sequence[str]) -> pd.DataFrame:
        molecules = [read_or_reason(text) for text in smiles]
        self._score({m.smiles: m for m in molecules if isinstance(m, Molecule)})
        records = [
            {"status": "invalid", "reason": molecule.reason}
            if isinstance(molecule, Unreadable)
            else self._known[molecule.smiles]
            for molecule in molecules
        ]
        frame = pd.DataFrame(records, columns=self._columns)
        frame["SMILES"] = list(smiles)
        if self._likelihood is not None:
            found = pd.DataFrame(self._likelihood(molecules, smiles), columns=LIKELIHOOD_COLUMNS)
            frame = pd.concat([frame, found], axis=1)
        return frame

    def _score(self, molecules: dict[str, Molecule]) -> None:
        fresh = [m for key, m in molecules.items() if key not in self._known]
        if not fresh:
            return
        frame = scored_frame(fresh, self._reward(fresh))
        frame["standard_SMILES"] = frame["SMILES"]
        for record in frame.to_dict("records"):
            self._known[str(record["SMILES"])] = {str(k): v for k, v in record.items()}


class _RowLikelihood:
    """Finds likelihoods and remembers every molecule it was asked for.

    A policy may draw charges that standardisation removes, so a molecule is looked for as it is
    written, then in its standard form.
    """

    def __init__(self, likelihood: MoleculeLikelihood) -> None:
        self._likelihood = likelihood
        self._known: dict[str, tuple[float, float, str]] = {}

    def __call__(
        self, molecules: Sequence[Molecule | Unreadable], smiles: Sequence[str]
    ) -> list[tuple[float, float, str]]:
        pairs = [
            (Molecule(read_mol(text)), molecule) if isinstance(molecule, Molecule) else None
            for text, molecule in zip(smiles, molecules, strict=True)
        ]
        self._find(written for written, _ in filter(None, pairs))
        self._find(standard for written, standard in filter(None, pairs) if self._lacks(written))
        return [
            (math.nan, math.nan, "no molecule")
            if pair is None
            else self._known[pair[self._lacks(pair[0])].smiles]
            for pair in pairs
        ]

    def _lacks(self, molecule: Molecule) -> bool:
        return bool(self._known[molecule.smiles][2])

    def _find(self, molecules: Iterable[Molecule]) -> None:
        fresh = [m for m in dict.fromkeys(molecules) if m.smiles not in self._known]
        found = self._likelihood(fresh)
        values = zip(found.log_likelihood, found.n_trees, found.reasons, strict=True)
        self._known.update(zip((m.smiles for m in fresh), values, strict=True))
