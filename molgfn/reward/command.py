"""A user's program as a scorer: SMILES in, CSV out, with a time limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from molgfn.chem.molecule import Molecule
from molgfn.errors import ScorerError
from molgfn.machine.program import ProgramError, run_program
from molgfn.reward.foreign import finite
from molgfn.reward.program_table import read_program_table
from molgfn.reward.protocol import Scorer, Scores

#: Most bytes that a program may write, for a table and for each of its molecules.
_MOST_BYTES = 1_000_000, 20_000


@dataclass(frozen=True)
class CommandScorer(Scorer):
    """Runs a program that reads one SMILES a line and writes CSV with one row per molecule.

    The CSV has a header. The value is the column ``column``, else the first column of numbers. An
    empty cell or NaN marks a molecule that failed; a column ``reason``, if there is one, says why.
    Rows may come in any order where a column holds the SMILES, or running numbers called ``id``.

    Attributes:
        name: What messages and the output column call it.
        command: Command line, split as a shell would, but run without a shell.
        column: Name of the value column, or None.
        timeout_s: Time limit of one call, seconds.
    """

    name: str
    command: str
    column: str | None
    timeout_s: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.name,)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Run the program once on all molecules.

        Raises:
            ScorerError: The program cannot be started, runs too long, writes too much, exits with
                an error, or does not write one row per molecule.
        """
        if not molecules:
            return Scores({self.name: np.zeros(0)}, ())
        smiles = [molecule.smiles for molecule in molecules]
        table_bytes, row_bytes = _MOST_BYTES
        try:
            text = run_program(
                self.command,
                "".join(f"{one}\n" for one in smiles),
                limit_s=self.timeout_s,
                most_bytes=table_bytes + row_bytes * len(smiles),
            )
            column = None if self.column is None else self.column.strip()
            table = read_program_table(text, smiles, column)
            values = table.values(column)
        except ProgramError as error:
            raise ScorerError(
                f"scorer {self.name!r}: the command {self.command!r} {error}"
            ) from error
        reasons = [
            reason or ("no value" if math.isnan(value) else "")
            for reason, value in zip(table.reasons(), values, strict=True)
        ]
        return finite(np.array(values), reasons, self.name)
