"""What an oracle says of one molecule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from molgfn.tables.measured import Relation


@dataclass(frozen=True, slots=True)
class Answer:
    """The oracle's answer for one molecule.

    Attributes:
        value: Measured value in the oracle's unit; NaN where there is none.
        status: ``ok``, ``failed`` or ``timeout``.
        reason: Why there is no value, one line; ``""`` where there is one.
        cost_s: Time the molecule took, seconds.
        relation: ``=``; ``>`` or ``<`` for a value that is a bound, as "> 50" in an assay.
        is_breakdown: Whether the machinery failed rather than the molecule: a time limit, a
            process that died, a fault of the docking engine. Many in a row stop the asking.
    """

    value: float
    status: Literal["ok", "failed", "timeout"]
    reason: str
    cost_s: float
    relation: Relation = "="
    is_breakdown: bool = False

    @classmethod
    def failed(cls, reason: str, cost_s: float = 0.0, *, is_breakdown: bool = False) -> Answer:
        """A failure.

        Args:
            reason: Why, one line.
            cost_s: Time it took, seconds.
            is_breakdown: Whether the machinery failed rather than the molecule.
        """
        return cls(math.nan, "failed", reason, cost_s, is_breakdown=is_breakdown)

    @classmethod
    def timed_out(cls, reason: str, cost_s: float) -> Answer:
        """A molecule that took too long.

        Args:
            reason: What took too long, one line.
            cost_s: Time it took, seconds.
        """
        return cls(math.nan, "timeout", reason, cost_s, is_breakdown=True)
