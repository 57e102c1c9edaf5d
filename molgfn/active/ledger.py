"""The ledger of what the oracle was asked and answered: one SQLite file in a run directory.

An answer is on disk as soon as it is there, so rounds that are killed at any moment and resumed ask
exactly for what has no answer yet.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from molgfn.active.answer import Answer
from molgfn.errors import CheckpointError
from molgfn.machine.database import Database
from molgfn.machine.remembered import Calls
from molgfn.tables.columns import LEDGER_COLUMNS

_SCHEMA_VERSION = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS asked (
    entry TEXT NOT NULL PRIMARY KEY, round INTEGER NOT NULL, smiles TEXT NOT NULL UNIQUE,
    inchikey TEXT NOT NULL, asked_by TEXT NOT NULL, paid INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, asked TEXT, finished TEXT, value REAL,
    relation TEXT NOT NULL DEFAULT '=', status TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', cost_s REAL NOT NULL DEFAULT 0,
    n_repeats INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """A molecule due to be measured.

    Attributes:
        entry: Name of the entry, such as ``02-0007``: round and place in its batch.
        number: Number of the round.
        smiles: Standard SMILES.
        inchikey: Standard InChIKey.
    """

    entry: str
    number: int
    smiles: str
    inchikey: str


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the ledger.

    Attributes:
        entry: Name of the entry.
        number: Number of the round.
        smiles: Standard SMILES.
        inchikey: Standard InChIKey.
        asked_by: Who asked, such as ``user@host molgfn rounds``, or the file it came from.
        paid: Whether the oracle was called for it; False for values that the user brought.
        tries: Times it was handed to the oracle.
        asked: When it was last handed out, UTC in ISO 8601; ``""`` before.
        finished: When its answer came; ``""`` before.
        value: Measured value; NaN where there is none.
        relation: ``=``, ``<`` or ``>``.
        status: ``ok``, ``failed`` or ``timeout``; ``""`` before there is an answer.
        reason: Why there is no value.
        cost_s: Time it took, seconds.
        n_repeats: Measurements behind the value; 0 before there is an answer.
    """

    entry: str
    number: int
    smiles: str
    inchikey: str
    asked_by: str
    paid: bool
    tries: int
    asked: str
    finished: str
    value: float
    relation: str
    status: str
    reason: str
    cost_s: float
    n_repeats: int

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer, even if it is a failure."""
        return self.finished != ""


_FIELDS = tuple(field.name for field in fields(Row))


class Ledger:
    """The ledger in one file. Changes are on disk when a method returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Args:
            path: The file, such as ``ledger.sqlite`` in the run directory.

        Raises:
            OutputError: It cannot be opened, is no SQLite file, or a newer molgfn wrote it.
        """
        self._path = path
        cure = "restore the file from a copy, or start a new run"
        self._database = Database(
            path, "ledger", version=_SCHEMA_VERSION, schema=_CREATE, cure=cure
        )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes: all of them or, if anything fails, none."""
        if self._is_changing():
            yield
            return
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._is_changing():  # a full disk has ended it already
                self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def plan(self, entries: Sequence[Planned], asked_by: str, *, paid: bool = True) -> None:
        """Enter molecules, all or none; those that are there stay as they are.

        Raises:
            CheckpointError: An entry is there with another molecule, or a molecule under another
                entry.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            by_entry = {row.entry: row.smiles for row in self.rows()}
            by_smiles = {smiles: entry for entry, smiles in by_entry.items()}
            for new in entries:
                if by_entry.setdefault(new.entry, new.smiles) != new.smiles:
                    raise self._conflict(new, f"is {by_entry[new.entry]} there")
                if by_smiles.setdefault(new.smiles, new.entry) != new.entry:
                    raise self._conflict(new, f"is entry {by_smiles[new.smiles]} there")
                self._execute(
                    "INSERT OR IGNORE INTO asked (entry, round, smiles, inchikey, asked_by, paid)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (new.entry, new.number, new.smiles, new.inchikey, asked_by, int(paid)),
                )

    def started(self, entries: Sequence[str]) -> None:
        """Record that molecules are about to be handed to the oracle.

        Raises:
            ValueError: An entry is unknown.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            for entry in entries:
                self._change("tries = tries + 1, asked = ?", (_now(),), entry)

    def finish(self, entry: str, answer: Answer, *, n_repeats: int = 1) -> None:
        """Enter an answer.

        Raises:
            ValueError: The entry is unknown, or has an answer.
            OutputError: The file cannot be written.
        """
        self._answer(entry, answer, n_repeats, "finished IS NULL", "has an answer; amend it")

    def amend(self, entry: str, answer: Answer, *, n_repeats: int = 1) -> None:
        """Replace an answer, as when a laboratory corrects a value.

        Raises:
            ValueError: The entry is unknown, or has no answer.
            OutputError: The file cannot be written.
        """
        self._answer(entry, answer, n_repeats, "finished IS NOT NULL", "has no answer yet")

    def rows(self, number: int | None = None) -> list[Row]:
        """Entries, in their order.

        Args:
            number: Only those of this round; None for all.

        Raises:
            OutputError: The file cannot be read.
        """
        query = f"SELECT {', '.join(LEDGER_COLUMNS)} FROM asked"
        if number is None:
            return [_row(found) for found in self._execute(f"{query} ORDER BY entry")]
        query = f"{query} WHERE round = ? ORDER BY entry"
        return [_row(found) for found in self._execute(query, (number,))]

    def unanswered(self, number: int) -> list[Row]:
        """Entries of a round that have no answer, in their order.

        Raises:
            OutputError: The file cannot be read.
        """
        return [row for row in self.rows(number) if not row.is_answered]

    def calls(self) -> Calls:
        """Answers that the oracle was called for, and those that the user brought."""
        return Calls(
            computed=self._count("paid AND finished IS NOT NULL"),
            known=self._count("NOT paid AND finished IS NOT NULL"),
        )

    def n_planned_paid(self) -> int:
        """Molecules that the oracle was or will be called for, answered or not."""
        return self._count("paid")

    def known(self) -> dict[str, str]:
        """Entry by SMILES, of everything ever entered."""
        return {str(s): str(e) for s, e in self._execute("SELECT smiles, entry FROM asked")}

    def frame(self) -> pd.DataFrame:
        """The whole ledger as a table, one row per entry, in their order."""
        rows = [[getattr(row, name) for name in _FIELDS] for row in self.rows()]
        return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))

    def _answer(self, entry: str, answer: Answer, n_repeats: int, when: str, fault: str) -> None:
        self._change(
            "value = ?, relation = ?, status = ?, reason = ?, cost_s = ?, n_repeats = ?,"
            " finished = ?",
            (
                *(None if math.isnan(answer.value) else answer.value, answer.relation),
                *(answer.status, answer.reason, answer.cost_s, n_repeats, _now()),
            ),
            entry,
            when,
            fault,
        )

    def _change(
        self, what: str, values: tuple[Any, ...], entry: str, when: str = "1", fault: str = ""
    ) -> None:
        cursor = self._execute(
            f"UPDATE asked SET {what} WHERE entry = ? AND {when}", (*values, entry)
        )
        if cursor.rowcount == 0:
            known = self._execute("SELECT 1 FROM asked WHERE entry = ?", (entry,)).fetchone()
            raise ValueError(f"entry {entry!r} {fault if known else 'is not in the ledger'}")

    def _is_changing(self) -> bool:
        """Whether a transaction is open."""
        return self._database.connection.in_transaction

    def _count(self, condition: str) -> int:
        (count,) = self._execute(f"SELECT count(*) FROM asked WHERE {condition}").fetchone()
        return int(count)

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with self._database.faults_named():
            return self._database.connection.execute(statement, values)

    def _conflict(self, new: Planned, what: str) -> CheckpointError:
        return CheckpointError(
            f"the ledger {self._path} is not that of this run: {new.smiles}, now entry "
            f"{new.entry}, {what}; use the run directory with the ledger it was made with"
        )


def _row(found: tuple[Any, ...]) -> Row:
    values = dict(zip(_FIELDS, found, strict=True))
    values["paid"] = bool(values["paid"])
    values["value"] = math.nan if values["value"] is None else values["value"]
    for name in ("asked", "finished"):
        values[name] = "" if values[name] is None else values[name]
    return Row(**values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
