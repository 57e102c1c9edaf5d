"""Training data of a proxy: measured molecules from a table, with what had to be left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.resources import SHIPPED_CURE, is_shipped
from molgfn.errors import MoleculeError, TableError, a_few
from molgfn.machine.sealed import read_sealed
from molgfn.tables import read_molecule_table
from molgfn.tables.measured import Measured, MeasuredColumn, contradiction, merge

#: Fewer distinct molecules cannot be split into parts that say anything.
MIN_MOLECULES = 30

#: A column of this name tells where the molecules are from; tests are reported for each source.
SOURCE_COLUMN = "source"

#: What a bound is to a fit: the true value lies above or below.
BOUND_SIGNS = {"=": 0, ">": 1, "<": -1}
SIGNS_OF_BOUNDS = {sign: relation for relation, sign in BOUND_SIGNS.items()}
#: Rows that are left out and told one by one.
_MOST_PROBLEMS = 10


@dataclass(frozen=True)
class Dataset:
    """Distinct molecules with one target each.

    Attributes:
        molecules: Standardised molecules without stereo, which the network does not see.
        targets: Shape ``(n,)``, finite; the mean where a molecule came several times.
        problems: Rows that were left out, one line each or, if they are many, for the first of
            them; one line for all that were averaged.
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
        signs = self.bound_signs.tolist()
        lines = sorted(
            f"{molecule.smiles},{'<' * (sign < 0)}{'>' * (sign > 0)}{value:.6g}\n"
            for molecule, value, sign in zip(
                self.molecules, self.targets.tolist(), signs, strict=True
            )
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_dataset(path: str | Path, smiles_column: str | None, target_column: str) -> Dataset:
    """Read measured molecules; unusable rows are left out and listed, never taken for 0.

    Args:
        path: CSV file, ``.gz`` allowed, or ``"-"`` for standard input.
        smiles_column: Column with the SMILES; default: the one called SMILES.
        target_column: Column with the measured numbers and bounds, written as for ``rounds
            ingest``; an empty cell is a missing measurement.

    Raises:
        CheckpointError: A file that ships with molgfn is not as it was.
        TableError: The file cannot be read, has no such column, or holds fewer than
            ``MIN_MOLECULES`` usable molecules.
    """
    if is_shipped(Path(path)):
        read_sealed(Path(path), SHIPPED_CURE, required=True)
    table = read_molecule_table(path, smiles_column)
    cells = MeasuredColumn(table.frame, table.source, target_column)
    sources = table.frame[SOURCE_COLUMN] if SOURCE_COLUMN in table.frame.columns else None
    measured: dict[Molecule, list[tuple[int, Measured]]] = {}
    left_out: list[str] = []
    for index, smiles in enumerate(table.smiles):
        try:
            value = _value(cells.read(index), target_column)
            molecule = read_molecule(smiles, keep_stereo=False)
        except (TableError, MoleculeError) as error:
            left_out.append(f"row {index + 1}: {error}; left out")
            continue
        measured.setdefault(molecule, []).append((index + 1, value))
    repeated: list[str] = []
    merged: dict[Molecule, Measured] = {}
    for molecule, found in measured.items():
        rows = f"rows {', '.join(str(row) for row, _ in found)}"
        repeats = [value for _, value in found]
        try:
            merged[molecule] = merge(repeats)
        except TableError as error:
            left_out.append(f"{rows}: {molecule.smiles}: {error}; left out")
            continue
        if len(found) > 1:
            note = contradiction(repeats, merged[molecule])
            repeated.append(f"{rows}, {molecule.smiles}{note and f', {note}'}")
    problems = left_out[:_MOST_PROBLEMS]
    if len(left_out) > _MOST_PROBLEMS:
        problems.append(f"{len(left_out) - _MOST_PROBLEMS} more rows are left out")
    if repeated:
        problems.append(f"{len(repeated)} molecules in several rows, averaged: {a_few(repeated)}")
    if len(merged) < MIN_MOLECULES:
        first = f"; first problem: {problems[0]}" if problems else ""
        raise TableError(
            f"{table.source} holds {len(merged)} usable molecules, a proxy needs at least "
            f"{MIN_MOLECULES}{first}"
        )
    values = np.array([value.value for value in merged.values()])
    if np.ptp(values) == 0.0:
        value = next(iter(merged.values()))
        raise TableError(
            f"{table.source}: every value of {target_column} is {value}; "
            "a proxy needs values that differ"
        )
    told = (
        ()
        if sources is None
        else tuple(str(sources.iloc[measured[molecule][0][0] - 1]) for molecule in merged)
    )
    bounds = tuple(BOUND_SIGNS[value.relation] for value in merged.values())
    return Dataset(tuple(merged), values, tuple(problems), told, bounds if any(bounds) else ())


def _value(measured: Measured | None, column: str) -> Measured:
    """A measurement that has a value."""
    if measured is None:
        raise TableError(f"{column} is empty")
    if measured.reason:
        raise TableError(f"{column} says {measured.reason!r}")
    return measured
