"""``molgfn dock``: dock molecules from anywhere."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import say
from molgfn.cli.docking_options import PRESET_HELP, TARGET_HELP, WORKERS_HELP


def dock(
    file: Annotated[
        str, typer.Argument(help="CSV or SMILES file, .gz allowed; - is standard input.")
    ] = "-",
    target: Annotated[str | None, typer.Option("--target", "-t", help=TARGET_HELP)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
    poses: Annotated[
        Path | None, typer.Option("--poses", help="SD file for the best poses, .gz allowed.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", help=PRESET_HELP)] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help=WORKERS_HELP)] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option(
            "--timeout", min=1.0, help="Time limit of a molecule in s; default: 300 a conformer."
        ),
    ] = None,
    max_failures: Annotated[
        int | None,
        typer.Option(
            "--max-failures",
            min=1,
            help="Stop after this many timeouts or crashes in a row; default: 10.",
        ),
    ] = None,
    smiles_column: Annotated[
        str | None, typer.Option("--smiles-column", help="Column with the SMILES; default: SMILES.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when a row could not be docked.")
    ] = False,
) -> None:
    """Dock molecules with AutoDock Vina: energies in kcal/mol, more negative is better.

    Example: molgfn dock library.smi --target PARP1 -o docked.csv --poses poses.sdf

    One row comes out for each that goes in, in the same order and with its further columns, plus
    TARGET_docked_kcal_mol, status (ok, failed, timeout or invalid), reason, InChIKey and the
    standard_SMILES that was docked: without counter-ions, neutral, as `molgfn score` has it. A row
    that cannot be docked has a reason and no energy.

    The same molecule, target and preset always give the same energy. Every result is kept at once
    (in MOLGFN_CACHE_DIR, else ~/.cache/molgfn) and shared by all commands: after Ctrl-C, a kill or
    a power cut the same command goes on where it was.
    """
    from molgfn.cli.docking_options import opened_docking
    from molgfn.cli.progress import progress_bar
    from molgfn.errors import RowsFailedError
    from molgfn.tables.reader import read_molecule_table
    from molgfn.tables.sink import csv_sink, sdf_sink
    from molgfn.workflows.dock import dock_and_write

    with csv_sink(output) as sink, nullcontext() if poses is None else sdf_sink(poses) as pose:
        table = read_molecule_table(file, smiles_column)
        with opened_docking(target, preset, workers, timeout_s, max_failures) as docking:
            failures = dock_and_write(
                table, docking, sink.write, pose, progress=progress_bar, tell=say
            )
    for line in (failures.summary, *failures.shown()):
        say(line)
    if failures.n_failed and strict:
        raise RowsFailedError(failures.complaint)
