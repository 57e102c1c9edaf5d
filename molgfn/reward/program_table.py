"""The table that a program wrote about molecules: which row is whose, and the number in it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from molgfn.chem.molecule import read_molecule
from molgfn.errors import MoleculeError
from molgfn.machine.program import ProgramError
from molgfn.reward.foreign import one_line

_SEPARATORS = ",;\t"
_REASON = "reason"
#: Headers of a column that names the molecule; another one does so by what it holds.
_SMILES_NAMES = ("smiles", "smi", "input_smiles", "canonical_smiles", "isomeric_smiles")
#: Headers of names and of running numbers, which are never the value.
_ID_NAMES = (
    *("", "#", "id", "ids", "idx", "index", "name", "title", "no", "no.", "nr", "nr.", "row"),
    *("line", "number", "molecule", "mol", "compound", "ligand", "inchi", "inchikey"),
)
_ID_END = re.compile(r"(?i:[_\s-](id|idx|index|name|no|nr))$|[a-z]I[dD]$|^(?i:unnamed: 0)$")
_RUNNING = re.compile(r"[0-9]{1,18}")
_MISSING = frozenset(("", "nan", "na", "n/a", "<na>", "none", "null"))
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True)
class ProgramTable:
    """Rows in the order of the molecules.

    Attributes:
        header: Names of the columns.
        rows: Cells, one row for each molecule.
        places: Number of each row as the program wrote it, from 1 without the header.
        keys: Columns that say which molecule a row is of.
    """

    header: list[str]
    rows: list[list[str]]
    places: list[int]
    keys: frozenset[int]

    def values(self, column: str | None) -> list[float]:
        """The numbers of a column, NaN where there is none, infinite where it says so.

        Args:
            column: Its name; None for the first column whose cells are all numbers or empty, and
                that is no SMILES, name, running number or reason; one with a number comes first.

        Raises:
            ProgramError: There is no such column, or a cell in it is no number.
        """
        names = one_line(", ".join(name or '""' for name in self.header))
        if column is not None:
            if column not in self.header:
                raise ProgramError(f"wrote no column {column!r}, only {names}")
            return self._numbers(self.header.index(column))
        empty: list[float] | None = None
        for index in range(len(self.header)):
            if index in self.keys or _is_id(self.header[index]) or self._is_reason(index):
                continue
            try:
                numbers = self._numbers(index)
            except ProgramError:
                continue
            if not all(map(math.isnan, numbers)):
                return numbers
            empty = numbers if empty is None else empty
        if empty is None:
            raise ProgramError(f"wrote no numeric column, only {names}")
        return empty

    def reasons(self) -> list[str]:
        """Why a molecule has no number, one line each; empty where nothing tells."""
        for index in range(len(self.header)):
            if self._is_reason(index):
                return [one_line(row[index]) for row in self.rows]
        return [""] * len(self.rows)

    def _is_reason(self, index: int) -> bool:
        return self.header[index].lower() == _REASON

    def _numbers(self, index: int) -> list[float]:
        numbers: list[float] = []
        marks: set[str] = set()
        for row, place in zip(self.rows, self.places, strict=True):
            cell = row[index]
            if cell.lower() in _MISSING:
                numbers.append(math.nan)
                continue
            marks.update(mark for mark in ",." if mark in cell)
            if not (_NUMBER.fullmatch(cell) or _INFINITE.fullmatch(cell)) or len(marks) > 1:
                raise ProgramError(f"wrote {_quoted(cell)} in row {place}, not a number")
            numbers.append(float(cell.replace(",", ".")))
        return numbers


def read_program_table(text: str, smiles: Sequence[str], column: str | None) -> ProgramTable:
    """Read what a program wrote and find the row of each molecule.

    A column with SMILES tells which row is whose, else one with names or running numbers that are
    0, 1, 2 … or 1, 2, 3 …; else the order does.

    Args:
        text: CSV with a header; semicolons or tabs may stand for commas. In a single column a
            blank line is an empty value.
        smiles: What the program was given; a molecule may come several times.
        column: Name of the column of values where it is known.

    Raises:
        ProgramError: It is no such table, or has not one row for each molecule; the message names
            the first row that is wrong.
    """
    header, rows = _read(text, len(smiles))
    for name, count in Counter(header).items():
        if count > 1:
            raise ProgramError(f"wrote the column {_quoted(name)} twice")
    for place, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ProgramError(
                f"wrote {len(row)} fields in row {place} where the header has {len(header)}"
            )
    key = _smiles_column(header, rows, smiles)
    if key is not None:
        order = _by_smiles([row[key] for row in rows], smiles)
    else:
        if len(rows) != len(smiles):
            raise ProgramError(_wrong_count(len(rows), len(smiles)))
        order = _by_number(header, rows, column)
    keys = frozenset() if key is None else frozenset([key])
    return ProgramTable(header, [rows[i] for i in order], [i + 1 for i in order], keys)


def _read(text: str, n: int) -> tuple[list[str], list[list[str]]]:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    # The first of them that is there: one with commas may hold the others in its texts.
    separator = next((mark for mark in _SEPARATORS if mark in first), ",")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        raise ProgramError(f"wrote invalid CSV: {error}") from error
    while lines and not any(lines[0]):
        del lines[0]
    if not lines:
        raise ProgramError(_wrong_count(0, n))
    header, *rows = lines
    if len(header) > 1:
        return header, [row for row in rows if row]
    while len(rows) > n and not any(rows[-1]):
        del rows[-1]
    return header, [row or [""] for row in rows]


def _wrong_count(found: int, n: int) -> str:
    return (
        f"wrote {found} rows for {n} molecules; it must write a header "
        "and one row per molecule, with an empty value where it fails"
    )


def _smiles_column(
    header: Sequence[str], rows: Sequence[Sequence[str]], smiles: Sequence[str]
) -> int | None:
    """The column that names molecules: by holding what was asked, else by its header."""
    asked = set(smiles)
    named = [i for i, name in enumerate(header) if _is_smiles(name)]
    for index in named:
        if all(row[index] in asked for row in rows):
            return index  # such as the input's beside those of protonated forms
    for index in range(len(header)):
        if index not in named and 2 * sum(row[index] in asked for row in rows) > len(rows):
            return index
    return named[0] if named else None


def _by_smiles(cells: Sequence[str], smiles: Sequence[str]) -> list[int]:
    """Index of the row of each molecule."""
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for index, text in enumerate(smiles):
        waiting[text].append(index)
    found = [-1] * len(smiles)
    for row, cell in enumerate(cells):
        # As it was given; else spelt in another way, as other toolkits do.
        text = cell if cell in waiting else _standard(cell, row + 1)
        if text not in waiting:
            raise ProgramError(
                f"wrote {_quoted(cell)} in row {row + 1}, which is none of the molecules that it "
                "was given; its SMILES must be those on its standard input"
            )
        if not waiting[text]:
            raise ProgramError(
                f"wrote {_quoted(cell)} in row {row + 1} once more than it was given"
            )
        found[waiting[text].popleft()] = row
    if -1 in found:
        missing = found.index(-1)
        raise ProgramError(
            f"{_wrong_count(len(cells), len(smiles))}; the first without a row is "
            f"{_quoted(smiles[missing])}"
        )
    return found


def _standard(cell: str, place: int) -> str:
    try:
        return read_molecule(cell).smiles
    except MoleculeError as error:
        raise ProgramError(f"wrote no molecule in row {place}: {error}") from error


def _by_number(
    header: Sequence[str], rows: Sequence[Sequence[str]], column: str | None
) -> list[int]:
    """Index of the row of each molecule by a column of running numbers, else their order."""
    for index, name in enumerate(header):
        cells = [row[index] for row in rows]
        if name == column or not _is_id(name) or not all(map(_RUNNING.fullmatch, cells)):
            continue
        numbers = [int(cell) for cell in cells]
        by_number: dict[int, int] = {}
        for row, number in enumerate(numbers):
            if by_number.setdefault(number, row) != row:
                raise ProgramError(
                    f"wrote {name or 'the number'} {_quoted(str(number))} again in row {row + 1}"
                )
        start = min(numbers)
        if start in (0, 1) and max(numbers) == start + len(numbers) - 1:
            return [by_number[start + place] for place in range(len(numbers))]
        for row, (number, following) in enumerate(pairwise(numbers), start=2):
            if following < number:
                raise ProgramError(
                    f"wrote {name or 'the number'} {_quoted(str(following))} in row {row}, after "
                    f"{number}: it neither counts the molecules from 0 or 1 nor rises; write their "
                    "SMILES instead"
                )
    return list(range(len(rows)))


def _is_smiles(name: str) -> bool:
    return re.sub(r"[\s-]", "_", name.lower()) in _SMILES_NAMES


def _is_id(name: str) -> bool:
    return name.lower() in _ID_NAMES or bool(_ID_END.search(name))


def _quoted(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")
