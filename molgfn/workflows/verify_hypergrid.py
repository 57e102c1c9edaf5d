"""The first paper's toy domain: how many states must be visited to find all modes and fit R/Z."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from molgfn.config.schema import TrainConfig
from molgfn.hypergrid.env import Hypergrid
from molgfn.hypergrid.task import GridTraining
from molgfn.machine.files import write_faults_named, write_file
from molgfn.tables.columns import HYPERGRID_COLUMNS

#: Rows of the table for each R0.
REPORTS = 10


def verify_hypergrid(
    r0: float,
    *,
    n_dimensions: int,
    side: int,
    config: TrainConfig,
    seed: int,
    on_step: Callable[[int], None],
) -> pd.DataFrame:
    """Train on one grid and follow empirical L1 and modes against visited states.

    Returns:
        ``REPORTS`` rows with the columns ``HYPERGRID_COLUMNS``: all_modes_after is empty before
        all are found; empirical_l1 is that of the last 200,000 visited states, perfect_l1 what a
        perfect sampler with as many samples is expected to have, exact_l1 that of the policy.
    """
    env = Hypergrid(n_dimensions, side, r0)
    training = GridTraining(env, config, seed=seed)
    rows = []
    for progress in training.steps(REPORTS):
        on_step(1)
        if progress is not None:
            found = training.target.found_after
            complete = len(found) == env.n_modes
            rows.append(
                {
                    "r0": r0,
                    **asdict(progress),
                    "all_modes": env.n_modes,
                    "all_modes_after": max(found.values()) if complete else None,
                }
            )
    return pd.DataFrame(rows, columns=list(HYPERGRID_COLUMNS))


def summary(table: pd.DataFrame) -> str:
    """Say in one line how the training on a grid ended."""
    last = table.to_dict("records")[-1]
    found = f"{last['modes']} of {last['all_modes']} modes"
    if last["modes"] == last["all_modes"]:
        found += f", the last after {last['all_modes_after']:.0f} visited states"
    return f"R0 {last['r0']:g}: {found}; exact L1 {last['exact_l1']:.3f}"


def save_tables(tables: Sequence[pd.DataFrame], directory: Path) -> None:
    """Write ``verify.json`` with all rows and ``verify.png`` with L1 against visited states.

    Args:
        tables: What :func:`verify_hypergrid` returned, one for each R0.
        directory: Where; made if it is not there.

    Raises:
        OutputError: The files cannot be written.
    """
    from molgfn.report.plots import plot_curves

    rows = json.loads(pd.concat(tables).to_json(orient="records"))
    with write_faults_named(directory):
        directory.mkdir(parents=True, exist_ok=True)
    write_file(directory / "verify.json", json.dumps(rows, indent=1) + "\n")
    curves = {}
    for table in tables:
        visited = table["visited"].tolist()
        name = f"R0 = {table['r0'].iloc[0]:g}"
        curves[f"{name}, visited states"] = (visited, table["empirical_l1"].tolist())
        curves[f"{name}, policy (exact)"] = (visited, table["exact_l1"].tolist())
    plot_curves(directory / "verify.png", curves, "visited states", "L1 distance from R/Z")
