"""From a library to a vocabulary file that says where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from molgfn.chem.molecule import Molecule
from molgfn.errors import TableError
from molgfn.fragments.mining import LibraryReport, MiningOptions, mine, read_library
from molgfn.fragments.vocabulary_file import save_vocabulary
from molgfn.machine.progress import Progress, silent
from molgfn.report.mined import library_lines, mined_lines
from molgfn.tables.reader import StreamedTable, Table


def build_vocabulary(
    table: Table | StreamedTable,
    name: str,
    options: MiningOptions,
    output: Path,
    *,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Mine the fragments of a library and write them.

    Raises:
        TableError: No molecule of the library is of use.
        OutputError: The file cannot be written.
    """
    report = LibraryReport()
    result = mine(_molecules(table, report, progress, tell), name, options)
    provenance = {
        "source": Path(table.source).name,
        "molecules": report.n_molecules,
        "rule": "cut every acyclic single bond that touches a ring atom",
        "command": f"molgfn fragments build --size {options.size} --min-count {options.min_count} "
        f"--min-pair-count {options.min_pair_count} --max-heavy-atoms {options.max_heavy_atoms} "
        f"--max-fragments {options.max_fragments}",
        "rebuilt": {"mined": str(result.library), "held out": str(result.held_out)},
    }
    vocabulary = replace(result.vocabulary, provenance=provenance)
    save_vocabulary(vocabulary, output, result.pair_counts)
    for line in mined_lines(result, str(output)):
        tell(line)


def _molecules(
    table: Table | StreamedTable,
    report: LibraryReport,
    progress: Progress,
    tell: Callable[[str], None],
) -> Iterator[Molecule]:
    """Read the library as far as its molecules are asked for, and tell of it at its end."""
    with progress("read", len(table)) as advance:
        yield from read_library(_counted(enumerate(table.smiles, 1), advance), report)
    for line in library_lines(report):
        tell(line)
    if not report.n_molecules:
        raise TableError(
            f"{table.source}: none of {len(table)} rows is a neutral molecule of common elements; "
            "is --smiles-column the right one?"
        )


def _counted(
    rows: Iterable[tuple[int, str]], advance: Callable[[int], None]
) -> Iterator[tuple[int, str]]:
    for row in rows:
        yield row
        advance(1)
