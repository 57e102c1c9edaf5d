"""Scores the rows of a table; every molecule once, however often it stands there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from molgfn.chem.molecule import Molecule, Unreadable, read_mol, read_or_reason
from molgfn.machine.progress import Progress, silent
from molgfn.machine.spilled import SpilledStore
from molgfn.report.failures import Failures
from molgfn.report.scored import scored_frame
from molgfn.tables.columns import LIKELIHOOD_COLUMNS
from molgfn.tables.naming import Names, name_columns
from molgfn.workflows.dock import MoleculeDocking, add_docking, oracle_columns

if TYPE_CHECKING:
    from molgfn.molecules.likelihood import MoleculeLikelihood
    from molgfn.reward.reward import Reward
    from molgfn.tables.reader import StreamedTable, Table

#: Rows scored at a time: few enough for a progress bar to move, enough to fill a batch.
CHUNK_ROWS = 256


@dataclass
class ScoredRows:
    """What there is to tell of a table that was scored.

    Attributes:
        failures: Rows without a score.
        names: What the columns are called.
        n_unlikely: Rows without a likelihood that was asked for.
        n_undocked: Rows without a docked energy that was asked for.
        undocked_reason: Column that says why, before it is named.
    """

    failures: Failures
    names: Names
    n_unlikely: int = 0
    n_undocked: int = 0
    undocked_reason: str = ""

    def lines(self) -> list[str]:
        """Lines for the user."""
        lines = [self.failures.summary]
        if self.n_unlikely:
            lines.append(
                f"{self.n_unlikely} rows have no log-likelihood; see the column "
                f"{self.names.written[LIKELIHOOD_COLUMNS[2]]}"
            )
        lines += self.failures.shown()
        if self.n_undocked:
            reason = self.names.written[self.undocked_reason]
            lines.append(f"{self.n_undocked} rows could not be docked; see the column {reason}")
        return lines

    @property
    def complaint(self) -> str:
        """What ``--strict`` ends with; empty where nothing failed."""
        if self.failures.n_failed or not self.n_undocked:
            return self.failures.complaint
        return f"{self.n_undocked} of {self.failures.n_rows} rows could not be docked (--strict)"


def score_and_write(
    table: Table | StreamedTable,
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
    added: tuple[str, ...] = () if docking is None else oracle_columns(docking.target, reward)
    names = _names(table, reward, likelihood, added)
    failures = Failures("scored", names.written["status"], names.written["reason"])
    found = ScoredRows(failures, names, undocked_reason=added[1] if added else "")
    for line in names.lines():
        tell(line)
    rows = _RowScorer(reward, likelihood)
    with progress("score" if docking is None else "dock", len(table)) as advance:
        for block in table.blocks(CHUNK_ROWS):
            scored = rows(_smiles(table, block))
            if docking is not None:
                (scored,) = add_docking(iter([scored]), docking, advance)
                found.n_undocked += int(scored[added[0]].isna().sum())
            if likelihood is not None:
                found.n_unlikely += int(scored["log_likelihood"].isna().sum())
            frame = names.join(scored, block)
            write(frame)
            failures.note(frame)
            if docking is None:
                advance(len(block))
    return found


def score_table(
    table: Table | StreamedTable, reward: Reward, likelihood: MoleculeLikelihood | None = None
) -> Iterator[pd.DataFrame]:
    """Score every row of a table.

    A row whose SMILES cannot be read has the status ``invalid``, a reason and no values. A molecule
    that stands in several rows is scored once.

    Args:
        table: The molecules.
        reward: What scores them.
        likelihood: How probable a policy makes them; without it there are no such columns.

    Yields:
        Blocks of rows, in all as many as the table has and in its order, with the columns of
        :func:`~molgfn.report.scored.scored_frame`, ``standard_SMILES`` (the molecule that was
        scored: largest component, neutral), with ``likelihood`` those of ``LIKELIHOOD_COLUMNS``,
        all by :func:`~molgfn.tables.naming.name_columns`, and the columns of the table. ``SMILES``
        is the text of the table. A missing likelihood has a reason of its own and leaves the
        status as it is; it is that of the molecule as written, charges included, where the policy
        can build that, else of the standard one.
    """
    names = _names(table, reward, likelihood)
    rows = _RowScorer(reward, likelihood)
    for block in table.blocks(CHUNK_ROWS):
        yield names.join(rows(_smiles(table, block)), block)


def _smiles(table: Table | StreamedTable, block: pd.DataFrame) -> list[str]:
    return [str(text) for text in block[table.smiles_column]]


def _names(
    table: Table | StreamedTable, reward: Reward, likelihood: object, added: Sequence[str] = ()
) -> Names:
    computed = (*_written_columns(reward, likelihood), *added)
    return name_columns(computed, table.columns, table.smiles_column)


def _written_columns(reward: Reward, likelihood: object) -> list[str]:
    more = () if likelihood is None else LIKELIHOOD_COLUMNS
    return [*scored_frame([], reward([])).columns, "standard_SMILES", *more]


class _RowScorer:
    """Scores SMILES and remembers every molecule it has scored."""

    def __init__(self, reward: Reward, likelihood: MoleculeLikelihood | None) -> None:
        self._reward = reward
        self._likelihood = None if likelihood is None else _RowLikelihood(likelihood)
        self._columns = _written_columns(reward, None)
        self._known = SpilledStore[dict[str, Any]]()

    def __call__(self, smiles: Sequence[str]) -> pd.DataFrame:
        molecules = [read_or_reason(text) for text in smiles]
        known = self._find({m.smiles: m for m in molecules if isinstance(m, Molecule)})
        records = [
            {"status": "invalid", "reason": molecule.reason}
            if isinstance(molecule, Unreadable)
            else known[molecule.smiles]
            for molecule in molecules
        ]
        frame = pd.DataFrame(records, columns=self._columns)
        frame["SMILES"] = list(smiles)
        if self._likelihood is not None:
            found = pd.DataFrame(self._likelihood(molecules, smiles), columns=LIKELIHOOD_COLUMNS)
            frame = pd.concat([frame, found], axis=1)
        return frame

    def _find(self, molecules: dict[str, Molecule]) -> dict[str, dict[str, Any]]:
        """The record of every molecule, by its SMILES."""
        found = {key: self._known.get(key) for key in molecules}
        known = {key: record for key, record in found.items() if record is not None}
        fresh = [molecule for key, molecule in molecules.items() if key not in known]
        if fresh:
            frame = scored_frame(fresh, self._reward(fresh))
            frame["standard_SMILES"] = frame["SMILES"]
            for record in frame.to_dict("records"):
                key = str(record["SMILES"])
                known[key] = {str(k): v for k, v in record.items()}
                self._known.put(key, known[key])
        return known


class _RowLikelihood:
    """Finds likelihoods and remembers every molecule it was asked for.

    A policy may draw charges that standardisation removes, so a molecule is looked for as it is
    written, then in its standard form.
    """

    def __init__(self, likelihood: MoleculeLikelihood) -> None:
        self._likelihood = likelihood
        self._known = SpilledStore[tuple[float, float, str]]()

    def __call__(
        self, molecules: Sequence[Molecule | Unreadable], smiles: Sequence[str]
    ) -> list[tuple[float, float, str]]:
        pairs = [
            (Molecule(read_mol(text)), molecule) if isinstance(molecule, Molecule) else None
            for text, molecule in zip(smiles, molecules, strict=True)
        ]
        written = self._find(pair[0] for pair in pairs if pair)
        unlikely = {key for key, (_, _, reason) in written.items() if reason}
        standard = self._find(pair[1] for pair in pairs if pair and pair[0].smiles in unlikely)
        return [
            (math.nan, math.nan, "no molecule")
            if pair is None
            else standard[pair[1].smiles]
            if pair[0].smiles in unlikely
            else written[pair[0].smiles]
            for pair in pairs
        ]

    def _find(self, molecules: Iterable[Molecule]) -> dict[str, tuple[float, float, str]]:
        """What is found for every molecule, by its SMILES."""
        asked = list(dict.fromkeys(molecules))
        found = {molecule.smiles: self._known.get(molecule.smiles) for molecule in asked}
        known = {key: value for key, value in found.items() if value is not None}
        fresh = [molecule for molecule in asked if molecule.smiles not in known]
        likely = self._likelihood(fresh)
        for molecule, *value in zip(
            fresh, likely.log_likelihood, likely.n_trees, likely.reasons, strict=True
        ):
            log_p, n_trees, reason = value
            known[molecule.smiles] = (float(log_p), float(n_trees), str(reason))
            self._known.put(molecule.smiles, known[molecule.smiles])
        return known
