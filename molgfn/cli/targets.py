"""``molgfn targets``: where molecules can be docked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.errors import shell_quoted

if TYPE_CHECKING:
    from molgfn.reward.docking.docking_target import DockingTarget

targets_app = typer.Typer(help="List, show and add docking targets.", no_args_is_help=True)

Point = tuple[float, float, float]


@targets_app.callback()
def targets() -> None:
    """List, show and add docking targets."""


@targets_app.command("list")
def list_targets(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, .gz allowed; default: stdout.")
    ] = None,
) -> None:
    """List the targets as CSV: name, box in Å, where each comes from.

    Example: molgfn targets list
    """
    import pandas as pd

    from molgfn.reward.docking.catalogue import find_target, has_packaged_targets, target_names
    from molgfn.reward.docking.packages import CURE
    from molgfn.tables.columns import TARGET_COLUMNS
    from molgfn.tables.sink import csv_sink

    with csv_sink(output) as sink:
        found = [find_target(name) for name in target_names()]
        rows = [[t.name, *t.center, *t.size, t.source] for t in found]
        sink.write(pd.DataFrame(rows, columns=TARGET_COLUMNS))
    if not has_packaged_targets():
        typer.echo(f"58 more come with the package dockstring; {CURE}", err=True)


@targets_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a target.")] = "PARP1",
) -> None:
    """Show one target: receptor file, box, digest.

    Example: molgfn targets show PARP1
    """
    from molgfn.cli.boundary import print_text
    from molgfn.reward.docking.catalogue import find_target

    print_text(_described(find_target(name)))


@targets_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the new target.")],
    receptor: Annotated[
        Path, typer.Option("--receptor", help="PDBQT file, or PDB file to be prepared with meeko.")
    ],
    ligand: Annotated[
        Path | None,
        typer.Option("--ligand", help="Bound ligand, SDF or PDB; the box is made around it."),
    ] = None,
    center: Annotated[
        Point | None, typer.Option("--center", metavar="X Y Z", help="Middle of the box, Å.")
    ] = None,
    size: Annotated[
        Point | None,
        typer.Option("--size", metavar="X Y Z", help="Sides of the box, Å; default: 22 22 22."),
    ] = None,
    padding: Annotated[
        float, typer.Option("--padding", min=0.0, help="Room around --ligand on every side, Å.")
    ] = 5.0,
) -> None:
    """Add a target of your own from a receptor and a bound ligand or a box.

    Example: molgfn targets add sEH --receptor 4jnc.pdb --ligand 1lf.sdf

    Example: molgfn targets add sEH --receptor 4jnc.pdbqt --center -13.4 26.3 -13.3 --size 20 16 18

    A PDB file is prepared with meeko: water and what is no part of the protein is left out but
    for metals, and hydrogens are added; what is chosen, renamed or left out is said. The target is
    kept in MOLGFN_DATA_DIR, else ~/.local/share/molgfn.
    """
    from molgfn.errors import UsageError
    from molgfn.reward.docking.own_targets import add_target, ligand_box

    if (ligand is None) == (center is None):
        raise UsageError("give the box either with --ligand or with --center and --size")
    if ligand is not None:
        middle, sides = ligand_box(ligand, padding)
        sides = sides if size is None else size
    else:
        middle = center if center is not None else (0.0, 0.0, 0.0)
        sides = (22.0, 22.0, 22.0) if size is None else size
    target, notes = add_target(name, receptor, middle, sides, ligand)
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(_described(target), nl=False, err=True)
    typer.echo(f"`molgfn dock FILE --target {shell_quoted(target.name)}` docks to it", err=True)


def _described(target: DockingTarget) -> str:
    def listed(numbers: Point) -> str:
        return f"[{', '.join(f'{number:g}' for number in numbers)}]"

    return (
        f"target: {target.name}\nreceptor: {target.receptor}\n"
        f"center: {listed(target.center)}  # Å\nsize: {listed(target.size)}  # Å\n"
        f"digest: {target.digest}\nsource: {target.source}\ncolumn: {target.energy_column}\n"
    )
