"""What a scorer is: any function from molecules to numbers that says which ones it failed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.errors import ConfigError
from molgfn.tables.columns import RESERVED_COLUMNS

if TYPE_CHECKING:
    from molgfn.reward.proxy.size import SizeBaseline


def check_columns(columns: Iterable[str], owner: str, cure: str) -> None:
    """Refuse columns that would hide others, such as ``Score``.

    Args:
        columns: Names of the columns of a proxy or of a user's scorer.
        owner: What the message calls it.
        cure: End of the message.

    Raises:
        ConfigError: A name is empty or reserved.
    """
    for name in columns:
        if not name or name in RESERVED_COLUMNS or name in PROPERTIES:
            raise ConfigError(f"{owner}: its column cannot be called {name!r}; {cure}")


@dataclass(frozen=True)
class Scores:
    """Numbers for n molecules.

    Attributes:
        values: Columns by name, each of shape ``(n,)``; NaN where the number is missing.
        reasons: Why a molecule's number is missing, one line each; ``""`` where it is not.
    """

    values: dict[str, NDArray[np.float64]]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What a scorer that predicts tells of its errors.

    Attributes:
        std: Column of the standard deviation of its value.
        members: Columns of the values by each member of an ensemble, where they are asked for.
        spread: Standard deviation of the values that it learned from.
    """

    std: str
    members: tuple[str, ...]
    spread: float


@runtime_checkable
class Scorer(Protocol):
    """Scores molecules; a class that extends this one gets the defaults."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, first that of the value which transforms read."""
        ...

    @property
    def needs_molecules(self) -> bool:
        """Whether it reads more of a molecule than its graph of atoms."""
        return True

    @property
    def uncertainty(self) -> Uncertainty | None:
        """How uncertain the value is; None for one that is exact."""
        return None

    @property
    def size(self) -> SizeBaseline | None:
        """Mean and spread of the value by size, where they are known."""
        return None

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Score molecules.

        Returns:
            One number per column and molecule, in the order of the molecules.
        """
        ...
