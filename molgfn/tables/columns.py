"""The columns of every table that leaves the program: appended to, never renamed or reordered.

A value is called by its target and unit, such as ``PARP1_kcal_mol``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Unit of docking energies as it stands in column names.
KCAL_MOL = "kcal_mol"
_DOCKED = "_docked"
#: Similarity to the nearest molecule that the proxy learned from.
SIMILARITY_COLUMN = "nearest_train_similarity"
#: Properties of every scored molecule.
PROPERTY_COLUMNS = ("MW", "logP", "TPSA", "QED", "SA")
#: What `molgfn score --log-likelihood` adds.
LIKELIHOOD_COLUMNS = ("log_likelihood", "n_trees", "log_likelihood_reason")
#: `molgfn sample` without scores.
SAMPLE_COLUMNS = ("SMILES", "InChIKey", "n_fragments")
#: `molgfn evaluate`; all but the first name a set of molecules.
EVALUATE_COLUMNS = ("measure", "random", "trained", "file", "all", "policy")
#: `molgfn verify`.
VERIFY_COLUMNS = ("measure", "value")
#: `molgfn verify --env hypergrid`.
HYPERGRID_COLUMNS = (
    *("r0", "visited", "modes", "empirical_l1", "perfect_l1", "exact_l1", "all_modes"),
    "all_modes_after",
)
#: `molgfn proxy evaluate`, and what `--predictions` writes.
PROXY_COLUMNS = (
    *("molecules", "model", "n", "rmse", "r2", "spearman", "size_residual_r2"),
    "size_residual_spearman",
)
HELD_OUT_COLUMNS = (
    *("SMILES", "source", "measured", "predicted", "std", "interval", SIMILARITY_COLUMN),
    *("random_forest", "heavy_atoms"),
)
#: `molgfn targets list`; lengths in Å.
TARGET_COLUMNS = (
    *("target", "center_x", "center_y", "center_z", "size_x", "size_y", "size_z", "source"),
)
#: `molgfn rounds ledger`.
LEDGER_COLUMNS = (
    *("entry", "round", "smiles", "inchikey", "asked_by", "paid", "tries", "asked", "finished"),
    *("value", "relation", "status", "reason", "cost_s", "n_repeats", "repeats"),
)
#: ``rounds.csv``.
SUMMARY_COLUMNS = (
    *("round", "asked", "measured", "batch_best", "batch_mean", "best", "top_10", "top_100"),
    *("diversity", "circles", "proxy_rmse", "proxy_bias", "proxy_spearman", "calls"),
)
#: Columns that no value of a user may be called, besides those of properties.
RESERVED_COLUMNS = frozenset(
    (
        *("SMILES", "Score", "status", "reason", "InChIKey", "scaffold", "standard_SMILES"),
        *(SIMILARITY_COLUMN, "n_fragments", *LIKELIHOOD_COLUMNS),
    )
)


def value_column(target: str, unit: str) -> str:
    """Column of a value, such as ``PARP1_kcal_mol``; without a unit the target itself."""
    return f"{target}_{unit}" if unit else target


def docked_column(target: str) -> str:
    """Column of docked energies, such as ``PARP1_docked_kcal_mol``."""
    return value_column(target + _DOCKED, KCAL_MOL)


def docked_reason_column(target: str) -> str:
    """Column of `molgfn score` that tells why there is no docked energy."""
    return f"{target}{_DOCKED}_reason"


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


def scored_columns(measured: Sequence[str]) -> tuple[str, ...]:
    """Columns of `molgfn score` that tell of a scored molecule.

    Args:
        measured: Columns of the reward; a value is one whose standard deviation is there too.

    Returns:
        The molecule and its Score, values with their standard deviations, what identifies the
        molecule and tells of its size, then what else was measured.
    """
    return _without_repeats(
        ("SMILES", "Score", *_values(measured), "status", "reason", "InChIKey", "scaffold"),
        PROPERTY_COLUMNS,
        (SIMILARITY_COLUMN,) if SIMILARITY_COLUMN in measured else (),
        ("heavy_atoms", *measured),
    )


def docked_columns(target: str) -> tuple[str, ...]:
    """Columns of `molgfn dock` before the further ones of its input."""
    status = ("status", "reason", "InChIKey", "standard_SMILES")
    return ("SMILES", docked_column(target), *status)


def batch_columns(value: str | None, measured: Sequence[str]) -> tuple[str, ...]:
    """Columns of the batch of a round, which `molgfn rounds propose` writes."""
    return _without_repeats(
        ("SMILES", "Score", *(() if value is None else (value, std_column(value)))),
        ("acquisition", "nearest_earlier", "nearest_earlier_similarity", "cluster", "checkpoint"),
        ("ledger_entry", "InChIKey", "scaffold", *measured),
    )


#: The batch of round 0, which no policy proposed.
INITIAL_COLUMNS = ("SMILES", "ledger_entry", "InChIKey", "scaffold")


def round_columns(batch: Sequence[str], measured: str) -> tuple[str, ...]:
    """Columns of ``round_NN.csv``: those of its batch, the measured value after the acquisition."""
    place = batch.index("acquisition") + 1 if "acquisition" in batch else 1
    return (*batch[:place], measured, "relation", "status", "reason", *batch[place:])


def _values(measured: Sequence[str]) -> Iterable[str]:
    for name in measured:
        if std_column(name) in measured:
            yield from (name, std_column(name))


def _without_repeats(*parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))
