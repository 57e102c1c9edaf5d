"""What the rounds know so far: measured molecules as the data a proxy learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molgfn.active.answer import Answer
from molgfn.active.ledger import Row
from molgfn.active.measurements import Measurement, answer_of
from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.choices import Direction, sign
from molgfn.config.reward_schema import DEFAULT_FACTORS
from molgfn.config.rounds_schema import VINA, OracleConfig, RoundsConfig
from molgfn.config.schema import Config
from molgfn.errors import ConfigError, TableError
from molgfn.reward.protocol import check_columns
from molgfn.reward.proxy.dataset import BOUND_SIGNS, MIN_MOLECULES, Dataset
from molgfn.reward.proxy.split import split_for_test
from molgfn.tables.columns import KCAL_MOL, split_column, value_column
from molgfn.tables.measured import value_fault


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


def check_amounts(rounds: RoundsConfig) -> None:
    """Find out before the initial set is paid for whether a proxy can learn from it.

    Raises:
        ConfigError: It would have too few molecules, or values without a logarithm.
    """
    if rounds.oracle.scorer == VINA and rounds.oracle.scale == "log10":
        raise ConfigError(
            "rounds.oracle.scale log10 suits concentrations; docking energies are below 0 and have "
            "no logarithm, set linear"
        )
    if rounds.rounds == 0 or rounds.initial is not None:
        return
    affordable = rounds.initial_size if rounds.budget is None else rounds.budget
    for key, value in (("initial_size", rounds.initial_size), ("budget", affordable)):
        if value < MIN_MOLECULES:
            raise ConfigError(
                f"rounds.{key} {value} gives the first round {value} measured molecules, its proxy "
                f"needs at least {MIN_MOLECULES}; raise it, best well above as some may fail"
            )


def training_data(rows: Sequence[Row], oracle: OracleConfig) -> Dataset:
    """The measured molecules as training data.

    Args:
        rows: Entries of the ledger, in their order.
        oracle: Scale of the values.

    Returns:
        The data; failures are left out, bounds are marked.

    Raises:
        TableError: Too few molecules have a value, or one that cannot be learned.
    """
    measured = [row for row in rows if row.status == "ok"]
    if len(measured) < MIN_MOLECULES:
        failed = [row for row in rows if row.status and row.status != "ok"]
        last = f"; the last failure: {failed[-1].reason}" if failed else ""
        raise TableError(f"{_too_few(len(measured))}{last}")
    molecules = [read_molecule(row.smiles, keep_stereo=False) for row in measured]
    places = [f"entry {row.entry}, {row.smiles}" for row in measured]
    return _dataset(places, molecules, measured, oracle)


def check_initial(measurements: Sequence[Measurement], config: Config) -> None:
    """Find out whether a proxy can learn from molecules that were measured before.

    Raises:
        TableError: Too few have a value, or one that is no bound, a value has no logarithm, or
            all are the same.
    """
    initial, oracle = config.rounds.initial, config.rounds.oracle
    given = [(m, answer_of(m.repeats, oracle)[0]) for m in measurements]
    measured = [(m, answer) for m, answer in given if answer.status == "ok"]
    if len(measured) < MIN_MOLECULES:
        raise TableError(f"rounds.initial {initial}: {_too_few(len(measured))}")
    places = [f"rounds.initial {initial} {m.where}" for m, _ in measured]
    answers = [answer for _, answer in measured]
    data = _dataset(places, [m.molecule for m, _ in measured], answers, oracle)
    try:
        split_for_test(data, config.seed + 1)
    except TableError as error:
        raise TableError(f"rounds.initial {initial}: {error}") from error


def _too_few(n: int) -> str:
    return f"{n} molecules have a measured value, a proxy needs at least {MIN_MOLECULES}"


def _dataset(
    places: Sequence[str],
    molecules: Sequence[Molecule],
    answers: Sequence[Row | Answer],
    oracle: OracleConfig,
) -> Dataset:
    for place, answer in zip(places, answers, strict=True):
        if fault := value_fault(answer.value, log10=oracle.scale == "log10"):
            raise TableError(f"{place}: {answer.value:g} {fault}")
    return Dataset(
        tuple(molecules),
        learned(np.array([answer.value for answer in answers]), oracle),
        bounds=tuple(BOUND_SIGNS[answer.relation] for answer in answers),
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
