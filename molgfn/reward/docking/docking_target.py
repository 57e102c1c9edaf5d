"""A docking target: the file of a receptor and the box to search."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from molgfn.errors import TargetError
from molgfn.tables.columns import docked_column

#: A smaller box cannot hold a drug, in a larger one vina's search is hopeless, Å.
MIN_BOX_SIDE, MAX_BOX_SIDE = 5.0, 60.0

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DockingTarget:
    """Where molecules are docked.

    Attributes:
        name: Name, which also begins the column of energies.
        receptor: PDBQT file of the receptor.
        center: Middle of the box, Å.
        size: Sides of the box, Å.
        source: Where it comes from, for readers.
    """

    name: str
    receptor: Path
    center: Triple
    size: Triple
    source: str

    @cached_property
    def digest(self) -> str:
        """Identity of receptor and box, 16 hexadecimal digits; the name does not matter.

        Raises:
            TargetError: The receptor cannot be read.
        """
        try:
            receptor = self.receptor.read_bytes()
        except OSError as error:
            raise TargetError(
                f"target {self.name}: the receptor {self.receptor} cannot be read: {error.strerror}"
            ) from error
        box = " ".join(f"{number:.3f}" for number in (*self.center, *self.size))
        return hashlib.sha256(receptor + b"\n" + box.encode()).hexdigest()[:16]

    @property
    def energy_column(self) -> str:
        """Column of docked energies, such as ``PARP1_docked_kcal_mol``."""
        return docked_column(self.name)


def check_box(center: Triple, size: Triple) -> None:
    """Refuse a box that cannot be searched; middle and sides in Å.

    Raises:
        TargetError: A number is not finite, or a side is out of range.
    """
    if not all(math.isfinite(number) for number in (*center, *size)):
        raise TargetError(f"the box needs finite numbers, got {center} and {size}")
    if not all(MIN_BOX_SIDE <= side <= MAX_BOX_SIDE for side in size):
        raise TargetError(
            f"every side of the box must lie in {MIN_BOX_SIDE:g} to {MAX_BOX_SIDE:g} Å, got "
            f"{' x '.join(f'{side:g}' for side in size)}"
        )
