"""``molgfn evaluate``: a trained policy beside random trajectories, and against its target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.options import MAX_SEED, check_beta, settle_beta


def evaluate(
    run: Annotated[
        Path | None,
        typer.Argument(help="Run directory; default: the newest in runs/, else the shipped one."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="Molecules of your own to measure too: CSV or SMILES file."),
    ] = None,
    smiles_column: Annotated[
        str | None,
        typer.Option("--smiles-column", help="Column of --file with SMILES; default: SMILES."),
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=10, help="Trajectories of each.")] = 1000,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Exponent of the reward; default: the largest trained for.", callback=check_beta
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same table.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV; default: stdout.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Image of proxy and control over training, .png or .svg."),
    ] = None,
) -> None:
    """Compare a trained policy with random legal trajectories and with its target.

    Example: molgfn evaluate runs/first --n 1000 --file known_actives.csv

    Besides the quality of the molecules it prints how exactly they are sampled in proportion to
    the reward: a perfect sampler has slope 1 and rmse 0 over held-out molecules, which its training
    did not score. All columns describe what `molgfn sample` draws, except `policy`, which is
    without rejection control. Warnings of mode collapse, of misfit and, where the proxy has a
    control, of a policy that exploits the proxy's errors go to standard error.
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.errors import UsageError
    from molgfn.molecules.sampler import load_sampler
    from molgfn.report.exploitation import recorded
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.evaluate import evaluate_sampler

    if smiles_column is not None and file is None:
        raise UsageError("--smiles-column names a column of --file; give that too")
    with csv_sink(output) as sink:
        given = None if file is None else read_molecule_table(file, smiles_column)
        sampler = load_sampler(run)
        if plot is not None and not recorded(sampler):
            raise UsageError(
                f"--plot draws proxy and control over training, which {sampler.source} has no "
                "record of; only a run whose proxy has a control keeps one, leave --plot out"
            )
        condition = sampler.ask(settle_beta(sampler, beta))
        evaluation = evaluate_sampler(
            sampler, n, condition=condition, seed=seed, given=given, progress=progress_bar
        )
        sink.write(evaluation.table.rename_axis("measure").reset_index())
    if plot is not None and evaluation.divergence is not None:
        evaluation.divergence.plot(plot)
    for note in evaluation.notes:
        typer.echo(note, err=True)
