"""What an oracle says of one molecule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Answer:
    """The oracle's answer for one molecule.

    Attributes:
        value: Measured value in the oracle's unit; NaN where there is none.
        status: ``ok``, ``failed`` or ``timeout``.
        reason: Why there is no value, one line; ``""`` where there is one.
        cost_s: Time the molecule took, seconds.
        relation: ``=``; ``>`` or ``<`` for a value that is a bound, as "> 50" in an assay.
    """

    value: float
    status: Literal["ok", "failed", "timeout"]
    reason: str
    cost_s: float
    relation: Literal["=", "<", ">"] = "="

    @classmethod
    def failed(cls, reason: str, cost_s: float = 0.0) -> Answer:
        """A failure.

        Args:
            reason: Why, one line.
            cost_s: Time it took, seconds.

        Returns:
            The answer.
        """
        return cls(math.nan, "failed", reason, cost_s)
