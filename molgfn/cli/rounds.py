"""``molgfn rounds``: active learning, with a program or a laboratory as oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from molgfn.cli.boundary import say
from molgfn.errors import shell_quoted

if TYPE_CHECKING:
    from molgfn.active.directory import RoundsDirectory
    from molgfn.active.laboratory import Ingested

_DEFAULT_COMMAND = "run"


class _RoundsGroup(TyperGroup):
    """``molgfn rounds CONFIG`` is short for ``molgfn rounds run CONFIG``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where it was left out.

        Args:
            ctx: The command line.
            args: What came after ``rounds``.
        """
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_DEFAULT_COMMAND, *args]
        return list(super().parse_args(ctx, args))


rounds_app = typer.Typer(
    cls=_RoundsGroup,
    help="Rounds of propose, measure, learn: `molgfn rounds CONFIG`, or with your laboratory.",
    no_args_is_help=True,
)


@rounds_app.callback()
def rounds() -> None:
    """Rounds of propose, measure, learn, each batch better than the last.

    `molgfn rounds CONFIG --rounds 5 --batch-size 200` is short for `molgfn rounds run CONFIG …`.
    With a laboratory (rounds.oracle.scorer: lab) a round goes out with `propose` and comes back
    with `ingest`.
    """


@rounds_app.command()
def run(
    config: Annotated[
        Path | None, typer.Argument(help="YAML file; default: the shipped settings.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Directory; default: runs/DATE_TIME.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --run exactly where it stopped.")
    ] = False,
    n_rounds: Annotated[
        int | None, typer.Option("--rounds", min=0, help="Rounds after the initial set.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Molecules of a round.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", min=0, help="Most molecules the oracle is asked for.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that ask the oracle; default: the CPUs.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Ask in a running Dask cluster instead, such as tcp://host:8786."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as rounds.beta=16."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same tables.")] = None,
) -> None:
    """Fit a proxy, train a policy on what to buy, propose, ask the oracle; again and again.

    Example: molgfn rounds --run runs/parp1 --rounds 4 --batch-size 100

    The directory gets round_00.csv (the initial set), round_01.csv and so on, and rounds.csv with
    a plot. Stop it when you like, by Ctrl-C or kill: `molgfn rounds --run DIR --resume` goes on,
    and what was answered is not asked again.
    """
    from molgfn.active.directory import RoundsDirectory
    from molgfn.active.executors import open_executor
    from molgfn.active.loop import begin, opened, run_rounds
    from molgfn.cli.options import check_resume
    from molgfn.config.loader import load_config
    from molgfn.molecules.run_directory import default_run_directory
    from molgfn.workflows.train import StopTraining

    overrides = list(settings or [])
    for key, value in (
        ("rounds.rounds", n_rounds),
        ("rounds.batch_size", batch_size),
        ("rounds.budget", budget),
        ("seed", seed),
    ):
        overrides += [] if value is None else [f"{key}={value}"]
    check_resume(resume, run, config)
    directory = RoundsDirectory(default_run_directory() if run is None else run)
    checked = None if resume else load_config(config, overrides)
    with directory.locked(), open_executor(scheduler, workers) as executor:
        if checked is not None:
            begin(checked, directory)
        say(f"run directory: {directory.path}")
        with opened(directory, overrides if resume else [], _progress, say) as opened_rounds:
            try:
                end = run_rounds(opened_rounds, executor)
            except (StopTraining, KeyboardInterrupt) as stopped:
                say(f"everything so far is kept; {_how_to_go_on(directory)}")
                if isinstance(stopped, StopTraining):
                    raise typer.Exit(128 + stopped.signal_number) from stopped
                raise
    say(end)
    _show_summary(directory)


@rounds_app.command()
def propose(
    run: Annotated[Path, typer.Argument(help="Directory of the rounds.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """Write the batch that your laboratory is to measure next.

    Example: molgfn rounds propose runs/assay -o batch.csv

    As long as nothing of the last batch has come back, that one is written again. After that a new
    proxy is fitted to all values and a new batch proposed; a molecule is never proposed twice.
    """
    from molgfn.active.directory import RoundsDirectory
    from molgfn.active.laboratory import propose as propose_next
    from molgfn.active.loop import opened
    from molgfn.tables.sink import csv_sink

    directory = RoundsDirectory(run)
    directory.check_begun()
    with (
        csv_sink(output) as sink,
        directory.locked(),
        opened(directory, [], _progress, say) as rounds,
    ):
        frame, note = propose_next(rounds)
        sink.write(frame)
    say(
        f"{note}; bring the values of {rounds.column} with `molgfn rounds ingest "
        f"{shell_quoted(run)} FILE`"
    )


@rounds_app.command()
def ingest(
    run: Annotated[Path, typer.Argument(help="Directory of the rounds.")],
    file: Annotated[str, typer.Argument(help="CSV with measured molecules; - is stdin.")],
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES; default: SMILES.")
    ] = None,
) -> None:
    """Take in what your laboratory measured.

    Example: molgfn rounds ingest runs/assay measured.csv

    Molecules are recognised by their structure, in any order; some may be missing or come later.
    A cell may be a number, a bound such as "> 50 uM", "failed", or empty. A value that comes again
    is a further repeat and averaged; "corrected" in a column status replaces what came before.
    """
    from molgfn.active.directory import RoundsDirectory
    from molgfn.active.laboratory import ingest as take_in
    from molgfn.active.loop import opened
    from molgfn.tables.reader import read_molecule_table

    directory = RoundsDirectory(run)
    directory.check_begun()
    table = read_molecule_table(file, smiles_column)
    with directory.locked(), opened(directory, [], tell=say) as rounds:
        found = take_in(rounds, table)
    _say_ingested(found)


@rounds_app.command()
def ledger(
    run: Annotated[Path, typer.Argument(help="Directory of the rounds.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """Write every call of the oracle: when, for whom, at what cost, with what answer.

    Example: molgfn rounds ledger runs/parp1 > ledger.csv
    """
    from molgfn.active.directory import RoundsDirectory
    from molgfn.active.ledger import Ledger
    from molgfn.tables.sink import csv_sink

    directory = RoundsDirectory(run)
    directory.check_begun()
    with csv_sink(output) as sink, Ledger(directory.ledger) as opened_ledger:
        sink.write(opened_ledger.frame())


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for every phase; without a terminal a line that says it has begun."""
    from molgfn.cli.progress import progress_bar

    if not sys.stderr.isatty():
        say(f"{label} ({total})")
    with progress_bar(label, total) as advance:
        yield advance


def _how_to_go_on(directory: RoundsDirectory) -> str:
    return f"go on with `molgfn rounds --run {shell_quoted(directory.path)} --resume`"


def _say_ingested(found: Ingested) -> None:
    from molgfn.errors import a_few

    failed = f", {found.n_failed} of them failed" if found.n_failed else ""
    say(f"{found.n_new} new answers{failed}; {found.n_same} stay what they were")
    for what, lines in (
        ("changed by what came", found.changed),
        ("never proposed, not taken in", found.unknown),
        ("measurements do not agree", found.disagreeing),
    ):
        if lines:
            say(f"{len(lines)} {what}: {a_few(lines)}")
    say(f"{found.n_waiting} proposed molecules still wait")


def _show_summary(directory: RoundsDirectory) -> None:
    """The summary as a table on standard error."""
    import pandas as pd

    if directory.summary.exists():
        frame = pd.read_csv(directory.summary)
        names = ["round", "measured", "batch_mean", "best", "top_10", "circles", "proxy_rmse"]
        say(frame[names].to_string(index=False, float_format="%.3g", na_rep=""))
