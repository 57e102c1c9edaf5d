"""Writing a table as CSV, row block by row block, to standard output or whole to a file."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import pandas as pd

from molgfn.errors import MolgfnError, OutputError
from molgfn.machine.files import replacing_file, write_faults_named

#: What names of tables and of SD files may end in, before a ``.gz``; they may lack a suffix.
_TABLES, _SDF = (".csv", ".txt"), (".sdf", ".sd")

_Stream = BinaryIO | gzip.GzipFile


class ReaderGone(MolgfnError):
    """The reader of standard output has gone, as ``| head`` does; not a failure."""

    exit_code = 0


class CsvSink:
    """A table being written.

    Attributes:
        n_rows: Number of rows written so far.
    """

    def __init__(self, stream: _Stream, name: str) -> None:
        self.n_rows = 0
        self._stream: _Stream = stream
        self._name = name
        self._columns: list[str] | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows; the first call writes the header, even when it has no rows.

        Floating-point numbers get six significant digits, missing values nothing, text is quoted
        where CSV needs it. Lines end with a line feed, the encoding is UTF-8.

        Args:
            frame: Rows with the same columns in every call; its index is not written.

        Raises:
            OutputError: The disk is full or gone.
            ReaderGone: Standard output is a pipe that was closed at the other end.
            ValueError: The columns differ from those of the first call.
        """
        columns = [str(c) for c in frame.columns]
        if self._columns is not None and columns != self._columns:
            raise ValueError(f"columns {columns} differ from those written before, {self._columns}")
        text = self._format(frame, csv.QUOTE_MINIMAL)
        if "\r" in text:
            # The writer quotes only the line end it uses itself, the reader ends lines at both.
            text = self._format(frame, csv.QUOTE_NONNUMERIC)
        self._columns = columns
        with _faults_named(self._name):
            self._stream.write(text.encode("utf-8"))
            self._stream.flush()
        self.n_rows += len(frame)

    def _format(self, frame: pd.DataFrame, quoting: Literal[0, 2]) -> str:
        return frame.to_csv(
            index=False,
            header=self._columns is None,
            float_format="%.6g",
            lineterminator="\n",
            quoting=quoting,
        )


@contextmanager
def csv_sink(path: Path | None) -> Iterator[CsvSink]:
    """Open a table for writing.

    A file appears whole or not at all: rows go to a temporary file beside it, which takes its name
    when the block ends without an exception. It is opened at once, so that a directory that cannot
    be written is reported before anything is computed.

    Args:
        path: File, compressed when its name ends with ``.gz``; None or ``-`` for standard output.

    Raises:
        OutputError: The file or standard output cannot be written, or its name promises another
            format.
    """
    if path is None or str(path) == "-":
        if sys.stdout is None:
            raise OutputError("standard output is closed; write to a file with -o")
        yield CsvSink(sys.stdout.buffer, "standard output")
    else:
        _check_suffix(path, "tables are CSV", _TABLES)
        with _opened(path) as stream:
            yield CsvSink(stream, str(path))


@contextmanager
def sdf_sink(path: Path) -> Iterator[Callable[[str], None]]:
    """Open a file for the records of an SD file; it appears as :func:`csv_sink` has it.

    Args:
        path: File, compressed when its name ends with ``.gz``.

    Raises:
        OutputError: The file cannot be written, or its name promises another format.
    """
    _check_suffix(path, "poses are records of an SD file", _SDF)
    with _opened(path) as stream:

        def write(text: str) -> None:
            with _faults_named(str(path)):
                stream.write(text.encode("utf-8"))

        yield write


def _check_suffix(path: Path, what: str, known: tuple[str, ...]) -> None:
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    if plain.suffix.lower() not in (*known, ""):
        raise OutputError(
            f"cannot write {path}: {what}; give a name that ends in {known[0]} or {known[0]}.gz"
        )


@contextmanager
def _opened(path: Path) -> Iterator[_Stream]:
    with replacing_file(path) as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        # No name and no time inside: equal tables are equal files.
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
        try:
            yield packed
        finally:
            # Closing writes what is still buffered, so it can fail as writing can.
            with _faults_named(str(path)):
                packed.close()
                file.flush()


@contextmanager
def _faults_named(name: str) -> Iterator[None]:
    with write_faults_named(name):
        try:
            yield
        except BrokenPipeError as error:
            raise ReaderGone(name) from error
