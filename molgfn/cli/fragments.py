"""``molgfn fragments``: make, check and show fragment vocabularies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molgfn.cli.boundary import print_text

if TYPE_CHECKING:
    from rich.console import Console

    from molgfn.fragments.mining import LibraryReport, MiningResult

fragments_app = typer.Typer(
    help="Make, check and show fragment vocabularies.", no_args_is_help=True
)

_SHOWN_ROWS = 10


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
        int, typer.Option(min=1, help="Keep fragments seen at least so often.")
    ] = 3,
    min_pair_count: Annotated[
        int, typer.Option(min=1, help="Allow junctions of two atom types seen at least so often.")
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
    from dataclasses import replace
    from functools import partial

    from rich.progress import track

    from molgfn.errors import TableError
    from molgfn.fragments.mining import LibraryReport, MiningOptions, mine, read_library
    from molgfn.fragments.vocabulary_file import save_vocabulary
    from molgfn.machine.files import check_file_writable
    from molgfn.tables import read_molecule_table

    console = _console()
    check_file_writable(output)
    table = read_molecule_table(library, smiles_column)
    report = LibraryReport()
    watch = partial(track, console=console, disable=not console.is_terminal, transient=True)
    rows = watch(enumerate(table.smiles, 1), "reading", total=len(table))
    molecules = read_library(rows, report)
    for line in _library_lines(report, len(molecules)):
        console.print(line)
    if not molecules:
        raise TableError(
            f"{table.source}: none of {len(table)} rows is a neutral molecule of common elements; "
            "is --smiles-column the right one?"
        )
    options = MiningOptions(size, min_count, min_pair_count, max_heavy_atoms, max_fragments)
    result = mine(watch(molecules, "cutting"), output.stem if name is None else name, options)
    provenance = {
        "source": Path(table.source).name,
        "molecules": len(molecules),
        "rule": "cut every acyclic single bond that touches a ring atom",
        "command": f"molgfn fragments build --size {size} --min-count {min_count} "
        f"--min-pair-count {min_pair_count} --max-heavy-atoms {max_heavy_atoms} "
        f"--max-fragments {max_fragments}",
        "rebuilt": {
            "mined": str(result.library),
            "held out": str(result.held_out),
        },
    }
    vocabulary = replace(result.vocabulary, provenance=provenance)
    save_vocabulary(vocabulary, output, result.pair_counts)
    for line in _result_lines(result, output):
        console.print(line)


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
    _console().print(f"{output}: {len(found)} fragments")


def _library_lines(report: LibraryReport, n_molecules: int) -> Iterator[str]:
    yield (
        f"{report.n_rows} rows: {n_molecules} molecules, {report.n_duplicates} repeated, "
        f"{len(report.unreadable)} unreadable, {report.unsuitable.total()} left out"
    )
    if report.unsuitable:
        reasons = ", ".join(f"{reason} {n}" for reason, n in report.unsuitable.most_common())
        yield f"left out for: {reasons}"
    for row, reason in report.unreadable[:_SHOWN_ROWS]:
        yield f"row {row}: {reason}"
    if len(report.unreadable) > _SHOWN_ROWS:
        yield f"and {len(report.unreadable) - _SHOWN_ROWS} more unreadable rows"


def _result_lines(result: MiningResult, output: Path) -> Iterator[str]:
    yield f"{output}: {len(result.vocabulary)} fragments, {len(result.pair_counts)} pairs"
    yield f"rebuilt of the mined nine tenths: {result.library}"
    yield f"rebuilt of the held-out tenth: {result.held_out}"
    dropped = sorted(result.dropped_pairs.items(), key=lambda item: -item[1])
    if dropped:
        shown = ", ".join(f"{first}–{second} {n}" for (first, second), n in dropped[:8])
        yield f"pairs seen but not allowed (too rare, or reactive): {shown}"


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
