"""The ledger of what the oracle was asked and answered: one SQLite file in a run directory.

An answer is on disk as soon as it is there, so rounds that are killed at any moment and resumed ask
exactly for what has no answer yet. Every row carries a digest of what it says, which is compared
whenever it is read.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from molgfn.active.answer import Answer
from molgfn.errors import CheckpointError
from molgfn.machine.database import Database, Value, row_digest
from molgfn.machine.remembered import Calls
from molgfn.tables.columns import LEDGER_COLUMNS
from molgfn.tables.measured import Relation

#: Since version 2 every row has a digest, and the measurements behind its value.
_SCHEMA_VERSION = 2
_CREATE = """
CREATE TABLE IF NOT EXISTS asked (
    entry TEXT NOT NULL PRIMARY KEY, round INTEGER NOT NULL, smiles TEXT NOT NULL UNIQUE,
    inchikey TEXT NOT NULL, asked_by TEXT NOT NULL, paid INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, asked TEXT, finished TEXT, value REAL,
    relation TEXT NOT NULL DEFAULT '=', status TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', cost_s REAL NOT NULL DEFAULT 0,
    n_repeats INTEGER NOT NULL DEFAULT 0, repeats TEXT NOT NULL DEFAULT '', digest TEXT
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
        repeats: The measurements of a laboratory; see :mod:`molgfn.active.history`.
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
    relation: Relation
    status: str
    reason: str
    cost_s: float
    n_repeats: int
    repeats: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer, even if it is a failure."""
        return self.finished != ""


_FIELDS = tuple(field.name for field in fields(Row))
_COLUMNS = ", ".join((*LEDGER_COLUMNS, "digest"))
#: Fields that are empty in the file, not "", while there is nothing to say.
_DATES = ("asked", "finished")
_CURE = "restore the file from a copy, or start a new run"


class Ledger:
    """The ledger in one file. Changes are on disk when a method returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Args:
            path: The file, such as ``ledger.sqlite`` in the run directory.

        Raises:
            CheckpointError: It is no SQLite file, damaged, or a newer molgfn wrote it.
            OutputError: It cannot be opened, or is in use.
        """
        self._path = path
        self._database = Database(
            path,
            "ledger",
            version=_SCHEMA_VERSION,
            schema=_CREATE,
            upgrade=_upgrade,
            cure=_CURE,
            elsewhere="",
        )
        self._database.check()

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
        with self._database.transaction():
            yield

    def plan(self, entries: Sequence[Planned], asked_by: str, *, paid: bool = True) -> None:
        """Enter molecules, all or none; those that are there stay as they are.

        Raises:
            CheckpointError: An entry is there with another molecule, or a molecule under another
                entry.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            by_entry = {row.entry: row.smiles for row in self.rows()}
            known = frozenset(by_entry)
            by_smiles = {smiles: entry for entry, smiles in by_entry.items()}
            for new in entries:
                if by_entry.setdefault(new.entry, new.smiles) != new.smiles:
                    raise self._conflict(new, f"is {by_entry[new.entry]} there")
                if by_smiles.setdefault(new.smiles, new.entry) != new.entry:
                    raise self._conflict(new, f"is entry {by_smiles[new.smiles]} there")
                if new.entry not in known:
                    values = (new.entry, new.number, new.smiles, new.inchikey, asked_by, paid)
                    self._insert(Row(*values, 0, "", "", math.nan, "=", "", "", 0.0, 0))

    def started(self, entries: Sequence[str]) -> None:
        """Record that molecules are about to be handed to the oracle.

        Raises:
            ValueError: An entry is unknown.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            for entry in entries:
                row = self._row(entry)
                self._update(replace(row, tries=row.tries + 1, asked=_now()))

    def finish(self, entry: str, answer: Answer, *, n_repeats: int = 1, repeats: str = "") -> None:
        """Enter an answer.

        Raises:
            ValueError: The entry is unknown, or has an answer.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            row = self._row(entry)
            if row.is_answered:
                raise ValueError(f"entry {entry!r} has an answer; amend it")
            self._update(_answered(row, answer, n_repeats, repeats))

    def amend(self, entry: str, answer: Answer, *, n_repeats: int = 1, repeats: str = "") -> None:
        """Replace an answer, as when a laboratory corrects a value.

        Raises:
            ValueError: The entry is unknown, or has no answer.
            OutputError: The file cannot be written.
        """
        with self.transaction():
            row = self._row(entry)
            if not row.is_answered:
                raise ValueError(f"entry {entry!r} has no answer yet")
            self._update(_answered(row, answer, n_repeats, repeats))

    def rows(self, number: int | None = None) -> list[Row]:
        """Entries, in their order.

        Args:
            number: Only those of this round; None for all.

        Raises:
            OutputError: The file cannot be read.
        """
        where, values = ("1", ()) if number is None else ("round = ?", (number,))
        return self._read(f"{where} ORDER BY entry", values)

    def unanswered(self, number: int) -> list[Row]:
        """Entries of a round that have no answer, in their order.

        Raises:
            OutputError: The file cannot be read.
        """
        return [row for row in self.rows(number) if not row.is_answered]

    def calls(self) -> Calls:
        """Answers that the oracle was called for, and those that the user brought."""
        answered = [row.paid for row in self.rows() if row.is_answered]
        return Calls(computed=sum(answered), known=len(answered) - sum(answered))

    def n_planned_paid(self) -> int:
        """Molecules that the oracle was or will be called for, answered or not."""
        return sum(row.paid for row in self.rows())

    def known(self) -> dict[str, str]:
        """Entry by SMILES, of everything ever entered."""
        return {row.smiles: row.entry for row in self.rows()}

    def frame(self) -> pd.DataFrame:
        """The whole ledger as a table, one row per entry, in their order."""
        rows = [[getattr(row, name) for name in _FIELDS] for row in self.rows()]
        return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))

    def _row(self, entry: str) -> Row:
        found = self._read("entry = ?", (entry,))
        if not found:
            raise ValueError(f"entry {entry!r} is not in the ledger")
        return found[0]

    def _read(self, where: str, values: tuple[Value, ...]) -> list[Row]:
        rows = []
        for found in self._database.fetch(f"SELECT {_COLUMNS} FROM asked WHERE {where}", values):
            *cells, digest = found
            if digest != row_digest(cells):
                raise self._database.damaged(f"entry {str(cells[0])[:40]} is not as it was written")
            rows.append(_parse(cells))
        return rows

    def _insert(self, row: Row) -> None:
        places = ", ".join("?" * (len(_FIELDS) + 1))
        self._database.execute(f"INSERT INTO asked ({_COLUMNS}) VALUES ({places})", _cells(row))

    def _update(self, row: Row) -> None:
        places = ", ".join("?" * (len(_FIELDS) + 1))
        self._database.execute(
            f"UPDATE asked SET ({_COLUMNS}) = ({places}) WHERE entry = ?",
            (*_cells(row), row.entry),
        )

    def _conflict(self, new: Planned, what: str) -> CheckpointError:
        return CheckpointError(
            f"the ledger {self._path} is not that of this run: {new.smiles}, now entry "
            f"{new.entry}, {what}; use the run directory with the ledger it was made with"
        )


