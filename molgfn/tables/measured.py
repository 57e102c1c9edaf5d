"""Measured values as people write them in tables: bounds, units, errors, failures, repeats.

What could mean two things is refused, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from molgfn.errors import TableError, did_you_mean
from molgfn.tables.numerals import NUMERAL, decimal_mark, read_numeral

#: A value, or one that is a bound: the true one lies above (``>``) or below (``<``).
Relation = Literal["=", "<", ">"]

#: Squares of larger values overflow what networks compute with.
MAX_VALUE = 1e15

#: Amount concentrations in mol/l.
_MOLAR = {"M": 1.0, "mM": 1e-3, "uM": 1e-6, "nM": 1e-9, "pM": 1e-12, "fM": 1e-15}
_MOLAR |= {f"{name[:-1]}mol/{litre}": value for name, value in _MOLAR.items() for litre in "lL"}
#: What stands in a cell where a measurement was tried and gave nothing.
_FAILED_WORDS = (
    *("failed", "fail", "failure", "insoluble", "not determined", "nd", "n.d.", "n.d", "n/d"),
    *("n/a", "na", "#n/a", "<na>", "nan", "none", "-", "--", "–", "—"),
)
#: What stands there where none was tried yet.
_UNTRIED_WORDS = ("nt", "n.t.", "n.t", "n/t", "not tested", "not measured", "pending", "tbd")
_RELATIONS: dict[str, Relation] = {
    **dict.fromkeys(("", "=", "==", "~", "≈", "ca", "ca."), "="),
    **dict.fromkeys((">", ">>", ">=", "=>", "≥", "≫", "＞"), ">"),
    **dict.fromkeys(("<", "<<", "<=", "=<", "≤", "≪", "＜"), "<"),
}
_SIGNS = "|".join(re.escape(sign) for sign in sorted(filter(None, _RELATIONS), key=len)[::-1])
_CELL = re.compile(
    rf"(?P<relation>{_SIGNS})?\s*(?P<number>{NUMERAL})"
    rf"(\s*(±|\+/-|\+-)\s*{NUMERAL}|\s*\((±|\+/-|\+-)\s*{NUMERAL}\))?"
    r"\s*(?P<unit>%|[^\W\d_].*)?"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement.

    Attributes:
        value: In the unit of the column; NaN where the measurement failed.
        relation: ``=``; ``>`` or ``<`` for a bound.
        reason: Why there is no value; ``""`` where there is one.
    """

    value: float
    relation: Relation = "="
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        return f"{'' if self.relation == '=' else f'{self.relation} '}{self.value:g}"


class MeasuredColumn:
    """A column of measured values.

    A column ``status`` may say ``failed`` and one ``reason`` why; ``COLUMN_relation``, or
    ``relation`` in the tables of rounds, may hold the signs of bounds; where a unit is expected,
    ``unit`` may hold the units.
    """

    def __init__(
        self, frame: pd.DataFrame, source: str, column: str, unit: str = "", *, log10: bool = False
    ) -> None:
        """Find the column.

        Args:
            frame: The table, every cell text.
            source: What messages call the table.
            column: Name of the column.
            unit: Unit of its values; may be empty.
            log10: Whether only values with a logarithm are of use.

        Raises:
            TableError: There is no such column.
        """
        names = [str(name) for name in frame.columns]
        if column not in names:
            raise TableError(
                f"{source} has no column {column!r}; its columns: {', '.join(names)}"
                f"{did_you_mean(column, names)}"
            )
        ours = ["relation"] if "ledger_entry" in names else []
        unit_names = ["unit", "units", f"{column}_unit", f"{column}_units"] if unit else []
        self._unit, self._log10 = unit, log10
        self._cells = _texts(frame, [column])
        self._statuses, self._reasons = _texts(frame, ["status"]), _texts(frame, ["reason"])
        self._relations = _texts(frame, [f"{column}_relation", *ours])
        self._units = _texts(frame, unit_names)
        matches = (_CELL.fullmatch(cell) for cell in self._cells)
        self._mark = decimal_mark(match["number"] for match in matches if match)

    def status(self, row: int) -> str:
        """What the column ``status`` says of a row, from 0, in lower case."""
        return self._statuses[row].lower()

    def read(self, row: int) -> Measured | None:
        """Read a row, from 0.

        Returns:
            The measurement; None where there is none yet.

        Raises:
            TableError: The cell cannot be understood, or its value cannot be used.
        """
        cell = self._cells[row]
        if self.status(row) in ("failed", "timeout") or cell.lower() in _FAILED_WORDS:
            reason = self._reasons[row] or cell or "the measurement failed"
            return Measured(math.nan, reason=" ".join(reason.split()))
        if not cell or cell.lower() in _UNTRIED_WORDS:
            return None
        match = _CELL.fullmatch(cell)
        if match is None:
            raise TableError(
                f"{_short(cell)} is no value; expected a number, a bound such as > 50, failed, "
                "or nothing"
            )
        number = read_numeral(match["number"], self._mark)
        value = number * _factor(match["unit"] or self._units[row], self._unit)
        if not math.isfinite(value):
            raise TableError(f"{_short(cell)} is not a finite number")
        if fault := value_fault(value, log10=self._log10):
            raise TableError(f"{_short(cell)} {fault}")
        return Measured(value, self._relation(match["relation"] or "", row))

    def _relation(self, sign: str, row: int) -> Relation:
        told = self._relations[row].strip("'")
        if told not in _RELATIONS:
            raise TableError(f"its relation is {_short(told)}, expected =, < or >")
        if sign and told and _RELATIONS[sign] != _RELATIONS[told]:
            raise TableError(f"it is {sign} in its cell and {told} in its relation; keep one")
        return _RELATIONS[sign or told]


