"""``molgfn train``: train a policy, with progress, checkpoints and exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.errors import shell_quoted

if TYPE_CHECKING:
    from molgfn.workflows.train import Training


def train(
    config: Annotated[
        Path | None, typer.Argument(help="YAML file; default: the shipped target and settings.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run directory; default: runs/DATE_TIME.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue --run exactly where its checkpoint stands.")
    ] = False,
    begin_with: Annotated[
        Path | None,
        typer.Option("--from", help="Begin with the policy of a prior or of another run."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as train.steps=500."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same run.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; default: auto.")
    ] = None,
) -> None:
    """Train a policy to build molecules in proportion to their reward.

    Example: molgfn train --run runs/first --set train.steps=500

    The default 4000 steps take about an hour on one core. After 300 the molecules are good; the
    rest makes each come as often as it should.
    Example: molgfn train --run runs/usual --from prior --set reward.prior.name=prior

    Ctrl-C saves and stops; `molgfn train --run runs/first --resume` goes on exactly there.
    """
    from molgfn.cli.options import check_resume
    from molgfn.config.loader import load_config
    from molgfn.errors import UsageError
    from molgfn.molecules.run_directory import RunDirectory, default_run_directory
    from molgfn.workflows.train import resume_training, start_training

    overrides = list(settings or [])
    overrides += [] if seed is None else [f"seed={seed}"]
    overrides += [] if device is None else [f"device={device}"]
    check_resume(resume, run, config)
    if resume and seed is not None:
        raise UsageError("--resume continues with the run's own seed; leave --seed out")
    if resume and begin_with is not None:
        raise UsageError("--resume continues with the run's own policy; leave --from out")
    directory = RunDirectory(default_run_directory() if run is None else run)
    if resume:
        directory.check_begun()
    checked = None if resume else load_config(config, overrides)
    with directory.locked():
        if checked is None:
            training = resume_training(directory, overrides)
        else:
            training = start_training(checked, directory, policy=begin_with)
        run_training(training)
    typer.echo(
        f"trained to step {training.trainer.step}; "
        f"`molgfn sample {shell_quoted(directory.path)} --n 1000 > candidates.csv` draws molecules",
        err=True,
    )


def run_training(training: Training) -> None:
    """Train to the end and show how it goes.

    Raises:
        Exit: A signal stopped it, after saving.
    """
    from molgfn.workflows.train import StopTraining

    try:
        _show_progress(training)
    except StopTraining as stopped:
        typer.echo(
            f"{stopped}; saved at step {training.trainer.step}; continue with "
            f"`molgfn train --run {shell_quoted(training.directory.path)} --resume`",
            err=True,
        )
        raise typer.Exit(128 + stopped.signal_number) from stopped


def _show_progress(training: Training) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Eta

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"run directory: {training.directory.path}", markup=False)
    if training.preflight is not None:
        for line in training.preflight.lines():
            console.print(line, markup=False)
    total, done = training.config.train.steps, training.trainer.step
    columns = (BarColumn(20), TextColumn("{task.fields[text]}"), TimeElapsedColumn(), Eta())
    # Without a terminal there is no bar; ten plain lines tell how it goes.
    plain_every = max(1, total // 10)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("train", total=total, completed=done, text="starting")
        for metrics in training.steps(lambda line: console.print(line, markup=False)):
            text = _describe(metrics, total)
            progress.update(task, advance=1, text=text)
            if not console.is_terminal and metrics["step"] % plain_every == 0:
                console.print(text, markup=False)


def _describe(metrics: dict[str, float], total: int) -> str:
    from molgfn.molecules.scoring.modes import MAX_MODES

    more = "+" if metrics["modes"] >= MAX_MODES else ""
    return (
        f"step {metrics['step']:.0f}/{total}  Score {metrics['score_mean']:.3f}  "
        f"loss {metrics['loss']:.2f}  distinct {metrics['distinct']:.0f}  "
        f"modes {metrics['modes']:.0f}{more}"
    )
