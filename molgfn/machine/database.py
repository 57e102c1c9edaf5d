"""An SQLite file that survives killed processes and names itself and the cure in its errors."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from molgfn.errors import CheckpointError, OutputError

#: How long to wait for another command that is writing, seconds.
_BUSY_TIMEOUT_S = 60.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
#: Codes that tell of the machine; all others tell of what is in the file.
_OF_THE_MACHINE = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
)

#: Most characters of what SQLite says of damage.
_LONGEST = 120

#: What a column holds.
Value = str | int | float | bytes | None


class Database:
    """A connection that commits every statement by itself.

    What was committed is on the disk, so that a power cut loses nothing that was paid for: each
    commit waits for the disk once, some milliseconds.

    Attributes:
        connection: The connection; use it inside :meth:`faults_named`.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        version: int,
        schema: str,
        upgrade: Callable[[sqlite3.Connection], None],
        cure: str,
        elsewhere: str,
    ) -> None:
        """Open or create the file.

        Args:
            path: The file; its directory is created.
            name: What messages call it, such as ``docking cache``.
            version: Version of the schema, from 1.
            schema: Statement that creates the table, if it is missing.
            upgrade: Brings a file of the version before up to this one.
            cure: What error messages advise about a damaged file.
            elsewhere: What they advise about one that is in use, beside waiting.

        Raises:
            CheckpointError: It is no SQLite file, damaged, or a newer molgfn wrote it.
            OutputError: It cannot be opened, or is in use.
        """
        self._path, self._name, self._cure, self._elsewhere = path, name, cure, elsewhere
        with self.faults_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, _BUSY_TIMEOUT_S, isolation_level=None)
            found = self._version()
            if found not in range(version + 1):
                raise CheckpointError(
                    f"{path} was written by a newer molgfn (format {found}, expected {version}), "
                    f"or is damaged; update molgfn, or {cure}"
                )
            self._write_ahead()
            if found != version:
                with self.transaction():
                    self._bring_up_to(version, schema, upgrade)

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes: all of them or, if anything fails, none."""
        if self._is_changing():
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._is_changing():  # a full disk has ended it already
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def execute(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Execute one statement.

        Raises:
            CheckpointError: The file is damaged.
            OutputError: It is gone or in use, or the disk is full.
        """
        with self.faults_named():
            return self.connection.execute(statement, values)

    def fetch(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Execute one statement and read all rows; raises as :meth:`execute`."""
        with self.faults_named():
            return self.connection.execute(statement, values).fetchall()

    def check(self) -> None:
        """Read the whole file, and compare tables with their indices: no row may have gone.

        Raises:
            CheckpointError: They differ.
        """
        found = self.fetch("PRAGMA integrity_check(1)")
        if found != [("ok",)]:
            raise self.damaged(str(found[0][0]))

    def damaged(self, what: str) -> CheckpointError:
        """Make the error about damage."""
        what = " ".join(what.split())  # SQLite may quote a whole schema
        what = what if len(what) <= _LONGEST else f"{what[:_LONGEST]}…"
        return CheckpointError(f"the {self._name} {self._path} is damaged: {what}; {self._cure}")

    @contextmanager
    def faults_named(self) -> Iterator[None]:
        """Turn the complaints of SQLite into errors that name the file.

        Raises:
            CheckpointError: The file is damaged.
            OutputError: It is gone or in use, or the disk is full.
        """
        try:
            yield
        except sqlite3.Error as error:
            raise self._named(error) from error
        except OSError as error:
            raise OutputError(
                f"the {self._name} {self._path} cannot be used: {error.strerror or error}"
            ) from error
        except (OverflowError, UnicodeDecodeError) as error:
            # Of a number that no column of ours holds, or of a text of SQLite's own.
            raise self.damaged(str(error)) from error

    def _named(self, error: sqlite3.Error) -> CheckpointError | OutputError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _BUSY:
            return OutputError(
                f"the {self._name} {self._path} is in use: another command has had it locked for "
                f"{_BUSY_TIMEOUT_S:.0f} s; try again when that has ended{self._elsewhere}"
            )
        places = (self._path, self._path.parent)
        is_closed = code == sqlite3.SQLITE_READONLY and not all(
            os.access(place, os.W_OK) for place in places
        )
        if code in _OF_THE_MACHINE or is_closed:
            return OutputError(
                f"the {self._name} {self._path} cannot be used: {error}; free some space or make "
                f"it writable{self._elsewhere}"
            )
        return self.damaged(str(error))

    def _is_changing(self) -> bool:
        """Whether a transaction is open."""
        return self.connection.in_transaction

    def _version(self) -> int:
        (found,) = self.connection.execute("PRAGMA user_version").fetchone()
        return int(found)

    def _bring_up_to(
        self, version: int, schema: str, upgrade: Callable[[sqlite3.Connection], None]
    ) -> None:
        found = self._version()  # another process may have been here first
        names = self.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [str(name) for (name,) in names]
        if found == 0 and any(self.fetch(f'SELECT 1 FROM "{t}" LIMIT 1') for t in tables):
            raise self.damaged("it holds rows of no known format")
        if found == 0:
            for table in tables:
                self.execute(f'DROP TABLE "{table}"')
            self.execute(schema)
        elif found < version:
            upgrade(self.connection)
        self.execute(f"PRAGMA user_version = {version}")

    def _write_ahead(self) -> None:
        """Let readers work beside a writer; SQLite does not wait where two processes ask for it."""
        deadline = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        # Every commit waits for the disk: with NORMAL a power cut may cost the last ones.
        self.connection.execute("PRAGMA synchronous = FULL")


def row_digest(values: Sequence[Value]) -> str:
    """Digest of a row, which it carries in a column of its own.

    Args:
        values: All other values of the row, numbers of columns of type REAL as floats.

    Returns:
        SHA-256, hexadecimal; it takes some microseconds for a row of 100 bytes.
    """
    return hashlib.sha256(json.dumps([_plain(value) for value in values]).encode()).hexdigest()


def _plain(value: Value) -> object:
    if isinstance(value, bytes):
        return [value.hex()]  # unlike any text
    # SQLite knows no -0.0.
    return value + 0.0 if isinstance(value, float) else value
