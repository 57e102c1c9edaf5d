"""Ranges of numeric settings, declared beside the type of each.

No range is one of taste: beyond it a training breaks down, overflows or needs more memory than
machines have.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

from molgfn.errors import ConfigError, shown


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be; put it into ``Annotated[float, Range(0, 1)]``.

    Attributes:
        least: The smallest value.
        most: The largest value.
        with_least: Whether the smallest value itself is allowed.
        with_most: Whether the largest is.
    """

    least: float
    most: float
    with_least: bool = True
    with_most: bool = True

    def fault(self, value: float) -> str:
        """What a value has to be and is not; empty where it lies in the range."""
        if value < self.least or (value == self.least and not self.with_least):
            return f"{'at least' if self.with_least else 'above'} {_text(self.least)}"
        if value > self.most or (value == self.most and not self.with_most):
            return f"{'at most' if self.with_most else 'below'} {_text(self.most)}"
        return "a number" if math.isnan(value) else ""


#: Exponent of a reward.
BETA = Range(1e-3, 1e4)
#: From none of it to all of it.
SHARE = Range(0, 1)
#: A count of anything that is only counted and never allocated.
COUNT = Range(1, 10**12)
#: A time limit, seconds; the kernel waits for no more than 2^31 milliseconds.
SECONDS = Range(1e-3, 2e6)
#: A value of a scorer or an oracle, in whatever unit.
VALUE = Range(-1e12, 1e12)


def check_ranges(section: Any, name: str) -> None:
    """Compare all numbers of a configuration dataclass with their ranges.

    Args:
        section: The dataclass.
        name: What messages put before a field, such as ``"train."``.

    Raises:
        ConfigError: One lies outside; the message names field, limit and value.
    """
    for field, allowed in ranges_of(section.__class__).items():
        value = getattr(section, field)
        fault = "" if value is None else allowed.fault(value)
        if fault:
            raise ConfigError(f"{name}{field} must be {fault}, got {shown(value)}")


@cache
def ranges_of(section: Any) -> dict[str, Range]:
    """Ranges of the fields of a configuration dataclass, by name."""
    return {
        field: note
        for field, hint in typing.get_type_hints(section, include_extras=True).items()
        for note in _notes(hint)
    }


def _text(limit: float) -> str:
    return str(limit).removesuffix(".0")


def _notes(hint: Any) -> tuple[Range, ...]:
    """The range beside a type, in an optional one too."""
    notes: tuple[object, ...] = getattr(hint, "__metadata__", ())
    own = (note for note in notes if isinstance(note, Range))
    return (*own, *(note for part in typing.get_args(hint) for note in _notes(part)))
