"""Columns with commas, semicolons or tabs between them, and lines of SMILES with names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Literal

from molgfn.errors import TableError
from molgfn.tables.layout import Layout
from molgfn.tables.source import Source

#: Excel in countries with decimal commas writes semicolons, databases write tabs.
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
#: First line by which Excel tells itself the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?[\r\n]+', re.IGNORECASE)
#: Longest cell, characters. A quote that is never closed makes one cell of all that follows.
_MAX_CELL = 64 * 2**20


def scan_delimited(source: Source, separator: str) -> Layout:
    """Look through a table with a header.

    Args:
        source: The table.
        separator: What is between the columns where the file itself does not say.

    Returns:
        The table; blank lines are left out, every cell stays the text it was.

    Raises:
        TableError: It is not rectangular, or a column stands twice; the message names the line.
    """
    # One setting for the process; whoever reads CSV here wants long cells to be read.
    csv.field_size_limit(_MAX_CELL)
    rows = _records(source, separator)
    _, header = next(rows)
    # Excel writes the cells beside a table that were once formatted; one name may well be empty.
    n_unnamed = len(header) - len(_without_empty_end(header))
    n_unnamed = n_unnamed if n_unnamed > 1 else 0
    header = header[: len(header) - n_unnamed]
    for name in header:
        if header.count(name) > 1:
            raise TableError(f"{source.name} line 1: the column {name!r} stands twice; rename one")

    def checked() -> Iterator[list[str]]:
        rows = _records(source, separator)
        next(rows)
        for line, row in rows:
            # pandas would fill a short row with nothing and shift a long one.
            cells, beside = row[: len(header)], row[len(header) :]
            if len(cells) < len(header) or len(beside) > n_unnamed or any(beside):
                mark = _NAMES.get(separator, separator)
                raise TableError(
                    f"{source.name} line {line}: {len(row)} fields where the header has "
                    f"{len(header)}; a field with a {mark} needs quotes"
                )
            yield cells

    # A comma can only be free for decimals where it does not separate.
    mark: Literal["", ","] = "," if separator == ";" else ""
    return Layout(header, sum(1 for _ in checked()), checked, decimal_mark=mark)


def told_separator(text: str) -> str | None:
    """The separator that a table tells in a line of its own, as Excel has it."""
    told = _SEPARATOR_LINE.match(text)
    return None if told is None else told[1]


def find_separator(text: str, preferred: str, wanted: str | None) -> str:
    """The separator that splits a header into columns with a SMILES among them.

    Args:
        text: Beginning of the table.
        preferred: Separator that goes before the others.
        wanted: Name of the column with the SMILES; default: SMILES in any case.

    Returns:
        The separator; where none finds the column, the one that makes the most columns.
    """
    headers: dict[str, list[str]] = {}
    for separator in (preferred, *_NAMES):
        lines = io.StringIO(text.lstrip(), newline="")
        try:
            headers[separator] = next(csv.reader(lines, delimiter=separator))
        except csv.Error:
            continue
        if has_smiles(headers[separator], wanted):
            return separator
    return max(headers, key=lambda separator: len(headers[separator]), default=preferred)


def has_smiles(columns: list[str], wanted: str | None) -> bool:
    """Whether a header has the column of SMILES."""
    if wanted is not None:
        return wanted in columns
    return any(name.strip().lower() == "smiles" for name in columns)


def scan_smiles_lines(source: Source) -> Layout:
    """Look through lines of a SMILES, then blanks and a name where there is one.

    A header, as some programs write it, is left out: "smiles" is no molecule.
    """
    n_rows = sum(1 for _ in _smiles_lines(source))
    named = any(len(row) > 1 for row in _smiles_lines(source))

    def rows() -> Iterator[list[str]]:
        for smiles, *name in _smiles_lines(source):
            yield [smiles, name[0].strip() if name else ""] if named else [smiles]

    return Layout(["SMILES", "name"] if named else ["SMILES"], n_rows, rows)


def _smiles_lines(source: Source) -> Iterator[list[str]]:
    is_first = True
    for line in source.lines():
        row = line.split(maxsplit=1)
        if row and not (is_first and row[0].lower() == "smiles"):
            yield row
        is_first = is_first and not row


def _records(source: Source, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its last line."""
    lines = source.lines()
    n_skipped = 0
    first = next(lines, "")
    if _SEPARATOR_LINE.fullmatch(first):
        n_skipped, first = 1, next(lines, "")

    def rest() -> Iterator[str]:
        yield first
        yield from lines

    reader = csv.reader(rest(), delimiter=separator, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num + n_skipped, row
    except csv.Error as error:
        raise TableError(
            f"{source.name} line {reader.line_num + n_skipped}: not readable as CSV: {error}"
        ) from error


def _without_empty_end(cells: list[str]) -> list[str]:
    n = len(cells)
    while n and not cells[n - 1].strip():
        n -= 1
    return cells[:n]
