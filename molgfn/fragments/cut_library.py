"""Millions of cut molecules in memory, some tens of bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from molgfn.fragments.cutting import Decomposition, Piece

H = TypeVar("H", bound=Hashable)


class _Rows(Generic[H]):
    """Rows of values that repeat: each value is kept once and goes by its number."""

    def __init__(self) -> None:
        self._numbers: dict[H, int] = {}
        self._rows = array("I")
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: tuple[H, ...]) -> None:
        self._rows.extend(self._numbers.setdefault(v, len(self._numbers)) for v in row)
        self._ends.append(len(self._rows))

    def __iter__(self) -> Iterator[tuple[H, ...]]:
        values = list(self._numbers)
        for begin, end in zip(self._ends, self._ends[1:], strict=False):
            yield tuple(values[number] for number in self._rows[begin:end])


class CutLibrary:
    """Decompositions in the order they came; iterate as often as needed."""

    def __init__(self) -> None:
        self._pieces = _Rows[Piece]()
        self._junctions = _Rows[tuple[str, str]]()

    def __len__(self) -> int:
        return len(self._pieces)

    def append(self, cut: Decomposition) -> None:
        """Add a decomposition."""
        self._pieces.append(cut.pieces)
        self._junctions.append(cut.junctions)

    def __iter__(self) -> Iterator[Decomposition]:
        for pieces, junctions in zip(self._pieces, self._junctions, strict=True):
            yield Decomposition(pieces, junctions)
