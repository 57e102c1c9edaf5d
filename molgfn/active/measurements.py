"""Tables of measured values as laboratories write them: bounds, units, failures, repeats."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from molgfn.active.answer import Answer, Relation
from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.errors import MoleculeError, TableError, did_you_mean
from molgfn.tables.reader import Table

#: Amount concentrations in mol/l.
_MOLAR = {"M": 1.0, "mM": 1e-3, "uM": 1e-6, "nM": 1e-9, "pM": 1e-12}
#: What stands in a cell where a measurement was tried and gave nothing.
_FAILED_WORDS = frozenset(
    ("failed", "fail", "n/a", "na", "nan", "nd", "n.d.", "not determined", "none", "-", "insoluble")
)
_RELATIONS: dict[str, Relation] = {
    "": "=",
    "=": "=",
    "~": "=",
    ">": ">",
    ">=": ">",
    "≥": ">",
    "<": "<",
    "<=": "<",
    "≤": "<",
}
_CELL = re.compile(
    r"(?P<relation>>=|<=|[<>=~≥≤]?)\s*"
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>\S.*)?"
)


@dataclass(frozen=True)
class Measurement:
    """All that a table says of one molecule.

    Attributes:
        molecule: The molecule, standardised, without stereo.
        answer: Its value, mean of repeats, or why there is none.
        rows: Rows of the table, from 1.
    """

    molecule: Molecule
    answer: Answer
    rows: tuple[int, ...]


def read_measurements(table: Table, column: str, unit: str = "") -> list[Measurement]:
    """Read the measured values of a table.

    Rows may come in any order and a molecule in several of them. An empty cell says nothing; a
    word such as ``failed``, or ``failed`` in a column ``status``, says that the measurement was
    tried and failed, for what a column ``reason`` tells.

    Args:
        table: The molecules.
        column: Column of the values.
        unit: Their unit; may be empty.

    Returns:
        One measurement for each molecule with a value or a failure, in the order of the table.

    Raises:
        TableError: There is no such column, or a row cannot be understood; the message names it.
    """
    columns = [str(c) for c in table.frame.columns]
    if column not in columns:
        raise TableError(
            f"{table.source} has no column {column!r}; its columns: {', '.join(columns)}"
            f"{did_you_mean(column, columns)}"
        )
    cells = [str(cell).strip() for cell in table.frame[column]]
    statuses, reasons = _texts(table, "status"), _texts(table, "reason")
    found: dict[Molecule, list[tuple[int, Answer]]] = {}
    for row, (smiles, cell) in enumerate(zip(table.smiles, cells, strict=True), start=1):
        try:
            answer = _answer(cell, statuses[row - 1], reasons[row - 1], unit)
            if answer is not None:
                molecule = read_molecule(smiles, keep_stereo=False)
                found.setdefault(molecule, []).append((row, answer))
        except (TableError, MoleculeError) as error:
            raise TableError(f"{table.source} row {row}: {column}: {error}") from error
    return [
        Measurement(molecule, merge([a for _, a in told]), tuple(row for row, _ in told))
        for molecule, told in found.items()
    ]


def merge(answers: Sequence[Answer]) -> Answer:
    """One answer from repeats of a measurement.

    Returns:
        The mean of the values; where all are bounds, the tightest of those that are most; where
        there is none, the first failure.
    """
    values = [a for a in answers if a.status == "ok"]
    exact = [a.value for a in values if a.relation == "="]
    if exact:
        return Answer(math.fsum(exact) / len(exact), "ok", "", 0.0)
    above = [a.value for a in values if a.relation == ">"]
    below = [a.value for a in values if a.relation == "<"]
    if above and len(above) >= len(below):
        return Answer(max(above), "ok", "", 0.0, ">")
    return Answer(min(below), "ok", "", 0.0, "<") if below else answers[0]


def _answer(cell: str, status: str, reason: str, unit: str) -> Answer | None:
    if status.lower() in ("failed", "timeout") or cell.lower() in _FAILED_WORDS:
        return Answer.failed(reason or (cell if cell else "the measurement failed"))
    if not cell:
        return None
    match = _CELL.fullmatch(cell)
    if match is None:
        raise TableError(
            f"{cell!r} is no value; expected a number, a bound such as > 50, failed, or nothing"
        )
    value = float(match["number"]) * _factor((match["unit"] or "").strip(), unit)
    if not math.isfinite(value):
        raise TableError(f"{cell!r} is not a finite number")
    return Answer(value, "ok", "", 0.0, _RELATIONS[match["relation"]])


def _factor(given: str, declared: str) -> float:
    """What turns a value of one unit into the other."""
    given, declared = (_plain(name) for name in (given, declared))
    if not given or given == declared:
        return 1.0
    if given in _MOLAR and declared in _MOLAR:
        # A quotient of powers of ten is exact only when it is rounded once.
        return float(f"1e{round(math.log10(_MOLAR[given] / _MOLAR[declared]))}")
    expected = f"{declared} as rounds.oracle.unit says" if declared else "none"
    raise TableError(f"the unit {given!r} is not the one expected, {expected}")


def _plain(unit: str) -> str:
    """The micro sign and the Greek letter as the letter u."""
    return unit.strip().replace("µ", "u").replace("μ", "u")


def _texts(table: Table, name: str) -> list[str]:
    if name not in table.frame.columns:
        return [""] * len(table)
    return [str(text).strip() for text in table.frame[name]]
