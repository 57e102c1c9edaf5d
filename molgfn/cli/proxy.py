"""``molgfn proxy``: fit a proxy on measured or docked molecules, and test it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.cli.options import MAX_SEED

proxy_app = typer.Typer(
    help="Learn a fast stand-in for docking or for your own measurements.", no_args_is_help=True
)


@proxy_app.callback()
def proxy() -> None:
    """Learn a fast stand-in for docking or for your own measurements."""


@proxy_app.command()
def fit(
    data: Annotated[str, typer.Argument(help="CSV with molecules and values; - is stdin.")],
    target_column: Annotated[
        str, typer.Option("--target-column", help="Column to learn, such as PARP1_kcal_mol.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for the proxy; replaced if it is one.")
    ],
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES.")
    ] = None,
    target_name: Annotated[
        str | None,
        typer.Option(help="Name of the target; default: the column without its _docked_kcal_mol."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Unit in column names; default: kcal_mol where the column ends so."),
    ] = None,
    members: Annotated[int, typer.Option(min=2, help="Networks in the ensemble.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Same data and seed, same proxy.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the data.")] = 60,
) -> None:
    """Fit an ensemble of message-passing networks and test it on unseen scaffolds.

    Example: molgfn proxy fit assay.csv --target-column pIC50 -o my_proxy

    Rows without a number or with an unreadable molecule are reported and left out.
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.reward.proxy.fit import FitSettings
    from molgfn.reward.proxy.training import TrainingSettings
    from molgfn.workflows.fit_proxy import fit_on_table

    fit_on_table(
        data,
        target_column,
        output,
        FitSettings(members, seed=seed, training=TrainingSettings(epochs=epochs)),
        smiles_column=smiles_column,
        target=target_name,
        unit=unit,
        progress=progress_bar,
        tell=say,
    )


@proxy_app.command()
def evaluate(
    tested: Annotated[
        str,
        typer.Argument(
            metavar="PROXY or DATA",
            help="A proxy, to see how it did on the molecules its fit held out; or a CSV with "
            "measured molecules to test --proxy on.",
        ),
    ] = "parp1",
    proxy_name: Annotated[
        str, typer.Option("--proxy", help="With DATA: name or directory of the proxy.")
    ] = "parp1",
    target_column: Annotated[
        str | None,
        typer.Option("--target-column", help="Column of DATA; default: what the proxy predicts."),
    ] = None,
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column of DATA with the SMILES.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Image file for a parity plot, .png or .svg.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="CSV for the single predictions.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV; default: stdout.")
    ] = None,
) -> None:
    """Measure a proxy on molecules it did not learn from, beside simpler models.

    Example: molgfn proxy evaluate new_measurements.csv --proxy my_proxy --plot parity.png

    The size residual is what heavy atoms alone do not explain. Calibration of the standard
    deviation and errors by similarity to the training molecules go to standard error.
    """
    from molgfn.errors import UsageError
    from molgfn.reward.proxy.store import find_proxy, is_proxy
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.evaluate_proxy import evaluate_on, evaluate_own_test

    if is_proxy(tested) and (target_column is not None or smiles_column is not None):
        raise UsageError("--target-column and --smiles-column name columns of DATA; give a CSV")
    with csv_sink(output) as sink:
        evaluation = (
            evaluate_own_test(find_proxy(tested))
            if is_proxy(tested)
            else evaluate_on(find_proxy(proxy_name), tested, smiles_column, target_column)
        )
        sink.write(evaluation.table)
    if predictions is not None:
        with csv_sink(predictions) as sink:
            sink.write(evaluation.held_out)
    if plot is not None:
        evaluation.save_plot(plot)
    for note in evaluation.notes:
        say(note)
