"""Reading a table of molecules as it stands: every cell stays the text it was.

Accepted are CSV with a header and SMILES files (``.smi``: a SMILES, then optionally blanks and a
name, on each line), both optionally compressed with gzip. Standard input, and a file with another
suffix, is taken for a SMILES file when its first line has neither a comma nor a SMILES header.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from molgfn.errors import TableError, did_you_mean

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Table:
    """A table of molecules.

    Attributes:
        frame: All columns and rows in the order of the file; every cell is text, ``""`` if empty.
        smiles_column: Name of the column of ``frame`` that holds the SMILES.
        source: What messages call the file.
    """

    frame: pd.DataFrame
    smiles_column: str
    source: str

    @property
    def smiles(self) -> list[str]:
        """The SMILES of every row, as given."""
        return [str(s) for s in self.frame[self.smiles_column]]

    def __len__(self) -> int:
        return len(self.frame)


def read_molecule_table(path: str | Path, smiles_column: str | None = None) -> Table:
    """Read molecules from a CSV or SMILES file, or from standard input.

    Args:
        path: File, or ``"-"`` for standard input.
        smiles_column: Column with the SMILES; default: the one called SMILES in any case.

    Returns:
        The table; blank lines are left out.

    Raises:
        TableError: The file is missing, empty, not text, not rectangular, or has no such column;
            the message names file and line.
    """
    source = "standard input" if str(path) == "-" else str(path)
    text = _decode(_read_bytes(path, source), source)
    if not text.strip():
        raise TableError(f"{source} is empty; expected CSV with a SMILES column, or SMILES lines")
    if _is_smiles_file(Path(path), text, smiles_column):
        frame = _parse_smiles_lines(text)
    else:
        frame = _parse_csv(text, source)
    return Table(frame, _find_smiles_column(list(frame.columns), smiles_column, source), source)


def _read_bytes(path: str | Path, source: str) -> bytes:
    try:
        data = _read_stdin() if str(path) == "-" else Path(path).read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except FileNotFoundError as error:
        raise TableError(f"{source}: no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(f"{source}: the gzip data is damaged or cut short: {error}") from error
    except OSError as error:
        raise TableError(f"{source}: cannot be read: {error.strerror}") from error


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise TableError("standard input is closed; give a file")
    return sys.stdin.buffer.read()


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{source} line {line}: not UTF-8 text; expected CSV or SMILES lines, saved as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(f"{source} line {line}: binary data; expected CSV or SMILES lines")
    return text


def _is_smiles_file(path: Path, text: str, smiles_column: str | None) -> bool:
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".smi", ".smiles"):
        return True
    if suffix == ".csv" or smiles_column is not None:
        return False
    first_line = text.lstrip().splitlines()[0]
    if first_line.split()[0].lower() != "smiles" and _other_separator([first_line]):
        return False
    return "," not in first_line and first_line.strip().strip('"').lower() != "smiles"


def _parse_smiles_lines(text: str) -> pd.DataFrame:
    rows = [line.split(maxsplit=1) for line in io.StringIO(text, newline=None) if line.strip()]
    # Some programs write a header all the same, and "smiles" is no molecule.
    if rows[0][0].lower() == "smiles":
        rows = rows[1:]
    columns = {"SMILES": [row[0] for row in rows]}
    if any(len(row) > 1 for row in rows):
        columns["name"] = [row[1].strip() if len(row) > 1 else "" for row in rows]
    return pd.DataFrame(columns, dtype=str)


def _parse_csv(text: str, source: str) -> pd.DataFrame:
    rows = _csv_rows(text, source)
    _, header = next(rows)
    for name in header:
        if header.count(name) > 1:
            raise TableError(f"{source} line 1: the column {name!r} stands twice; rename one")
    table: list[list[str]] = []
    for line, row in rows:
        # pandas would fill a short row with nothing and shift a long one.
        if len(row) != len(header):
            raise TableError(
                f"{source} line {line}: {len(row)} fields where the header has {len(header)}; "
                "a field with a comma needs quotes"
            )
        table.append(row)
    return pd.DataFrame(table, columns=header, dtype=str)


def _csv_rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise TableError(
            f"{source} line {reader.line_num}: not readable as CSV: {error}"
        ) from error


def _other_separator(columns: list[str]) -> str:
    """Name of the separator where a header with SMILES in it was not split at commas."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        cells = [cell.strip().strip('"').lower() for cell in columns[0].split(separator)]
        if len(columns) == 1 and len(cells) > 1 and "smiles" in cells:
            return name
    return ""


def _find_smiles_column(columns: list[str], wanted: str | None, source: str) -> str:
    separator = _other_separator(columns)
    if separator:
        raise TableError(
            f"{source} line 1: the columns are separated by {separator}; "
            "save it with commas (CSV, comma-separated)"
        )
    listed = ", ".join(c if c else '""' for c in columns)
    if wanted is not None:
        if wanted in columns:
            return wanted
        hint = did_you_mean(wanted, columns)
        raise TableError(f"{source} has no column {wanted!r}; its columns: {listed}{hint}")
    matches = [c for c in columns if c.strip().lower() == "smiles"]
    if "SMILES" in matches or len(matches) == 1:
        return "SMILES" if "SMILES" in matches else matches[0]
    problem = "several SMILES columns" if matches else "no SMILES column"
    raise TableError(
        f"{source} line 1: {problem}; its columns: {listed}; "
        "name the right one with --smiles-column"
    )
