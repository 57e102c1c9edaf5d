"""``molgfn evaluate``: a trained policy beside random legal trajectories."""

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
) -> None:
    """Compare molecules of a trained policy with random legal ones.

    Example: molgfn evaluate runs/first --n 1000
    """
    from molgfn.report.evaluation import compare_with_random
    from molgfn.runs.sampler import load_sampler
    from molgfn.tables.sink import csv_sink

    with csv_sink(output) as sink:
        sampler = load_sampler(run)
        chosen = settle_beta(sampler, beta)
        table = compare_with_random(sampler, n, beta=chosen, seed=seed)
        sink.write(table.rename_axis("measure").reset_index())
