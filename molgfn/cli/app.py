"""The command line `molgfn`: every command in one place.

Modules of commands import nothing heavy at their top, so `molgfn --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from molgfn import __version__
from molgfn.cli.boundary import BoundaryGroup
from molgfn.cli.config import config_app
from molgfn.cli.dock import dock
from molgfn.cli.evaluate import evaluate
from molgfn.cli.fragments import fragments_app
from molgfn.cli.prior import prior_app
from molgfn.cli.proxy import proxy_app
from molgfn.cli.rounds import rounds_app
from molgfn.cli.sample import sample
from molgfn.cli.score import score
from molgfn.cli.select import select
from molgfn.cli.targets import targets_app
from molgfn.cli.train import train
from molgfn.cli.verify import verify

EXIT_TERMINATED = 143

app = typer.Typer(
    name="molgfn",
    cls=BoundaryGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"molgfn {__version__}")
        raise typer.Exit


@app.callback()
def molgfn(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Design diverse molecules in proportion to their reward.

    Standard output carries CSV only; progress and messages go to standard error. Exit codes: 0
    done, 1 fault, 2 usage, 3 bad configuration or input file, 4 some rows failed under --strict,
    5 fewer results than asked for, 130 and 143 stopped by a signal.
    """


for _command in (train, sample, score, select, dock, evaluate, verify):
    app.command()(_command)
app.add_typer(rounds_app, name="rounds")
app.add_typer(prior_app, name="prior")
app.add_typer(proxy_app, name="proxy")
app.add_typer(targets_app, name="targets")
app.add_typer(fragments_app, name="fragments")
app.add_typer(config_app, name="config")


def main() -> None:
    """Run the command line."""
    # Leave through the usual way out, so that temporary files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    app(prog_name="molgfn")
