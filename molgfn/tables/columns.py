"""Names of the columns of tables."""

from __future__ import annotations

#: Unit of docking energies as it stands in column names.
KCAL_MOL = "kcal_mol"
_DOCKED = "_docked"


def value_column(target: str, unit: str) -> str:
    """Column of a value, such as ``PARP1_kcal_mol``; without a unit the target itself."""
    return f"{target}_{unit}" if unit else target


def docked_column(target: str) -> str:
    """Column of docked energies, such as ``PARP1_docked_kcal_mol``."""
    return value_column(target + _DOCKED, KCAL_MOL)


def split_column(column: str) -> tuple[str, str]:
    """Target and unit of a measured column: ``PARP1``, ``kcal_mol`` of the docked one."""
    unit = KCAL_MOL if column.endswith(f"_{KCAL_MOL}") else ""
    return column.removesuffix(f"_{KCAL_MOL}").removesuffix(_DOCKED), unit


def std_column(column: str) -> str:
    """Column of the standard deviation of a value."""
    return f"{column}_std"


def member_columns(column: str, n_members: int) -> tuple[str, ...]:
    """Columns of the values of each member of an ensemble, numbered from 1."""
    return tuple(f"{column}_member_{i}" for i in range(1, n_members + 1))
