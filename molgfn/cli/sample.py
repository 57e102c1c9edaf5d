"""``molgfn sample``: distinct molecules from a trained policy, as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.cli.options import MAX_SEED, check_beta, check_device_option, settle_beta


def sample(
    run: Annotated[
        Path | None,
        typer.Argument(help="Run directory; default: the newest in runs/, else the shipped one."),
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Distinct molecules to draw.")] = 1000,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Low is diverse, high is greedy; default: the largest trained for.",
            callback=check_beta,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same CSV.")] = 0,
    score: Annotated[
        bool, typer.Option("--score", help="Add the columns of `molgfn score`.")
    ] = False,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, help="Write only the K best of the n by Score, far apart."),
    ] = None,
    min_distance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Tanimoto distance kept by --top-k.")
    ] = 0.3,
    rejection_control: Annotated[
        bool | None,
        typer.Option(
            "--rejection-control/--no-rejection-control",
            help="Reject draws that come more often than their reward asks for, or take all, which "
            "is faster; default: reject, unless a scorer of your own would have to score them.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:N.", callback=check_device_option)
    ] = "auto",
) -> None:
    """Sample diverse molecules in proportion to their reward.

    Example: molgfn sample --n 1000 --top-k 100 --min-distance 0.3 > candidates.csv

    Exit code 5: fewer than asked for could be found; what there is has been written.
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.errors import ShortfallError, UsageError
    from molgfn.molecules.sampler import load_sampler
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.sample import candidate_table, draw_candidates

    if top_k is not None and top_k > n:
        raise UsageError(f"--top-k {top_k} cannot be taken from --n {n}; raise --n")
    with csv_sink(output) as sink:
        sampler = load_sampler(run, device)
        batches = draw_candidates(
            sampler,
            n,
            condition=sampler.ask(settle_beta(sampler, beta)),
            seed=seed,
            rejection_control=rejection_control,
            tell=lambda note: say(f"{note}; --rejection-control does"),
        )
        with progress_bar("sample", n) as advance:
            for frame in candidate_table(
                batches,
                sampler,
                score=score,
                top_k=top_k,
                min_distance=min_distance,
                on_drawn=advance,
            ):
                sink.write(frame)
        written = sink.n_rows
    wanted = n if top_k is None else top_k
    if written < wanted:
        raise ShortfallError(
            f"{written} of {wanted} molecules written: the policy gave no more; "
            + ("lower --beta" if top_k is None else "raise --n or lower --min-distance")
        )
