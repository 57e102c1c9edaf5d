"""``molgfn select``: the best molecules that keep a distance from each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.config.choices import SelectionMethod

if TYPE_CHECKING:
    import pandas as pd


#: Columns shown by --show, where the table has them, and how; predicted values follow Score.
_SHOWN = {
    "Score": ".3f",
    "QED": ".2f",
    "SA": ".2f",
    "MW": ".0f",
    "nearest_train_similarity": ".2f",
    "SMILES": "",
}


def select(
    file: Annotated[
        str, typer.Argument(help="CSV with scores, .gz allowed; - is standard input.")
    ] = "-",
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="How many molecules to select.")
    ] = 100,
    min_distance: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Tanimoto distance that every two keep at least."),
    ] = 0.3,
    method: Annotated[
        SelectionMethod,
        typer.Option(
            help="greedy: from the best score down. max_min: of the best 10 x K, always the one "
            "farthest from those selected. log_det: of as many, score against likeness (k-DPP)."
        ),
    ] = "greedy",
    max_per_scaffold: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most molecules with the same Murcko scaffold; those without rings have none; "
            "default: no cap.",
        ),
    ] = None,
    score_column: Annotated[
        str, typer.Option("--score-column", help="Column to select by, higher is better.")
    ] = "Score",
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES; default: SMILES.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Also print the selection on standard error.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """Select the best molecules, every two at least --min-distance apart.

    Example: molgfn sample --n 1000 | molgfn score | molgfn select --top-k 50 > batch.csv

    One that lies too near a molecule selected before is left out, whatever the --method; the best
    score is always in. All columns are kept. Rows are read from the best score down, no further
    than needed. Exit code 5: fewer than K could be selected; they have been written.
    """
    from molgfn.errors import ShortfallError
    from molgfn.report.selected import shortfall
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink
    from molgfn.workflows.select import select_rows

    with csv_sink(output) as sink:
        table = read_molecule_table(file, smiles_column)
        selection = select_rows(
            table,
            top_k,
            min_distance,
            score_column,
            method=method,
            max_per_scaffold=max_per_scaffold,
        )
        sink.write(selection.frame)
    if show:
        _print(selection.frame)
    skipped = selection.n_unscored + selection.n_unreadable
    if skipped:
        say(
            f"left out {skipped} of {len(table)} rows: {selection.n_unscored} without a number in "
            f"{score_column}, {selection.n_unreadable} with an unreadable SMILES"
        )
    if len(selection.frame) < top_k:
        limits = shortfall(
            len(selection.frame),
            selection.n_candidates,
            selection.n_over_cap,
            min_distance=min_distance,
            max_per_scaffold=max_per_scaffold,
        )
        raise ShortfallError(f"{len(selection.frame)} of {top_k} molecules selected: {limits}")


def _print(frame: pd.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table

    from molgfn.tables.columns import std_column

    predicted = [c for c in frame.columns if std_column(c) in frame.columns]
    first, *rest = _SHOWN
    names = [c for c in (first, *predicted, *rest) if c in frame.columns]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    for name in names:
        is_text = name == "SMILES"
        table.add_column(
            name.replace("_", " "), justify="left" if is_text else "right", no_wrap=is_text
        )
    for rank, row in enumerate(frame[names].itertuples(index=False), start=1):
        table.add_row(str(rank), *map(_brief, names, row))
    # Outside a terminal the width is unknown; wide enough for a SMILES in full.
    console = Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _brief(name: str, value: object) -> str:
    text, style = str(value), _SHOWN.get(name, ".2f")
    try:
        return format(float(text), style) if style else text
    except ValueError:  # a column of the user's own
        return text
