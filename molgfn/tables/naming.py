"""Names of computed columns beside those of a user: no column of an input is lost or rewritten.

What the user calls ``pIC50`` stays; a prediction of that name is written as ``pIC50_predicted``,
anything else as ``…_computed``. In a table that an earlier command wrote, the columns of that
command come first and are computed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from molgfn.tables.columns import LIKELIHOOD_COLUMNS, std_column
from molgfn.tables.layout import free_name

_PREDICTED, _COMPUTED = "_predicted", "_computed"
#: Neighbouring columns by which a table shows that a command wrote it, and the columns of which the
#: first that follows is the last of that command; else it is the last of the neighbours.
_SIGNS = (
    (("status", "reason", "InChIKey"), ("standard_SMILES", "n_fragments")),
    (("SMILES", "InChIKey", "n_fragments"), ()),
)


@dataclass(frozen=True)
class Names:
    """What computed columns are called beside those of an input.

    Attributes:
        written: The name of each computed column, in their order.
        kept: Columns of the input that follow them.
        replaced: Columns of an earlier command that are computed anew.
    """

    written: dict[str, str]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]

    def join(self, computed: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
        """Put the computed columns before those of the input, row by row."""
        return pd.concat([computed.rename(columns=self.written), given[list(self.kept)]], axis=1)

    def lines(self) -> list[str]:
        """Lines for the user: what is not as its name says."""
        renamed = [new for old, new in self.written.items() if new != old]
        lines = []
        if self.replaced:
            lines.append(f"computed anew, not taken from the input: {', '.join(self.replaced)}")
        if renamed:
            lines.append(
                f"the input has columns of these names, which stay as they are; computed under "
                f"names of their own: {', '.join(renamed)}"
            )
        return lines


def name_columns(computed: Sequence[str], given: Sequence[str], smiles_column: str) -> Names:
    """Find names for computed columns.

    Args:
        computed: The columns, first of them ``SMILES``, the text of ``smiles_column``; a prediction
            is one whose standard deviation is there too.
        given: Columns of the input.
        smiles_column: The one with the SMILES.
    """
    ours = set(given[: _n_ours(given)]) - {"SMILES"}
    # What has no standard deviation is no prediction, and none takes its place.
    ours -= {c for c in ours if std_column(c) in computed and std_column(c) not in ours}
    if smiles_column == "SMILES":
        ours.add("SMILES")
    theirs = set(given) - ours
    written: dict[str, str] = {}
    taken = theirs | set(computed)
    for name in computed:
        value = name.removesuffix(std_column(""))
        is_std = value != name and value in written
        if is_std and written[value] != value:
            written[name] = free_name(std_column(written[value]), taken)
        elif name in theirs or (std_column(name) in theirs and std_column(name) in computed):
            end = _PREDICTED if is_std or std_column(name) in computed else _COMPUTED
            written[name] = free_name(name + end, taken)
        else:
            written[name] = name
        taken.add(written[name])
    gone = ours & set(written.values())
    return Names(
        written,
        tuple(name for name in given if name not in gone),
        tuple(name for name in given if name in gone and name != smiles_column),
    )


def _n_ours(given: Sequence[str]) -> int:
    """How many columns, from the first on, an earlier command wrote."""
    plain = [name.removesuffix(_COMPUTED) for name in given]
    for neighbours, ends in _SIGNS:
        n = len(neighbours)
        starts = (i for i in range(len(plain)) if tuple(plain[i : i + n]) == neighbours)
        start = next(starts, None)
        if start is None or plain[0] != "SMILES":
            continue
        last = next((i for i in range(start, len(plain)) if plain[i] in ends), start + n - 1)
        likelihood = tuple(plain[last + 1 : last + 1 + len(LIKELIHOOD_COLUMNS)])
        return last + 1 + (len(likelihood) if likelihood == LIKELIHOOD_COLUMNS else 0)
    return 0
