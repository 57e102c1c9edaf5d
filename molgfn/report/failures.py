"""Failed rows of a table, summed up for the user."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pandas as pd

from molgfn.tables.reader import Table

_SHOWN_ROWS = 5
_FAILED = ("invalid", "failed", "timeout")


@dataclass
class Failures:
    """Counts the rows of a table as they are written, and remembers those that failed.

    Attributes:
        verb: What was done to the rows, such as ``scored``.
        n_rows: Rows so far.
        lines: A line for each row that failed.
    """

    verb: str
    n_rows: int = 0
    lines: list[str] = field(default_factory=list)

    def note(self, frame: pd.DataFrame) -> None:
        """Look at the next rows, by their columns status and reason."""
        rows = zip(frame["status"], frame["reason"], strict=True)
        for number, (status, reason) in enumerate(rows, start=self.n_rows + 1):
            if status in _FAILED:
                self.lines.append(f"row {number} is {status}: {reason}")
        self.n_rows += len(frame)

    @property
    def summary(self) -> str:
        """How many rows succeeded."""
        return f"{self.verb} {self.n_rows - len(self.lines)} of {self.n_rows} rows"

    def shown(self) -> list[str]:
        """Lines of the first rows that failed."""
        rest = len(self.lines) - _SHOWN_ROWS
        more = [f"and {rest} more; see the columns status and reason"] if rest > 0 else []
        return self.lines[:_SHOWN_ROWS] + more

    @property
    def complaint(self) -> str:
        """What ``--strict`` ends with; empty where no row failed."""
        if not self.lines:
            return ""
        return f"{len(self.lines)} of {self.n_rows} rows could not be {self.verb} (--strict)"


def tell_replaced(table: Table, written: Collection[str], tell: Callable[[str], None]) -> None:
    """Tell which columns of an input give way to those that are computed."""
    names = [str(c) for c in table.frame.columns if c in written and c != table.smiles_column]
    if names:
        tell(f"computed anew, not taken from the input: {', '.join(names)}")
