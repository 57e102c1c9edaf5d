"""What a scorer is: any function from molecules to numbers that says which ones it failed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule


@dataclass(frozen=True)
class Scores:
    """Numbers for n molecules.

    Attributes:
        values: Columns by name, each of shape ``(n,)``; NaN where the number is missing.
        reasons: Why a molecule's number is missing, one line each; ``""`` where it is not.
    """

    values: dict[str, NDArray[np.float64]]
    reasons: tuple[str, ...]


class Scorer(Protocol):
    """Scores molecules.

    Attributes:
        columns: Names of the columns it returns; the first is the value that transforms read.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, the value first."""
        ...

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Score molecules.

        Args:
            molecules: Molecules, possibly none.

        Returns:
            One number per column and molecule, in the order of the molecules.
        """
        ...
