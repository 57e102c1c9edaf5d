"""``molgfn fragments``: make, check and show fragment vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import print_text, say

fragments_app = typer.Typer(
    help="Make, check and show fragment vocabularies.", no_args_is_help=True
)


@fragments_app.callback()
def fragments() -> None:
    """Make, check and show fragment vocabularies."""


@fragments_app.command()
def build(
    library: Annotated[
        str, typer.Argument(help="Molecules: .smi, .csv, either with .gz; - is stdin.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Vocabulary to write, .yaml.")],
    size: Annotated[int, typer.Option(min=1, help="Most fragments to keep.")] = 250,
    min_count: Annotated[
        int, typer.Option(min=1, help="Least count of a fragment that is kept.")
    ] = 3,
    min_pair_count: Annotated[
        int, typer.Option(min=1, help="Least count of a pair of atom types that may be joined.")
    ] = 5,
    max_heavy_atoms: Annotated[
        int, typer.Option(min=1, help="Heavy atoms of the largest fragment.")
    ] = 18,
    max_fragments: Annotated[
        int, typer.Option(min=2, help="Fragments per molecule that still count as rebuilt.")
    ] = 9,
    smiles_column: Annotated[
        str | None, typer.Option(help="Column with the SMILES; default: the one called SMILES.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the vocabulary; default: that of the file.")
    ] = None,
) -> None:
    """Cut a library into a vocabulary and say how much of it can be rebuilt.

    Every acyclic single bond that touches a ring atom is cut. A tenth of the molecules is held
    out: the share of it that can be rebuilt tells how the vocabulary does on molecules it has
    not seen.

    Example: molgfn fragments build library.smi.gz -o my.yaml --size 200
    """
    from molgfn.cli.progress import progress_bar
    from molgfn.fragments.mining import MiningOptions
    from molgfn.machine.files import check_file_writable
    from molgfn.tables.reader import opened_molecule_table
    from molgfn.workflows.build_vocabulary import build_vocabulary

    check_file_writable(output)
    with opened_molecule_table(library, smiles_column) as table:
        build_vocabulary(
            table,
            output.stem if name is None else name,
            MiningOptions(size, min_count, min_pair_count, max_heavy_atoms, max_fragments),
            output,
            progress=progress_bar,
            tell=say,
        )


@fragments_app.command()
def check(
    vocabulary: Annotated[
        str, typer.Argument(help="Name of a shipped vocabulary, or a .yaml or .json file.")
    ] = "default",
) -> None:
    """Check a vocabulary: symmetry, dead ends, unique decoding.

    Ends with exit code 3 when the vocabulary cannot be used; warnings alone leave it at 0.

    Example: molgfn fragments check my.yaml
    """
    from molgfn.errors import VocabularyError
    from molgfn.fragments.lint import lint
    from molgfn.fragments.vocabulary_file import find_vocabulary

    report = lint(find_vocabulary(vocabulary))
    width = max(len(name) for name, _ in report.facts)
    lines = [f"{name:<{width}}  {value}" for name, value in report.facts]
    lines += [f"warning: {line}" for line in report.warnings]
    lines += [f"fault: {line}" for line in report.faults]
    print_text("".join(f"{line}\n" for line in lines))
    if report.faults:
        raise VocabularyError(
            f"{vocabulary}: {len(report.faults)} faults, the first: {report.faults[0]}"
        )


@fragments_app.command()
def show(
    vocabulary: Annotated[
        str, typer.Argument(help="Name of a shipped vocabulary, or a .yaml or .json file.")
    ] = "default",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Picture to write, .svg or .png.")
    ] = Path("fragments.svg"),
    columns: Annotated[int, typer.Option(min=1, max=50, help="Fragments per row.")] = 10,
) -> None:
    """Draw all fragments on one sheet.

    Sites are coloured by the bonds they take: blue one, green two, orange three or more.

    Example: molgfn fragments show default -o fragments.png
    """
    from molgfn.errors import UsageError
    from molgfn.fragments.drawing import draw_png, draw_svg
    from molgfn.fragments.vocabulary_file import find_vocabulary
    from molgfn.machine.files import check_file_writable, write_file

    suffix = output.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise UsageError(f"cannot draw {output}: give a name that ends in .svg or .png")
    check_file_writable(output)
    found = find_vocabulary(vocabulary)
    picture = draw_svg(found, columns) if suffix == ".svg" else draw_png(found, columns)
    write_file(output, picture)
    say(f"{output}: {len(found)} fragments")
