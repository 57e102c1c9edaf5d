"""The table of scored molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.tables.columns import PROPERTY_COLUMNS, scored_columns

if TYPE_CHECKING:
    from molgfn.reward.table import RewardTable


def scored_frame(molecules: Sequence[Molecule], rewards: RewardTable) -> pd.DataFrame:
    """Put molecules and their rewards into the columns of ``molgfn score``.

    Args:
        molecules: The molecules.
        rewards: Their rewards, in the same order.

    Returns:
        One row for each molecule with the columns of
        :func:`~molgfn.tables.columns.scored_columns`; a failed value is NaN.
    """
    columns: dict[str, Any] = rewards.columns | {
        "SMILES": [molecule.smiles for molecule in molecules],
        "Score": rewards.score,
        "status": list(rewards.status),
        "reason": list(rewards.reasons),
        "InChIKey": [molecule.inchikey for molecule in molecules],
        "scaffold": [molecule.scaffold for molecule in molecules],
        "heavy_atoms": [molecule.n_heavy_atoms for molecule in molecules],
    }
    for name in PROPERTY_COLUMNS:
        if name not in columns:
            columns[name] = [PROPERTIES[name](molecule.mol) for molecule in molecules]
    return pd.DataFrame({name: columns[name] for name in scored_columns(list(rewards.columns))})
