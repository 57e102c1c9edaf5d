"""What a scorer of somebody else returns, checked before anybody believes it.

A number that cannot be told to belong to a molecule stops the work, with the first that is wrong;
a number that is missing or not finite is a failure of its molecule, with a reason.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molgfn.errors import ScorerError
from molgfn.reward.protocol import Scores

#: What pandas has for a number that is missing; named, as pandas need not be loaded.
_MISSING_TYPES = ("NAType", "NaTType")
#: Longest reason and longest value in a message, characters.
_LONGEST = 300, 60


@contextmanager
def faults_of(name: str, cure: str = "") -> Iterator[None]:
    """Report whatever a user's code raises by the name of its scorer, a call of exit included.

    What it prints goes to standard error: standard output may be the table.

    Args:
        name: What messages call the scorer.
        cure: End of the message.

    Raises:
        ScorerError: The code raised something else than this.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ScorerError:
        raise
    except (Exception, SystemExit) as error:
        what = one_line(str(error))
        raise ScorerError(f"scorer {name!r} raised {type(error).__name__}: {what}{cure}") from error


def read_numbers(returned: Any, smiles: Sequence[str], name: str) -> Scores:
    """Read the numbers that a function returned for molecules.

    Args:
        returned: Numbers in the order of the molecules, or a mapping or Series with their SMILES
            or places as keys; None or NaN for a molecule that cannot be scored.
        smiles: What the function was given.
        name: What messages and the column call the scorer.

    Raises:
        ScorerError: There is not one number for each molecule.
    """
    n = len(smiles)
    if isinstance(returned, np.ndarray) and returned.ndim == 1 and returned.dtype.kind in "fiub":
        _check_count(len(returned), n, name)
        return finite(returned.astype(np.float64), [""] * n, name)
    values = np.full(n, np.nan)
    for index, value in enumerate(_in_order(returned, smiles, name)):
        try:
            values[index] = _number(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ScorerError(
                f"scorer {name!r} returned {_short(value)} for molecule {index + 1}, "
                f"{smiles[index]}; it must return a number, None where it fails"
            ) from error
    return finite(values, [""] * n, name)


def finite(values: NDArray[np.float64], reasons: Sequence[str], name: str) -> Scores:
    """One column in which whatever is not finite is missing and has a reason.

    Args:
        values: Numbers, shape ``(n,)``.
        reasons: Why they are missing, as far as that is known.
        name: The column.
    """
    told = list(reasons)
    for index in np.flatnonzero(~np.isfinite(values)).tolist():
        gave = "no number" if math.isnan(values[index]) else f"{values[index]:g}"
        told[index] = one_line(told[index]) or f"{name} gave {gave}"
    return Scores({name: np.where(np.isfinite(values), values, np.nan)}, tuple(told))


def read_scores(returned: Any, columns: Sequence[str], smiles: Sequence[str], name: str) -> Scores:
    """Read what a user's scorer with columns returned.

    Args:
        returned: An object with ``values``, a mapping of columns to numbers, and ``reasons``.
        columns: The columns it said it has; others are left out.
        smiles: The molecules.
        name: What messages call the scorer.

    Raises:
        ScorerError: It is no such object, or a column has not one number for each molecule.
    """
    values, reasons = getattr(returned, "values", None), getattr(returned, "reasons", None)
    if not isinstance(values, Mapping) or not isinstance(reasons, Sequence):
        raise ScorerError(
            f"scorer {name!r} returned a {type(returned).__name__}; a scorer with columns must "
            "return an object with values, numbers by column, and reasons, such as"
            " molgfn.reward.protocol.Scores"
        )
    _check_count(len(reasons), len(smiles), name, "reasons")
    read = {}
    for column in columns:
        if column not in values:
            raise ScorerError(
                f"scorer {name!r} returned no column {column!r}, which it said it has"
            )
        read[column] = read_numbers(values[column], smiles, name)
    own = [one_line("" if reason is None else str(reason)) for reason in reasons]
    default = read[columns[0]].reasons
    told = [mine or why for mine, why in zip(own, default, strict=True)]
    return Scores({column: one.values[name] for column, one in read.items()}, tuple(told))


def one_line(text: str) -> str:
    """A text that a program wrote as one short line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST[0] else f"{line[: _LONGEST[0]]}…"


def _in_order(returned: Any, smiles: Sequence[str], name: str) -> Iterable[Any]:
    """One value for each molecule, in their order."""
    n = len(smiles)
    if (
        isinstance(returned, str | bytes | set | frozenset)
        or hasattr(returned, "columns")
        or not isinstance(returned, Iterable)
    ):
        raise ScorerError(
            f"scorer {name!r} returned a {type(returned).__name__}; it must return a list of "
            "numbers in the order of the molecules"
        )
    # A Series tells by its index which value is whose, as a dictionary does by its keys.
    if isinstance(returned, Mapping) or (hasattr(returned, "items") and hasattr(returned, "index")):
        return _by_key(dict(returned.items()), smiles, name)
    if isinstance(returned, Collection):
        _check_count(len(returned), n, name)
    values = list(islice(returned, n + 1))  # which may be without end
    _check_count(len(values), n, name)
    return values


def _by_key(returned: dict[Any, Any], smiles: Sequence[str], name: str) -> list[Any]:
    if returned.keys() == set(range(len(smiles))):
        return [returned[place] for place in range(len(smiles))]
    if len(returned) != len(set(smiles)):
        _check_count(len(returned), len(smiles), name)
    for text in smiles:
        if text not in returned:
            raise ScorerError(
                f"scorer {name!r} returned {len(returned)} values with keys, none of them "
                f"{text!r}; the keys must be the SMILES as they were given, one each"
            )
    return [returned[text] for text in smiles]


def _check_count(found: int, n: int, name: str, what: str = "numbers") -> None:
    if found != n:
        raise ScorerError(
            f"scorer {name!r} returned {found} {what} for {n} molecules; "
            "it must return one each, None where it fails"
        )


def _number(value: Any) -> float:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return math.nan
    if isinstance(value, str | bytes) or np.ndim(value) != 0 or np.iscomplexobj(value):
        raise TypeError("no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _short(value: Any) -> str:
    if not isinstance(value, str | bytes | complex):
        return f"a {type(value).__name__}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST[1] else f"{text[: _LONGEST[1]]}…"
