"""``molgfn verify``: does the sampler follow the reward exactly, where all states can be listed?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from molgfn.cli.options import MAX_SEED, check_beta

if TYPE_CHECKING:
    from molgfn.gfn.space import Space
    from molgfn.molecules.env.fragment_env import FragmentEnv
    from molgfn.molecules.env.states import FragmentStates
    from molgfn.molecules.run_directory import RunDirectory

    #: All states of a space, and the terminal ones.
    Listed = tuple[Space[FragmentStates], FragmentStates]

#: Rewards between the modes of the grids of Bengio et al. 2021.
DEFAULT_R0 = (0.1, 0.01, 0.001)


def verify(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="YAML file with a small vocabulary; default: the 10 commonest fragments of "
            "the shipped one, up to 3 in a molecule."
        ),
    ] = None,
    env: Annotated[
        Literal["fragments", "hypergrid"], typer.Option(help="Molecules, or the paper's toy grid.")
    ] = "fragments",
    run: Annotated[
        Path | None, typer.Option("--run", help="Take this trained run instead of training one.")
    ] = None,
    fragments: Annotated[
        int | None, typer.Option(min=1, help="Keep this many of the commonest fragments.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as train.steps=500."),
    ] = None,
    symmetry_correction: Annotated[
        bool,
        typer.Option(
            "--symmetry-correction/--no-symmetry-correction",
            help="Without, the sampler must come out biased: the negative control.",
        ),
    ] = True,
    beta: Annotated[
        float | None,
        typer.Option(help="Exponent; default: the largest trained for.", callback=check_beta),
    ] = None,
    r0: Annotated[
        list[float] | None,
        typer.Option("--r0", help="Hypergrid: reward between modes; default: 0.1, 0.01, 0.001."),
    ] = None,
    dimensions: Annotated[int, typer.Option(min=1, help="Hypergrid: dimensions.")] = 4,
    side: Annotated[int, typer.Option(min=2, help="Hypergrid: cells along a dimension.")] = 8,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_SEED, help="Same seed, same run; default: that of CONFIG, else 0."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Directory of the results; default: runs/verify/DATE_TIME."
        ),
    ] = None,
) -> None:
    """Train on a space small enough to list, and compare the exact sampler with reward / Z.

    Example: molgfn verify

    Prints the comparison as CSV and saves verify.json and verify.png. Takes some minutes.
    `molgfn verify --no-symmetry-correction` shows what the correction is for; `molgfn verify
    --env hypergrid` runs the toy domain of the first paper with the same trainer.
    """
    from molgfn.errors import UsageError
    from molgfn.molecules.run_directory import RUNS, RunDirectory, default_run_directory

    place = default_run_directory(RUNS / "verify") if output is None else output
    changes = list(settings or [])
    if env == "hypergrid":
        if config or run or fragments or beta or not symmetry_correction:
            raise UsageError("--env hypergrid takes --r0, --dimensions, --side, --set, --seed, -o")
        _verify_hypergrid(place, r0 or list(DEFAULT_R0), dimensions, side, changes, seed or 0)
        return
    if r0:
        raise UsageError("--r0 belongs to --env hypergrid")
    source = place if run is None else run
    if run is None:
        changes += [] if seed is None else [f"seed={seed}"]
        changes += [] if symmetry_correction else ["train.symmetry_correction=false"]
        listed = _train(RunDirectory(place), config, fragments, changes)
        _verify_run(source, source, beta, listed)
    elif config or fragments or changes or seed is not None or not symmetry_correction:
        raise UsageError("--run is verified as it was trained; leave CONFIG and settings out")
    else:
        _verify_run(source, source if output is None else output, beta, None)


def _train(
    directory: RunDirectory, config: Path | None, fragments: int | None, changes: list[str]
) -> Listed:
    """Train a run; its states are listed first, as there may be too many."""
    from molgfn.cli.train import run_training
    from molgfn.machine.device import set_up_device
    from molgfn.molecules.task import build_env
    from molgfn.workflows.train import start_training
    from molgfn.workflows.verify import listable_run

    checked, vocabulary = listable_run(config, fragments, changes)
    listed = _list(build_env(checked, vocabulary, set_up_device("cpu")))
    with directory.locked():
        run_training(start_training(checked, directory, vocabulary))
    return listed


def _list(env: FragmentEnv) -> Listed:
    from molgfn.cli.progress import progress_bar
    from molgfn.workflows.verify import list_states

    with progress_bar("list states", None) as advance:
        return list_states(env, advance)


def _verify_run(run: Path, output: Path, beta: float | None, listed: Listed | None) -> None:
    import pandas as pd

    from molgfn.cli.options import settle_beta
    from molgfn.cli.progress import progress_bar
    from molgfn.molecules.sampler import load_sampler
    from molgfn.molecules.target import build_target
    from molgfn.tables.columns import VERIFY_COLUMNS
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.verify import verify_policy

    with csv_sink(None) as sink:
        sampler = load_sampler(run, "cpu")
        condition = sampler.ask(settle_beta(sampler, beta))
        space, terminal = _list(sampler.env) if listed is None else listed
        target = build_target(sampler.config.reward, sampler.env)
        with progress_bar("score", len(terminal)) as advance:
            found = verify_policy(sampler, space, terminal, target, condition, advance)
        found.save(output)
        sink.write(pd.DataFrame(found.measures.items(), columns=VERIFY_COLUMNS))
    typer.echo(f"{found.verdict()}; saved {output / 'verify.json'} and verify.png", err=True)


def _verify_hypergrid(
    output: Path, r0: list[float], dimensions: int, side: int, changes: list[str], seed: int
) -> None:
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.hypergrid.task import GRID_SETTINGS
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.verify_hypergrid import (
        save_tables,
        summary,
        verify_hypergrid,
    )

    train = load_config(None, [*GRID_SETTINGS, *changes]).train
    tables = []
    with csv_sink(None) as sink:
        for value in r0:
            with progress_bar(f"train, R0 = {value:g}", train.steps) as advance:
                table = verify_hypergrid(
                    value,
                    n_dimensions=dimensions,
                    side=side,
                    config=train,
                    seed=seed,
                    on_step=advance,
                )
            tables.append(table)
            sink.write(table)
            typer.echo(summary(table), err=True)
        save_tables(tables, output)
    typer.echo(f"saved {output / 'verify.json'} and verify.png", err=True)
