"""Reading a table of molecules as it stands: every cell stays the text it was.

The suffix tells the format, before a ``.gz`` where there is one: CSV, with semicolons or tabs where
the header has them; SMILES lines; SD files; Excel workbooks. What has no suffix, as standard
input, and ``.txt`` tell it by how they begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import pandas as pd

from molgfn.errors import TableError, did_you_mean
from molgfn.tables.delimited import (
    find_separator,
    has_smiles,
    scan_delimited,
    scan_smiles_lines,
    told_separator,
)
from molgfn.tables.layout import Layout
from molgfn.tables.source import Source, opened_source

_SEPARATED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_SMILES_LINES = (".smi", ".smiles", ".ism")
_SDF = (".sdf", ".sd", ".mol")
_EXCEL = (".xlsx", ".xlsm")
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Table:
    """A table of molecules.

    Attributes:
        frame: All columns and rows in the order of the file; every cell is text, ``""`` if empty.
        smiles_column: Name of the column of ``frame`` that holds the SMILES.
        source: What messages call the file.
        decimal_mark: The one that numbers have where their column leaves it open, as 1,234 does.
    """

    frame: pd.DataFrame
    smiles_column: str
    source: str
    decimal_mark: Literal["", ","] = ""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(c) for c in self.frame.columns]

    @property
    def smiles(self) -> list[str]:
        """The SMILES of every row, as given."""
        return [str(s) for s in self.frame[self.smiles_column]]

    def __len__(self) -> int:
        return len(self.frame)

    def blocks(self, n_rows: int) -> Iterator[pd.DataFrame]:
        """The rows in blocks, one without rows where there are none."""
        for start in range(0, max(1, len(self)), n_rows):
            yield self.frame.iloc[start : start + n_rows].reset_index(drop=True)


class StreamedTable:
    """A table of molecules that is read as far as it is asked for, in flat memory.

    Attributes:
        columns: Names of the columns.
        smiles_column: The one that holds the SMILES.
        source: What messages call the file.
    """

    def __init__(self, layout: Layout, smiles_column: str, source: str) -> None:
        self.columns = layout.columns
        self.smiles_column = smiles_column
        self.source = source
        self._layout = layout

    def __len__(self) -> int:
        return self._layout.n_rows

    @property
    def smiles(self) -> Iterator[str]:
        """The SMILES of every row, as given."""
        place = self.columns.index(self.smiles_column)
        return (row[place] for row in self._layout.rows())

    def blocks(self, n_rows: int) -> Iterator[pd.DataFrame]:
        """The rows in blocks, one without rows where there are none."""
        rows = self._layout.rows()
        block = list(islice(rows, n_rows))
        yield self._frame(block)
        while block := list(islice(rows, n_rows)):
            yield self._frame(block)

    def whole(self) -> Table:
        """The table with all its rows in memory."""
        frame = self._frame(list(self._layout.rows()))
        return Table(frame, self.smiles_column, self.source, self._layout.decimal_mark)

    def _frame(self, rows: list[list[str]]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=self.columns, dtype=str)


def read_molecule_table(path: str | Path, smiles_column: str | None = None) -> Table:
    """Read molecules from a file or from standard input.

    Args:
        path: File, or ``"-"`` for standard input.
        smiles_column: Column with the SMILES; default: the one called SMILES in any case.

    Returns:
        The table; blank lines are left out.

    Raises:
        InputError, OutputError, MissingPackageError: See :func:`opened_molecule_table`.
    """
    with opened_molecule_table(path, smiles_column) as table:
        return table.whole()


@contextmanager
def opened_molecule_table(
    path: str | Path, smiles_column: str | None = None
) -> Iterator[StreamedTable]:
    """Open a table of molecules and look through it once, so that its faults come first.

    Args:
        path: File, or ``"-"`` for standard input.
        smiles_column: Column with the SMILES; default: the one called SMILES in any case.

    Raises:
        TableError: The file is missing, empty, not rectangular, of a kind that is not read, or has
            no such column; the message names file and line.
        InputError: It unpacks to far more than data do.
        MissingPackageError: It is an Excel workbook and openpyxl is not installed.
        OutputError: There is no place to keep what comes through a pipe.
    """
    with opened_source(path) as source:
        layout = _scan(source, smiles_column)
        found = layout.smiles_column if smiles_column is None else None
        if found is None:
            found = _find_smiles_column(layout.columns, smiles_column, source.name)
        yield StreamedTable(layout, found, source.name)


def _scan(source: Source, smiles_column: str | None) -> Layout:
    head = source.head()
    _check_suffix(source)
    if head.startswith(_ZIP_MAGIC) or source.suffix in _EXCEL:
        return _scan_workbook(source, head, smiles_column)
    text = _head_text(head, source)
    if source.suffix in _SDF or (source.suffix not in _SEPARATED and _is_sdf(text)):
        from molgfn.tables.sdf import scan_sdf

        return scan_sdf(source)
    if source.suffix in _SMILES_LINES:
        return scan_smiles_lines(source)
    told = told_separator(text)
    if told is not None:
        return scan_delimited(source, told)
    separator = find_separator(text, _SEPARATED.get(source.suffix, ","), smiles_column)
    if source.suffix in _SEPARATED:
        return scan_delimited(source, separator)
    if smiles_column is None and _is_smiles_lines(text, separator):
        return scan_smiles_lines(source)
    return scan_delimited(source, separator)


def _check_suffix(source: Source) -> None:
    known = (*_SEPARATED, ".txt", *_SMILES_LINES, *_SDF, *_EXCEL)
    if source.suffix not in (*known, ""):
        raise TableError(
            f"{source.name}: files ending in {source.suffix} are not read; expected "
            f"{', '.join(known[:-1])} or {known[-1]}, .gz allowed; rename it or convert it"
        )


def _scan_workbook(source: Source, head: bytes, smiles_column: str | None) -> Layout:
    from molgfn.tables.excel import scan_workbook

    if source.suffix not in ("", *_EXCEL):
        raise TableError(
            f"{source.name}: a zip archive or an Excel workbook under a name that ends in "
            f"{source.suffix}; rename a workbook to .xlsx, unpack an archive"
        )
    if not head.startswith(_ZIP_MAGIC):
        raise TableError(
            f"{source.name}: no Excel workbook of today, or one with a password; save it anew as "
            ".xlsx without a password, or as CSV"
        )
    return scan_workbook(source, smiles_column)


def _head_text(head: bytes, source: Source) -> str:
    """The beginning of a text; its last line may lack something."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A character may be cut where the head ends.
        if error.start < len(head) - 3:
            line = head.count(b"\n", 0, error.start) + 1
            raise TableError(
                f"{source.name} line {line}: not UTF-8 text; expected CSV or SMILES lines, saved "
                "as UTF-8"
            ) from error
        text = head[: error.start].decode("utf-8-sig")
    if not text.strip() and not any(line.strip() for line in source.lines()):
        raise TableError(
            f"{source.name} is empty; expected CSV with a SMILES column, or SMILES lines"
        )
    return text


def _is_sdf(text: str) -> bool:
    return any(line.rstrip() in ("M  END", "$$$$") for line in text.splitlines())


def _is_smiles_lines(text: str, separator: str) -> bool:
    """Whether a text has no header, by its first line."""
    first_line = text.lstrip().splitlines()[0]
    return "," not in first_line and not has_smiles(
        [cell.strip('" ') for cell in first_line.split(separator)], None
    )


def _find_smiles_column(columns: Sequence[str], wanted: str | None, source: str) -> str:
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
