"""Tables and files of docked molecules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from molgfn.chem.molecule import Molecule
from molgfn.errors import ConfigError, MoleculeError
from molgfn.machine.progress import Progress, silent
from molgfn.report.failures import Failures
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.ligand import LigandError, read_ligand
from molgfn.reward.docking.result import Docked
from molgfn.tables.columns import docked_columns, docked_reason_column
from molgfn.tables.naming import Names, name_columns
from molgfn.tables.reader import Table

if TYPE_CHECKING:
    from molgfn.reward.reward import Reward


class MoleculeDocking(Protocol):
    """What docks, as :class:`molgfn.reward.docking.docking.Docking` does."""

    target: DockingTarget

    def dock(
        self, molecules: Sequence[Molecule], on_done: Callable[[int], None]
    ) -> Iterator[Docked]:
        """Give the result of every molecule, in their order."""
        ...


def dock_table(
    table: Table, docking: MoleculeDocking, on_done: Callable[[int], None]
) -> Iterator[tuple[pd.DataFrame, Docked | None]]:
    """Dock every row of a table.

    Args:
        table: The molecules.
        docking: What docks them.
        on_done: Called with the number of rows done since the last call; they need not be the
            next ones.

    Yields:
        One row after the other in the order of the table, with the columns of
        :func:`~molgfn.tables.columns.docked_columns`, by :func:`docked_names`, and those of the
        table, and its result; None where the SMILES cannot be read (status ``invalid``). A table
        without rows gives its header.
    """
    columns, names = docked_columns(docking.target.name), docked_names(table, docking)
    if len(table) == 0:
        yield names.join(pd.DataFrame(columns=columns), table.frame), None
    molecules = [_read(smiles) for smiles in table.smiles]
    on_done(sum(not isinstance(molecule, Molecule) for molecule in molecules))
    results = docking.dock([m for m in molecules if isinstance(m, Molecule)], on_done)
    for index, (smiles, molecule) in enumerate(zip(table.smiles, molecules, strict=True)):
        record: dict[str, Any] = dict.fromkeys(columns)
        record["SMILES"] = smiles
        result = None
        if isinstance(molecule, Molecule):
            result = next(results)
            record[docking.target.energy_column] = result.energy_kcal_mol
            record["status"], record["reason"] = result.status, result.reason
            record["InChIKey"] = molecule.inchikey
            record["standard_SMILES"] = molecule.smiles
        else:
            record["status"], record["reason"] = molecule
        row = pd.DataFrame([record], columns=columns)
        yield names.join(row, table.frame.iloc[[index]].reset_index(drop=True)), result


def docked_names(table: Table, docking: MoleculeDocking) -> Names:
    """What the columns of docking are called beside those of a table."""
    columns = docked_columns(docking.target.name)
    return name_columns(columns, table.columns, table.smiles_column)


def dock_and_write(
    table: Table,
    docking: MoleculeDocking,
    write: Callable[[pd.DataFrame], None],
    write_pose: Callable[[str], object] | None,
    *,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> Failures:
    """Dock every row of a table and write the rows and poses as they come.

    Args:
        table: The molecules.
        docking: What docks them.
        write: Writes a row.
        write_pose: Writes a record of an SD file; ``None`` where no poses are wanted.
        progress: Told how far the work has come.
        tell: Called with a line for the user.

    Returns:
        The rows that could not be docked.
    """
    names = docked_names(table, docking)
    failures = Failures("docked", names.written["status"], names.written["reason"])
    for line in names.lines():
        tell(line)
    with progress("dock", len(table)) as advance:
        for frame, result in dock_table(table, docking, advance):
            write(frame)
            failures.note(frame)
            if write_pose is not None and result is not None and result.status == "ok":
                smiles = str(frame[names.written["SMILES"]].iloc[0])
                write_pose(sdf_record(result, docking.target, failures.n_rows, smiles))
    return failures


def sdf_record(result: Docked, target: DockingTarget, row: int, smiles: str) -> str:
    """One record of an SD file: the best pose, with what belongs to it.

    Returns:
        MOL block with hydrogens, properties and the end of the record.
    """
    properties = {
        target.energy_column: f"{result.energy_kcal_mol:.3f}",
        "target": target.name,
        "row": str(row),
        "SMILES": smiles.strip(),
    }
    fields = "".join(f">  <{name}>\n{value}\n\n" for name, value in properties.items())
    return f"{result.molblock}{fields}$$$$\n"


def add_docking(
    frames: Iterator[pd.DataFrame], docking: MoleculeDocking, on_done: Callable[[int], None]
) -> Iterator[pd.DataFrame]:
    """Put docked energies beside the predictions of ``molgfn score``.

    Args:
        frames: Blocks of scored rows.
        docking: What docks them.
        on_done: Called with the number of rows done since the last call.

    Yields:
        The blocks with the columns of :func:`oracle_columns` before ``status``. A row that cannot
        be docked has a reason there and keeps its status.
    """
    energy, reason = _oracle_columns(docking.target)
    for frame in frames:
        molecules = [
            ("invalid", "no molecule") if status == "invalid" else _read(str(smiles))
            for smiles, status in zip(frame["SMILES"], frame["status"], strict=True)
        ]
        on_done(sum(not isinstance(molecule, Molecule) for molecule in molecules))
        found = docking.dock([m for m in molecules if isinstance(m, Molecule)], on_done)
        results = [next(found) if isinstance(m, Molecule) else None for m in molecules]
        place = list(frame.columns).index("status")
        energies = [float("nan") if r is None else r.energy_kcal_mol for r in results]
        reasons = [
            molecule[1] if not isinstance(molecule, Molecule) else r.reason if r else ""
            for molecule, r in zip(molecules, results, strict=True)
        ]
        with_energy = frame.copy()
        with_energy.insert(place, energy, pd.Series(energies, dtype=float, index=frame.index))
        with_energy.insert(place + 1, reason, pd.Series(reasons, dtype=str, index=frame.index))
        yield with_energy


def oracle_columns(target: DockingTarget, reward: Reward) -> tuple[str, str]:
    """Columns that docking adds to ``molgfn score``.

    Args:
        target: The target.
        reward: What scores; its columns must be others.

    Raises:
        ConfigError: The proxy predicts a column of the same name.
    """
    columns = _oracle_columns(target)
    if columns[0] in reward.columns:
        raise ConfigError(
            f"the reward has a column {columns[0]} too; fit the proxy with --target-name "
            f"{target.name}, so that predicted and docked energies stay apart"
        )
    return columns


def _oracle_columns(target: DockingTarget) -> tuple[str, str]:
    return target.energy_column, docked_reason_column(target.name)


def _read(smiles: str) -> Molecule | tuple[str, str]:
    """The molecule, or a status and a reason."""
    try:
        return read_ligand(smiles)
    except LigandError as error:
        return "failed", str(error)
    except MoleculeError as error:
        return "invalid", str(error)
