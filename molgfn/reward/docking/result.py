"""What comes out for one molecule: an energy with its pose, or a reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Docked:
    """Result of docking one molecule.

    Attributes:
        energy_kcal_mol: Best energy, more negative is better; NaN where it failed.
        status: ``ok``, ``failed`` or ``timeout``.
        reason: Why there is no energy, one line; ``""`` where there is one.
        molblock: The best pose as MOL block with hydrogens; ``""`` where it failed.
        final: Whether docking the molecule again would give the same.
        cost_s: Time it took, seconds; 0 where it was known before.
    """

    energy_kcal_mol: float
    status: Literal["ok", "failed", "timeout"]
    reason: str
    molblock: str
    final: bool = True
    cost_s: float = field(default=0.0, compare=False)

    @classmethod
    def failed(cls, reason: str, *, final: bool) -> Docked:
        """A failure; ``final`` where another try would fail in the same way."""
        return cls(math.nan, "failed", reason, "", final)

    @classmethod
    def timed_out(cls, limit_s: float) -> Docked:
        """A molecule that took longer than ``limit_s`` seconds."""
        return cls(math.nan, "timeout", f"not docked within {limit_s:g} s", "", final=False)
