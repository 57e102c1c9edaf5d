"""The laboratory as oracle: a batch goes out as CSV, measured values come back as CSV."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from molgfn.active.answer import Answer
from molgfn.active.history import history_json, history_of, standing, with_measurement
from molgfn.active.ledger import Row
from molgfn.active.measurements import CORRECTED, answer_of, read_measurements
from molgfn.active.rounds import Rounds
from molgfn.active.tables import read_batch
from molgfn.errors import ShortfallError, TableError
from molgfn.tables.reader import Table


@dataclass(frozen=True)
class Ingested:
    """Outcome of taking in a table of measurements.

    Attributes:
        n_new: Molecules that had no answer before.
        n_failed: Those among them whose measurement failed.
        changed: Entries whose answer is another now, with the old and the new value.
        n_same: Molecules whose answer stays what it was.
        unknown: Molecules that were never proposed, with their rows.
        disagreeing: Molecules whose mean does not keep one of their bounds.
        n_waiting: Molecules proposed that still have no answer.
    """

    n_new: int
    n_failed: int
    changed: tuple[str, ...]
    n_same: int
    unknown: tuple[str, ...]
    disagreeing: tuple[str, ...]
    n_waiting: int


def propose(rounds: Rounds) -> tuple[pd.DataFrame, str]:
    """Give the batch to measure next.

    As long as nothing of a batch has been measured it is given again; after that the next round
    begins, and what is missing stays known, is never proposed again and may still come in.

    Returns:
        The batch with an empty column for the values, and a line for the user.

    Raises:
        ShortfallError: The budget is spent.
    """
    newest = rounds.directory.newest()
    number = newest.number if newest is not None else 0
    rounds.prepare(number)
    rows = rounds.ledger.rows(number)
    if number and not any(row.is_answered for row in rows):
        note = f"{newest.name if newest else ''}: nothing of it has been measured; given again"
    else:
        rounds.write(number, number)
        number += 1
        if rounds.prepare(number) == 0:
            raise ShortfallError(f"the budget of {rounds.config.rounds.budget} calls is spent")
        rows = rounds.ledger.rows(number)
        note = f"{rounds.directory.of(number).name}: {len(rows)} molecules"
    batch = read_batch(rounds.directory.of(number).batch)[: len(rows)]
    frame = pd.DataFrame(batch)
    frame.insert(1, rounds.column, "")
    return frame, note


def ingest(rounds: Rounds, table: Table) -> Ingested:
    """Take in measured values; all rows or, where one cannot be understood, none.

    Molecules are recognised by their InChIKey, whatever their SMILES, tautomer, row or entry.
    Values may come for any round, in parts and again; :mod:`molgfn.active.history` has the rule.

    Raises:
        TableError: A row cannot be understood, or contradicts what was measured before; the
            message names it.
    """
    oracle = rounds.config.rounds.oracle
    measured = read_measurements(table, rounds.column, oracle)
    known = {row.inchikey or row.smiles: row for row in rounds.ledger.rows()}
    n_new = n_failed = n_same = 0
    changed, unknown, disagreeing, touched = [], [], [], set()
    with rounds.ledger.transaction():
        for came in measured:
            row = known.get(came.molecule.inchikey or came.molecule.smiles)
            if row is None:
                unknown.append(f"{came.where}: {came.molecule.smiles}")
                continue
            # Also where nothing is new: an earlier process may have died before it wrote the table.
            touched.add(row.number)
            history = with_measurement(history_of(row), came)
            try:
                answer, note = answer_of(standing(history), oracle)
            except TableError as error:
                raise TableError(
                    f"{table.source} {came.where}, entry {row.entry} {row.smiles}: with what was "
                    f"taken in before, {error}; {CORRECTED} in a column status replaces that"
                ) from error
            disagreeing += [f"{row.entry} {row.smiles}: {note}"] if note else []
            n_repeats, kept = len(standing(history)), history_json(history)
            if not row.is_answered:
                rounds.ledger.finish(row.entry, answer, n_repeats=n_repeats, repeats=kept)
                n_new, n_failed = n_new + 1, n_failed + (answer.status != "ok")
                continue
            if history != history_of(row):
                rounds.ledger.amend(row.entry, answer, n_repeats=n_repeats, repeats=kept)
            if _same(row, answer):
                n_same += 1
            else:
                changed.append(f"{row.entry} {row.smiles}: {_show(row)} is now {_show(answer)}")
    newest = rounds.directory.newest()
    last = newest.number if newest is not None else 0
    for number in sorted(touched):
        rounds.write(number, last)
    n_waiting = sum(not row.is_answered for row in rounds.ledger.rows())
    return Ingested(
        *(n_new, n_failed, tuple(changed), n_same, tuple(unknown), tuple(disagreeing), n_waiting)
    )


def _same(row: Row, answer: Answer) -> bool:
    if row.status != "ok" or answer.status != "ok":
        return row.status == answer.status
    return row.value == answer.value and row.relation == answer.relation


def _show(answer: Row | Answer) -> str:
    if answer.status != "ok":
        return answer.status
    return f"{'' if answer.relation == '=' else answer.relation}{answer.value:g}"
