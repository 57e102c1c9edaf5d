"""``molgfn prior``: learn the law of a library, which can multiply a reward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.cli.options import MAX_SEED

prior_app = typer.Typer(help="Learn what molecules of a library look like.", no_args_is_help=True)


@prior_app.callback()
def prior() -> None:
    """Learn what molecules of a library look like."""


@prior_app.command()
def fit(
    library: Annotated[str, typer.Argument(help="CSV or SMILES file; - is stdin.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for the prior, a run directory.")
    ],
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML; default: `molgfn config`.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Same library and seed, same prior.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the library.")] = 40,
) -> None:
    """Fit a policy to the molecules of a library by maximum likelihood.

    Example: molgfn prior fit library.smi -o prior

    Then: molgfn train --run runs/usual --set reward.prior.name=prior

    A training with a prior draws molecules in proportion to p0^weight times the reward, p0 being
    how probable a molecule is under the prior. The exact log p0 of a tenth of the library that is
    held out is told beside that of simpler laws. The same command goes on where it was stopped.
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.workflows.fit_prior import fit_prior

    settings = [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
    fit_prior(
        library,
        output,
        load_config(config, settings),
        epochs,
        smiles_column=smiles_column,
        progress=progress_bar,
        tell=say,
    )
