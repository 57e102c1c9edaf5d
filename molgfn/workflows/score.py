"""Scores the rows of a table; every molecule once, however often it stands there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from molgfn.chem.molecule import Molecule, Unreadable, read_mol, read_or_reason
from molgfn.machine.progress import Progress, silent
from molgfn.report.failures import Failures, tell_replaced
from molgfn.report.scored import scored_frame
from molgfn.tables.columns import LIKELIHOOD_COLUMNS
from molgfn.workflows.dock import MoleculeDocking, add_docking, oracle_columns

if TYPE_CHECKING:
    from molgfn.molecules.likelihood import MoleculeLikelihood
    from molgfn.reward.reward import Reward
    from molgfn.tables.reader import Table

#: Rows scored at a time: few enough for a progress bar to move, enough to fill a batch.
CHUNK_ROWS = 256


@dataclass
class ScoredRows:
    """What there is to tell of a table that was scored.

    Attributes:
        failures: Rows without a score.
        n_unlikely: Rows without a likelihood that was asked for.
        n_undocked: Rows without a docked energy that was asked for.
        undocked_reason: Column that says why.
    """

    failures: Failures
    n_unlikely: int = 0
    n_undocked: int = 0
    undocked_reason: str = ""

    def lines(self) -> list[str]:
        """Lines for the user."""
        lines = [self.failures.summary]
        if self.n_unlikely:
            lines.append(
                f"{self.n_unlikely} rows have no log-likelihood; see the column "
                "log_likelihood_reason"
            )
        lines += self.failures.shown()
        if self.n_undocked:
            lines.append(
                f"{self.n_undocked} rows could not be docked; see the column {self.undocked_reason}"
            )
        return lines

    @property
    def complaint(self) -> str:
        """What ``--strict`` ends with; empty where nothing failed."""
        if self.failures.lines or not self.n_undocked:
            return self.failures.complaint
        return f"{self.n_undocked} of {self.failures.n_rows} rows could not be docked (--strict)"


def score_and_write(
    table: Table,
    reward: Reward,
    write: Callable[[pd.DataFrame], None],
    *,
    likelihood: MoleculeLikelihood | None = None,
    docking: MoleculeDocking | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> ScoredRows:
    """Score every row of a table and write the rows as they come.

    Args:
        table: The molecules.
        reward: What scores them.
        write: Writes a block of rows.
        likelihood: How probable a policy makes them, where that is wanted.
        docking: What docks them besides, where that is wanted.
        progress: Told how far the work has come.
        tell: Called with a line for the user.
    """
    added = () if docking is None else oracle_columns(docking.target, reward)
    found = ScoredRows(Failures("scored"), undocked_reason=added[1] if added else "")
    tell_replaced(table, (*_written_columns(reward, likelihood), *added), tell)
    frames = score_table(table, reward, likelihood, added)
    with progress("score" if docking is None else "dock", len(table)) as advance:
        if docking is not None:
            frames = add_docking(frames, docking, advance)
        for frame in frames:
            write(frame)
            found.failures.note(frame)
            if likelihood is not None:
                found.n_unlikely += int(frame["log_likelihood"].isna().sum())
            if added:
                found.n_undocked += int(frame[added[0]].isna().sum())
            if docking is None:
                advance(len(frame))
    return found


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
    written = {*_written_columns(reward, likelihood), *others_written}
    others = table.frame.drop(columns=[c for c in table.frame.columns if c in written])
    smiles = table.smiles
    # A table without rows still gives one block, which carries the header.
    for start in range(0, max(1, len(table)), CHUNK_ROWS):
        scored = rows(smiles[start : start + CHUNK_ROWS])
        kept = others.iloc[start : start + CHUNK_ROWS].reset_index(drop=True)
        yield pd.concat([scored, kept], axis=1)


def _written_columns(reward: Reward, likelihood: object) -> list[str]:
    more = () if likelihood is None else LIKELIHOOD_COLUMNS
    return [*scored_frame([], reward([])).columns, "standard_SMILES", *more]


class _RowScorer:
    """Scores SMILES and remembers every molecule it has scored."""

    def __init__(self, reward: Reward, likelihood: MoleculeLikelihood | None) -> None:
        self._reward = reward
        self._likelihood = None if likelihood is None else _RowLikelihood(likelihood)
        self._known: dict[str, dict[str, Any]] = {}
        self._columns = _written_columns(reward, None)

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
