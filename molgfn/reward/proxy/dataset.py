"""Training data of a proxy: measured molecules from a table, with what had to be left out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.resources import SHIPPED_CURE, is_shipped
from molgfn.errors import MoleculeError, TableError
from molgfn.machine.sealed import read_sealed
from molgfn.tables import read_molecule_table

#: Fewer distinct molecules cannot be split into parts that say anything.
MIN_MOLECULES = 30

#: A column of this name tells where the molecules are from; tests are reported for each source.
SOURCE_COLUMN = "source"

#: Squares of larger values overflow what the networks compute with.
MAX_VALUE = 1e15


@dataclass(frozen=True)
class Dataset:
    """Distinct molecules with one target each.

    Attributes:
        molecules: Standardised molecules without stereo, which the network does not see.
        targets: Shape ``(n,)``, finite; the mean where a molecule came several times.
        problems: One line per row that was left out or averaged, naming the row.
        sources: Where each molecule is from, such as ``environment``; empty where not told.
        bounds: 1 where the true value lies above the target, as "> 50" in an assay says, -1 where
            it lies below, 0 where the target is the value; empty where all are.
    """

    molecules: tuple[Molecule, ...]
    targets: NDArray[np.float64]
    problems: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    bounds: tuple[int, ...] = ()

    def part(self, chosen: NDArray[np.int64]) -> Dataset:
        """Choose molecules."""
        return Dataset(
            tuple(self.molecules[i] for i in chosen),
            self.targets[chosen],
            sources=tuple(self.sources[i] for i in chosen) if self.sources else (),
            bounds=tuple(self.bounds[i] for i in chosen) if self.bounds else (),
        )

    @property
    def bound_signs(self) -> NDArray[np.int64]:
        """The bounds as an array, zeros where there are none, shape ``(n,)``."""
        return np.array(self.bounds if self.bounds else [0] * len(self.molecules), dtype=np.int64)

    @property
    def heavy_atoms(self) -> NDArray[np.int64]:
        """Heavy atoms of each molecule, shape ``(n,)``."""
        return np.array([m.n_heavy_atoms for m in self.molecules], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 of molecules and values, whatever the order of the rows."""
        lines = sorted(
            f"{molecule.smiles},{value:.6g}\n"
            for molecule, value in zip(self.molecules, self.targets.tolist(), strict=True)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_dataset(path: str | Path, smiles_column: str | None, target_column: str) -> Dataset:
    """Read measured molecules; unusable rows are left out and listed, never taken for 0.

    Args:
        path: CSV file, ``.gz`` allowed, or ``"-"`` for standard input.
        smiles_column: Column with the SMILES; default: the one called SMILES.
        target_column: Column with the measured number; an empty cell is a missing measurement.

    Raises:
        CheckpointError: A file that ships with molgfn is not as it was.
        TableError: The file cannot be read, has no such column, or holds fewer than
            ``MIN_MOLECULES`` usable molecules.
    """
    if is_shipped(Path(path)):
        read_sealed(Path(path), SHIPPED_CURE, required=True)
    table = read_molecule_table(path, smiles_column)
    if target_column not in table.frame.columns:
        raise TableError(
            f"{table.source} has no column {target_column!r}; its columns: "
            f"{', '.join(table.frame.columns)}; name the right one with --target-column"
        )
    measured: dict[Molecule, list[tuple[int, float]]] = {}
    sources = table.frame[SOURCE_COLUMN] if SOURCE_COLUMN in table.frame.columns else None
    problems = []
    cells = zip(table.smiles, table.frame[target_column], strict=True)
    for row, (smiles, cell) in enumerate(cells, start=1):
        try:
            value = _read_value(str(cell), target_column)
            molecule = read_molecule(smiles, keep_stereo=False)
        except (TableError, MoleculeError) as error:
            problems.append(f"row {row}: {error}; left out")
            continue
        measured.setdefault(molecule, []).append((row, value))
    for molecule, found in measured.items():
        if len(found) > 1:
            rows = ", ".join(str(row) for row, _ in found)
            problems.append(f"rows {rows}: the same molecule {molecule.smiles}; averaged")
    if len(measured) < MIN_MOLECULES:
        first = f"; first problem: {problems[0]}" if problems else ""
        raise TableError(
            f"{table.source} holds {len(measured)} usable molecules, a proxy needs at least "
            f"{MIN_MOLECULES}{first}"
        )
    values = np.array([np.mean([v for _, v in found]) for found in measured.values()])
    if np.ptp(values) == 0.0:
        raise TableError(
            f"{table.source}: every value of {target_column} is {values[0]:g}; "
            "a proxy needs values that differ"
        )
    told = (
        ()
        if sources is None
        else (str(sources.iloc[found[0][0] - 1]) for found in measured.values())
    )
    return Dataset(tuple(measured), values, tuple(problems), tuple(told))


def _read_value(cell: str, column: str) -> float:
    text = cell.strip()
    if not text:
        raise TableError(f"{column} is empty")
    try:
        value = float(text)
    except ValueError as error:
        raise TableError(f"{column} is {text!r}, not a number") from error
    if not math.isfinite(value):
        raise TableError(f"{column} is {text}, not a finite number")
    if abs(value) > MAX_VALUE:
        raise TableError(f"{column} is {text}, beyond {MAX_VALUE:g}; use a larger unit")
    return value
