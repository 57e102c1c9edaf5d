"""What the rounds know so far: measured molecules as the data a proxy learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molgfn.active.ledger import Row
from molgfn.chem.molecule import read_molecule
from molgfn.config.choices import Direction, sign
from molgfn.config.reward_schema import DEFAULT_FACTORS
from molgfn.config.rounds_schema import OracleConfig
from molgfn.config.schema import Config
from molgfn.errors import ConfigError, TableError
from molgfn.reward.protocol import check_columns
from molgfn.reward.proxy.dataset import MIN_MOLECULES, Dataset
from molgfn.tables.columns import KCAL_MOL, split_column, value_column

_BOUND_SIGNS = {"=": 0, ">": 1, "<": -1}


def learned_name(column: str, oracle: OracleConfig) -> tuple[str, str]:
    """What the proxy that learns a column of measured values calls its predictions.

    Returns:
        Target and unit of the proxy; their column is never the measured one.
    """
    if oracle.scale == "log10":
        return f"log10_{column}", ""
    target, unit = split_column(column)
    same = column == value_column(target, unit)
    return (f"{target}_predicted" if same else target), unit


def learned(values: NDArray[np.float64], oracle: OracleConfig) -> NDArray[np.float64]:
    """Measured values on the scale the proxy learns.

    Args:
        values: Measured values, shape ``(n,)``.
        oracle: Its scale.

    Returns:
        The values, or their decadic logarithms, shape ``(n,)``.
    """
    return np.log10(values) if oracle.scale == "log10" else values


def check_learnable(column: str, config: Config) -> None:
    """Find out before anything is paid for whether the reward suits the oracle.

    Raises:
        ConfigError: No factor of the reward reads the proxy, one wants the other direction, the
            default factors, which are made for docking energies, meet another unit, or the
            column is called like another one of the tables.
    """
    oracle, factors = config.rounds.oracle, config.reward.factors
    target, unit = learned_name(column, oracle)
    check_columns(
        [column, value_column(target, unit)], "rounds.oracle.column", "choose another name"
    )
    reading = [factor for factor in factors if factor.reads_proxy]
    if column in {factor.label for factor in factors if factor not in reading}:
        raise ConfigError(
            f"rounds.oracle.column {column!r} is the name of a factor of the reward too; "
            "choose another name"
        )
    if not reading:
        raise ConfigError(
            "reward.factors has no factor that reads the proxy, so the oracle's values would not "
            "count; add one with scorer: proxy"
        )
    if factors == DEFAULT_FACTORS and unit != KCAL_MOL:
        raise ConfigError(
            f"the default factors of the reward are made for docking energies in kcal/mol, the "
            f"oracle gives {column}; set reward.factors with the direction and the range of yours "
            "(`molgfn config` shows how)"
        )
    for factor in reading:
        if factor.transform != "window" and factor.direction != oracle.direction:
            raise ConfigError(
                f"reward.factors, factor {factor.label!r} wants to {factor.direction} what "
                f"rounds.oracle.direction says to {oracle.direction}; make them agree"
            )


def training_data(rows: Sequence[Row], oracle: OracleConfig) -> Dataset:
    """The measured molecules as training data.

    Args:
        rows: Entries of the ledger, in their order.
        oracle: Scale of the values.

    Returns:
        The data; failures are left out, bounds are marked.

    Raises:
        TableError: Too few molecules have a value, or one has no logarithm.
    """
    measured = [row for row in rows if row.status == "ok"]
    if len(measured) < MIN_MOLECULES:
        failed = [row for row in rows if row.status and row.status != "ok"]
        last = f"; the last failure: {failed[-1].reason}" if failed else ""
        raise TableError(
            f"{len(measured)} molecules have a measured value, a proxy needs at least "
            f"{MIN_MOLECULES}{last}"
        )
    for row in measured:
        if oracle.scale == "log10" and not row.value > 0:
            raise TableError(
                f"entry {row.entry}, {row.smiles}: {row.value:g} has no logarithm; "
                "rounds.oracle.scale log10 needs values above 0"
            )
    return Dataset(
        tuple(read_molecule(row.smiles, keep_stereo=False) for row in measured),
        learned(np.array([row.value for row in measured]), oracle),
        bounds=tuple(_BOUND_SIGNS[row.relation] for row in measured),
    )


def best_value(data: Dataset, direction: Direction) -> float:
    """The best measured value on the scale the proxy learns.

    Args:
        data: The measured molecules.
        direction: ``maximise`` or ``minimise``.

    Returns:
        The value; NaN where all are bounds.
    """
    values = data.targets[data.bound_signs == 0]
    if not len(values):
        return math.nan
    towards = sign(direction)
    return towards * float((towards * values).max())
