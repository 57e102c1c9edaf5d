"""Excel workbooks (.xlsx): the sheet with the molecules, every cell as text."""

from __future__ import annotations

import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from molgfn.errors import InputError, MissingPackageError, TableError
from molgfn.machine.unpacking import check_unpacked_size
from molgfn.tables.delimited import has_smiles
from molgfn.tables.layout import Layout
from molgfn.tables.source import Source


def scan_workbook(source: Source, wanted: str | None) -> Layout:
    """Look through the one sheet of a workbook that holds molecules.

    Numbers become text as short as they can be; leading zeros that only their format shows are
    written. Formulas give the value that Excel has stored.

    Args:
        source: The workbook.
        wanted: Name of the column with the SMILES; default: SMILES in any case.

    Raises:
        TableError: It is damaged or empty, several sheets hold molecules, or a row is wrong.
        MissingPackageError: openpyxl is not installed.
    """
    with _opened(source) as book:
        headers = {sheet.title: next(_rows(sheet), (0, []))[1] for sheet in book.worksheets}
    headers = {name: header for name, header in headers.items() if header}
    if not headers:
        raise TableError(f"{source.name} is empty; expected a sheet with a SMILES column")
    names = [name for name, header in headers.items() if has_smiles(header, wanted)]
    if len(names) > 1:
        raise TableError(
            f"{source.name}: the sheets {', '.join(names)} have SMILES; save the one you mean alone"
        )
    name = names[0] if names else next(iter(headers))
    header = headers[name]
    for column in header:
        if header.count(column) > 1:
            raise TableError(
                f"{source.name} sheet {name}: the column {column!r} stands twice; rename one"
            )

    def rows() -> Iterator[list[str]]:
        with _opened(source) as book:
            found = _rows(book[name])
            next(found)
            for number, row in found:
                if len(row) > len(header):
                    raise TableError(
                        f"{source.name} sheet {name} row {number}: {len(row)} cells where the "
                        f"header has {len(header)}; name the column, or empty the cell"
                    )
                yield row + [""] * (len(header) - len(row))

    return Layout(header, sum(1 for _ in rows()), rows)


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingPackageError(
            f"{source.name}: reading Excel workbooks needs the package openpyxl; install it with "
            "`pip install 'molgfn[xlsx]'`, or save the table as CSV"
        ) from error
    with source.opened() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that openpyxl does not know
        try:
            # A zip archive is read from its end.
            file = stream if stream.seekable() else io.BytesIO(stream.read())
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
            n_packed, n_unpacked = (
                sum(part.compress_size for part in parts),
                sum(part.file_size for part in parts),
            )
            check_unpacked_size(source.name, n_packed, n_unpacked)
            book = load_workbook(file, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
        except (InputError, GeneratorExit):
            raise
        except Exception as error:  # openpyxl lets through whatever a damaged part causes
            raise TableError(
                f"{source.name}: the Excel workbook is damaged; save it anew as .xlsx, or as CSV"
            ) from error


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers in the sheet, without empty cells at the end."""
    # Some programs store a wrong size of the sheet.
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        shown = cell.number_format
        return str(value).zfill(len(shown)) if re.fullmatch("0+", shown) else str(value)
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(" ")
    return str(value)
