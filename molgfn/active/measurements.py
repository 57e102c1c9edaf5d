"""Tables of measured values as laboratories bring them: one measurement for each molecule."""

from __future__ import annotations

from dataclasses import dataclass

from molgfn.active.answer import Answer
from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import MoleculeError, TableError
from molgfn.tables.measured import Measured, MeasuredColumn, contradiction, merge
from molgfn.tables.reader import Table

#: What stands in a column ``status`` where a value takes the place of all that came before.
CORRECTED = "corrected"


@dataclass(frozen=True)
class Measurement:
    """All that a table says of one molecule.

    Attributes:
        molecule: The molecule, standardised, without stereo; the first of its tautomers.
        repeats: Its values and failures, in the order of the table.
        rows: Their rows, from 1.
        is_correction: Whether they take the place of what was known before.
    """

    molecule: Molecule
    repeats: tuple[Measured, ...]
    rows: tuple[int, ...]
    is_correction: bool

    @property
    def where(self) -> str:
        """Its rows as messages name them."""
        return f"row{'s' * (len(self.rows) > 1)} {', '.join(map(str, self.rows))}"


def read_measurements(table: Table, column: str, oracle: OracleConfig) -> list[Measurement]:
    """Read the measured values of a table.

    Rows may come in any order and a molecule, known by its InChIKey, in several of them. An empty
    cell says nothing; a word such as ``failed``, or ``failed`` in a column ``status``, says that
    the measurement was tried and failed, for what a column ``reason`` tells.

    Args:
        table: The molecules.
        column: Column of the values.
        oracle: Unit and scale of the values.

    Returns:
        One measurement for each molecule with a value or a failure, in the order of the table.

    Raises:
        TableError: There is no such column, a row cannot be understood, or bounds contradict each
            other; the message names the row.
    """
    log10 = oracle.scale == "log10"
    cells = MeasuredColumn(table.frame, table.source, column, oracle.unit, log10=log10)
    found: dict[str, list[tuple[int, Molecule, Measured]]] = {}
    corrected = set()
    for index, smiles in enumerate(table.smiles):
        try:
            measured = cells.read(index)
            if measured is None:
                continue
            molecule = read_molecule(smiles, keep_stereo=False)
        except (TableError, MoleculeError) as error:
            raise TableError(f"{table.source} row {index + 1}: {column}: {error}") from error
        key = molecule.inchikey or molecule.smiles
        found.setdefault(key, []).append((index + 1, molecule, measured))
        if cells.status(index) == CORRECTED:
            corrected.add(key)
    measurements = []
    for key, told in found.items():
        rows, molecules, repeats = zip(*told, strict=True)
        one = Measurement(molecules[0], repeats, rows, key in corrected)
        try:
            merge(repeats)
        except TableError as error:
            smiles = one.molecule.smiles
            raise TableError(
                f"{table.source} {one.where}: {column} of {smiles}: {error}"
            ) from error
        measurements.append(one)
    return measurements


def answer_of(repeats: tuple[Measured, ...], oracle: OracleConfig) -> tuple[Answer, str]:
    """The answer that repeats of a measurement give, averaged on the scale of the oracle.

    Returns:
        The answer, and the bound that its mean does not keep; ``""`` where it keeps all.

    Raises:
        TableError: The bounds leave no value.
    """
    merged = merge(repeats, log10=oracle.scale == "log10")
    if merged.reason:
        return Answer.failed(merged.reason), ""
    return Answer(merged.value, "ok", "", 0.0, merged.relation), contradiction(repeats, merged)
