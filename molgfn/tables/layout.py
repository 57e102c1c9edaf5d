"""What every format comes down to: columns, and rows of text that can be read again and again."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Layout:
    """A table that was looked through once and found whole.

    Attributes:
        columns: Names of the columns, all different.
        n_rows: Number of rows.
        rows: Reads the rows, every cell text, as many as there are columns.
        smiles_column: The column that the format itself has for molecules.
        decimal_mark: The one that numbers have where their column leaves it open.
    """

    columns: list[str]
    n_rows: int
    rows: Callable[[], Iterator[list[str]]]
    smiles_column: str | None = None
    decimal_mark: Literal["", ","] = ""


def free_name(name: str, taken: Container[str]) -> str:
    """A name that is not taken: itself, else with a number after it."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
