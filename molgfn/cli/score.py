"""``molgfn score``: add scores and properties to molecules from anywhere."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.cli.docking_options import PRESET_HELP, TARGET_HELP, WORKERS_HELP
from molgfn.cli.options import check_beta, settle_beta

if TYPE_CHECKING:
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
    from molgfn.cli.docking_options import opened_docking
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.errors import RowsFailedError, UsageError
    from molgfn.reward.reward import build_reward
    from molgfn.tables.reader import opened_molecule_table
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.score import score_and_write

    if not log_likelihood and (policy is not None or beta is not None):
        given = "--policy" if policy is not None else "--beta"
        raise UsageError(f"{given} says whose likelihood; add --log-likelihood, or leave it out")
    _check_oracle(oracle, target=target, preset=preset, workers=workers)
    checked = load_config(config, settings if settings is not None else [])
    with csv_sink(output) as sink, opened_molecule_table(file, smiles_column) as table:
        reward = build_reward(checked.reward)
        likelihood = _policy_likelihood(policy, beta) if log_likelihood else None
        docks = nullcontext() if oracle is None else opened_docking(target, preset, workers)
        with docks as docking:
            found = score_and_write(
                table,
                reward,
                sink.write,
                likelihood=likelihood,
                docking=docking,
                progress=progress_bar,
                tell=say,
            )
    for line in found.lines():
        say(line)
    if strict and found.complaint:
        raise RowsFailedError(found.complaint)


def _check_oracle(oracle: str | None, **options: object) -> None:
    from molgfn.errors import UsageError

    given = [f"--{name}" for name, value in options.items() if value is not None]
    if oracle is None and given:
        raise UsageError(f"{given[0]} says how to dock; add --oracle vina, or leave it out")
    if oracle not in (None, "vina"):
        raise UsageError(f"--oracle must be vina, got {oracle!r}")


def _policy_likelihood(run: Path | None, beta: float | None) -> MoleculeLikelihood:
    from molgfn.molecules.likelihood import MoleculeLikelihood
    from molgfn.molecules.sampler import load_sampler

    sampler = load_sampler(run)
    return MoleculeLikelihood(sampler.env, sampler.policy, sampler.ask(settle_beta(sampler, beta)))