def _answered(row: Row, answer: Answer, n_repeats: int, repeats: str) -> Row:
    return replace(
        row,
        value=answer.value,
        relation=answer.relation,
        status=answer.status,
        reason=answer.reason,
        cost_s=answer.cost_s,
        n_repeats=n_repeats,
        repeats=repeats,
        finished=_now(),
    )


def _cells(row: Row) -> list[Value]:
    """What the file holds of a row, and the digest of that."""
    named: dict[str, Value] = dict(zip(_FIELDS, astuple(row), strict=True))
    named["paid"] = int(row.paid)
    named["value"] = None if math.isnan(row.value) else float(row.value)
    named["cost_s"] = float(row.cost_s)
    named |= {name: named[name] or None for name in _DATES}
    cells = list(named.values())
    return [*cells, row_digest(cells)]


def _parse(cells: Sequence[Any]) -> Row:
    named = dict(zip(_FIELDS, cells, strict=True))
    named["paid"] = bool(named["paid"])
    named["value"] = math.nan if named["value"] is None else named["value"]
    named |= {name: named[name] or "" for name in _DATES}
    return Row(**named)


def _is_sound(cells: Sequence[Value]) -> bool:
    """Whether a row of before, without a digest, holds what such a row can hold."""
    named = dict(zip(_FIELDS, cells, strict=True))
    texts = ("entry", "smiles", "inchikey", "asked_by", "relation", "status", "reason", "repeats")
    return (
        all(isinstance(named[name], str) for name in texts)
        and all(isinstance(named[name], str | None) for name in _DATES)
        and all(isinstance(named[name], int) for name in ("number", "paid", "tries", "n_repeats"))
        and (named["value"] is None or _is_finite(named["value"]))
        and _is_finite(named["cost_s"])
        and named["relation"] in ("=", "<", ">")
        and named["status"] in ("", "ok", "failed", "timeout")
        and (named["value"] is not None or named["status"] != "ok")
    )


def _is_finite(value: Value) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _upgrade(connection: sqlite3.Connection) -> None:
    """Give the rows of a file of version 1 their digests and room for measurements."""
    connection.execute("ALTER TABLE asked ADD COLUMN repeats TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE asked ADD COLUMN digest TEXT")
    for cells in connection.execute(f"SELECT {', '.join(LEDGER_COLUMNS)} FROM asked").fetchall():
        if not _is_sound(cells):
            raise sqlite3.DatabaseError(f"entry {str(cells[0])[:40]} holds what no entry can hold")
        connection.execute(
            "UPDATE asked SET digest = ? WHERE entry = ?", (row_digest(cells), cells[0])
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
