"""A user's program as a scorer: SMILES in, CSV out, with a time limit."""

from __future__ import annotations

import csv
import io
import math
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from molgfn.chem.molecule import Molecule
from molgfn.errors import ScorerError
from molgfn.reward.protocol import Scorer, Scores


@dataclass(frozen=True)
class CommandScorer(Scorer):
    """Runs a program that reads one SMILES a line and writes CSV with one row per molecule.

    The CSV has a header. The value is the column ``column``, else the first column whose cells
    are all numbers or empty. An empty cell or NaN marks a molecule that failed; a column
    ``reason``, if there is one, says why.

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
            ScorerError: The program cannot be started, runs too long, exits with an error, or
                does not write one row per molecule.
        """
        if not molecules:
            return Scores({self.name: np.zeros(0)}, ())
        text = self._run("".join(f"{molecule.smiles}\n" for molecule in molecules))
        try:
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
        except csv.Error as error:
            raise self._error(f"wrote invalid CSV: {error}") from error
        if len(rows) != len(molecules):
            raise self._error(
                f"wrote {len(rows)} rows for {len(molecules)} molecules; it must write a header "
                "and one row per molecule, with an empty value where it fails"
            )
        column = self._find_column(rows)
        values, reasons = np.full(len(rows), np.nan), [""] * len(rows)
        for index, row in enumerate(rows):
            cell = str(row[column] if row[column] is not None else "")
            number = _number(cell)
            if number is None:
                raise self._error(f"wrote {cell!r} in row {index + 1}, not a number")
            if math.isfinite(number):
                values[index] = number
            else:
                own = str(row.get("reason", "") or "").strip()
                reasons[index] = own if own else "no value"
        return Scores({self.name: values}, tuple(reasons))

    def _run(self, text: str) -> str:
        try:
            # A session of its own, so that the program's children can be stopped with it.
            process = subprocess.Popen(
                shlex.split(self.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise self._error(f"cannot be started: {error}") from error
        try:
            output, complaints = process.communicate(text, timeout=self.timeout_s)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise self._error(
                f"ran longer than its {self.timeout_s:g} s; raise timeout_s or make it faster"
            ) from error
        except BaseException:
            _stop(process)
            raise
        if process.returncode != 0:
            raise self._error(f"exited with {process.returncode}: {_tail(complaints)}")
        return output

    def _find_column(self, rows: list[dict[str, str]]) -> str:
        names = list(rows[0])
        if self.column is not None:
            if self.column not in names:
                raise self._error(f"wrote no column {self.column!r}, only {', '.join(names)}")
            return self.column
        for name in names:
            numbers = [_number(str(row[name] if row[name] is not None else "")) for row in rows]
            if None not in numbers and name.lower() not in ("smiles", "reason"):
                return name
        raise self._error(f"wrote no numeric column, only {', '.join(names)}")

    def _error(self, what: str) -> ScorerError:
        return ScorerError(f"scorer {self.name!r}: the command {self.command!r} {what}")


def _number(cell: str) -> float | None:
    """The number in a cell, NaN for an empty one, None for other text."""
    text = cell.strip()
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


def _stop(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _tail(text: str, limit: int = 300) -> str:
    """The end of a program's complaints as one line."""
    line = " ".join(text.split())
    return line[-limit:] if line else "nothing on stderr"
