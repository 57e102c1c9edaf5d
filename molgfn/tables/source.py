"""Where the bytes of a table come from: a file, standard input or a pipe, plain or compressed."""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from molgfn.errors import OutputError, TableError
from molgfn.machine.unpacking import GZIP_MAGIC, Unpacked

#: Bytes at the beginning that tell the format.
_HEAD_BYTES = 2**16
#: What comes through a pipe is kept in memory up to this size, bytes, then in a temporary file.
_SPOOLED_BYTES = 64 * 2**20
#: Longest line, bytes; a molecule with all that is known of it takes far less.
_MAX_LINE_BYTES = 64 * 2**20


class Source:
    """Bytes that can be read several times, each time from the beginning.

    Attributes:
        name: What messages call the source.
        suffix: The last suffix in lower case, without ``.gz``; empty for what has no name.
    """

    def __init__(self, path: Path, name: str, pipe: BinaryIO | None) -> None:
        self.name = name
        self._path, self._pipe = path, pipe
        suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
        self.suffix = suffixes[-1] if suffixes and pipe is None else ""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Read from the beginning, unpacked.

        Raises:
            TableError: It cannot be read, or is damaged; also while it is read.
            InputError: It unpacks to far more than data do.
        """
        with self.faults_named():
            if self._pipe is not None:
                self._pipe.seek(0)
                yield self._unpacked(self._pipe)
            else:
                with self._path.open("rb") as stream:
                    yield self._unpacked(stream)

    def head(self) -> bytes:
        """The first bytes."""
        with self.opened() as stream:
            return stream.read(_HEAD_BYTES)

    def lines(self) -> Iterator[str]:
        """The lines of a text, each with its end as it stands.

        Raises:
            TableError: It is no text; the message names the line.
        """
        with self.opened() as stream:
            number = 0
            while data := stream.readline(_MAX_LINE_BYTES):
                number += 1
                if len(data) == _MAX_LINE_BYTES:
                    raise TableError(
                        f"{self.name} line {number}: longer than {len(data) // 2**20} MiB; "
                        "expected a table with one molecule in a line"
                    )
                line = self._decoded(data, number)
                # Old programs end lines with a carriage return alone.
                yield from io.StringIO(line, newline="") if "\r" in line else (line,)

    @contextmanager
    def faults_named(self) -> Iterator[None]:
        """Turn what goes wrong while reading into errors that name the source."""
        try:
            yield
        except FileNotFoundError as error:
            raise TableError(f"{self.name}: no such file") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TableError(
                f"{self.name}: the gzip data is damaged or cut short: {error}"
            ) from error
        except OSError as error:
            raise TableError(f"{self.name}: cannot be read: {error.strerror or error}") from error

    def _unpacked(self, stream: BinaryIO) -> BinaryIO:
        magic = stream.read(len(GZIP_MAGIC))
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if magic != GZIP_MAGIC:
            return stream
        return io.BufferedReader(Unpacked(stream, size, self.name), 2**16)

    def _decoded(self, data: bytes, number: int) -> str:
        try:
            line = data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TableError(
                f"{self.name} line {number}: not UTF-8 text; expected CSV or SMILES lines, "
                "saved as UTF-8"
            ) from error
        if "\0" in line:
            raise TableError(
                f"{self.name} line {number}: binary data; expected CSV or SMILES lines"
            )
        return line


@contextmanager
def opened_source(path: str | Path) -> Iterator[Source]:
    """Open a file, or ``"-"`` for standard input; a pipe is read to its end at once.

    Raises:
        TableError: It cannot be read.
        OutputError: What comes through a pipe is much, and there is no place to keep it.
    """
    is_stdin = str(path) == "-"
    source = Source(Path(path), "standard input" if is_stdin else str(path), None)
    if not is_stdin and (Path(path).is_file() or Path(path).is_dir() or not Path(path).exists()):
        yield source
        return
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.SpooledTemporaryFile(_SPOOLED_BYTES))
        with source.faults_named():
            if not is_stdin:
                stream: BinaryIO = stack.enter_context(Path(path).open("rb"))
            elif sys.stdin is None:
                raise TableError("standard input is closed; give a file")
            else:
                stream = sys.stdin.buffer
        for block in iter(lambda: _read(stream, source), b""):
            try:
                spool.write(block)
            except OSError as error:
                raise OutputError(
                    f"no place in {tempfile.gettempdir()} to keep what comes from {source.name}: "
                    f"{error.strerror}; give a file, or set TMPDIR"
                ) from error
        yield Source(Path(path), source.name, cast("BinaryIO", spool))


def _read(stream: BinaryIO, source: Source) -> bytes:
    with source.faults_named():
        return stream.read(2**20)
