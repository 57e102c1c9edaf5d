"""The laboratory as oracle: a batch goes out as CSV, measured values come back as CSV."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from molgfn.active.answer import Answer
from molgfn.active.ledger import Row
from molgfn.active.measurements import Measurement, read_measurements
from molgfn.active.rounds import Rounds
from molgfn.active.tables import read_batch
from molgfn.errors import ShortfallError
from molgfn.tables.reader import Table


@dataclass(frozen=True)
class Ingested:
    """Outcome of taking in a table of measurements.

    Attributes:
        n_new: Molecules that had no answer before.
        n_failed: Those among them whose measurement failed.
        corrected: Entries whose answer is another now, with the old and the new value.
        n_same: Molecules whose answer was there already.
        unknown: Molecules that were never proposed, with their rows.
        n_waiting: Molecules proposed that still have no answer.
    """

    n_new: int
    n_failed: int
    corrected: tuple[str, ...]
    n_same: int
    unknown: tuple[str, ...]
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

    Molecules are recognised by their InChIKey, whatever their SMILES, row or entry. Values may
    come for any round, in parts, again, or corrected.

    Raises:
        TableError: A row cannot be understood; the message names it.
    """
    unit = rounds.config.rounds.oracle.unit
    measured = read_measurements(table, rounds.column, unit)
    known = {row.inchikey: row for row in rounds.ledger.rows()}
    n_new = n_failed = n_same = 0
    corrected, unknown, touched = [], [], set()
    with rounds.ledger.transaction():
        for one in measured:
            row = known.get(one.molecule.inchikey)
            if row is None:
                unknown.append(_unknown(one))
                continue
            # Also where nothing is new: an earlier process may have died before it wrote the table.
            touched.add(row.number)
            answer, n_repeats = one.answer, len(one.rows)
            if not row.is_answered:
                rounds.ledger.finish(row.entry, answer, n_repeats=n_repeats)
                n_new, n_failed = n_new + 1, n_failed + (answer.status != "ok")
            elif _same(row, answer):
                n_same += 1
            else:
                rounds.ledger.amend(row.entry, answer, n_repeats=n_repeats)
                corrected.append(f"{row.entry} {row.smiles}: {_show(row)} is now {_show(answer)}")
    newest = rounds.directory.newest()
    last = newest.number if newest is not None else 0
    for number in sorted(touched):
        rounds.write(number, last)
    waiting = [row for row in rounds.ledger.rows() if not row.is_answered]
    return Ingested(n_new, n_failed, tuple(corrected), n_same, tuple(unknown), len(waiting))


def _unknown(one: Measurement) -> str:
    rows = ", ".join(str(row) for row in one.rows)
    return f"row {rows}: {one.molecule.smiles}"


def _same(row: Row, answer: Answer) -> bool:
    if row.status != "ok" or answer.status != "ok":
        return row.status == answer.status
    return row.value == answer.value and row.relation == answer.relation


def _show(answer: Row | Answer) -> str:
    if answer.status != "ok":
        return answer.status
    return f"{'' if answer.relation == '=' else answer.relation}{answer.value:g}"
