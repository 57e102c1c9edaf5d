"""``molgfn score``: add scores and properties to molecules from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.cli.options import check_beta, settle_beta

if TYPE_CHECKING:
    from molgfn.runs.molecule_likelihood import MoleculeLikelihood


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
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.errors import RowsFailedError, UsageError
    from molgfn.report.scored import replaced_columns, score_table
    from molgfn.reward.reward import build_reward
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink

    if not log_likelihood and (policy is not None or beta is not None):
        given = "--policy" if policy is not None else "--beta"
        raise UsageError(f"{given} says whose likelihood; add --log-likelihood, or leave it out")
    checked = load_config(config, settings if settings is not None else [])
    failed: list[str] = []
    n_likely = 0
    with csv_sink(output) as sink:
        table = read_molecule_table(file, smiles_column)
        reward = build_reward(checked.reward)
        likelihood = _policy_likelihood(policy, beta) if log_likelihood else None
        replaced = [
            c
            for c in replaced_columns(table, reward, with_likelihood=log_likelihood)
            if c != table.smiles_column
        ]
        if replaced:
            typer.echo(f"computed anew, not taken from the input: {', '.join(replaced)}", err=True)
        with progress_bar("score", len(table)) as advance:
            for frame in score_table(table, reward, likelihood):
                bad = frame[frame["status"].isin(["invalid", "failed", "timeout"])]
                failed += [
                    f"row {sink.n_rows + int(i) + 1} is {status}: {reason}"
                    for i, status, reason in zip(
                        bad.index, bad["status"], bad["reason"], strict=True
                    )
                ]
                if log_likelihood:
                    n_likely += int(frame["log_likelihood"].notna().sum())
                sink.write(frame)
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
    if failed and strict:
        raise RowsFailedError(f"{len(failed)} of {len(table)} rows could not be scored (--strict)")


def _policy_likelihood(run: Path | None, beta: float | None) -> MoleculeLikelihood:
    from molgfn.runs.molecule_likelihood import MoleculeLikelihood
    from molgfn.runs.sampler import load_sampler

    sampler = load_sampler(run)
    return MoleculeLikelihood(sampler.env, sampler.policy, settle_beta(sampler, beta))