def value_fault(value: float, *, log10: bool) -> str:
    """Why nothing can learn from a finite value, as what a message says of it; empty if it can."""
    if abs(value) > MAX_VALUE:
        return f"is beyond {MAX_VALUE:g}; use a larger unit"
    if log10 and not value > 0:
        return "has no logarithm; rounds.oracle.scale log10 needs values above 0"
    return ""


def merge(repeats: Sequence[Measured], *, log10: bool = False) -> Measured:
    """One measurement from repeats.

    Args:
        repeats: At least one.
        log10: Whether values are averaged by their logarithms: the geometric mean.

    Returns:
        The mean of the values; where all are bounds, the tightest of those that are most; where
        there is none, the first failure.

    Raises:
        TableError: The bounds leave no value.
    """
    values = [m for m in repeats if not m.reason]
    above = [m.value for m in values if m.relation == ">"]
    below = [m.value for m in values if m.relation == "<"]
    if above and below and max(above) >= min(below):
        raise TableError(
            f"its bounds > {max(above):g} and < {min(below):g} contradict each other; "
            "correct one of them"
        )
    exact = [m.value for m in values if m.relation == "="]
    if exact:
        return Measured(_mean(exact, log10=log10))
    if above and len(above) >= len(below):
        return Measured(max(above), ">")
    return Measured(min(below), "<") if below else repeats[0]


def contradiction(repeats: Sequence[Measured], merged: Measured) -> str:
    """Say which bound of the repeats their mean does not keep; ``""`` where it keeps all."""
    for one in repeats:
        if merged.relation != "=" or one.reason:
            continue
        if (one.relation == ">" and merged.value < one.value) or (
            one.relation == "<" and merged.value > one.value
        ):
            return f"its mean {merged.value:g} contradicts its bound {one}"
    return ""


def _mean(values: Sequence[float], *, log10: bool) -> float:
    if len(set(values)) == 1:
        return values[0]
    if not log10:
        return math.fsum(values) / len(values)
    mean = math.fsum(math.log10(value) for value in values) / len(values)
    return float(f"{10**mean:.15g}")


def _factor(given: str, declared: str) -> float:
    """What turns a value of one unit into the other."""
    given, declared = (_plain(name) for name in (given, declared))
    if not given or given == declared:
        return 1.0
    if given in _MOLAR and declared in _MOLAR:
        # A quotient of powers of ten is exact only when it is rounded once.
        return float(f"1e{round(math.log10(_MOLAR[given] / _MOLAR[declared]))}")
    expected = f"{declared} as rounds.oracle.unit says" if declared else "none"
    raise TableError(f"the unit {_short(given)} is not the one expected, {expected}")


def _plain(unit: str) -> str:
    """The micro sign and the Greek letter as the letter u."""
    return unit.strip().replace("µ", "u").replace("μ", "u")


def _texts(frame: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """The cells of the first of these columns that is there, else empty ones."""
    for name in names:
        if name in frame.columns:
            return [str(text).strip() for text in frame[name]]
    return [""] * len(frame)


def _short(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")
