"""Failed rows of a table, summed up for the user."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

_SHOWN_ROWS = 5
_FAILED = ("invalid", "failed", "timeout")


@dataclass
class Failures:
    """Counts the rows of a table as they are written, and remembers the first that failed.

    Attributes:
        verb: What was done to the rows, such as ``scored``.
        status_column: Column that says whether a row failed.
        reason_column: Column that says why.
        n_rows: Rows so far.
        n_failed: Rows that failed.
        lines: A line for each of the first rows that failed.
    """

    verb: str
    status_column: str = "status"
    reason_column: str = "reason"
    n_rows: int = 0
    n_failed: int = 0
    lines: list[str] = field(default_factory=list)

    def note(self, frame: pd.DataFrame) -> None:
        """Look at the next rows."""
        rows = zip(frame[self.status_column], frame[self.reason_column], strict=True)
        for number, (status, reason) in enumerate(rows, start=self.n_rows + 1):
            if status in _FAILED:
                self.n_failed += 1
                if self.n_failed <= _SHOWN_ROWS:
                    self.lines.append(f"row {number} is {status}: {reason}")
        self.n_rows += len(frame)

    @property
    def summary(self) -> str:
        """How many rows succeeded."""
        return f"{self.verb} {self.n_rows - self.n_failed} of {self.n_rows} rows"

    def shown(self) -> list[str]:
        """Lines of the first rows that failed."""
        rest = self.n_failed - len(self.lines)
        columns = f"{self.status_column} and {self.reason_column}"
        return self.lines + ([f"and {rest} more; see the columns {columns}"] if rest else [])

    @property
    def complaint(self) -> str:
        """What ``--strict`` ends with; empty where no row failed."""
        if not self.n_failed:
            return ""
        return f"{self.n_failed} of {self.n_rows} rows could not be {self.verb} (--strict)"
