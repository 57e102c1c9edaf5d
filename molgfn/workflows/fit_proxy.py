"""From measured molecules to a proxy on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from molgfn.machine.progress import Progress, silent
from molgfn.report.fitted import fit_lines
from molgfn.reward.protocol import check_columns
from molgfn.reward.proxy.dataset import read_dataset
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.store import check_writable, save_proxy
from molgfn.tables.columns import split_column, value_column


def fit_on_table(
    path: str,
    column: str,
    output: Path,
    settings: FitSettings,
    *,
    smiles_column: str | None = None,
    target: str | None = None,
    unit: str | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Fit a proxy on a table and save it.

    Args:
        path: CSV file with molecules and values, or ``"-"``.
        column: Column to learn.
        output: Directory of the proxy.
        settings: How to fit.
        smiles_column: Column with the SMILES; default: the one called SMILES.
        target: Name of the target; default: the column's, so that what `molgfn dock` writes is
            learned as what the proxy predicts.
        unit: Unit in column names; default: the column's.
        progress: Told how far the work has come.
        tell: Called with each line for the user.

    Raises:
        ConfigError: The proxy would predict a reserved column.
        TableError: The table cannot be read, or has too few molecules.
        OutputError: The directory cannot be written.
    """
    own_target, own_unit = split_column(column)
    target = own_target if target is None else target
    unit = own_unit if unit is None else unit
    check_columns([value_column(target, unit)], "the proxy", "give --target-name")
    data = read_dataset(path, smiles_column, column)
    check_writable(output)
    for problem in data.problems:
        tell(problem)
    tell(f"{len(data.molecules)} distinct molecules with a value")
    with progress("fit", settings.n_epochs) as advance:
        proxy = fit_proxy(data, target, unit, settings, on_epoch=lambda: advance(1))
    save_proxy(proxy, data, output)
    for line in fit_lines(proxy.provenance["report"]):
        tell(line)
    tell(f"written to {output}")
