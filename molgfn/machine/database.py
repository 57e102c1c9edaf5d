"""An SQLite file that survives killed processes and names itself and the cure in its errors."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from molgfn.errors import OutputError

#: How long to wait for another command that is writing, seconds.
_BUSY_TIMEOUT_S = 60.0


class Database:
    """A connection that commits every statement by itself.

    Attributes:
        connection: The connection; use it inside :meth:`faults_named`.
    """

    def __init__(self, path: Path, name: str, *, version: int, schema: str, cure: str) -> None:
        """Open or create the file.

        Args:
            path: The file; its directory is created.
            name: What messages call it, such as ``docking cache``.
            version: Version of the schema, from 1.
            schema: Statement that creates the tables that are missing.
            cure: What error messages advise.

        Raises:
            OutputError: It cannot be opened, is no SQLite file, or a newer molgfn wrote it.
        """
        self._path, self._name, self._cure = path, name, cure
        with self.faults_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, _BUSY_TIMEOUT_S, isolation_level=None)
            (found,) = self.connection.execute("PRAGMA user_version").fetchone()
            if found not in (0, version):
                raise OutputError(
                    f"{path} was written by a newer molgfn (format {found}, expected {version}); "
                    f"update molgfn, or {cure}"
                )
            self._write_ahead()
            self.connection.execute(schema)
            if found != version:
                self.connection.execute(f"PRAGMA user_version = {version}")

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self.connection.close()

    @contextmanager
    def faults_named(self) -> Iterator[None]:
        """Turn the complaints of SQLite into errors that name the file.

        Raises:
            OutputError: The file is damaged or gone, or the disk is full.
        """
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"the {self._name} {self._path} cannot be used: {error}; {self._cure}"
            ) from error

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
        # With a write-ahead log a killed process loses nothing; a power cut may cost the last
        # results, never the file.
        self.connection.execute("PRAGMA synchronous = NORMAL")
