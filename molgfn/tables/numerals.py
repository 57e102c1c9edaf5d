"""Numbers as people of many countries write them: ``1.5``, ``1,5``, ``1,200.5``, ``1'200``.

A comma before three digits, as in ``1,200``, may be a decimal mark or part the thousands; the other
numbers of its column say which, else it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from molgfn.errors import TableError

#: Marks that part thousands and nothing else: blanks of fixed width, and the Swiss apostrophe.
_PARTING = "'’\u00a0\u202f\u2009"
#: Pattern of what may be a number; :func:`read_numeral` says whether it is one.
NUMERAL = rf"[-+−]?[0-9.,{_PARTING}]*[0-9][.,]?(?:[eE][-+−]?[0-9]+)?"
_PARTS = re.compile(r"([-+]?)([^eE]*)(.*)")
_GROUPS = r"[1-9][0-9]{0,2}(?:%s[0-9]{3})+"
_PARTED = re.compile(rf"{_GROUPS % f'[{_PARTING}]'}(?:[.,][0-9]*)?")
#: Read with a comma for a decimal mark the first would be 1.2, else 1200.
_UNCLEAR = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_BY_MARK = {
    ".": re.compile(rf"[0-9]+\.[0-9]*|\.[0-9]+|{_GROUPS % ','}(?:\.[0-9]*)?"),
    ",": re.compile(rf"[0-9]+,[0-9]*|,[0-9]+|{_GROUPS % '[.]'}(?:,[0-9]*)?"),
}

#: The decimal mark of a column: a point, a comma, both, or neither is seen.
Mark = Literal[".", ",", "both", ""]


def decimal_mark(numerals: Iterable[str]) -> Mark:
    """Find the decimal mark that a column uses, from the numbers that leave no doubt."""
    marks = {mark for numeral in numerals for mark in _own_marks(_split(numeral)[1])}
    return "both" if len(marks) > 1 else marks.pop() if marks else ""


def read_numeral(numeral: str, mark: Mark) -> float:
    """Read a number.

    Args:
        numeral: Text that matches :data:`NUMERAL`.
        mark: Decimal mark of its column.

    Raises:
        TableError: It is no number, or may be two.
    """
    sign, digits, exponent = _split(numeral)
    own: Mark = mark
    if not _UNCLEAR.fullmatch(digits):
        own = next(iter(_own_marks(digits)), ".")
        if mark == "both" and "," in digits:
            raise TableError(
                f"{numeral!r} has a comma where its column has decimal points and decimal commas; "
                "keep to one of them"
            )
        if not digits.isdecimal() and not _BY_MARK[own].fullmatch(digits):
            raise TableError(f"{numeral!r} is no number; write it with a decimal point")
    elif "." in digits and mark in (".", ""):
        own = "."  # as in all files but those of a column that uses the comma
    elif "." in digits or mark in ("both", ""):
        raise TableError(
            f"{numeral!r} may be {re.sub('[.,]', '', digits)} or {digits.replace(',', '.')}; "
            "write it with a decimal point and without a mark between thousands"
        )
    parting = "," if own == "." else "."
    return float(f"{sign}{digits.replace(parting, '').replace(',', '.')}{exponent}")


def _split(numeral: str) -> tuple[str, str, str]:
    """Sign, digits with their marks, and exponent; thousands that are parted clearly are joined."""
    match = _PARTS.fullmatch(numeral.replace("−", "-"))
    sign, digits, exponent = match.groups() if match else ("", "", "")
    if _PARTED.fullmatch(digits):
        digits = re.sub(f"[{_PARTING}]", "", digits)
    return sign, digits, exponent


def _own_marks(digits: str) -> list[Literal[".", ","]]:
    """The decimal mark that a number shows by itself, if it does."""
    marks: tuple[Literal[".", ","], ...] = (".", ",")
    if _UNCLEAR.fullmatch(digits):
        return []
    return [mark for mark in marks if _BY_MARK[mark].fullmatch(digits)]
