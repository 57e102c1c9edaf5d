"""``molgfn score``: add scores and properties to molecules from anywhere."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.cli.docking import PRESET_HELP, TARGET_HELP, WORKERS_HELP
from molgfn.cli.options import check_beta, settle_beta

if TYPE_CHECKING:
    import pandas as pd

    from molgfn.molecules.likelihood import MoleculeLikelihood


def score(
    file: Annotated[
        str, typer.Argument(help="CSV or SMILES file, .gz allowed; - is standard input.")
    ] = "-",
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES; default: SMILES.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration with the reward; default: the shipped one."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as reward.proxy=mine."),
    ] = None,
    log_likelihood: Annotated[
        bool,
        typer.Option("--log-likelihood", help="Add how probable a policy makes each molecule."),
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="RUN",
            help="Run of that policy; default: the newest in runs/, else the shipped one.",
        ),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Beta the policy is asked for; default: the largest trained for.",
            callback=check_beta,
        ),
    ] = None,
    oracle: Annotated[
        str | None,
        typer.Option("--oracle", help="vina also docks every molecule; the reward stays as it is."),
    ] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help=TARGET_HELP)] = None,
    preset: Annotated[str | None, typer.Option("--preset", help=PRESET_HELP)] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help=WORKERS_HELP)] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when a row could not be scored.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """Score molecules: Score, predicted value and its uncertainty, properties.

    Example: molgfn score library.smi -o scored.csv

    One row comes out for each that goes in, in the same order and with its further columns. A row
    that cannot be scored has a status, a reason and no values.

    Example: molgfn score actives.smi --log-likelihood --policy runs/first --beta 32

    adds log_likelihood, the natural logarithm of the exact probability that the policy draws the
    molecule; n_trees, the number of fragment trees it is summed over; and log_likelihood_reason
    where there is none.

    Example: molgfn score candidates.csv --oracle vina --target PARP1 -o scored.csv

    adds PARP1_docked_kcal_mol beside the predicted PARP1_kcal_mol, and PARP1_docked_reason where a
    molecule cannot be docked. What `molgfn dock` has docked is not docked again.
    """
    from molgfn.cli.docking import opened_docking
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.errors import RowsFailedError, UsageError
    from molgfn.reward.reward import build_reward
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.dock import add_docking, oracle_columns
    from molgfn.workflows.score import replaced_columns, score_table

    if not log_likelihood and (policy is not None or beta is not None):
        given = "--policy" if policy is not None else "--beta"
        raise UsageError(f"{given} says whose likelihood; add --log-likelihood, or leave it out")
    _check_oracle(oracle, target=target, preset=preset, workers=workers)
    checked = load_config(config, settings if settings is not None else [])
    failed: list[str] = []
    n_likely = n_docked = 0
    with csv_sink(output) as sink, ExitStack() as stack:
        table = read_molecule_table(file, smiles_column)
        reward = build_reward(checked.reward)
        likelihood = _policy_likelihood(policy, beta) if log_likelihood else None
        docking = None
        if oracle is not None:
            docking = stack.enter_context(opened_docking(target, preset, workers))
        added: tuple[str, ...] = () if docking is None else oracle_columns(docking.target, reward)
        replaced = [
            c
            for c in replaced_columns(
                table, reward, with_likelihood=log_likelihood, others_written=added
            )
            if c != table.smiles_column
        ]
        if replaced:
            typer.echo(f"computed anew, not taken from the input: {', '.join(replaced)}", err=True)
        frames = score_table(table, reward, likelihood, added)
        label = "score" if docking is None else "dock"
        advance = stack.enter_context(progress_bar(label, len(table)))
        if docking is not None:
            frames = add_docking(frames, docking, advance)
        for frame in frames:
            failed += _failures(frame, sink.n_rows)
            if log_likelihood:
                n_likely += int(frame["log_likelihood"].notna().sum())
            if added:
                n_docked += int(frame[added[0]].notna().sum())
            sink.write(frame)
            if docking is None:
                advance(len(frame))
    typer.echo(f"scored {len(table) - len(failed)} of {len(table)} rows", err=True)
    if n_likely < len(table) and log_likelihood:
        typer.echo(
            f"{len(table) - n_likely} rows have no log-likelihood; see the column "
            "log_likelihood_reason",
            err=True,
        )
    for line in failed[:5]:
        typer.echo(line, err=True)
    if len(failed) > 5:
        typer.echo(f"and {len(failed) - 5} more; see the columns status and reason", err=True)
    n_undocked = len(table) - n_docked if added else 0
    if n_undocked:
        typer.echo(f"{n_undocked} rows could not be docked; see the column {added[1]}", err=True)
    if failed and strict:
        raise RowsFailedError(f"{len(failed)} of {len(table)} rows could not be scored (--strict)")
    if n_undocked and strict:
        raise RowsFailedError(f"{n_undocked} of {len(table)} rows could not be docked (--strict)")


def _check_oracle(oracle: str | None, **options: object) -> None:
    from molgfn.errors import UsageError

    given = [f"--{name}" for name, value in options.items() if value is not None]
    if oracle is None and given:
        raise UsageError(f"{given[0]} says how to dock; add --oracle vina, or leave it out")
    if oracle not in (None, "vina"):
        raise UsageError(f"--oracle must be vina, came {oracle!r}")


def _failures(frame: pd.DataFrame, n_before: int) -> list[str]:
    bad = frame[frame["status"].isin(["invalid", "failed", "timeout"])]
    return [
        f"row {n_before + int(i) + 1} is {status}: {reason}"
        for i, status, reason in zip(bad.index, bad["status"], bad["reason"], strict=True)
    ]


def _policy_likelihood(run: Path | None, beta: float | None) -> MoleculeLikelihood:
    from molgfn.molecules.likelihood import MoleculeLikelihood
    from molgfn.molecules.sampler import load_sampler

    sampler = load_sampler(run)
    return MoleculeLikelihood(sampler.env, sampler.policy, sampler.ask(settle_beta(sampler, beta)))
