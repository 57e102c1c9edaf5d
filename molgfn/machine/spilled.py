"""Values that are kept until the process ends, on the disk where they are many."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from molgfn.errors import OutputError

V = TypeVar("V")


class SpilledStore(Generic[V]):
    """A :class:`~molgfn.machine.remembered.Store` of JSON values by text, in flat memory.

    It is a database without a name, which SQLite keeps in memory as long as it is small, then in a
    temporary file that is gone when the process is.
    """

    def __init__(self) -> None:
        with self._faults_named():
            self._connection = sqlite3.connect("", isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(
                "CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )

    def __del__(self) -> None:
        self._connection.close()

    def get(self, key: str, /) -> V | None:
        """Look a value up; None when it is not there."""
        with self._faults_named():
            found = self._connection.execute("SELECT value FROM kept WHERE key = ?", (key,))
            row = found.fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: V, /) -> None:
        """Keep a value, which comes back as JSON has it: tuples as lists, floats to the last bit.

        Raises:
            OutputError: The disk is full.
        """
        with self._faults_named():
            self._connection.execute(
                "INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value))
            )

    @staticmethod
    @contextmanager
    def _faults_named() -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"no place to keep what is known of the molecules so far: {error}; free some "
                "space, or set SQLITE_TMPDIR"
            ) from error
