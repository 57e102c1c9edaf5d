"""``molgfn score``: add scores and properties to molecules from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    file: Annotated[
        str, typer.Argument(help="CSV or SMILES file, .gz allowed; - is standard input.")
    ] = "-",
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES; default: SMILES.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration with the reward; default: the shipped one."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as reward.proxy=mine."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when a row could not be scored.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """Score molecules: Score, predicted value and its uncertainty, properties.

    Example: molgfn score library.smi -o scored.csv

    One row comes out for each that goes in, in the same order and with its further columns. A row
    that cannot be scored has a status, a reason and no values.
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.config.loader import load_config
    from molgfn.errors import RowsFailedError
    from molgfn.report.scored import replaced_columns, score_table
    from molgfn.reward.reward import build_reward
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink

    checked = load_config(config, settings if settings is not None else [])
    failed: list[str] = []
    with csv_sink(output) as sink:
        table = read_molecule_table(file, smiles_column)
        reward = build_reward(checked.reward)
        replaced = [c for c in replaced_columns(table, reward) if c != table.smiles_column]
        if replaced:
            typer.echo(f"computed anew, not taken from the input: {', '.join(replaced)}", err=True)
        with progress_bar("score", len(table)) as advance:
            for frame in score_table(table, reward):
                bad = frame[frame["status"].isin(["invalid", "failed", "timeout"])]
                failed += [
                    f"row {sink.n_rows + int(i) + 1} is {status}: {reason}"
                    for i, status, reason in zip(
                        bad.index, bad["status"], bad["reason"], strict=True
                    )
                ]
                sink.write(frame)
                advance(len(frame))
    typer.echo(f"scored {len(table) - len(failed)} of {len(table)} rows", err=True)
    for line in failed[:5]:
        typer.echo(line, err=True)
    if len(failed) > 5:
        typer.echo(f"and {len(failed) - 5} more; see the columns status and reason", err=True)
    if failed and strict:
        raise RowsFailedError(f"{len(failed)} of {len(table)} rows could not be scored (--strict)")
