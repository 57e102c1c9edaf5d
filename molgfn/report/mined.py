"""What mining a vocabulary from a library tells its user."""

from __future__ import annotations

from collections.abc import Iterator

from molgfn.fragments.mining import LibraryReport, MiningResult

_SHOWN_PAIRS = 8


def library_lines(report: LibraryReport) -> Iterator[str]:
    """What was read of a library, and what was left out."""
    yield (
        f"{report.n_rows} rows: {report.n_molecules} molecules, {report.n_duplicates} repeated, "
        f"{report.n_unreadable} unreadable, {report.unsuitable.total()} left out"
    )
    if report.unsuitable:
        reasons = ", ".join(f"{reason} {n}" for reason, n in report.unsuitable.most_common())
        yield f"left out for: {reasons}"
    for row, reason in report.unreadable:
        yield f"row {row}: {reason}"
    if report.n_unreadable > len(report.unreadable):
        yield f"and {report.n_unreadable - len(report.unreadable)} more unreadable rows"


def mined_lines(result: MiningResult, where: str) -> Iterator[str]:
    """Size and coverage of a vocabulary that was written to a file."""
    yield f"{where}: {len(result.vocabulary)} fragments, {len(result.pair_counts)} pairs"
    yield f"rebuilt of the mined nine tenths: {result.library}"
    yield f"rebuilt of the held-out tenth: {result.held_out}"
    dropped = sorted(result.dropped_pairs.items(), key=lambda item: -item[1])
    if dropped:
        shown = ", ".join(f"{first}–{second} {n}" for (first, second), n in dropped[:_SHOWN_PAIRS])
        yield f"pairs seen but not allowed (too rare, or reactive): {shown}"
